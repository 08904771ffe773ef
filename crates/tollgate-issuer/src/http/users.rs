//! The user behind a token, and registration where it is switched on.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::JsonBody;
use super::problem::Problem;
use super::protected::LiveSession;
use crate::issuer::Issuer;
use crate::store::User;
use crate::users::NewUser;

/// `GET /v1/users/me`: as the user is now, not as the token remembers.
pub(super) async fn me(Extension(live): Extension<LiveSession>) -> Json<Value> {
    Json(shown(&live.user))
}

#[derive(Deserialize)]
pub(super) struct Registration {
    username: String,
    password: String,
}

/// `POST /v1/auth/register`
pub(super) async fn register(
    State(issuer): State<Issuer>,
    JsonBody(Registration { username, password }): JsonBody<Registration>,
) -> Result<Response, Problem> {
    let user = issuer.add_user(NewUser::new(username, password)).await?;
    let private = [(CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, private, Json(shown(&user))).into_response())
}

fn shown(user: &User) -> Value {
    json!({ "id": user.id, "name": user.name, "roles": user.roles, "scopes": user.scopes })
}
