//! A user's own sessions.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::auth;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::client::Client;
use crate::error::Error;
use crate::issuer::Issuer;

/// `GET /v1/auth/sessions`
pub(super) async fn list(
    State(issuer): State<Issuer>,
    Extension(live): Extension<LiveSession>,
) -> Result<Json<Value>, Problem> {
    let sessions =
        issuer.store().live_sessions(&live.user.id, issuer.now()).await.map_err(Error::from)?;
    let sessions: Vec<Value> = sessions
        .iter()
        .map(|session| {
            json!({
                "id": session.id,
                "created_at": session.created_at,
                "last_used_at": session.last_used_at,
                "expires_at": session.expires_at,
                "user_agent": session.user_agent,
                "current": session.id == live.session.id,
            })
        })
        .collect();
    Ok(Json(json!({ "sessions": sessions })))
}

/// `DELETE /v1/auth/sessions/{id}`
pub(super) async fn end(
    State(issuer): State<Issuer>,
    Extension(live): Extension<LiveSession>,
    client: Client,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    // What is no text is no session's id.
    let Path(id) = id.map_err(|_| Problem::NoSuchSession)?;
    match issuer.delete_session(&live.user, &id, &client).await? {
        false => Err(Problem::NoSuchSession),
        true if id == live.session.id => auth::without_cookies(&issuer, StatusCode::NO_CONTENT),
        true => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// `POST /v1/auth/logout-everywhere`: this session too.
pub(super) async fn end_all(
    State(issuer): State<Issuer>,
    Extension(live): Extension<LiveSession>,
    client: Client,
) -> Result<Response, Problem> {
    issuer.logout_everywhere(&live.user, &client).await?;
    auth::without_cookies(&issuer, StatusCode::NO_CONTENT)
}
