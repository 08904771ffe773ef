//! The issuers that are only known at run time: which of them are kept, and for how long.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::authenticator::IssuerSettings;
use crate::clock::{Clock, Timestamp};
use crate::issuer::TrustedIssuer;
use crate::remote::IssuerBudgets;

/// The number of issuers that are kept, and how long unused.
const MAX_ACCEPTED: u64 = 1000;
const IDLE: Duration = Duration::from_secs(3600);

/// How long a resolver's answer counts by default.
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
/// [`cooldown`](IssuerSettings::cooldown). A token over the limit is refused with 429. The
/// regular renewals of key sets that are at hand are not limited.
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
    /// `issuer` is whatever the sender of a token wrote. The answer must come from a trusted set,
    /// at once, without I/O and without calling the authenticator. It counts for
    /// [`lifetime`](Self::lifetime), or until [`Authenticator::forget`](crate::Authenticator::forget).
    /// The keys are fetched when the first token needs them.
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings>;

    /// How long an answer counts, whether it is used or not: 1 hour by default. The next token of
    /// the issuer then asks again, so tokens of an issuer that is no longer trusted are accepted
    /// for at most this long. Fetched keys are kept where the answer says to fetch them as before.
    fn lifetime(&self) -> Duration {
        LIFETIME
    }
}

#[derive(Clone)]
struct Met {
    issuer: Arc<TrustedIssuer>,
    resolved_at: Timestamp,
}

pub(super) struct Resolved {
    resolver: Arc<dyn IssuerResolver>,
    /// How long its answers count.
    lifetime: Duration,
    /// Those of which a token was accepted.
    accepted: Cache<String, Met>,
    /// The others: their names come from whoever sends tokens, and must evict nothing else.
    claimed: Cache<String, Met>,
    budgets: IssuerBudgets,
    /// One request at a time resolves an issuer. Chosen by a hash of its name.
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
    clock: Arc<dyn Clock>,
}

impl Resolved {
    pub(super) fn new(resolver: Arc<dyn IssuerResolver>, clock: Arc<dyn Clock>) -> Self {
        let cache = |capacity| Cache::builder().max_capacity(capacity).time_to_idle(IDLE);
        Self {
            lifetime: resolver.lifetime(),
            resolver,
            accepted: cache(MAX_ACCEPTED).build(),
            // The latest ones: an honest tenant's first request has just come.
            claimed: cache(MAX_CLAIMED).eviction_policy(EvictionPolicy::lru()).build(),
            budgets: IssuerBudgets::new(),
            locks: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// The issuer of this name, if it was resolved before and the answer still counts.
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
        // Not while it is being asked: its answer is one from before.
        let _one_at_a_time = self.lock(name);
        self.remove(name);
    }

    fn remove(&self, name: &str) {
        self.accepted.invalidate(name);
        self.claimed.invalidate(name);
    }

    /// Notes that a token of `issuer` was accepted.
    pub(super) fn note_accepted(&self, issuer: &Arc<TrustedIssuer>) {
        let name = issuer.name();
        if self.accepted.contains_key(name) {
            return;
        }
        let _one_at_a_time = self.lock(name);
        // One that is gone since its token arrived needs the resolver's word again. Its keys are
        // not lost.
        if self.get_locked(name, Timestamp::now(&*self.clock)).is_some()
            && let Some(met) = self.claimed.remove(name)
        {
            met.issuer.keys.adopt(&issuer.keys);
            self.accepted.insert(name.to_owned(), met);
        }
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
        let Some(issuer) = self.resolve(name).map(Arc::new) else {
            self.remove(name);
            return None;
        };
        let met = Met { issuer: issuer.clone(), resolved_at: now };
        if let Some(before) = self.met(name) {
            issuer.keys.adopt(&before.issuer.keys);
        }
        if self.accepted.contains_key(name) {
            self.accepted.insert(name.to_owned(), met);
        } else {
            self.claimed.insert(name.to_owned(), met);
        }
        Some(issuer)
    }

    /// Asks the resolver.
    fn resolve(&self, name: &str) -> Option<TrustedIssuer> {
        let mut settings = self.resolver.resolve(name)?;
        settings.origin.budget = Some(self.budgets.of(name));
        match settings.trusted_issuer(&self.clock) {
            Ok(issuer) if issuer.name() == name => Some(issuer),
            Ok(issuer) => {
                tracing::error!(
                    target: "portcullis",
                    resolved = issuer.name(),
                    "the resolver answered with another issuer than it was asked for",
                );
                None
            }
            Err(error) => {
                tracing::error!(
                    target: "portcullis",
                    error = &error as &dyn std::error::Error,
                    "the resolver answered with settings that can not be right",
                );
                None
            }
        }
    }
}
