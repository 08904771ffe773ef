//! What can end many streams at once: their issuer, their key, their status list, the feed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::ended::Ended;
use super::names::{Hasher, StreamNames};
use crate::algorithm::Algorithm;
use crate::authenticated::Authenticated;
use crate::clock::Timestamp;
use crate::issuer::TrustedIssuer;
use crate::key::{CandidateKeys, KeyRequest, VerificationKey};
use crate::key_source::ResolveError;
use crate::maybe_ready::{MaybeReady, Pending};
use crate::remote::freshness::Ages;
use crate::remote::status_list::RemoteStatusList;
use crate::revocation::Means;
use crate::revocation::feed::TokenFeed;
use crate::sync::Notify;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often the token of a stream is introspected, unless the route reuses responses for longer.
const LIVE_EVERY: Duration = Duration::from_secs(10);

/// The time, in seconds, for which a key or a status may stay unknown because other requests have used up
/// a limit.
const CROWDED_FOR: u64 = 10;

/// Used for two purposes: the second of the next check of a stream that has no check of its own, and
/// the index of a token without a status list.
pub(super) const NONE: u64 = u64::MAX;

/// The properties of a stream's token that the table needs.
pub(super) struct Watch {
    pub(super) group: Arc<Group>,
    /// The first whole second, since 1970, at which the token has expired.
    pub(super) end: u64,
    /// The index in the status list.
    pub(super) index: u64,
    /// The names by which entries of the feed can revoke the token, if the feed is required.
    pub(super) names: StreamNames,
    /// The second at which this stream is next checked by itself.
    pub(super) check: u64,
    /// The second of the last introspection response; without introspection, of the opening.
    pub(super) known_at: u64,
}

/// Streams with the same issuer, key, status list and revocation checks. They are checked together.
pub(super) struct Group {
    issuer: Arc<TrustedIssuer>,
    key: Arc<VerificationKey>,
    key_id: Option<Arc<str>>,
    algorithm: Algorithm,
    list: Option<RemoteStatusList>,
    means: Vec<Means>,
    /// One more than the version of the status list that the streams were compared with.
    pub(super) compared: AtomicU64,
    /// The generation of the feed against which the streams were checked.
    fed: AtomicU64,
    /// Whether a task waits for a fetch for the group.
    pub(super) is_asking: AtomicBool,
    /// The second from which a limit has kept the group's state unknown.
    unknown_since: AtomicU64,
}

/// The identity of a group. The group keeps the objects at these addresses alive.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    issuer: usize,
    key: usize,
    key_id: Option<Arc<str>>,
    algorithm: Algorithm,
    list: Option<String>,
    means: Vec<Means>,
}

/// The result of a check of a whole group.
pub(super) enum Finding {
    Good,
    Bad(Ended),
    /// The check is not possible, because other requests have used up a limit.
    Crowded,
    /// A fetch is needed.
    Ask(Pending<Finding>),
}

impl Watch {
    /// Returns the properties of an accepted token that the table needs.
    pub(super) fn new(who: &Authenticated, now: Timestamp, hasher: &Hasher) -> Self {
        let origin = who.origin();
        let means = who.demands().means();
        let needs_list = means.iter().any(|means| matches!(means, Means::StatusList(_)));
        let entry = needs_list.then(|| who.list_entry()).flatten();
        let group = Group {
            issuer: origin.issuer.clone(),
            key: origin.key.clone(),
            key_id: who.key_id().map(Arc::from),
            algorithm: who.algorithm(),
            list: entry.map(|(list, _)| list.clone()),
            means,
            compared: AtomicU64::new(0),
            fed: AtomicU64::new(0),
            is_asking: AtomicBool::new(false),
            unknown_since: AtomicU64::new(NONE),
        };
        let feed = group.feed();
        group.fed.store(feed.map_or(0, |feed| feed.entries.generation()), Ordering::Relaxed);
        let names = feed.and_then(|feed| {
            feed.with_names(who.registered(), |names| hasher.of_token(names)).ok()
        });
        let end = origin.issuer.rules.end_of(who.registered());
        // Rounds the end up to a whole second.
        let end = end.saturating_add(Duration::from_nanos(999_999_999)).as_secs();
        let live = group.live();
        // In an outage, the request may have been accepted by an old response.
        let asked_at = live.and_then(|_| who.introspected_at());
        let known_at = second(asked_at.unwrap_or(now));
        let check = live.map_or(NONE, |(every, _)| known_at.saturating_add(every));
        let index = entry.map_or(NONE, |(_, index)| index);
        let names = names.unwrap_or_default();
        Self { group: Arc::new(group), end, index, names, check, known_at }
    }

    /// The first second at which the revocation status has been unknown for too long.
    pub(super) fn overdue(&self) -> u64 {
        let max = self.group.live().map(|(_, max)| max);
        max.map_or(NONE, |max| self.known_at.saturating_add(max).saturating_add(1))
    }
}

/// The whole seconds since 1970.
pub(super) fn second(at: Timestamp) -> u64 {
    at.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Group {
    pub(super) fn key(&self) -> GroupKey {
        GroupKey {
            issuer: Arc::as_ptr(&self.issuer).addr(),
            key: Arc::as_ptr(&self.key).addr(),
            key_id: self.key_id.clone(),
            algorithm: self.algorithm,
            list: self.list.as_ref().map(|list| list.uri().to_owned()),
            means: self.means.clone(),
        }
    }

    /// Notifies `changed` when the keys, the status list or the feed have changed.
    pub(super) fn notify(&self, changed: &Arc<Notify>) {
        self.issuer.keys.notify(changed);
        if let Some(list) = &self.list {
            list.notify(changed);
        }
        if let Some(feed) = self.feed() {
            feed.entries.notify(changed);
        }
    }

    pub(super) fn list(&self) -> Option<&RemoteStatusList> {
        self.list.as_ref()
    }

    /// The feed of the issuer, if the feed may revoke the streams of the group.
    pub(super) fn feed(&self) -> Option<&TokenFeed> {
        let is_required = self.means.iter().any(|means| matches!(means, Means::Feed(_)));
        self.issuer.feed.as_ref().filter(|_| is_required)
    }

    /// The generation of the feed under which no stream of the group was revoked.
    pub(super) fn fed(&self) -> u64 {
        self.fed.load(Ordering::Relaxed)
    }

    pub(super) fn is_fed(&self, generation: u64) {
        self.fed.fetch_max(generation, Ordering::Relaxed);
    }

    pub(super) fn means(&self) -> &[Means] {
        &self.means
    }

    /// How often the streams are introspected, and for how long their status may then be unknown, in
    /// seconds. `None` if no introspection is required.
    pub(super) fn live(&self) -> Option<(u64, u64)> {
        let live = self.means.iter().filter_map(|means| match means {
            Means::Live(Ages { usual, in_outage }) => {
                let every = (*usual).max(LIVE_EVERY);
                Some((every.as_secs(), every.saturating_add(*in_outage.max(&every)).as_secs()))
            }
            _ => None,
        });
        live.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)))
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.issuer.is_forgotten()
    }

    /// Checks everything that all streams of the group depend on.
    pub(super) fn check(&self, at: Timestamp) -> Vec<Finding> {
        let known = self.means.iter().filter_map(|means| match means {
            Means::StatusList(ages) => Some(self.check_list(*ages, at)),
            Means::Feed(ages) => Some(self.check_feed(*ages)),
            Means::Expiry | Means::Live(_) => None,
        });
        [self.check_key(at)].into_iter().chain(known).collect()
    }

    fn check_key(&self, at: Timestamp) -> Finding {
        let wanted = KeyRequest::new(self.key_id.as_deref(), self.algorithm);
        if self.issuer.keys.is_current(&wanted, &self.key, || at) {
            return Finding::Good;
        }
        match self.issuer.keys.source().resolve(&wanted) {
            MaybeReady::Ready(keys) => of_key(keys, &self.key),
            MaybeReady::Pending(keys) => {
                let key = self.key.clone();
                Finding::Ask(Box::pin(async move { of_key(keys.await, &key) }))
            }
        }
    }

    /// Checks the age of the status list, and keeps it refreshed.
    fn check_list(&self, ages: Ages, at: Timestamp) -> Finding {
        let Some(list) = &self.list else { return Finding::Bad(Ended::StatusUnknown) };
        if list.is_forgotten(at.monotonic()) {
            self.issuer.status_lists.remember(list, at.monotonic());
        }
        // The index does not matter: only the age of the list is checked.
        of_standing(list.standing(0, ages))
    }

    /// Checks the time since the store of the feed was last read, and starts a read if that is too long
    /// ago.
    fn check_feed(&self, ages: Ages) -> Finding {
        match &self.issuer.feed {
            Some(feed) => of_standing(feed.revocations.current(ages)),
            None => Finding::Bad(Ended::StatusUnknown),
        }
    }

    /// Returns the reason to end all streams of the group, if any.
    pub(super) fn conclude(&self, finding: &Finding, second: u64) -> Option<Ended> {
        match finding {
            Finding::Bad(reason) => Some(*reason),
            Finding::Crowded => {
                let since = self.unknown_since.fetch_min(second, Ordering::Relaxed).min(second);
                (second - since > CROWDED_FOR).then_some(Ended::KeysUnavailable)
            }
            Finding::Good | Finding::Ask(_) => None,
        }
    }

    /// Records that the state of the group is known.
    pub(super) fn is_known(&self) {
        self.unknown_since.store(NONE, Ordering::Relaxed);
    }
}

fn of_key(keys: Result<CandidateKeys, ResolveError>, key: &VerificationKey) -> Finding {
    match keys {
        Ok(keys) if keys.contains(key) => Finding::Good,
        Ok(_) | Err(ResolveError::Refused(_)) => Finding::Bad(Ended::KeyWithdrawn),
        Err(ResolveError::Unavailable { .. }) => Finding::Bad(Ended::KeysUnavailable),
        Err(ResolveError::BudgetSpent { .. }) => Finding::Crowded,
    }
}

fn of_standing(standing: MaybeReady<Result<(), ResolveError>>) -> Finding {
    let finding = |standing| match standing {
        Ok(()) | Err(ResolveError::Refused(_)) => Finding::Good,
        Err(ResolveError::Unavailable { .. }) => Finding::Bad(Ended::StatusUnknown),
        Err(ResolveError::BudgetSpent { .. }) => Finding::Crowded,
    };
    match standing {
        MaybeReady::Ready(standing) => finding(standing),
        MaybeReady::Pending(standing) => {
            Finding::Ask(Box::pin(async move { finding(standing.await) }))
        }
    }
}
