//! The user of an access token, and registration, if it is enabled.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::Api;
use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::domain::peer::Peer;
use crate::domain::users::User;

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct ShownUser {
    /// The user's id, which is the `sub` claim of the user's tokens.
    id: String,
    /// The name that the user logs in with.
    name: String,
    /// The user's roles, which are the `roles` claim of new tokens.
    roles: Vec<String>,
    /// The user's scopes, to which the `scope` claim of new tokens is limited.
    scopes: Vec<String>,
}

/// Returns the user of the access token, with the current roles and scopes.
///
/// They may differ from the claims of the token.
#[utoipa::path(
    get,
    path = "/v1/users/me",
    tag = "users",
    operation_id = "who_am_i",
    responses((status = 200, description = "The user", body = ShownUser)),
)]
pub(super) async fn me(Extension(live): Extension<LiveSession>) -> Json<ShownUser> {
    Json(live.user.into())
}

/// A user's name and password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Registration {
    /// Visible ASCII characters, no spaces.
    #[schema(pattern = "^[!-~]{1,128}$")]
    username: String,
    /// At most 1024 bytes in UTF-8.
    #[schema(min_length = 8, max_length = 1024)]
    password: String,
}

/// Creates a user without roles and scopes. This route exists only if registration is enabled.
#[utoipa::path(
    post,
    path = "/v1/auth/register",
    tag = "users",
    request_body = Registration,
    responses((status = 201, description = "The user", body = ShownUser)),
)]
pub(super) async fn register(
    State(api): State<Arc<Api>>,
    peer: Peer,
    JsonBody(Registration { username, password }): JsonBody<Registration>,
) -> Result<Response, Problem> {
    let user = api.domain.registrations.register(&username, password, &peer).await?;
    let private = [(CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, private, Json(ShownUser::from(user))).into_response())
}

/// Begins a registration. A token is sent to the address, and the user can log in after returning
/// it. The response is the same if the name is taken. At most 3 messages are sent to an address at
/// once, and then one every 5 minutes. A registration over that limit sends nothing, and the
/// previous registration stays valid.
#[utoipa::path(
    post,
    path = "/v1/auth/register",
    tag = "users",
    operation_id = "register",
    request_body = Registration,
    responses((status = 202, description = "If the address is free, a token is sent to it")),
)]
pub(super) async fn register_address(
    State(api): State<Arc<Api>>,
    peer: Peer,
    JsonBody(Registration { username, password }): JsonBody<Registration>,
) -> Result<StatusCode, Problem> {
    api.domain.registrations.register_address(&username, password, &peer).await?;
    Ok(StatusCode::ACCEPTED)
}

impl From<User> for ShownUser {
    fn from(User { id, name, roles, scopes, .. }: User) -> Self {
        Self { id, name, roles, scopes }
    }
}
