//! A user's own password.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use portcullis_axum::Claims;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::api::Api;
use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use super::second_factor::AuthTime;
use crate::domain::peer::Peer;

/// The current and the new password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Passwords {
    /// The current password; may be absent within 5 minutes of a step-up.
    password: Option<String>,
    /// The new password: neither the user's name or address nor a common password; at most 1024
    /// bytes in UTF-8.
    #[schema(min_length = 8, max_length = 1024)]
    new_password: String,
}

/// Changes the user's password, and ends the user's other sessions.
#[utoipa::path(
    post,
    path = "/v1/auth/password",
    tag = "users",
    operation_id = "change_password",
    request_body = Passwords,
    responses((status = 204, description = "The password is changed")),
)]
pub(super) async fn change(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    Claims(claims): Claims<AuthTime>,
    peer: Peer,
    JsonBody(Passwords { password, new_password }): JsonBody<Passwords>,
) -> Result<StatusCode, Problem> {
    let new_password = Zeroizing::new(new_password);
    let domain = &api.domain;
    // Read before the proof: a change of the credentials after this makes the proof void.
    let credentials = domain.people.credentials(&live.user).await?;
    let is_proven = match password.map(Zeroizing::new) {
        Some(password) => domain.second_factors.knows_password(&live.user, password, &peer).await?,
        None => claims.just_stepped_up(&api),
    };
    if !is_proven {
        return Err(Problem::WrongPassword);
    }
    let (user, session) = (&live.user.id, &live.session.id);
    if !domain.people.change_own_password(user, new_password, session, credentials, &peer).await? {
        return Err(Problem::WrongPassword);
    }
    Ok(StatusCode::NO_CONTENT)
}
