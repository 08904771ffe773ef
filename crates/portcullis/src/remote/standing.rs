//! Whether a token stands, by what its issuer says: the way of one request through a document that
//! says so, be that a list of many tokens or the answer about one.
//!
//! The document at hand settles it if it is young enough for who asks; else there is a wait for a
//! fetch and another look. Which age is good for what is decided in the table that decides it for
//! keys.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::fetch::FetchError;
use super::freshness::{self, Decision, Lifetime, Lookup, Reason};
use super::resolve::Step;
use super::{Document, Remote, Snapshot};
use crate::key::ResolveError;

/// How old the truth may be that a request is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ages {
    /// While the issuer can be asked; at zero, only an answer to a question that was asked after
    /// the request had come will do.
    pub(crate) usual: Duration,
    /// While it can not.
    pub(crate) in_outage: Duration,
}

impl Ages {
    /// For who has waited for the answer, which is as new as it can be.
    const ANY: Self = Self { usual: Duration::MAX, in_outage: Duration::MAX };
}

/// Whether a token stands: at once, or when the issuer was asked.
pub(crate) enum Standing {
    Ready(Result<(), ResolveError>),
    Pending(PendingStanding),
}

/// An answer that needs I/O.
pub(crate) type PendingStanding = Pin<Box<dyn Future<Output = Result<(), ResolveError>> + Send>>;

/// A document that says whether tokens stand.
pub(crate) trait Judge: Document {
    /// Which token, of those that the document knows of.
    type Place: Copy + Send + 'static;

    /// How long a request that nobody could answer is told to wait.
    const PATIENCE: Duration;

    /// Whether `kept` may be believed at all right now.
    fn holds(remote: &Remote<Self>, kept: &Self::Kept) -> bool;

    /// What it says of the token.
    fn judge(kept: &Self::Kept, place: Self::Place) -> Result<(), ResolveError>;
}

impl<D: Judge> Remote<D> {
    /// Whether the token at `place` stands, by a document that is not older than that.
    pub(super) fn standing(self: &Arc<Self>, place: D::Place, ages: Ages) -> Standing {
        match self.look_at(place, ages) {
            Step::Answer(answer) => Standing::Ready(answer),
            Step::Fetch(reason) => {
                let begun = self.record.progress().flights;
                let remote = self.clone();
                Standing::Pending(Box::pin(stand_fetching(remote, place, ages, reason, begun)))
            }
        }
    }

    /// Looks at the document at hand, without waiting for anything.
    fn look_at(self: &Arc<Self>, place: D::Place, ages: Ages) -> Step<()> {
        let now = self.clock.monotonic();
        let snapshot = self.snapshot.load();
        let usable = snapshot.as_deref().and_then(|set| Some((set, self.lifetime(set, ages)?)));
        let set = usable.map(|(set, lifetime)| (set.age(now), lifetime));
        let decision = freshness::decide(Lookup::Hit, set, &self.limits, self.record.history(now));
        if decision == Decision::UseAndRefresh {
            self.refresh_meanwhile();
        }
        match (decision, usable) {
            (Decision::Use | Decision::UseAndRefresh, Some((set, _))) => {
                Step::Answer(D::judge(&set.kept, place))
            }
            (Decision::Wait { retry_after }, _) => Step::Answer(Err(self.unavailable(retry_after))),
            (Decision::Fetch(reason), _) => Step::Fetch(reason),
            (_, None) => Step::Fetch(Reason::Due),
        }
    }

    /// What the document at hand is good for, to who asks for these ages; `None` if for nothing.
    fn lifetime(&self, set: &Snapshot<D::Kept>, ages: Ages) -> Option<Lifetime> {
        D::holds(self, &set.kept).then(|| self.lifetime_for(ages))
    }

    /// The same of a document that may be believed.
    pub(super) fn lifetime_for(&self, ages: Ages) -> Lifetime {
        // What has a task of its own is late when a request has to see to it.
        let ahead = if self.limits.renews_ahead() { ages.usual / 4 } else { Duration::ZERO };
        Lifetime {
            ageing: ages.usual - ahead,
            ttl: ages.usual,
            end: ages.in_outage.max(ages.usual),
        }
    }

    fn stand_after_failure(
        &self,
        place: D::Place,
        ages: Ages,
        error: FetchError,
    ) -> Result<(), ResolveError> {
        let now = self.clock.monotonic();
        let snapshot = self.snapshot.load();
        let is_good = |set: &&Arc<Snapshot<D::Kept>>| {
            self.lifetime(set, ages).is_some_and(|lifetime| set.age(now) < lifetime.end)
        };
        let usable = snapshot.as_ref().filter(is_good);
        usable.map_or_else(|| Err(self.failed(error)), |set| D::judge(&set.kept, place))
    }
}

/// `begun` is how many fetches had begun when the request came.
async fn stand_fetching<D: Judge>(
    remote: Arc<Remote<D>>,
    place: D::Place,
    ages: Ages,
    mut reason: Reason,
    begun: u64,
) -> Result<(), ResolveError> {
    // The flight under way may have begun too early for this request; the next one has not. A
    // document that no fetch makes good enough, such as one that expires at once, is none.
    for _ in 0..3 {
        let joined = remote.join(reason, |set| remote.lifetime(set, ages));
        let joined = joined.map_err(|error| remote.failed(error))?;
        let mut good_for = ages;
        if let Some(flight) = joined {
            if flight.number() > begun {
                good_for = Ages::ANY;
            }
            if let Err(error) = flight.landed().await {
                return remote.stand_after_failure(place, ages, error);
            }
        }
        match remote.look_at(place, good_for) {
            Step::Answer(answer) => return answer,
            Step::Fetch(other) => reason = other,
        }
    }
    Err(remote.unavailable(D::PATIENCE))
}
