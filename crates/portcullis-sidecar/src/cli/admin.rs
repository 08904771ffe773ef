//! `/metrics`, `/healthz` and `/readyz`, on a listener of their own.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use portcullis_sidecar::{Sidecar, publish_metrics};

/// The upper bounds of the histogram of upstream responses, in seconds.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// How often recorded samples are aggregated, so that they do not pile up between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts to record metrics.
pub(super) fn record() -> Result<PrometheusHandle, Box<dyn Error>> {
    let name = "portcullis_sidecar_upstream_seconds".to_owned();
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(name), &BUCKETS)?
        .install_recorder()?;
    publish_metrics();
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

pub(super) fn router(metrics: PrometheusHandle, sidecar: Sidecar) -> Router {
    // The text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4")];
    Router::new()
        .route("/metrics", get(async move || (kind, metrics.render())))
        .route("/healthz", get(async || "alive\n"))
        .route(
            "/readyz",
            get(async move || match sidecar.ready() {
                true => (StatusCode::OK, "ready\n"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "the keys are not available\n"),
            }),
        )
}
