//! Checks the status of a token in a status list.

use std::sync::Arc;

use super::super::freshness::{Ages, Lifetime};
use super::super::wait::{Question, Step, crowded};
use super::super::{Remote, Snapshot};
use super::{List, StatusList};
use crate::claims::NumericDate;
use crate::clock::Timestamp;
use crate::error::TokenError;
use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;

/// Asks whether the token at `index` is valid, from a list within `ages`.
struct Stands {
    index: u64,
    ages: Ages,
}

impl Question<StatusList> for Stands {
    type Answer = ();

    fn lifetime(
        &self,
        remote: &Remote<StatusList>,
        snapshot: &Snapshot<Arc<List>>,
    ) -> Option<Lifetime> {
        let now = NumericDate::from(remote.clock.now());
        snapshot.kept.holds(&remote.document, now).then(|| remote.lifetime_for(self.ages))
    }

    /// §7.1: 0 is valid; every other status counts as revoked.
    fn ask(&self, list: &Arc<List>, _: Timestamp) -> Option<Result<(), TokenError>> {
        Some(match list.bits.get(self.index) {
            Some(0) => Ok(()),
            Some(_) => Err(TokenError::Revoked),
            None => Err(TokenError::NoStatus),
        })
    }
}

impl Remote<StatusList> {
    /// Returns whether the token at `index` is valid, from a list within `ages`.
    pub(super) fn standing(
        self: &Arc<Self>,
        index: u64,
        ages: Ages,
    ) -> MaybeReady<Result<(), ResolveError>> {
        let question = Stands { index, ages };
        let now = Timestamp::now(&*self.clock);
        match self.look(&question, now, false) {
            Step::Answer(answer) => MaybeReady::Ready(answer),
            Step::Wait => match self.line.place() {
                Some(place) => MaybeReady::pending(self.clone().wait(place, question)),
                // Overload alone does not count as an outage, because any client can cause it. Only a
                // failed fetch counts.
                None if self.history(now).failure.is_none() => MaybeReady::Ready(Err(crowded())),
                None => MaybeReady::Ready(self.settle(&question, crowded())),
            },
        }
    }

    /// Returns the ages that limit the use of a valid list, for a request with these maximum ages.
    pub(super) fn lifetime_for(&self, ages: Ages) -> Lifetime {
        Lifetime {
            // The list's own task refreshes it earlier. This age has an effect only if the task is late.
            ageing: ages.usual - ages.usual / 4,
            ttl: ages.usual,
            end: ages.in_outage.max(ages.usual),
        }
    }
}
