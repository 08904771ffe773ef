//! What is kept of a token that was accepted, and what is asked of it again each time.

use std::sync::Arc;

use super::issuers::{Issuers, TrustedIssuer};
use crate::authenticated::Authenticated;
use crate::claims::NumericDate;
use crate::key::{KeyRequest, VerificationKey};

/// A token that passed everything once.
pub(super) struct Verified {
    pub(super) who: Authenticated,
    pub(super) issuer: Arc<TrustedIssuer>,
    pub(super) key: Arc<VerificationKey>,
}

impl Verified {
    /// Whether everything still holds that can change while the token, the settings and the
    /// signature stay what they are: its issuer is still trusted, its own key is still the
    /// current one by the same freshness table as for a token that was never seen, and it is
    /// still its time. What a policy asks of a caller, revocation included, is asked behind this,
    /// of a token that was seen as of one that was not.
    pub(super) fn still_holds(&self, issuers: &Issuers, now: impl FnOnce() -> NumericDate) -> bool {
        let wanted = KeyRequest::new(self.who.key_id(), self.key.algorithm());
        issuers.still_has(&self.issuer)
            && self.issuer.keys.is_current(&wanted, &self.key)
            && self.issuer.rules.check_time(self.who.registered(), now()).is_ok()
    }
}
