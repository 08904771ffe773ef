//! A span for each request, with the names of OpenTelemetry's conventions for HTTP servers
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;

/// The maximum length of a `traceparent`, in bytes. A `traceparent` of version 00 has 55 bytes
/// (<https://www.w3.org/TR/trace-context/> 3.2.2).
const MAX_TRACEPARENT: usize = 64;

/// Runs the request in a span, to which its log messages belong. Of the request, the span has only
/// the method, the route and the `traceparent`.
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
    // The conventions count only a 5xx status as an error of the server.
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
