//! The second factor: setting it up, and step-up to a fresh `auth_time` and a higher `acr`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use portcullis::Policy;
use portcullis_axum::Claims;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::api::Api;
use super::asserted::Asserted;
use super::auth::{self, Tokens};
use super::body::JsonBody;
use super::cookies;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::clock::{now_secs, secs};
use crate::domain::peer::Peer;
use crate::domain::second_factor::{RecoveryCodes, SteppedUp};
use crate::domain::tokens::TWO_FACTORS;

/// How long a step-up is fresh.
pub(super) const JUST_STEPPED_UP: Duration = Duration::from_secs(300);

/// Returns the policy of operations that need a recent step-up.
pub(super) fn just_stepped_up() -> Policy {
    Policy::acr([TWO_FACTORS]).and(Policy::max_auth_age(JUST_STEPPED_UP))
}

/// The claims of a session's token that say when and how the user authenticated.
#[derive(Deserialize)]
pub(super) struct AuthTime {
    auth_time: Option<i64>,
    acr: Option<String>,
}

impl AuthTime {
    /// Returns whether the token was issued for an authentication within the last 5 minutes.
    pub(super) fn is_fresh(&self, api: &Api) -> bool {
        let now = now_secs(&*api.config.clock);
        let age = self.auth_time.map(|at| now.saturating_sub(at));
        age.is_some_and(|age| (0..=secs(JUST_STEPPED_UP)).contains(&age))
    }

    /// Returns whether the token was issued for a second factor that was shown within the last 5
    /// minutes.
    pub(super) fn just_stepped_up(&self, api: &Api) -> bool {
        self.acr.as_deref() == Some(TWO_FACTORS) && self.is_fresh(api)
    }
}

/// The user's password once more: an access token alone is not enough.
#[derive(Deserialize, ToSchema)]
pub(super) struct Password {
    password: String,
}

/// The secret for an authenticator app and the recovery codes, which are shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct Secret<'s> {
    /// The secret in base32.
    secret: &'s str,
    /// The secret as an `otpauth` URL, for a QR code.
    otpauth_url: &'s str,
    /// The recovery codes. Each is valid once, instead of a code from the app.
    recovery_codes: Vec<&'s str>,
}

/// Recovery codes for a user who has lost the app. They are shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct Codes<'s> {
    /// The recovery codes. Each is valid once, instead of a code from the app.
    recovery_codes: Vec<&'s str>,
}

/// Creates a secret for an authenticator app. It is in effect from the first right code on. For a
/// user who has passkeys, only within 5 minutes of a step-up.
#[utoipa::path(
    post,
    path = "/v1/auth/totp",
    tag = "second factor",
    operation_id = "enrol_totp",
    request_body = Password,
    responses((status = 201, description = "The secret", body = Secret<'_>)),
)]
pub(super) async fn enrol(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
    Claims(claims): Claims<AuthTime>,
    JsonBody(Password { password }): JsonBody<Password>,
) -> Result<Response, Problem> {
    let password = Zeroizing::new(password);
    let stepped_up = claims.just_stepped_up(&api);
    let factors = &api.domain.second_factors;
    let enrolment = factors.enrol(&live.user, password, stepped_up, &peer).await?;
    let enrolment = enrolment.ok_or(Problem::WrongPassword)?;
    let body = Secret {
        secret: &enrolment.secret,
        otpauth_url: &enrolment.url,
        recovery_codes: shown(&enrolment.recovery_codes),
    };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// A code of the authenticator app or a recovery code, or else a passkey.
#[derive(Deserialize, ToSchema)]
pub(super) struct SecondFactor {
    /// The code, which is valid once.
    code: Option<String>,
    /// A passkey of the session's user.
    passkey: Option<Asserted>,
}

/// Exchanges a code or a passkey for an access token with a fresh `auth_time` and the `acr` `aal2`.
#[utoipa::path(
    post,
    path = "/v1/auth/step-up",
    tag = "second factor",
    request_body = SecondFactor,
    responses((status = 200, description = "The session's new access token", body = Tokens<'_>)),
)]
pub(super) async fn step_up(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
    JsonBody(SecondFactor { code, passkey }): JsonBody<SecondFactor>,
) -> Result<Response, Problem> {
    // The new token is for the same APIs as the request's token.
    let audience = api.audience(&live.audience)?;
    let (factors, passkeys) = (&api.domain.second_factors, &api.domain.passkeys);
    let (user, session) = (&live.user, &live.session);
    let token = match (code, passkey) {
        (Some(code), None) => {
            match factors.step_up(user, session, &code, &audience, &peer).await? {
                SteppedUp::Token(token) => token,
                SteppedUp::Locked => return Err(Problem::SecondFactorLocked),
                SteppedUp::WrongCode => return Err(Problem::WrongCode),
                SteppedUp::NotEnrolled => return Err(Problem::NoSecondFactor),
            }
        }
        (None, Some(passkey)) => {
            let token = passkeys.step_up(user, session, passkey.into(), &audience, &peer).await?;
            token.ok_or(Problem::WrongPasskey)?
        }
        _ => return Err(Problem::WrongFields),
    };
    let scope = live.user.scopes.join(" ");
    let body = Tokens::of_session(&api, &token, &scope, &live.session.id);
    let mut response = ([(CACHE_CONTROL, "no-store")], Json(body)).into_response();
    let headers = response.headers_mut();
    cookies::set_access(headers, &api.config, &token).map_err(auth::no_header)?;
    Ok(response)
}

/// Deletes the secret of the authenticator app, and the recovery codes of a user without passkeys;
/// only within 5 minutes of a step-up.
#[utoipa::path(
    delete,
    path = "/v1/auth/totp",
    tag = "second factor",
    operation_id = "remove_totp",
    responses((status = 204, description = "The secret is deleted")),
)]
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
) -> Result<StatusCode, Problem> {
    match api.domain.second_factors.remove(&live.user, &peer).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::NoSecondFactor),
    }
}

/// Replaces all recovery codes with new ones; only within 5 minutes of a step-up.
#[utoipa::path(
    post,
    path = "/v1/auth/recovery-codes",
    tag = "second factor",
    operation_id = "make_recovery_codes",
    responses((status = 201, description = "The codes", body = Codes<'_>)),
)]
pub(super) async fn new_recovery_codes(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
) -> Result<Response, Problem> {
    let codes = api.domain.second_factors.new_recovery_codes(&live.user, &peer).await?;
    let codes = codes.ok_or(Problem::NoSecondFactor)?;
    let body = Codes { recovery_codes: shown(&codes) };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

pub(super) fn shown(codes: &RecoveryCodes) -> Vec<&str> {
    codes.shown.iter().map(|code| code.as_str()).collect()
}
