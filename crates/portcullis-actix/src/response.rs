//! A response of one `http` as one of the other: every status, name and value of the one is one of
//! the other.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use portcullis::Refusal;

/// What a refused request gets.
pub(crate) fn refusal(refusal: Refusal) -> HttpResponse {
    let mut response = translate(refusal.clone().into_full_response());
    response.extensions_mut().insert(refusal);
    response
}

pub(crate) fn translate(told: http::Response<Bytes>) -> HttpResponse {
    let mut response = HttpResponse::new(status(told.status()));
    for (name, value) in told.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Some(value)) = (name, self::value(value.clone())) {
            response.headers_mut().append(name, value);
        }
    }
    response.set_body(told.into_body()).map_into_boxed_body()
}

pub(crate) fn status(status: http::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(crate) fn value(value: http::HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes()).ok()
}
