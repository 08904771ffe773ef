//! The operations on users' accounts, for callers with the administrator's scope.

pub(super) mod changes;
mod shapes;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use self::shapes::{Account, Accounts, Invitation};
use super::api::Api;
use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::domain::audit::{Actor, Authority};
use crate::domain::peer::Peer;
use crate::domain::people::{ACCOUNTS, ADMIN_SCOPE, Change, UserRef};

/// The calling administrator. The user must have the scope in the store at the time of the request;
/// the scope in the token is not enough.
pub(super) struct Admin {
    id: String,
    session_id: String,
    peer: Peer,
}

impl Admin {
    fn actor(&self) -> Actor<'_> {
        let authority = Authority { user_id: &self.id, session_id: &self.session_id };
        Actor::Admin { authority, peer: &self.peer }
    }

    /// Rejects a change of the administrator's own account. Users change their own password, second
    /// factor and address only with the current password or a step-up, and a stolen access token
    /// must not bypass that.
    fn require_another(&self, user_ref: &UserRef) -> Result<(), Problem> {
        match user_ref {
            UserRef::WithId(id) if *id != self.id => Ok(()),
            UserRef::WithId(_) | UserRef::Named(_) => Err(Problem::OwnAccount),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let Ok(peer) = Peer::from_request_parts(parts, api).await;
        match parts.extensions.get::<LiveSession>() {
            Some(live) if live.user.scopes.iter().any(|scope| scope == ADMIN_SCOPE) => {
                let session_id = live.session.id.clone();
                Ok(Self { id: live.user.id.clone(), session_id, peer })
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
    /// The maximum number of users, at most 1000.
    #[param(maximum = 65535)]
    limit: Option<u16>,
}

type Id = Result<Path<String>, PathRejection>;

/// Returns a reference to the user with this id. An id that is not valid UTF-8 is an unknown user.
fn user_ref(id: Id) -> Result<UserRef, Problem> {
    let Path(id) = id.map_err(|_| Problem::NoSuchUser)?;
    Ok(UserRef::WithId(id))
}

async fn change(api: &Api, admin: &Admin, id: Id, change: Change) -> Result<u64, Problem> {
    Ok(api.domain.people.change(&user_ref(id)?, change, admin.actor()).await?)
}

/// Makes a change that [`Admin::require_another`] rejects for the administrator's own account.
async fn change_another(api: &Api, admin: &Admin, id: Id, change: Change) -> Result<u64, Problem> {
    let user_ref = user_ref(id)?;
    admin.require_another(&user_ref)?;
    Ok(api.domain.people.change(&user_ref, change, admin.actor()).await?)
}

/// Lists users' accounts.
#[utoipa::path(
    get,
    path = "/v1/admin/users",
    tag = "administration",
    operation_id = "list_accounts",
    params(Page),
    responses((status = 200, description = "The accounts after this id", body = Accounts)),
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

/// Adds a user, and sends the user a token that sets the first password. A user of the same name is
/// replaced if that user has not accepted an invitation or not verified the address.
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
