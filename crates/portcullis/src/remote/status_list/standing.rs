//! Whether a token stands, by what a status list says of it.

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

/// Whether the token at `index` stands, by a list of such an age.
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

    /// §7.1: 0 is valid; whatever else a status says, it is not that.
    fn ask(&self, list: &Arc<List>, _: Timestamp) -> Option<Result<(), TokenError>> {
        Some(match list.bits.get(self.index) {
            Some(0) => Ok(()),
            Some(_) => Err(TokenError::Revoked),
            None => Err(TokenError::NoStatus),
        })
    }
}

impl Remote<StatusList> {
    /// Whether the token at `index` stands, by a list that is not older than that.
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
                // That many are waiting is no outage, since whoever sends requests can bring it
                // about: only a fetch that failed is.
                None if self.history(now).failure.is_none() => MaybeReady::Ready(Err(crowded())),
                None => MaybeReady::Ready(self.settle(&question, crowded())),
            },
        }
    }

    /// What a list that may be believed is good for, to a request that asks for these ages.
    pub(super) fn lifetime_for(&self, ages: Ages) -> Lifetime {
        Lifetime {
            // A list has a task of its own, which is late if a request has to renew it.
            ageing: ages.usual - ages.usual / 4,
            ttl: ages.usual,
            end: ages.in_outage.max(ages.usual),
        }
    }
}
