//! Where keys come from, as the request path sees it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::{KeySet, Selection, VerificationKey};
use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::remote::fetch::FetchError;
use crate::remote::status::KeySetStatus;

/// What a token says of the key that it was signed with.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KeyRequest<'a> {
    /// `kid`, which is whatever the sender wrote.
    pub key_id: Option<&'a str>,
    /// `alg`.
    pub algorithm: Algorithm,
}

impl<'a> KeyRequest<'a> {
    /// What a token with this `kid` and `alg` asks for.
    #[must_use]
    pub fn new(key_id: Option<&'a str>, algorithm: Algorithm) -> Self {
        Self { key_id, algorithm }
    }
}

/// Shows the algorithm and whether there is a `kid`, which is unverified text out of a token.
impl fmt::Debug for KeyRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest")
            .field("has_key_id", &self.key_id.is_some())
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

/// A source of verification keys.
///
/// Usually an [`Authenticator`](crate::Authenticator) fetches the keys itself; [`SharedKeySet`] is
/// for keys that the process has anyhow.
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Finds the key for a token.
    ///
    /// Called once a request: what is at hand must be answered at once, without I/O and without
    /// waiting for a lock that is held across I/O.
    fn resolve(&self, wanted: &KeyRequest<'_>) -> Resolution;

    /// Whether `key` is still the one for `wanted`, and may be used now: asked for each request
    /// whose token was verified with `key` before.
    ///
    /// This is [`resolve`](Self::resolve) with a shorter answer, and must never say `true` where that would not answer
    /// with this key at once: what is due for a renewal is renewed, and what is too old is not
    /// current. After `false` the token is verified anew.
    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        matches!(self.resolve(wanted), Resolution::Ready(Ok(current)) if current.is_same(key))
    }

    /// How the keys are; `None` for a source that is always at hand.
    fn status(&self) -> Option<KeySetStatus> {
        None
    }

    /// Fetches the keys now, where they are fetched at all.
    fn refresh(&self) -> Refreshing<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A fetch that is under way.
pub type Refreshing<'s> = Pin<Box<dyn Future<Output = Result<(), FetchError>> + Send + 's>>;

impl<S: KeySource + ?Sized> KeySource for Arc<S> {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> Resolution {
        (**self).resolve(wanted)
    }

    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        (**self).is_current(wanted, key)
    }

    fn status(&self) -> Option<KeySetStatus> {
        (**self).status()
    }

    fn refresh(&self) -> Refreshing<'_> {
        (**self).refresh()
    }
}

/// The answer of a [`KeySource`]: there already, or on its way.
pub enum Resolution {
    /// The key is at hand, or it is certain that there is none.
    Ready(Result<Arc<VerificationKey>, ResolveError>),
    /// The answer needs I/O.
    Pending(PendingKey),
}

/// A key that is on its way.
pub type PendingKey =
    Pin<Box<dyn Future<Output = Result<Arc<VerificationKey>, ResolveError>> + Send>>;

impl fmt::Debug for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(key) => f.debug_tuple("Ready").field(key).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}

/// Why there is no key for a token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ResolveError {
    /// The token is at fault: nothing that the issuer publishes fits it.
    Refused(TokenError),
    /// No usable keys: they could not be fetched.
    Unavailable {
        /// When to retry.
        retry_after: Duration,
        /// Why the last fetch failed.
        source: Option<FetchError>,
    },
    /// The keys at hand lack the token's key, and no fetch is allowed now: unknown `kid`s have
    /// spent the budget, or too many requests are waiting.
    BudgetSpent {
        /// When to retry.
        retry_after: Duration,
        /// Why the last fetch failed, if it did.
        source: Option<FetchError>,
    },
}

impl ResolveError {
    /// When to retry; zero where that does not help.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::Refused(_) => Duration::ZERO,
            Self::Unavailable { retry_after, .. } | Self::BudgetSpent { retry_after, .. } => {
                *retry_after
            }
        }
    }
}

/// Keys that the process holds itself, replaced as a whole by their owner.
///
/// For an issuer in the same process, for keys from a file, and for tests. Clones share the set;
/// a request that has begun finishes with the keys that it began with.
///
/// ```
/// use portcullis::{KeySet, SharedKeySet};
///
/// let keys = SharedKeySet::new(KeySet::from_json(br#"{"keys":[]}"#)?);
/// keys.replace(KeySet::from_json(br#"{"keys":[]}"#)?);
/// # Ok::<(), portcullis::KeySetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SharedKeySet(Arc<ArcSwap<KeySet>>);

impl SharedKeySet {
    /// A source with these keys.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keys)))
    }

    /// Replaces every key: a key that is not in `keys` is refused from now on.
    pub fn replace(&self, keys: KeySet) {
        self.0.store(Arc::new(keys));
    }
}

impl KeySource for SharedKeySet {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> Resolution {
        Resolution::Ready(match self.0.load().select(wanted) {
            Selection::Key(key) => Ok(key.clone()),
            Selection::Several(_) => {
                let algorithm = wanted.algorithm;
                Err(ResolveError::Refused(TokenError::AmbiguousKey { algorithm }))
            }
            Selection::Absent => Err(ResolveError::Refused(TokenError::UnknownKey)),
            Selection::Refused(error) => Err(ResolveError::Refused(error)),
        })
    }

    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        matches!(self.0.load().select(wanted), Selection::Key(current) if current.is_same(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::status::Freshness;
    use crate::testing::TestKey;

    #[test]
    fn keys_that_were_replaced_are_gone_and_those_that_came_are_there() {
        let (old, new) = ("old", "new");
        let key = |id| TestKey::generate(id, Algorithm::Es256);
        let (old_key, new_key) = (key(old), key(new));
        let source = SharedKeySet::new(TestKey::key_set([&old_key]));
        let has = |id| {
            let wanted = KeyRequest::new(Some(id), Algorithm::Es256);
            matches!(source.clone().resolve(&wanted), Resolution::Ready(Ok(_)))
        };
        assert_eq!((has(old), has(new)), (true, false));
        source.replace(TestKey::key_set([&new_key]));
        assert_eq!((has(old), has(new)), (false, true));
    }
    /// A source of an application's own, which has what it must have and no more.
    #[derive(Debug)]
    struct Plain(SharedKeySet);

    impl KeySource for Plain {
        fn resolve(&self, wanted: &KeyRequest<'_>) -> Resolution {
            self.0.resolve(wanted)
        }
    }

    #[test]
    fn a_key_is_current_while_the_source_would_answer_with_it() {
        let old = TestKey::generate("k", Algorithm::Es256);
        let new = TestKey::generate("k", Algorithm::Es256);
        let keys = SharedKeySet::new(TestKey::key_set([&old]));
        let wanted = KeyRequest::new(Some("k"), Algorithm::Es256);
        let Resolution::Ready(Ok(key)) = keys.resolve(&wanted) else { panic!("not at hand") };
        let sources: [&dyn KeySource; 3] =
            [&keys, &Plain(keys.clone()), &Arc::new(Plain(keys.clone()))];
        let current = || sources.map(|source| source.is_current(&wanted, &key));
        assert_eq!(current(), [true; 3]);
        keys.replace(TestKey::key_set([&new]));
        assert_eq!(current(), [false; 3]);
    }

    #[test]
    fn what_is_shared_tells_its_status() {
        #[derive(Debug)]
        struct Told;
        impl KeySource for Told {
            fn resolve(&self, _: &KeyRequest<'_>) -> Resolution {
                Resolution::Pending(Box::pin(std::future::pending()))
            }

            fn status(&self) -> Option<KeySetStatus> {
                Some(KeySetStatus {
                    location: "a vault".to_owned(),
                    freshness: Freshness::Fresh,
                    age: None,
                    ttl: None,
                    last_error: None,
                    next_attempt: None,
                    keys: 0,
                    skipped: Vec::new(),
                    withdrawal_bound: Duration::ZERO,
                    withdrawal_bound_in_outage: Duration::ZERO,
                })
            }
        }
        let status = KeySource::status(&Arc::new(Told)).unwrap();
        assert_eq!(status.location, "a vault");
        let wanted = KeyRequest::new(None, Algorithm::Es256);
        assert_eq!(format!("{:?}", Told.resolve(&wanted)), "Pending(..)");
    }
}
