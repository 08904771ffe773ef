//! Conversion of responses between the two versions of `http`. Every status, header name and value
//! of one version is valid in the other.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use bytes::Bytes;
use portcullis::Refusal;

/// Returns the response to a rejected request.
pub(crate) fn refusal(refusal: Refusal) -> HttpResponse {
    let mut response = translate(refusal.clone().into_full_response());
    response.extensions_mut().insert(refusal);
    response
}

/// Replaces an inner refusal with `refusal`. Headers that `refusal` does not set are kept.
pub(crate) fn rewrite<B>(response: HttpResponse<B>, refusal: Refusal) -> HttpResponse {
    let (mut response, _) = response.into_parts();
    let told: http::Response<Bytes> = refusal.clone().into_full_response();
    *response.status_mut() = status(told.status());
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().remove(CONTENT_ENCODING);
    for (name, value) in headers(&told) {
        response.headers_mut().insert(name, value);
    }
    response.extensions_mut().insert(refusal);
    response.set_body(told.into_body()).map_into_boxed_body()
}

pub(crate) fn translate(told: http::Response<Bytes>) -> HttpResponse {
    let mut response = HttpResponse::new(status(told.status()));
    for (name, value) in headers(&told) {
        response.headers_mut().append(name, value);
    }
    response.set_body(told.into_body()).map_into_boxed_body()
}

fn headers(told: &http::Response<Bytes>) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    told.headers().iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, self::value(value.clone())?))
    })
}

pub(crate) fn status(status: http::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(crate) fn value(value: http::HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes()).ok()
}
