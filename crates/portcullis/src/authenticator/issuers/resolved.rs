//! The issuers that are only known at run time: which of them are kept, and for how long.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::authenticator::{ConfigError, IssuerSettings};
use crate::clock::{Clock, Timestamp};
use crate::issuer::TrustedIssuer;
use crate::remote::IssuerBudgets;

/// The number of issuers that are kept, and how long unused.
const MAX_ACCEPTED: u64 = 1000;
const IDLE: Duration = Duration::from_secs(3600);

/// How long a resolver's answer is valid by default.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The number of issuers that are kept though none of their tokens was accepted.
const MAX_CLAIMED: u64 = 100;

/// The number of locks under which issuers are resolved.
const LOCKS: usize = 64;

/// Vouches for issuers that are only known at run time, such as one for each tenant.
///
/// ```
/// use portcullis::{IssuerSettings, config::IssuerResolver};
///
/// struct Tenants;
///
/// impl IssuerResolver for Tenants {
///     fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
///         // The `iss` of a token is not verified yet: look it up in what *you* know.
///         let known = ["https://a.tenants.example", "https://b.tenants.example"];
///         known.contains(&issuer).then(|| IssuerSettings::new(issuer, "https://api.example"))
///     }
/// }
/// ```
///
/// # Limits
///
/// Forged tokens can name any tenant. Fetches of keys are therefore limited while there is no usable
/// key set, and for unknown `kid`s: in `t` seconds all resolved issuers together cause at most
/// 1,024 + 10 × `t` such fetches, and one issuer at most 8 + `t` /
/// [`cooldown`](IssuerSettings::cooldown). A token over the limit is refused with 429. Regular
/// renewals of usable key sets are not limited.
///
/// The 1,000 most used issuers with an accepted token are kept, and 100 others. Issuers that forged
/// tokens name do not evict those with an accepted token.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resolver of issuers",
    label = "not an `IssuerResolver`",
    note = "implement `portcullis::config::IssuerResolver` for a type of your own, not for a closure; add issuers \
            that are known at start with `also_issuer`"
)]
pub trait IssuerResolver: Send + Sync + 'static {
    /// The settings for the tokens of `issuer`, or `None` if it is not trusted.
    ///
    /// `issuer` is the unverified `iss` of a token. The answer must come from a trusted set, at
    /// once, without I/O and without calling the authenticator. It is valid for
    /// [`lifetime`](Self::lifetime), or until
    /// [`Authenticator::forget`](crate::Authenticator::forget). The keys are fetched when the first
    /// token needs them.
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings>;

    /// How long an answer is valid, whether it is used or not: 1 hour by default. After that, the
    /// next token of the issuer causes another call, so tokens of an issuer that is no longer
    /// trusted are accepted for at most this long.
    ///
    /// If the answer has not changed, the issuer's keys, status lists and introspection answers are
    /// kept. A custom [`fetch`](IssuerSettings::fetch) or
    /// [`key_source`](IssuerSettings::key_source) counts as unchanged only if it is the same
    /// object: keep the settings and return clones.
    fn lifetime(&self) -> Duration {
        LIFETIME
    }
}

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
    /// The issuers with an accepted token.
    accepted: Cache<String, Met>,
    /// The other issuers: unverified tokens name them, so they must evict nothing else.
    claimed: Cache<String, Met>,
    budgets: IssuerBudgets,
    /// One request at a time resolves an issuer. Chosen by a hash of its name.
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

    /// Whether a token of an issuer of this name was accepted lately.
    pub(super) fn has_accepted(&self, name: &str) -> bool {
        self.accepted.contains_key(name)
    }

    /// The issuer of this name, if it was resolved before and the answer is still valid.
    pub(super) fn known(&self, name: &str, now: Timestamp) -> Option<Arc<TrustedIssuer>> {
        let met = self.met(name).filter(|met| now.since(met.resolved_at) < self.lifetime);
        met.map(|met| met.issuer)
    }

    fn met(&self, name: &str) -> Option<Met> {
        self.accepted.get(name).or_else(|| self.claimed.get(name))
    }

    /// All that were resolved before.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<TrustedIssuer>> {
        self.accepted.iter().chain(&self.claimed).map(|(_, met)| met.issuer)
    }

    /// Whether the resolver answers for this name, with settings that can be used or not.
    pub(super) fn answers_for(&self, name: &str) -> bool {
        self.known(name, Timestamp::now(&*self.clock)).is_some()
            || self.resolver.resolve(name).is_some()
    }

    /// The issuer of this name, if the resolver vouches for it.
    pub(super) fn get(&self, name: &str) -> Option<Arc<TrustedIssuer>> {
        let now = Timestamp::now(&*self.clock);
        self.known(name, now).or_else(|| {
            let _one_at_a_time = self.lock(name);
            self.get_locked(name, now)
        })
    }

    /// Has the next token of this issuer ask the resolver.
    pub(super) fn forget(&self, name: &str) {
        // A call of the resolver that is under way ends first: its answer is older than this.
        let _one_at_a_time = self.lock(name);
        self.remove(name);
    }

    fn remove(&self, name: &str) {
        for met in [&self.accepted, &self.claimed].into_iter().filter_map(|met| met.remove(name)) {
            met.issuer.forget();
        }
    }

    /// Notes that a token of `issuer` was accepted, and returns the current issuer of that name;
    /// `None` if the resolver no longer vouches for it.
    pub(super) fn note_accepted(&self, issuer: &Arc<TrustedIssuer>) -> Option<Arc<TrustedIssuer>> {
        let name = issuer.name();
        if self.accepted.contains_key(name) && !issuer.is_forgotten() {
            return Some(issuer.clone());
        }
        let _one_at_a_time = self.lock(name);
        // An issuer that was evicted or forgotten since its token arrived is resolved again. Keys
        // that are fetched in the same way are kept.
        let current = self.get_locked(name, Timestamp::now(&*self.clock))?;
        if let Some(met) = self.claimed.remove(name) {
            if !Arc::ptr_eq(&met.issuer, issuer) {
                met.issuer.keys.adopt(&issuer.keys);
            }
            self.accepted.insert(name.to_owned(), met);
        }
        Some(current)
    }

    fn lock(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let at = self.hasher.hash_one(name) as usize % LOCKS;
        let lock = self.locks.get(at)?;
        Some(lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn get_locked(&self, name: &str, now: Timestamp) -> Option<Arc<TrustedIssuer>> {
        if let Some(issuer) = self.known(name, now) {
            return Some(issuer);
        }
        let Some((settings, issuer)) = self.resolve(name) else {
            self.remove(name);
            return None;
        };
        let met = Met { issuer: issuer.clone(), settings, resolved_at: now };
        if self.accepted.contains_key(name) {
            self.accepted.insert(name.to_owned(), met);
        } else {
            self.claimed.insert(name.to_owned(), met);
        }
        Some(issuer)
    }

    /// Asks the resolver. If the answer has not changed, the issuer stays the same, with its keys,
    /// its status lists and its introspection answers.
    fn resolve(&self, name: &str) -> Option<(Arc<IssuerSettings>, Arc<TrustedIssuer>)> {
        let mut settings = self.resolver.resolve(name)?;
        let before = self.met(name);
        if let Some(Met { issuer, settings: before, .. }) = &before
            && before.is_same(&settings)
        {
            return Some((before.clone(), issuer.clone()));
        }
        settings.origin.budget = Some(self.budgets.of(name));
        let issuer = match settings.clone().trusted_issuer(&self.clock) {
            Ok(issuer) if issuer.name() == name => Arc::new(issuer),
            Ok(_) => return self.wrong_answer(None),
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
