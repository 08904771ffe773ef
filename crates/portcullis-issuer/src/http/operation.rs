//! The health probes, for service managers and load balancers.

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

/// The result of a successful probe.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process answers: a liveness probe.
///
/// It does not depend on the store, since a restart of the process does not restore the store.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    operation_id = "healthz",
    responses((status = 200, description = "The process answers", body = Health)),
)]
pub(super) async fn alive() -> Response {
    fine()
}

/// Whether requests should be sent here: a readiness probe.
///
/// It succeeds while the keys can be read from the store, until the process receives a signal to
/// stop.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    operation_id = "readyz",
    responses((status = 200, description = "The process is ready", body = Health)),
)]
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    readiness(&api).await.map_err(Problem::NotReady)?;
    Ok(fine())
}

fn fine() -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(Health { status: "ok" })).into_response()
}
