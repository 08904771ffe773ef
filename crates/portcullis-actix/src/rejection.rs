//! A refusal as an actix-web response.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use portcullis::Refusal;

use crate::response;

/// A rejection for handlers and extractors. `?` converts a [`Refusal`] into it.
///
/// ```
/// use portcullis_actix::{Caller, Rejection, portcullis::Policy};
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
        response::status(self.0.status())
    }

    fn error_response(&self) -> HttpResponse {
        response::refusal(self.0.clone())
    }
}
