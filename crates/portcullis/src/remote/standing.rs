//! Whether a token stands, by what its issuer says: a question about a document that says so, be
//! that a list of many tokens or the answer about one.

use std::sync::Arc;
use std::time::Duration;

use super::freshness::Lifetime;
use super::wait::{Place, Question, Step, crowded};
use super::{Document, Remote, Snapshot};
use crate::clock::Timestamp;
use crate::error::TokenError;
use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;

/// How old the truth may be that a request is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ages {
    /// While the issuer can be asked; at zero, only an answer to a question that was asked after
    /// the request had come will do.
    pub(crate) usual: Duration,
    /// While it can not.
    pub(crate) in_outage: Duration,
}

/// A document that says whether tokens stand.
pub(crate) trait Judge: Document {
    /// Which token, of those that the document knows of.
    type Place: Copy + Send + Sync + 'static;

    /// Whether `kept` may be believed at all right now.
    fn holds(remote: &Remote<Self>, kept: &Self::Kept) -> bool;

    /// What it says of the token.
    fn judge(kept: &Self::Kept, place: Self::Place, now: Timestamp) -> Result<(), TokenError>;
}

/// Whether the token at `place` stands, by a document of such an age.
struct Stands<P> {
    place: P,
    ages: Ages,
}

impl<D: Judge> Question<D> for Stands<D::Place> {
    type Answer = ();

    fn lifetime(&self, remote: &Remote<D>, snapshot: &Snapshot<D::Kept>) -> Option<Lifetime> {
        D::holds(remote, &snapshot.kept).then(|| remote.lifetime_for(self.ages))
    }

    fn ask(&self, kept: &D::Kept, now: Timestamp) -> Option<Result<(), TokenError>> {
        Some(D::judge(kept, self.place, now))
    }
}

impl<D: Judge> Remote<D> {
    /// Whether the token at `place` stands, by a document that is not older than that.
    pub(super) fn standing(
        self: &Arc<Self>,
        place: D::Place,
        ages: Ages,
    ) -> MaybeReady<Result<(), ResolveError>> {
        let question = Stands { place, ages };
        match self.look(&question, Timestamp::now(&*self.clock), false) {
            Step::Answer(answer) => MaybeReady::Ready(answer),
            Step::Wait => match Place::take(self) {
                Some(place) => MaybeReady::pending(place.wait(question)),
                None => MaybeReady::Ready(self.crowded_out(&question)),
            },
        }
    }

    /// The answer for a request that found no place. That many are waiting is no outage, since whoever
    /// sends requests can bring it about: only a fetch that failed is.
    fn crowded_out(&self, question: &Stands<D::Place>) -> Result<(), ResolveError> {
        let now = Timestamp::now(&*self.clock);
        if self.history(now).failure.is_some() {
            return self.settle(question, crowded());
        }
        Err(crowded())
    }

    /// What a document that may be believed is good for, to a request that asks for these ages.
    pub(super) fn lifetime_for(&self, ages: Ages) -> Lifetime {
        // What has a task of its own is late when a request has to see to it.
        let ahead = if self.limits.renews_ahead() { ages.usual / 4 } else { Duration::ZERO };
        Lifetime {
            ageing: ages.usual - ahead,
            ttl: ages.usual,
            end: ages.in_outage.max(ages.usual),
        }
    }
}
