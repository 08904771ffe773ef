//! A foreign credential, which another authenticator may accept.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::TokenError;
use crate::refusal::{ProtectionSpace, Refusal, Site, Unreported};

/// A credential that is not a token of a trusted issuer, such as an API key. It is not verified.
///
/// A [`Gate`](crate::Gate::pass_foreign) that passes foreign credentials lets such a request
/// through, with a `Foreign` in the request's extensions instead of an
/// [`Authenticated`](crate::Authenticated) or an [`Anonymous`](crate::Anonymous). The code behind
/// the gate either accepts the credential itself or answers with [`refusal`](Self::refusal).
/// Handlers with a required or optional caller refuse such a request: a credential that no code
/// accepted is not the same as no credential.
///
/// [The guide](crate::guide::api_keys#what-is-foreign) lists what counts as foreign. A token that
/// names a trusted issuer is never foreign, even if it is invalid. With an
/// [`IssuerResolver`](crate::config::IssuerResolver), the method
/// [`is_ours`](crate::config::IssuerResolver::is_ours) decides which issuers count as trusted here.
/// By default, all issuers do.
#[derive(Clone)]
pub struct Foreign(Arc<Inner>);

struct Inner {
    space: Arc<ProtectionSpace>,
    /// The text where a token was expected; `None` if the Authorization header has another scheme.
    credential: Option<Zeroizing<Box<str>>>,
    /// The error that a gate refuses the credential with; `None` if the gate sees no credential.
    error: Option<TokenError>,
}

impl Foreign {
    pub(crate) fn token(token: &str, error: TokenError, space: &Arc<ProtectionSpace>) -> Self {
        let credential = Some(Zeroizing::new(token.into()));
        Self(Arc::new(Inner { space: space.clone(), credential, error: Some(error) }))
    }

    pub(crate) fn scheme(space: &Arc<ProtectionSpace>) -> Self {
        Self(Arc::new(Inner { space: space.clone(), credential: None, error: None }))
    }

    /// Returns the credential, without `Bearer` if the place has that scheme.
    ///
    /// `None` if the Authorization header has another scheme, such as `Basic` or `ApiKey`. The code
    /// behind the gate must then read the header itself.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        self.0.credential.as_ref().map(|credential| &***credential)
    }

    /// Returns the refusal for a credential that no code accepted.
    ///
    /// It is the same as that of a gate without [`pass_foreign`](crate::Gate::pass_foreign): always
    /// 401. The challenge has the error `invalid_token`, or no error code for another scheme
    /// ([RFC 6750 §3.1]).
    ///
    /// Each call writes one log event.
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.refused().at(&Site::default())
    }

    pub(crate) fn refused(&self) -> Unreported {
        match &self.0.error {
            Some(error) => Unreported::token(error.clone(), &self.0.space),
            None => Unreported::missing(&self.0.space),
        }
    }
}

/// Shows why the credential is foreign, but no text of it.
impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("error", &self.0.error).finish_non_exhaustive()
    }
}
