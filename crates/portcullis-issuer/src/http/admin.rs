//! Users' accounts, for the users with the scope for it.

mod shapes;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;
use zeroize::Zeroizing;

use self::shapes::{Account, Accounts, Address, Ended, Invitation, NewPassword, Roles, Scopes};
use super::api::Api;
use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::domain::audit::Actor;
use crate::domain::peer::Peer;
use crate::domain::people::{ACCOUNTS, ADMIN_SCOPE, Change, Whom};

/// Who calls: a user who has the scope at this very request, whatever the token says.
pub(super) struct Admin {
    id: String,
    peer: Peer,
}

impl Admin {
    fn actor(&self) -> Actor<'_> {
        Actor::Admin { id: &self.id, peer: &self.peer }
    }
}

impl FromRequestParts<Arc<Api>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let Ok(peer) = Peer::from_request_parts(parts, api).await;
        match parts.extensions.get::<LiveSession>() {
            Some(live) if live.user.scopes.iter().any(|scope| scope == ADMIN_SCOPE) => {
                Ok(Self { id: live.user.id.clone(), peer })
            }
            _ => Err(Problem::NotAnAdministrator),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Begin after the user with this id.
    #[serde(default)]
    after: String,
    /// At most so many users, and never more than 1000.
    #[param(maximum = 65535)]
    limit: Option<u16>,
}

type Id = Result<Path<String>, PathRejection>;

/// What is no text is no user's id.
fn whom(id: Id) -> Result<Whom, Problem> {
    let Path(id) = id.map_err(|_| Problem::NoSuchUser)?;
    Ok(Whom::WithId(id))
}

async fn change(api: &Api, admin: &Admin, id: Id, change: Change) -> Result<u64, Problem> {
    Ok(api.domain.people.change(&whom(id)?, change, admin.actor()).await?)
}

/// Lists users' accounts.
#[utoipa::path(
    get,
    path = "/v1/admin/users",
    tag = "administration",
    operation_id = "list_accounts",
    params(Page),
    responses((status = 200, description = "The accounts that follow", body = Accounts)),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    _: Admin,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Accounts>, Problem> {
    let Query(Page { after, limit }) = page.map_err(|_| Problem::WrongQuery)?;
    let users = api.domain.people.accounts(&after, limit.unwrap_or(ACCOUNTS)).await?;
    Ok(Json(Accounts { users: users.into_iter().map(Account::from).collect() }))
}

/// Adds a user, and sends the user a token that sets the first password. An invitation of the same
/// name that was not accepted is void.
#[utoipa::path(
    post,
    path = "/v1/admin/users",
    tag = "administration",
    operation_id = "invite",
    request_body = Invitation,
    responses((status = 201, description = "The account", body = Account)),
)]
pub(super) async fn invite(
    State(api): State<Arc<Api>>,
    admin: Admin,
    JsonBody(Invitation { name, address, roles, scopes }): JsonBody<Invitation>,
) -> Result<(StatusCode, Json<Account>), Problem> {
    let messages = api.domain.messages.as_ref().ok_or(Problem::NoSuchPage)?;
    let account = messages.invite(&name, &address, roles, scopes, admin.actor()).await?;
    Ok((StatusCode::CREATED, Json(account.into())))
}

/// Sets the address where the notifier reaches a user. It counts as verified.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/address",
    tag = "administration",
    operation_id = "set_address_of_account",
    params(("id" = String, Path, description = "As the list of accounts has it")),
    request_body = Address,
    responses((status = 204, description = "The user has this address")),
)]
pub(super) async fn set_address(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(Address { address }): JsonBody<Address>,
) -> Result<StatusCode, Problem> {
    api.domain.people.set_address(&whom(id)?, address, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a user, and ends all sessions of the user.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{id}",
    tag = "administration",
    operation_id = "remove_account",
    params(("id" = String, Path, description = "As the list of accounts has it")),
    responses((status = 200, description = "The user is deleted", body = Ended)),
)]
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<Json<Ended>, Problem> {
    let ended_sessions = change(&api, &admin, id, Change::Removed).await?;
    Ok(Json(Ended { ended_sessions }))
}

/// Sets a user's password, and ends all sessions of the user.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/password",
    tag = "administration",
    operation_id = "set_password_of_account",
    params(("id" = String, Path, description = "As the list of accounts has it")),
    request_body = NewPassword,
    responses((status = 200, description = "The password is set", body = Ended)),
)]
pub(super) async fn set_password(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(NewPassword { password }): JsonBody<NewPassword>,
) -> Result<Json<Ended>, Problem> {
    let password = Zeroizing::new(password);
    let people = &api.domain.people;
    let ended_sessions = people.set_password(&whom(id)?, password, admin.actor()).await?;
    Ok(Json(Ended { ended_sessions }))
}

/// Lets a user not log in any more, and ends all sessions of the user.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/disable",
    tag = "administration",
    operation_id = "disable_account",
    params(("id" = String, Path, description = "As the list of accounts has it")),
    responses((status = 200, description = "The user is disabled", body = Ended)),
)]
pub(super) async fn disable(
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
    params(("id" = String, Path, description = "As the list of accounts has it")),
    responses((status = 204, description = "The user is enabled")),
)]
pub(super) async fn enable(
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
    params(("id" = String, Path, description = "As the list of accounts has it")),
    responses((status = 200, description = "The sessions have ended", body = Ended)),
)]
pub(super) async fn end_sessions(
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
    params(("id" = String, Path, description = "As the list of accounts has it")),
    request_body = Roles,
    responses((status = 204, description = "The user has these roles")),
)]
pub(super) async fn set_roles(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(Roles { roles }): JsonBody<Roles>,
) -> Result<StatusCode, Problem> {
    api.domain.people.set_roles(&whom(id)?, roles, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces a user's scopes. The next access token has them.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/scopes",
    tag = "administration",
    operation_id = "set_scopes_of_account",
    params(("id" = String, Path, description = "As the list of accounts has it")),
    request_body = Scopes,
    responses((status = 204, description = "The user has these scopes")),
)]
pub(super) async fn set_scopes(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
    JsonBody(Scopes { scopes }): JsonBody<Scopes>,
) -> Result<StatusCode, Problem> {
    api.domain.people.set_scopes(&whom(id)?, scopes, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a user's second factor and recovery codes.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{id}/second-factor",
    tag = "administration",
    operation_id = "reset_second_factor_of_account",
    params(("id" = String, Path, description = "As the list of accounts has it")),
    responses((status = 204, description = "The user has no second factor")),
)]
pub(super) async fn reset_second_factor(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<StatusCode, Problem> {
    change(&api, &admin, id, Change::NoSecondFactor).await.map(|_| StatusCode::NO_CONTENT)
}

/// Admits codes again, after too many wrong ones.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/unlock",
    tag = "administration",
    operation_id = "unlock_account",
    params(("id" = String, Path, description = "As the list of accounts has it")),
    responses((status = 204, description = "Codes are admitted")),
)]
pub(super) async fn unlock(
    State(api): State<Arc<Api>>,
    admin: Admin,
    id: Id,
) -> Result<StatusCode, Problem> {
    change(&api, &admin, id, Change::Unlocked).await.map(|_| StatusCode::NO_CONTENT)
}

/// Ends the sessions of all users, the caller's too.
#[utoipa::path(
    delete,
    path = "/v1/admin/sessions",
    tag = "administration",
    operation_id = "end_sessions_of_all",
    responses((status = 200, description = "The sessions have ended", body = Ended)),
)]
pub(super) async fn end_all_sessions(
    State(api): State<Arc<Api>>,
    admin: Admin,
) -> Result<Json<Ended>, Problem> {
    let ended_sessions = api.domain.people.end_all_sessions(admin.actor()).await?;
    Ok(Json(Ended { ended_sessions }))
}
