//! `/metrics`, on a listener of its own.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

/// The upper bounds of the histogram of store operations, in seconds. The first bounds suit reads
/// from SQLite, the last one is the longest wait.
const BUCKETS: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The interval at which recorded samples are aggregated, so that they do not pile up between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts to record metrics, and serves them until the process ends.
pub(super) async fn serve(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}. Check IDENTSPHERE_METRICS_LISTEN")
    })?;
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("portcullis_issuer_store_seconds".to_owned()),
            &BUCKETS,
        )?
        .install_recorder()?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    tracing::info!(listen = %listener.local_addr()?, "serving metrics");
    tokio::spawn(async move { axum::serve(listener, router(handle)).await });
    Ok(())
}

fn router(handle: PrometheusHandle) -> Router {
    // The text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4")];
    Router::new().route("/metrics", get(async move || (kind, handle.render())))
}
