//! Answers a request from a document. If the snapshot does not have the answer, the request waits for a
//! fetch, for a bounded time, and looks at the snapshot again.

use std::sync::Arc;
use std::time::Duration;

use super::freshness::{self, Decision, Lifetime, Lookup};
use super::single_flight::{PATIENCE, waited};
use super::{Document, Place, Remote, Snapshot};
use crate::clock::Timestamp;
use crate::error::TokenError;
use crate::fetch::FetchError;
use crate::key_source::ResolveError;

/// The retry delay for a request that found no place in the queue, or that no fetch could answer.
pub(crate) const CROWDED: Duration = Duration::from_secs(1);

/// A query against a document.
pub(super) trait Question<D: Document>: Send + Sync {
    type Answer: Send;

    /// Returns the ages that limit the use of `snapshot`; `None` if it must not be used.
    fn lifetime(&self, remote: &Remote<D>, snapshot: &Snapshot<D::Kept>) -> Option<Lifetime>;

    /// Returns the answer from a document; `None` if only a newer document may have it.
    fn ask(&self, kept: &D::Kept, now: Timestamp) -> Option<Result<Self::Answer, TokenError>>;

    /// Returns the error if a newer document is known not to have the answer either.
    fn refusal(&self, _remote: &Remote<D>) -> Option<TokenError> {
        None
    }
}

/// The result of a look at the snapshot.
pub(super) enum Step<T> {
    Answer(Result<T, ResolveError>),
    /// Wait for a fetch.
    Wait,
}

impl<D: Document> Remote<D> {
    /// Looks at the snapshot, without waiting. `conclusive` means that a fetch has just succeeded that
    /// began after the request arrived, so the snapshot cannot be any newer.
    pub(super) fn look<Q: Question<D>>(
        self: &Arc<Self>,
        question: &Q,
        now: Timestamp,
        conclusive: bool,
    ) -> Step<Q::Answer> {
        let snapshot = self.snapshot.load();
        let usable = snapshot
            .as_deref()
            .and_then(|snapshot| Some((snapshot, question.lifetime(self, snapshot)?)));
        let answer = usable.and_then(|(snapshot, _)| question.ask(&snapshot.kept, now));
        let set = usable.map(|(snapshot, lifetime)| (snapshot.age(now), lifetime));
        let answer = match (answer, set) {
            // Fast path: the table would return `Use` regardless of the history.
            (Some(answer), Some((age, lifetime))) if age < lifetime.ageing => {
                return Step::Answer(answer.map_err(ResolveError::Refused));
            }
            (answer, _) => answer,
        };
        // Bounds the age of the answer even if this task was scheduled late.
        let good_for = |lifetime: Lifetime| lifetime.end.max(self.time_for_fetch() + PATIENCE);
        if conclusive && set.is_some_and(|(age, lifetime)| age < good_for(lifetime)) {
            let absent = || Err(question.refusal(self).unwrap_or(TokenError::UnknownKey));
            return Step::Answer(answer.unwrap_or_else(absent).map_err(ResolveError::Refused));
        }
        let lookup = if answer.is_some() { Lookup::Hit } else { Lookup::Miss };
        let decision = freshness::decide(lookup, set, &self.limits, self.history(now));
        if decision == Decision::UseAndRefresh {
            self.refresh_meanwhile(now);
        }
        match (decision, answer) {
            (Decision::Use | Decision::UseAndRefresh, Some(answer)) => {
                Step::Answer(answer.map_err(ResolveError::Refused))
            }
            (Decision::Limited { retry_after }, _) => {
                Step::Answer(Err(self.limited(question, retry_after)))
            }
            (Decision::Unavailable { retry_after }, _) => {
                Step::Answer(Err(self.unavailable(retry_after)))
            }
            (Decision::Fetch(_), _) | (_, None) => Step::Wait,
        }
    }

    /// Answers from the snapshot even past its TTL, while it is still usable; otherwise fails with
    /// `error`.
    pub(super) fn settle<Q: Question<D>>(
        &self,
        question: &Q,
        error: ResolveError,
    ) -> Result<Q::Answer, ResolveError> {
        let now = Timestamp::now(&*self.clock);
        let snapshot = self.snapshot.load();
        let usable = snapshot.as_deref().filter(|snapshot| {
            question
                .lifetime(self, snapshot)
                .is_some_and(|lifetime| snapshot.age(now) < lifetime.end)
        });
        let Some(snapshot) = usable else { return Err(error) };
        match question.ask(&snapshot.kept, now) {
            Some(answer) => answer.map_err(ResolveError::Refused),
            None => Err(self.limited(question, error.retry_after())),
        }
    }

    /// Returns the error for a request that the snapshot cannot answer and that may not cause a
    /// fetch.
    pub(super) fn limited<Q: Question<D>>(
        &self,
        question: &Q,
        retry_after: Duration,
    ) -> ResolveError {
        let over_budget =
            || ResolveError::BudgetSpent { retry_after, source: self.record.last_error() };
        question.refusal(self).map_or_else(over_budget, ResolveError::Refused)
    }

    /// Returns the error for a request whose fetch failed.
    pub(super) fn failed(&self, error: FetchError) -> ResolveError {
        let failure = self.history(Timestamp::now(&*self.clock)).failure;
        let retry_after = failure.unwrap_or_default().retry_on_demand();
        ResolveError::Unavailable { retry_after, source: Some(error) }
    }

    /// Returns the error for a request without a usable snapshot while no fetch is due.
    fn unavailable(&self, retry_after: Duration) -> ResolveError {
        ResolveError::Unavailable { retry_after, source: self.record.last_error() }
    }

    /// Waits for fetches, within one deadline in total, and looks again after each.
    pub(super) async fn wait<Q: Question<D>>(
        self: Arc<Self>,
        place: Place,
        question: Q,
    ) -> Result<Q::Answer, ResolveError> {
        let answer = waited(&self.deadline(), self.wait_for_fetches(&place, &question)).await;
        answer.unwrap_or_else(|error| self.settle(&question, self.failed(error)))
    }

    async fn wait_for_fetches<Q: Question<D>>(
        self: &Arc<Self>,
        place: &Place,
        question: &Q,
    ) -> Result<Q::Answer, ResolveError> {
        // The fetch in flight may have begun before this request arrived. The next one began later.
        for _ in 0..3 {
            let mut conclusive = false;
            // `None`: the fetch of another request has ended in the meantime.
            if let Some(flight) = self.join(question)? {
                conclusive = place.precedes(&flight);
                if let Err(error) = flight.landed().await {
                    return self.settle(question, self.failed(error));
                }
            }
            match self.look(question, Timestamp::now(&*self.clock), conclusive) {
                Step::Answer(answer) => return answer,
                Step::Wait => {}
            }
        }
        Err(self.unavailable(CROWDED))
    }
}

/// Returns the error for a request that found no place in the queue.
pub(crate) fn crowded() -> ResolveError {
    ResolveError::BudgetSpent { retry_after: CROWDED, source: None }
}
