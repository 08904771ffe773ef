//! A refusal as an axum response.

use axum_core::response::{IntoResponse, Response};
use portcullis::Refusal;

/// A rejection for handlers and extractors. `?` converts a [`Refusal`] into it.
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
