//! A user's own sessions.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::api::Api;
use super::auth;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::domain::peer::Peer;
use crate::domain::sessions::Session;

/// A user's live sessions.
#[derive(Serialize, ToSchema)]
pub(super) struct Sessions {
    /// The sessions, the most recently used first.
    sessions: Vec<ShownSession>,
}

/// A live session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct ShownSession {
    /// The session's id, which is the `sid` claim of its tokens.
    id: String,
    /// When the user logged in, in seconds since 1970.
    created_at: i64,
    /// The time of the last refresh, in seconds since 1970; up to 5 minutes too early.
    last_used_at: i64,
    /// When the session expires if it is not used again, in seconds since 1970.
    expires_at: i64,
    /// The client's `User-Agent` at the login.
    user_agent: Option<String>,
    /// Whether the request belongs to this session.
    current: bool,
}

/// Lists the user's live sessions.
#[utoipa::path(
    get,
    path = "/v1/auth/sessions",
    tag = "sessions",
    operation_id = "list_sessions",
    responses((status = 200, description = "The sessions", body = Sessions)),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
) -> Result<Json<Sessions>, Problem> {
    let sessions = api.domain.sessions.live_of(&live.user).await?;
    let shown = |session: Session| ShownSession {
        current: session.id == live.session.id,
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        user_agent: session.user_agent,
    };
    Ok(Json(Sessions { sessions: sessions.into_iter().map(shown).collect() }))
}

/// Ends one of the user's own sessions.
#[utoipa::path(
    delete,
    path = "/v1/auth/sessions/{id}",
    tag = "sessions",
    operation_id = "end_session",
    params(("id" = String, Path, description = "The `id` from the list of sessions")),
    responses((status = 204, description = "The session has ended")),
)]
pub(super) async fn end(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    // An id that is not UTF-8 cannot be the id of a session.
    let Path(id) = id.map_err(|_| Problem::NoSuchSession)?;
    match api.domain.sessions.delete(&live.user, &id, &peer).await? {
        false => Err(Problem::NoSuchSession),
        true if id == live.session.id => auth::without_cookies(&api, StatusCode::NO_CONTENT),
        true => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Ends all sessions of the user, including the current one.
#[utoipa::path(
    post,
    path = "/v1/auth/logout-everywhere",
    tag = "sessions",
    operation_id = "end_all_sessions",
    responses((status = 204, description = "All sessions have ended")),
)]
pub(super) async fn end_all(
    State(api): State<Arc<Api>>,
    Extension(live): Extension<LiveSession>,
    peer: Peer,
) -> Result<Response, Problem> {
    api.domain.sessions.logout_everywhere(&live.user, &peer).await?;
    auth::without_cookies(&api, StatusCode::NO_CONTENT)
}
