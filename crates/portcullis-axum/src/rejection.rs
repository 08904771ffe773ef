//! A refusal as an axum response.

use axum_core::response::{IntoResponse, Response};
use portcullis::Refusal;

/// What a handler or an extractor answers a refused request with: `?` makes one of a [`Refusal`].
///
/// ```
/// use portcullis_axum::{Caller, Rejection, portcullis::Policy};
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

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.0.into_full_response()
    }
}
