//! The operations that change an account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use zeroize::Zeroizing;

use super::shapes::{Address, Ended, NewPassword, Roles, Scopes};
use super::{Admin, Id, change, change_another, user_ref};
use crate::domain::people::Change;
use crate::http::api::Api;
use crate::http::body::JsonBody;
use crate::http::problem::Problem;

/// Deletes a user, and ends all sessions of the user.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{id}",
    tag = "administration",
    operation_id = "remove_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    responses((status = 200, description = "The user is deleted", body = Ended)),
)]
pub(in crate::http) async fn remove(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<Json<Ended>, Problem> {
    let ended_sessions = change(&api, &admin, id, Change::Removed).await?;
    Ok(Json(Ended { ended_sessions }))
}

/// Sets another user's password, and ends all sessions of the user.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/password",
    tag = "administration",
    operation_id = "set_password_of_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    request_body = NewPassword,
    responses((status = 200, description = "The password is set", body = Ended)),
)]
pub(in crate::http) async fn set_password(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(NewPassword { password }): JsonBody<NewPassword>,
) -> Result<Json<Ended>, Problem> {
    let password = Zeroizing::new(password);
    let user_ref = user_ref(id)?;
    admin.require_another(&user_ref)?;
    let ended_sessions = api.domain.people.set_password(&user_ref, password, admin.actor()).await?;
    Ok(Json(Ended { ended_sessions }))
}

/// Rejects a user's logins from now on, and ends all sessions of the user.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/disable",
    tag = "administration",
    operation_id = "disable_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    responses((status = 200, description = "The user is disabled", body = Ended)),
)]
pub(in crate::http) async fn disable(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<Json<Ended>, Problem> {
    let ended_sessions = change(&api, &admin, id, Change::Disabled(true)).await?;
    Ok(Json(Ended { ended_sessions }))
}

/// Lets a user log in again.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/enable",
    tag = "administration",
    operation_id = "enable_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    responses((status = 204, description = "The user is enabled")),
)]
pub(in crate::http) async fn enable(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<StatusCode, Problem> {
    change(&api, &admin, id, Change::Disabled(false)).await.map(|_| StatusCode::NO_CONTENT)
}

/// Ends all sessions of a user.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{id}/sessions",
    tag = "administration",
    operation_id = "end_sessions_of_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    responses((status = 200, description = "The sessions have ended", body = Ended)),
)]
pub(in crate::http) async fn end_sessions(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<Json<Ended>, Problem> {
    let ended_sessions = change(&api, &admin, id, Change::LoggedOut).await?;
    Ok(Json(Ended { ended_sessions }))
}

/// Replaces a user's roles. The next access token has them.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/roles",
    tag = "administration",
    operation_id = "set_roles_of_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    request_body = Roles,
    responses((status = 204, description = "The user has these roles")),
)]
pub(in crate::http) async fn set_roles(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(Roles { roles }): JsonBody<Roles>,
) -> Result<StatusCode, Problem> {
    api.domain.people.set_roles(&user_ref(id)?, roles, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces a user's scopes. The next access token has them.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/scopes",
    tag = "administration",
    operation_id = "set_scopes_of_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    request_body = Scopes,
    responses((status = 204, description = "The user has these scopes")),
)]
pub(in crate::http) async fn set_scopes(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(Scopes { scopes }): JsonBody<Scopes>,
) -> Result<StatusCode, Problem> {
    api.domain.people.set_scopes(&user_ref(id)?, scopes, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes another user's second factor and recovery codes.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{id}/second-factor",
    tag = "administration",
    operation_id = "reset_second_factor_of_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    responses((status = 204, description = "The user has no second factor")),
)]
pub(in crate::http) async fn reset_second_factor(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<StatusCode, Problem> {
    change_another(&api, &admin, id, Change::NoSecondFactor).await.map(|_| StatusCode::NO_CONTENT)
}

/// Accepts another user's codes again, after too many wrong codes.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/unlock",
    tag = "administration",
    operation_id = "unlock_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    responses((status = 204, description = "Codes are accepted again")),
)]
pub(in crate::http) async fn unlock(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<StatusCode, Problem> {
    change_another(&api, &admin, id, Change::Unlocked).await.map(|_| StatusCode::NO_CONTENT)
}

/// Ends the sessions of all users, including the caller's session.
#[utoipa::path(
    delete,
    path = "/v1/admin/sessions",
    tag = "administration",
    operation_id = "end_sessions_of_all",
    responses((status = 200, description = "The sessions have ended", body = Ended)),
)]
pub(in crate::http) async fn end_all_sessions(
    State(api): State<Arc<Api>>,
    admin: Admin,
) -> Result<Json<Ended>, Problem> {
    let ended_sessions = api.domain.people.end_all_sessions(admin.actor()).await?;
    Ok(Json(Ended { ended_sessions }))
}

/// Sets the address to which the notifier delivers another user's messages, and marks it as
/// verified.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/address",
    tag = "administration",
    operation_id = "set_address_of_account",
    params(("id" = String, Path, description = "The id from the list of accounts")),
    request_body = Address,
    responses((status = 204, description = "The user has this address")),
)]
pub(in crate::http) async fn set_address(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(Address { address }): JsonBody<Address>,
) -> Result<StatusCode, Problem> {
    let user_ref = user_ref(id)?;
    admin.require_another(&user_ref)?;
    api.domain.people.set_address(&user_ref, address, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
