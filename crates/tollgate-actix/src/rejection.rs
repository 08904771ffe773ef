//! A refusal as an actix-web response.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use tollgate::Refusal;

/// What a handler or an extractor answers a refused request with: `?` makes one of a [`Refusal`].
///
/// ```
/// use tollgate_actix::{Caller, Rejection, tollgate::Policy};
///
/// async fn refund(Caller(who): Caller) -> Result<&'static str, Rejection> {
///     who.require(&Policy::roles(["clerk"]))?;
///     Ok("done")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Rejection(pub Refusal);

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        // Every status of one `http` is one of the other.
        StatusCode::from_u16(self.0.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let told = self.0.clone().into_response::<()>();
        let mut response = HttpResponse::new(self.status_code());
        for (name, value) in told.headers() {
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            // As names, values of one `http` are values of the other.
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                response.headers_mut().append(name, value);
            }
        }
        response.extensions_mut().insert(self.0.clone());
        response
    }
}
