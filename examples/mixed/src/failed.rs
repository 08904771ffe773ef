//! The response to a failed call to the issuer.

use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use portcullis_issuer_client::ClientError;

/// An error of a call to the issuer, as a response.
pub(crate) struct Failed(ClientError);

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let challenge = matches!(self.0, ClientError::Rejected)
            .then_some([(WWW_AUTHENTICATE, r#"Bearer realm="api", error="invalid_token""#)]);
        (self.0.status(), challenge, self.0.to_string()).into_response()
    }
}
