//! Problem documents (RFC 9457).

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Adds a problem document to an error without a body, such as a refusal of the middleware. Status
/// and challenge stay unchanged.
pub(super) fn fill(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().contains_key(CONTENT_TYPE) {
        return response;
    }
    // RFC 9457 section 4.2.1: no type of its own, so the title is that of the status.
    let title = status.canonical_reason().unwrap_or("Error");
    let document = Document { kind: None, title, status: status.as_u16(), detail: None };
    with_document(response, &document)
}

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// The type of the problem; absent if the status is sufficient.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    /// The problem in a few words.
    pub(super) title: &'static str,
    /// The status code of the response.
    pub(super) status: u16,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'static str>,
}

/// The type of a problem.
pub(super) fn urn(kind: &str) -> String {
    format!("urn:portcullis:problem:{kind}")
}

pub(super) fn with_document(response: Response, document: &Document) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Serialization cannot fail.
    Response::from_parts(parts, Body::from(serde_json::to_vec(document).unwrap_or_default()))
}
