//! A credential that is none of ours, where another authenticator may know it.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::TokenError;
use crate::refusal::{ProtectionSpace, Refusal, Site, Unreported};

/// A credential that is no token of a trusted issuer, such as an API key: nothing more is known of it.
///
/// A [`Gate`](crate::Gate::pass_foreign) that was told so passes such a request on, with this in the
/// request's extensions instead of an [`Authenticated`](crate::Authenticated) or an
/// [`Anonymous`](crate::Anonymous). The code behind the gate either accepts the credential itself or
/// answers with [`refusal`](Self::refusal). Where a caller is demanded, and where one is optional,
/// such a request is refused: a credential that nobody accepted is not the same as none.
///
/// What counts as foreign is listed in [the guide](crate::guide::api_keys#what-is-foreign). A token that
/// names an issuer which is trusted here is never foreign, however bad it is; of the issuers of an
/// [`IssuerResolver`](crate::config::IssuerResolver) those are the ones that it
/// [calls its own](crate::config::IssuerResolver::is_ours), by default all.
#[derive(Clone)]
pub struct Foreign(Arc<Inner>);

struct Inner {
    space: Arc<ProtectionSpace>,
    /// What stood where a token should; `None` for another scheme.
    credential: Option<Zeroizing<Box<str>>>,
    /// What a gate refuses the credential with; `None` if to it there is no credential.
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

    /// Returns the credential, without `Bearer` where the place has that scheme.
    ///
    /// `None` if the Authorization header has another scheme, such as `Basic` or `ApiKey`. Such a header
    /// is not read here.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        self.0.credential.as_ref().map(|credential| &***credential)
    }

    /// Returns the refusal to answer with when nothing accepts the credential: the one of a gate
    /// without [`pass_foreign`](crate::Gate::pass_foreign), 401 in each case. The challenge says
    /// `invalid_token`, or has no error code for another scheme ([RFC 6750 §3.1]).
    ///
    /// Each call writes one event to the log.
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

/// Shows why the credential is foreign, and nothing of it.
impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("error", &self.0.error).finish_non_exhaustive()
    }
}
