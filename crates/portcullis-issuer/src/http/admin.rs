//! Users' accounts, for the users with the scope for it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::api::Api;
use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::domain::audit::Actor;
use crate::domain::peer::Peer;
use crate::domain::people::{ACCOUNTS, ADMIN_SCOPE, AccountInfo, Change, Whom};

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

/// Users' accounts.
#[derive(Serialize, ToSchema)]
pub(super) struct Accounts {
    /// By id.
    users: Vec<Account>,
}

/// A user's account.
#[derive(Serialize, ToSchema)]
struct Account {
    /// The `sub` of the user's tokens.
    id: String,
    /// What the user logs in with.
    name: String,
    /// The `roles` of the user's tokens.
    roles: Vec<String>,
    /// The `scope` of the user's tokens.
    scopes: Vec<String>,
    /// When the user was added, in seconds since 1970.
    created_at: i64,
    /// When the user was disabled, in seconds since 1970.
    disabled_at: Option<i64>,
    /// Where the notifier reaches the user.
    address: Option<String>,
    /// When the address was verified, in seconds since 1970.
    address_verified_at: Option<i64>,
    /// What must happen before the first login: `invitation` or `verification`.
    awaits: Option<String>,
    /// Whether a login asks for a second factor.
    has_second_factor: bool,
    /// The number of wrong codes since the last right one; locked at 100.
    wrong_codes: i64,
}

/// What has ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Ended {
    /// How many sessions have ended.
    ended_sessions: u64,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPassword {
    /// Neither the user's name nor a common one; at most 1024 bytes in UTF-8.
    #[schema(min_length = 8, max_length = 1024)]
    password: String,
}

/// All roles of a user.
#[derive(Deserialize, ToSchema)]
pub(super) struct Roles {
    roles: Vec<String>,
}

/// All scopes of a user.
#[derive(Deserialize, ToSchema)]
pub(super) struct Scopes {
    scopes: Vec<String>,
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

impl From<AccountInfo> for Account {
    fn from(info: AccountInfo) -> Self {
        Self {
            id: info.id,
            name: info.name,
            roles: info.roles,
            scopes: info.scopes,
            created_at: info.created_at,
            disabled_at: info.disabled_at,
            address: info.address,
            address_verified_at: info.address_verified_at,
            awaits: info.awaits,
            has_second_factor: info.has_second_factor,
            wrong_codes: info.wrong_codes,
        }
    }
}
