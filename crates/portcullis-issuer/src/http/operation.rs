//! How the issuer is, for whatever keeps it running.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::api::Api;
use super::problem::Problem;
use super::readiness::readiness;

/// How it is.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process answers: a liveness probe.
///
/// It asks nobody, since a restart brings no store back.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    operation_id = "healthz",
    responses((status = 200, description = "It does", body = Health)),
)]
pub(super) async fn alive() -> Response {
    fine()
}

/// Whether requests should be sent here: a readiness probe.
///
/// They should while the store answers and the keys can be read, until the process is told to
/// stop.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    operation_id = "readyz",
    responses((status = 200, description = "They should", body = Health)),
)]
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    readiness(&api).await.map_err(Problem::NotReady)?;
    Ok(fine())
}

fn fine() -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(Health { status: "ok" })).into_response()
}
