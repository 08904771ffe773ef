//! Step-up: a second factor, and a fresh `auth_time` and higher `acr` for whoever shows it.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;
use tollgate::Policy;
use zeroize::Zeroizing;

use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use super::{auth, cookies};
use crate::client::Client;
use crate::issuer::Issuer;
use crate::second_factor::SteppedUp;
use crate::token::TWO_FACTORS;

/// What switching the second factor off asks for.
pub(super) fn just_stepped_up() -> Policy {
    let (acr, _) = TWO_FACTORS;
    Policy::acr([acr]).and(Policy::max_auth_age(Duration::from_secs(300)))
}

#[derive(Deserialize)]
pub(super) struct Password {
    password: String,
}

/// `POST /v1/auth/totp`
pub(super) async fn enrol(
    State(issuer): State<Issuer>,
    Extension(live): Extension<LiveSession>,
    client: Client,
    JsonBody(Password { password }): JsonBody<Password>,
) -> Result<Response, Problem> {
    let password = Zeroizing::new(password);
    let enrolment = issuer.enrol_second_factor(&live.user, password, &client).await?;
    let enrolment = enrolment.ok_or(Problem::WrongPassword)?;
    let body = json!({
        "secret": enrolment.secret.as_str(),
        "otpauth_url": enrolment.url.as_str(),
    });
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

/// `POST /v1/auth/step-up`
pub(super) async fn step_up(
    State(issuer): State<Issuer>,
    Extension(live): Extension<LiveSession>,
    client: Client,
    JsonBody(Code { code }): JsonBody<Code>,
) -> Result<Response, Problem> {
    let token = match issuer.step_up(&live.user, &live.session, &code, &client).await? {
        SteppedUp::Token(token) => token,
        SteppedUp::WrongCode => return Err(Problem::WrongCode),
        SteppedUp::NotEnrolled => return Err(Problem::NoSecondFactor),
    };
    let body = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": issuer.config().access_expiry.as_secs(),
        "scope": live.user.scopes.join(" "),
        "session_id": live.session.id,
    });
    let mut response = ([(CACHE_CONTROL, "no-store")], Json(body)).into_response();
    let headers = response.headers_mut();
    cookies::set_access(headers, issuer.config(), &token).map_err(auth::no_header)?;
    Ok(response)
}

/// `DELETE /v1/auth/totp`
pub(super) async fn remove(
    State(issuer): State<Issuer>,
    Extension(live): Extension<LiveSession>,
    client: Client,
) -> Result<StatusCode, Problem> {
    match issuer.remove_second_factor(&live.user, &client).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::NoSecondFactor),
    }
}
