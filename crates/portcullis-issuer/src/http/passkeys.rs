//! Passkeys: the ceremonies of WebAuthn, and a user's list of passkeys.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use portcullis_axum::Claims;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};
use zeroize::Zeroizing;

use super::api::Api;
use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use super::second_factor::{AuthTime, shown};
use super::{auth, cross_site};
use crate::domain::passkeys::{
    Assertion, Attestation, Begun, CEREMONY_SECS, Registration, StoredPasskey,
};
use crate::domain::peer::Peer;

/// The maximum length of a passkey's name, in characters.
const NAME: usize = 100;

/// A ceremony that has begun.
#[derive(Serialize, ToSchema)]
pub(super) struct Challenge<'c> {
    /// A secret that is sent with the passkey's answer. It is valid for one attempt.
    ceremony: &'c str,
    /// The number of seconds after which the ceremony expires.
    expires_in: u32,
    /// The options in the JSON form of WebAuthn level 3, for
    /// `PublicKeyCredential.parseRequestOptionsFromJSON` or `parseCreationOptionsFromJSON`.
    #[schema(value_type = Object)]
    options: &'c Value,
}

fn challenge_of(begun: &Begun) -> Response {
    let Begun { ceremony, options } = begun;
    let body = Challenge { ceremony, expires_in: CEREMONY_SECS, options };
    (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Begins a ceremony with any passkey, for a login, for the second factor of a login, or for a
/// step-up.
#[utoipa::path(
    post,
    path = "/v1/auth/passkeys/challenge",
    tag = "passkeys",
    operation_id = "challenge_passkey",
    responses((status = 201, description = "The challenge", body = Challenge<'_>)),
)]
pub(super) async fn challenge(
    State(api): State<Arc<Api>>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    cross_site::check(&headers, &api.config)?;
    Ok(challenge_of(&api.domain.passkeys.challenge(&peer).await?))
}

/// A passkey, as the only factor of a login.
#[derive(Deserialize, ToSchema)]
pub(super) struct PasskeyLogin {
    /// The `ceremony` of the challenge.
    ceremony: String,
    /// The `AuthenticationResponseJSON` of WebAuthn level 3: `credential.toJSON()`.
    #[schema(value_type = Object)]
    credential: PublicKeyCredential,
    /// The APIs that the access token is for, as at a login by password.
    #[serde(default)]
    #[schema(required = false)]
    resource: Vec<String>,
}

/// Begins a session, with a passkey and without a name. The response is that of a login by password.
#[utoipa::path(
    post,
    path = "/v1/auth/passkeys/login",
    tag = "passkeys",
    operation_id = "login_with_passkey",
    request_body = PasskeyLogin,
    responses((status = 200, description = "The session's first tokens", body = auth::Tokens<'_>)),
)]
pub(super) async fn login(
    State(api): State<Arc<Api>>,
    peer: Peer,
    headers: HeaderMap,
    JsonBody(PasskeyLogin { ceremony, credential, resource }): JsonBody<PasskeyLogin>,
) -> Result<Response, Problem> {
    // Another site's page must not log its visitor in as another user.
    cross_site::check(&headers, &api.config)?;
    let audience = api.audience(&resource)?;
    let assertion = Assertion { ceremony: Zeroizing::new(ceremony), credential };
    let grant = api.domain.passkeys.login(assertion, &audience, &peer).await?;
    auth::hand_out_login(&api, &grant.ok_or(Problem::WrongPasskey)?, &headers)
}

/// The proof that the user may add a passkey, if the last authentication is too old for that.
#[derive(Deserialize, ToSchema)]
pub(super) struct Registrar {
    /// The user's password. It is not enough for a user who has a second factor.
    password: Option<String>,
}

/// Begins the registration of a passkey; only within 5 minutes of a step-up, or of the login of a
/// user without a second factor.
#[utoipa::path(
    post,
    path = "/v1/auth/passkeys/registration",
    tag = "passkeys",
    operation_id = "begin_passkey_registration",
    request_body = Registrar,
    responses((status = 201, description = "The challenge", body = Challenge<'_>)),
)]
pub(super) async fn begin_registration(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    Claims(claims): Claims<AuthTime>,
    peer: Peer,
    JsonBody(Registrar { password }): JsonBody<Registrar>,
) -> Result<Response, Problem> {
    let domain = &api.domain;
    let (user, session) = (&live.user, &live.session);
    let stepped_up = claims.just_stepped_up(&api);
    if !stepped_up {
        if domain.second_factors.has_one(user).await? {
            return Err(Problem::StepUpTooOld);
        }
        match password.map(Zeroizing::new) {
            Some(password) => {
                if !domain.second_factors.knows_password(user, password, &peer).await? {
                    return Err(Problem::WrongPassword);
                }
            }
            None if claims.is_fresh(&api) => {}
            None => return Err(Problem::LoginTooOld),
        }
    }
    let begun = domain.passkeys.begin_registration(user, session, stepped_up, &peer).await?;
    Ok(challenge_of(&begun.ok_or(Problem::TooManyPasskeys)?))
}

/// A new passkey's answer to the challenge of its registration.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPasskey {
    /// The `ceremony` of the challenge.
    ceremony: String,
    /// The `RegistrationResponseJSON` of WebAuthn level 3: `credential.toJSON()`.
    #[schema(value_type = Object)]
    credential: RegisterPublicKeyCredential,
    /// The user's name for the passkey, such as the name of a device.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// A passkey.
#[derive(Serialize, ToSchema)]
#[schema(as = Passkey)]
pub(super) struct ShownPasskey {
    /// The passkey's id at the issuer.
    id: String,
    /// The user's name for the passkey.
    name: String,
    /// When the passkey was registered, in seconds since 1970.
    created_at: i64,
    /// When the passkey was last used, in seconds since 1970.
    last_used_at: Option<i64>,
    /// Whether the passkey may be on several devices.
    synced: bool,
    /// Whether the passkey is on several devices, or in a backup.
    backed_up: bool,
}

impl From<StoredPasskey> for ShownPasskey {
    fn from(passkey: StoredPasskey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
            synced: passkey.synced,
            backed_up: passkey.backed_up,
        }
    }
}

/// A new passkey.
#[derive(Serialize, ToSchema)]
pub(super) struct RegisteredPasskey<'r> {
    #[serde(flatten)]
    passkey: ShownPasskey,
    /// Recovery codes for a user who has lost all passkeys, shown once. Each is valid once, after
    /// the password. They are present if the passkey is the user's first second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    recovery_codes: Option<Vec<&'r str>>,
}

/// Adds a passkey, in the session that began its registration.
#[utoipa::path(
    post,
    path = "/v1/auth/passkeys",
    tag = "passkeys",
    operation_id = "register_passkey",
    request_body = NewPasskey,
    responses((status = 201, description = "The passkey", body = RegisteredPasskey<'_>)),
)]
pub(super) async fn register(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
    JsonBody(NewPasskey { ceremony, credential, name }): JsonBody<NewPasskey>,
) -> Result<Response, Problem> {
    check_name(&name)?;
    let attestation = Attestation { ceremony: Zeroizing::new(ceremony), credential, name };
    let passkeys = &api.domain.passkeys;
    match passkeys.register(&live.user, &live.session, attestation, &peer).await? {
        Registration::Done { passkey, codes } => {
            let recovery_codes = codes.as_ref().map(shown);
            let body = RegisteredPasskey { passkey: passkey.into(), recovery_codes };
            Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
        }
        Registration::TooMany => Err(Problem::TooManyPasskeys),
        Registration::Refused => Err(Problem::WrongPasskey),
    }
}

/// Rejects a name that a list could not show.
fn check_name(name: &str) -> Result<(), Problem> {
    let is_shown = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if is_shown && name.chars().count() <= NAME { Ok(()) } else { Err(Problem::WrongFields) }
}

/// A user's passkeys.
#[derive(Serialize, ToSchema)]
pub(super) struct Passkeys {
    /// The passkeys, the oldest first.
    passkeys: Vec<ShownPasskey>,
}

/// Lists the user's passkeys.
#[utoipa::path(
    get,
    path = "/v1/auth/passkeys",
    tag = "passkeys",
    operation_id = "list_passkeys",
    responses((status = 200, description = "The passkeys", body = Passkeys)),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
) -> Result<Json<Passkeys>, Problem> {
    let passkeys = api.domain.passkeys.of(&live.user.id).await?;
    Ok(Json(Passkeys { passkeys: passkeys.into_iter().map(Into::into).collect() }))
}

/// A passkey's new name.
#[derive(Deserialize, ToSchema)]
pub(super) struct PasskeyName {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// Renames one of the user's passkeys.
#[utoipa::path(
    post,
    path = "/v1/auth/passkeys/{id}/name",
    tag = "passkeys",
    operation_id = "rename_passkey",
    params(("id" = String, Path, description = "The `id` from the list of passkeys")),
    request_body = PasskeyName,
    responses((status = 204, description = "The passkey has the new name")),
)]
pub(super) async fn rename(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
    id: Result<Path<String>, PathRejection>,
    JsonBody(PasskeyName { name }): JsonBody<PasskeyName>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id.map_err(|_| Problem::NoSuchPasskey)?;
    check_name(&name)?;
    match api.domain.passkeys.rename(&live.user, &live.session, &id, &name, &peer).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::NoSuchPasskey),
    }
}

/// Removes one of the user's passkeys, and ends the other sessions that began with it; only within 5
/// minutes of a step-up.
#[utoipa::path(
    delete,
    path = "/v1/auth/passkeys/{id}",
    tag = "passkeys",
    operation_id = "remove_passkey",
    params(("id" = String, Path, description = "The `id` from the list of passkeys")),
    responses((status = 204, description = "The passkey is removed")),
)]
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id.map_err(|_| Problem::NoSuchPasskey)?;
    match api.domain.passkeys.remove(&live.user, &live.session, &id, &peer).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::NoSuchPasskey),
    }
}
