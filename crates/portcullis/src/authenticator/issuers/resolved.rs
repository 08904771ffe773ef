//! The issuers that are only known at run time, by the rule sets that a resolver selects: which of them
//! are kept, and for how long.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::IssuerResolver;
use crate::authenticator::{ConfigError, IssuerSettings};
use crate::clock::{Clock, Timestamp};
use crate::issuer::TrustedIssuer;
use crate::remote::IssuerBudgets;
use crate::request::{NoRequest, RequestView};

/// The number of rule sets that are kept, and how long unused.
const MAX_ACCEPTED: u64 = 1000;
const IDLE: Duration = Duration::from_secs(3600);

/// The number of rule sets that are kept though none of their tokens was accepted.
const MAX_CLAIMED: u64 = 100;

/// The number of locks under which rule sets are resolved.
const LOCKS: usize = 64;

#[derive(Clone)]
struct Met {
    issuer: Arc<TrustedIssuer>,
    /// What the resolver said.
    settings: Arc<IssuerSettings>,
    resolved_at: Timestamp,
}

pub(super) struct Resolved {
    resolver: Arc<dyn IssuerResolver>,
    /// How long its answers are valid.
    lifetime: Duration,
    /// The rule sets with an accepted token.
    accepted: Cache<String, Met>,
    /// The other rule sets: unverified tokens name them, so they must evict nothing else.
    claimed: Cache<String, Met>,
    budgets: IssuerBudgets,
    /// One request at a time resolves a rule set. Chosen by a hash of its name.
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
    /// From when on a wrong answer is reported again, in seconds of the monotonic clock.
    next_report: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Resolved {
    pub(super) fn new(resolver: Arc<dyn IssuerResolver>, clock: Arc<dyn Clock>) -> Self {
        let evicted = |_: Arc<String>, met: Met, cause: RemovalCause| {
            if cause.was_evicted() {
                met.issuer.retire();
            }
        };
        let cache = |capacity| {
            let cache = Cache::builder().max_capacity(capacity).time_to_idle(IDLE);
            cache.eviction_listener(evicted)
        };
        Self {
            lifetime: resolver.lifetime(),
            resolver,
            accepted: cache(MAX_ACCEPTED).build(),
            // The latest ones: an honest tenant's first request has just come.
            claimed: cache(MAX_CLAIMED).eviction_policy(EvictionPolicy::lru()).build(),
            budgets: IssuerBudgets::new(),
            locks: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            next_report: AtomicU64::new(0),
            clock,
        }
    }

    /// Whether a token was accepted by this rule set lately.
    pub(super) fn has_accepted(&self, rule_set: &str) -> bool {
        self.accepted.contains_key(rule_set)
    }

    /// Whether a token of the issuer `name` that comes with `request` is judged by this rule set.
    pub(super) fn selects(&self, rule_set: &str, name: &str, request: &dyn RequestView) -> bool {
        self.resolver.select(name, request).is_some_and(|selected| selected == rule_set)
    }

    /// The issuer `name`, by the rule set that is selected for its tokens with `request`, if the
    /// resolver vouches for it.
    pub(super) fn of(&self, name: &str, request: &dyn RequestView) -> Option<Arc<TrustedIssuer>> {
        let rule_set = self.resolver.select(name, request)?;
        let issuer = self.get(&rule_set)?;
        if issuer.name() == name {
            return Some(issuer);
        }
        // Selected by the issuer alone, the answer is wrong; otherwise the token is at the wrong place.
        if rule_set == name && self.selects(&rule_set, name, &NoRequest) {
            self.claimed.remove(&*rule_set);
            return self.wrong_answer(None);
        }
        None
    }

    /// The issuer of this rule set, if it was resolved before and the answer is still valid.
    pub(super) fn known(&self, rule_set: &str, now: Timestamp) -> Option<Arc<TrustedIssuer>> {
        let met = self.met(rule_set).filter(|met| now.since(met.resolved_at) < self.lifetime);
        met.map(|met| met.issuer)
    }

    fn met(&self, rule_set: &str) -> Option<Met> {
        self.accepted.get(rule_set).or_else(|| self.claimed.get(rule_set))
    }

    /// All that were resolved before.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<TrustedIssuer>> {
        self.accepted.iter().chain(&self.claimed).map(|(_, met)| met.issuer)
    }

    /// Whether the resolver answers for the rule set that it selects, with settings that can be used or not,
    /// and of this issuer or another one.
    pub(super) fn answers_for(&self, name: &str, request: &dyn RequestView) -> bool {
        self.resolver.select(name, request).is_some_and(|rule_set| {
            self.known(&rule_set, Timestamp::now(&*self.clock)).is_some()
                || self.resolver.resolve(&rule_set).is_some()
        })
    }

    fn get(&self, rule_set: &str) -> Option<Arc<TrustedIssuer>> {
        let now = Timestamp::now(&*self.clock);
        self.known(rule_set, now).or_else(|| {
            let _one_at_a_time = self.lock(rule_set);
            self.get_locked(rule_set, now)
        })
    }

    /// Has the next token of this rule set ask the resolver.
    pub(super) fn forget(&self, rule_set: &str) {
        // A call of the resolver that is under way ends first: its answer is older than this.
        let _one_at_a_time = self.lock(rule_set);
        self.remove(rule_set);
    }

    fn remove(&self, rule_set: &str) {
        let caches = [&self.accepted, &self.claimed].into_iter();
        for met in caches.filter_map(|met| met.remove(rule_set)) {
            met.issuer.forget();
        }
    }

    /// Notes that a token was accepted by the rules of `issuer`, and returns the current issuer of the
    /// rule set; `None` if the resolver no longer vouches for it, or not with these rules.
    pub(super) fn note_accepted(
        &self,
        rule_set: &str,
        issuer: &Arc<TrustedIssuer>,
    ) -> Option<Arc<TrustedIssuer>> {
        let is_current = |met: &Met| Arc::ptr_eq(&met.issuer, issuer);
        if !issuer.is_forgotten() && self.accepted.get(rule_set).is_some_and(|met| is_current(&met))
        {
            return Some(issuer.clone());
        }
        let _one_at_a_time = self.lock(rule_set);
        // An issuer that was evicted or forgotten since its token arrived is resolved again. Keys
        // that are fetched in the same way are kept.
        let current = self.get_locked(rule_set, Timestamp::now(&*self.clock))?;
        // The token was held to the rules as they were.
        if !current.has_rules_of(issuer) {
            return None;
        }
        if let Some(met) = self.claimed.remove(rule_set) {
            if !is_current(&met) {
                met.issuer.keys.adopt(&issuer.keys);
            }
            self.accepted.insert(rule_set.to_owned(), met);
        }
        Some(current)
    }

    fn lock(&self, rule_set: &str) -> Option<MutexGuard<'_, ()>> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let at = self.hasher.hash_one(rule_set) as usize % LOCKS;
        let lock = self.locks.get(at)?;
        Some(lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn get_locked(&self, rule_set: &str, now: Timestamp) -> Option<Arc<TrustedIssuer>> {
        if let Some(issuer) = self.known(rule_set, now) {
            return Some(issuer);
        }
        let Some((settings, issuer)) = self.resolve(rule_set) else {
            self.remove(rule_set);
            return None;
        };
        let met = Met { issuer: issuer.clone(), settings, resolved_at: now };
        if self.accepted.contains_key(rule_set) {
            self.accepted.insert(rule_set.to_owned(), met);
        } else {
            self.claimed.insert(rule_set.to_owned(), met);
        }
        Some(issuer)
    }

    /// Asks the resolver. If the answer has not changed, the issuer stays the same, with its keys,
    /// its status lists and its introspection answers.
    fn resolve(&self, rule_set: &str) -> Option<(Arc<IssuerSettings>, Arc<TrustedIssuer>)> {
        let mut settings = self.resolver.resolve(rule_set)?;
        let before = self.met(rule_set);
        if let Some(Met { issuer, settings: before, .. }) = &before
            && before.is_same(&settings)
        {
            return Some((before.clone(), issuer.clone()));
        }
        settings.origin.is_resolved = true;
        settings.origin.budget = Some(self.budgets.of(rule_set));
        let issuer = match settings.clone().trusted_issuer(&self.clock) {
            Ok(issuer) => Arc::new(TrustedIssuer { rule_set: Some(rule_set.into()), ..issuer }),
            Err(error) => return self.wrong_answer(Some(&error)),
        };
        if let Some(before) = before {
            before.issuer.retire();
        }
        Some((Arc::new(settings), issuer))
    }

    /// Logs at most once a minute that the resolver is at fault: forged tokens decide how often it
    /// is asked.
    fn wrong_answer<T>(&self, error: Option<&ConfigError>) -> Option<T> {
        let (now, next) = (self.clock.monotonic().as_secs(), &self.next_report);
        let due = next.load(Ordering::Relaxed);
        let swap = || next.compare_exchange(due, now + 60, Ordering::Relaxed, Ordering::Relaxed);
        if now >= due && swap().is_ok() {
            tracing::error!(
                target: "portcullis",
                error = error.map(|error| error as &dyn std::error::Error),
                "the resolver's answer is not used: it is for another issuer, or its settings are wrong",
            );
        }
        None
    }
}
