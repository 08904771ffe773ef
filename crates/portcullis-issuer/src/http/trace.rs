//! A span for each request, as OpenTelemetry's conventions for an HTTP server name things
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;

/// Longer than any `traceparent` that there is (<https://www.w3.org/TR/trace-context/> 3.2.2).
const MAX_TRACEPARENT: usize = 64;

/// Whatever the request logs is logged in it. It has nothing of the request's but method and route,
/// and where the caller's own trace is.
pub(super) async fn in_a_span(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let method = request.method().as_str();
    let span = tracing::info_span!(
        target: "portcullis_issuer::http",
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        traceparent = traceparent(request.headers()),
    );
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    // A client's mistake is no failure of the server's.
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    (text.len() <= MAX_TRACEPARENT && text.bytes().all(plain)).then_some(text)
}
