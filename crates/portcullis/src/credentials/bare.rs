//! A token from outside the headers of a request.

use std::fmt;

use crate::request::{NoRequest, RequestView};

/// A token without `Bearer`, and the request that it belongs to, if there is one: the argument of
/// [`Gate::authenticate_token`](crate::Gate::authenticate_token).
///
/// Converts from `&str`, `&String` and any other reference to text. The request has an effect if an
/// [`IssuerResolver`](crate::config::IssuerResolver) selects a rule set by it. The log contains the
/// request's method and route. No token is read from the request.
///
/// ```
/// use http::Request;
/// use portcullis::{Gate, Refusal, token::BareToken};
///
/// /// The first message of a WebSocket is the token; the host is that of `handshake`.
/// async fn open(gate: &Gate, handshake: &Request<()>, message: &str) -> Result<(), Refusal> {
///     gate.authenticate_token(BareToken::with(message, handshake)).await?;
///     // Equivalent:
///     gate.authenticate_token((message, handshake)).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct BareToken<'t> {
    pub(crate) token: &'t str,
    request: Option<&'t dyn RequestView>,
}

impl<'t> BareToken<'t> {
    /// Creates a value from a token that belongs to `request`, but was not in its headers.
    #[must_use]
    pub fn with(token: &'t str, request: &'t dyn RequestView) -> Self {
        Self { token, request: Some(request) }
    }

    /// The request, or an empty one.
    pub(crate) fn request(&self) -> &'t dyn RequestView {
        self.request.unwrap_or(&NoRequest)
    }
}

impl<'t, T: AsRef<str> + ?Sized> From<&'t T> for BareToken<'t> {
    fn from(token: &'t T) -> Self {
        Self { token: token.as_ref(), request: None }
    }
}

impl<'t, T: AsRef<str> + ?Sized, R: RequestView> From<(&'t T, &'t R)> for BareToken<'t> {
    fn from((token, request): (&'t T, &'t R)) -> Self {
        Self::with(token.as_ref(), request)
    }
}

/// Shows no text of the token.
impl fmt::Debug for BareToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BareToken").field("bytes", &self.token.len()).finish_non_exhaustive()
    }
}
