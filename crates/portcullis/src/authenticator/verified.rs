//! What is kept of a token that was accepted, and what is asked of it again each time.

use std::sync::{Arc, OnceLock};

use super::issuers::{Issuers, TrustedIssuer};
use crate::authenticated::Authenticated;
use crate::claims::NumericDate;
use crate::clock::Timestamp;
use crate::key::{KeyRequest, VerificationKey};
use crate::remote::standing::Ages;
use crate::remote::status_list::RemoteStatusList;
use crate::revocation::Means;

/// A token that passed everything once.
pub(super) struct Verified {
    pub(super) who: Authenticated,
    issuer: Arc<TrustedIssuer>,
    key: Arc<VerificationKey>,
    /// Its place in a status list, once a route has asked for it.
    place: OnceLock<(RemoteStatusList, u64)>,
}

impl Verified {
    pub(super) fn new(
        who: Authenticated,
        issuer: Arc<TrustedIssuer>,
        key: Arc<VerificationKey>,
    ) -> Self {
        Self { who, issuer, key, place: OnceLock::new() }
    }

    /// Whether everything still holds that can change while the token, the settings and the
    /// signature stay what they are: its issuer is still trusted, its own key is still the
    /// current one by the same freshness table as for a token that was never seen, and it is
    /// still its time. What a route asks of revocations is
    /// asked behind this, of a token that was seen as of one that was not.
    pub(super) fn still_holds(
        &self,
        issuers: &Issuers,
        now: impl FnOnce() -> NumericDate,
        at: impl Fn() -> Timestamp,
    ) -> bool {
        let wanted = KeyRequest::new(self.who.key_id(), self.key.algorithm());
        issuers.still_has(&self.issuer, &at)
            && self.issuer.keys.is_current(&wanted, &self.key, at)
            && self.issuer.rules.check_time(self.who.registered(), now()).is_ok()
    }

    /// Whether it is plain that the token stands by what a route asks for. If not, the long way
    /// says what is the matter. Only after [`still_holds`](Self::still_holds).
    pub(super) fn plainly_stands(&self, means: Means, at: impl FnOnce() -> Timestamp) -> bool {
        match means {
            Means::Expiry => true,
            Means::StatusList(ages) => self.stands_in_list(ages, at()),
            Means::Live(_) => false,
        }
    }

    fn stands_in_list(&self, ages: Ages, at: Timestamp) -> bool {
        let (list, index) = match self.place.get() {
            Some(place) => place,
            None => {
                let place = self.who.registered().status();
                let Some(place) = place else { return false };
                let Some(list) = self.issuer.status_lists.list(place.uri) else { return false };
                self.place.get_or_init(|| (list, place.index))
            }
        };
        if list.is_forgotten(at.monotonic()) {
            self.issuer.status_lists.remember(list, at.monotonic());
        }
        list.plainly_stands(*index, ages, &self.key, at)
    }
}
