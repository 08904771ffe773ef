//! The cache of resolved issuers, by rule set: what is kept, and for how long.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::IssuerResolver;
use super::made::Made;
use crate::authenticator::{ConfigError, IssuerSettings};
use crate::clock::{Clock, Timestamp};
use crate::crypto::Provider;
use crate::issuer::TrustedIssuer;
use crate::remote::IssuerBudgets;
use crate::request::{NoRequest, RequestView};
use crate::revocation::feed::Revocations;

/// The maximum number of rule sets with an accepted token, and the time that an unused one is kept.
const MAX_ACCEPTED: u64 = 1000;
const IDLE: Duration = Duration::from_secs(3600);

/// The maximum number of rule sets without an accepted token.
const MAX_CLAIMED: u64 = 100;

/// The number of locks for resolving rule sets.
const LOCKS: usize = 64;

#[derive(Clone)]
struct Met {
    issuer: Arc<TrustedIssuer>,
    resolved_at: Timestamp,
}

/// Whether the resolver gave equal answers for both.
fn is_same_answer(one: &TrustedIssuer, other: &TrustedIssuer) -> bool {
    let [one, other] = [one, other].map(answer);
    one.zip(other).is_some_and(|(one, other)| one.is_same(other))
}

/// The resolver's answer.
fn answer(issuer: &TrustedIssuer) -> Option<&IssuerSettings> {
    issuer.made_from.as_deref()?.downcast_ref()
}

pub(super) struct Resolved {
    resolver: Arc<dyn IssuerResolver>,
    /// How long answers are valid.
    lifetime: Duration,
    /// The rule sets with an accepted token.
    accepted: Cache<String, Met>,
    /// The rule sets without an accepted token. Unverified tokens name them, so they must not evict
    /// entries of `accepted`.
    claimed: Cache<String, Met>,
    /// The issuers of all answers. Callers and streams may hold one that was evicted or replaced.
    made: Mutex<Made>,
    budgets: IssuerBudgets,
    /// One request at a time resolves a rule set. The hash of its name selects the lock.
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
    /// The time of the next report of a wrong answer, in seconds of the monotonic clock.
    next_report: AtomicU64,
    clock: Arc<dyn Clock>,
    revocations: Option<Revocations>,
    crypto: Option<Provider>,
}

impl Resolved {
    pub(super) fn new(
        resolver: Arc<dyn IssuerResolver>,
        clock: Arc<dyn Clock>,
        revocations: Option<Revocations>,
        crypto: Option<Provider>,
    ) -> Self {
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
            // The policy keeps the most recently used entries, not the most frequently used ones:
            // an honest tenant's first request is recent, but not frequent.
            claimed: cache(MAX_CLAIMED).eviction_policy(EvictionPolicy::lru()).build(),
            made: Mutex::default(),
            budgets: IssuerBudgets::new(),
            locks: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            next_report: AtomicU64::new(0),
            clock,
            revocations,
            crypto,
        }
    }

    /// Whether this rule set accepted a token recently.
    pub(super) fn has_accepted(&self, rule_set: &str) -> bool {
        self.accepted.contains_key(rule_set)
    }

    /// Whether this rule set is selected for a token of the issuer `name` with `request`.
    pub(super) fn selects(&self, rule_set: &str, name: &str, request: &dyn RequestView) -> bool {
        self.resolver.select(name, request).is_some_and(|selected| selected == rule_set)
    }

    /// The issuer `name`, if the resolver trusts it. `request` takes part in the selection of the
    /// rule set.
    pub(super) fn of(&self, name: &str, request: &dyn RequestView) -> Option<Arc<TrustedIssuer>> {
        let rule_set = self.resolver.select(name, request)?;
        let issuer = self.get(&rule_set)?;
        if issuer.name() == name {
            return Some(issuer);
        }
        // The rule set is for another issuer. If it is selected by the issuer's name alone, the
        // resolver's answer is wrong. Otherwise, the token was sent to another tenant's host.
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

    /// All issuers that were resolved before.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<TrustedIssuer>> {
        self.accepted.iter().chain(&self.claimed).map(|(_, met)| met.issuer)
    }

    /// Whether the resolver says that `issuer` is one of its own.
    pub(super) fn is_ours(&self, issuer: &str) -> bool {
        self.resolver.is_ours(issuer)
    }

    fn get(&self, rule_set: &str) -> Option<Arc<TrustedIssuer>> {
        let now = Timestamp::now(&*self.clock);
        self.known(rule_set, now).or_else(|| {
            let _one_at_a_time = self.lock(rule_set);
            self.get_locked(rule_set, now)
        })
    }

    /// Makes the next token of this rule set call the resolver.
    pub(super) fn forget(&self, rule_set: &str) {
        // The lock waits for a running call of the resolver, whose answer must be forgotten, too.
        let _one_at_a_time = self.lock(rule_set);
        self.remove(rule_set);
    }

    fn remove(&self, rule_set: &str) {
        for cache in [&self.accepted, &self.claimed] {
            cache.remove(rule_set);
        }
        self.made().forget(rule_set);
    }

    /// Records that a token was accepted by the rules of `issuer`, and returns the current issuer
    /// of the rule set. `None` if the resolver no longer trusts it, or trusts it with other rules.
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
        // An issuer that was evicted or forgotten since its token arrived is resolved again. If its
        // keys are fetched in the same way, they are kept.
        let current = self.get_locked(rule_set, Timestamp::now(&*self.clock))?;
        // The token was validated with the rules and the keys of the earlier answer.
        if !is_same_answer(&current, issuer) {
            return None;
        }
        if let Some(met) = self.claimed.remove(rule_set) {
            if !is_current(&met) {
                met.issuer.keys.adopt(&issuer.keys);
            }
            // The warning is logged only after an accepted token, because forged tokens decide how
            // often an issuer is resolved.
            met.issuer.rules.warn_of_audiences();
            self.accepted.insert(rule_set.to_owned(), met);
        }
        Some(current)
    }

    fn lock(&self, rule_set: &str) -> Option<MutexGuard<'_, ()>> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits are suitable")]
        let at = self.hasher.hash_one(rule_set) as usize % LOCKS;
        let lock = self.locks.get(at)?;
        Some(lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn get_locked(&self, rule_set: &str, now: Timestamp) -> Option<Arc<TrustedIssuer>> {
        if let Some(issuer) = self.known(rule_set, now) {
            return Some(issuer);
        }
        let Some(issuer) = self.resolve(rule_set) else {
            self.remove(rule_set);
            return None;
        };
        let met = Met { issuer: issuer.clone(), resolved_at: now };
        if self.accepted.contains_key(rule_set) {
            self.accepted.insert(rule_set.to_owned(), met);
        } else {
            self.claimed.insert(rule_set.to_owned(), met);
        }
        Some(issuer)
    }

    /// Calls the resolver. If the answer has not changed, the issuer stays the same, with its keys,
    /// status lists and introspection responses.
    fn resolve(&self, rule_set: &str) -> Option<Arc<TrustedIssuer>> {
        let mut settings = self.resolver.resolve(rule_set)?;
        let before = self.met(rule_set).map(|met| met.issuer);
        if let Some(issuer) = &before
            && answer(issuer).is_some_and(|before| before.is_same(&settings))
        {
            return Some(issuer.clone());
        }
        settings.origin.public_only = true;
        settings.revocations = self.revocations.clone();
        settings.crypto = self.crypto;
        settings.origin.budget = Some(self.budgets.of(rule_set));
        let issuer = match settings.clone().trusted_issuer(&self.clock) {
            Ok(issuer) => issuer,
            Err(error) => return self.wrong_answer(Some(&error)),
        };
        if let Some(before) = before {
            before.retire();
        }
        let (rule_set, made_from) = (Some(rule_set.into()), Some(Arc::new(settings) as _));
        let issuer = Arc::new(TrustedIssuer { rule_set, made_from, ..issuer });
        self.made().add(&issuer);
        Some(issuer)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a wrong answer of the resolver at most once a minute, because forged tokens decide how
    /// often it is called.
    fn wrong_answer<T>(&self, error: Option<&ConfigError>) -> Option<T> {
        let (now, next) = (self.clock.monotonic().as_secs(), &self.next_report);
        let due = next.load(Ordering::Relaxed);
        let swap = || next.compare_exchange(due, now + 60, Ordering::Relaxed, Ordering::Relaxed);
        if now >= due && swap().is_ok() {
            tracing::error!(
                target: "portcullis",
                error = error.map(|error| error as &dyn std::error::Error),
                "resolver result ignored: it is for another issuer, or its settings are invalid",
            );
        }
        None
    }
}
