//! Key sources, as the request path uses them.

mod status;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::error::TokenError;
use crate::key::{CandidateKeys, KeyRequest, KeySet, VerificationKey};
use crate::maybe_ready::MaybeReady;

use crate::fetch::FetchError;
pub use status::{Freshness, KeySetStatus};

/// A source of verification keys.
///
/// By default an [`Authenticator`](crate::Authenticator) fetches keys itself. Use [`SharedKeySet`]
/// for keys that the process already has.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of keys",
    label = "not a `KeySource`",
    note = "put keys that the process has into a `portcullis::keys::SharedKeySet`; leave out `key_source` to have \
            them fetched"
)]
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Finds the key for a token.
    ///
    /// This method is called once per request. Keys in memory must be returned immediately, without
    /// I/O and without waiting for a lock that is held across I/O.
    fn resolve(&self, wanted: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>>;

    /// Returns whether `key` is still the key for `wanted` and may be used now. Called for each
    /// request whose token was verified with `key` before.
    ///
    /// This is [`resolve`](Self::resolve) with a shorter result: return `true` only if `resolve`
    /// would return this key immediately. Keys that are too old are not current. Like `resolve`, it
    /// must start the renewal of keys that are due. After `false` the token is verified again.
    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        matches!(self.resolve(wanted), MaybeReady::Ready(Ok(current)) if current.contains(key))
    }

    /// Returns the keys to try next, for a token whose signature does not verify with any of
    /// `tried`. The issuer may have replaced a key under its `kid`. The default is `None`, which
    /// means that there are no other keys; it is right for a source that is always up to date.
    ///
    /// Any forged token can trigger this call, so its cost must be bounded.
    fn replaced(
        &self,
        _wanted: &KeyRequest<'_>,
        _tried: &CandidateKeys,
    ) -> MaybeReady<Option<CandidateKeys>> {
        MaybeReady::Ready(None)
    }

    /// Returns the status of the keys; `None` for a source whose keys are always available.
    fn status(&self) -> Option<KeySetStatus> {
        None
    }

    /// Fetches the keys now, if the source fetches keys.
    fn refresh(&self) -> Refreshing<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Fetches the keys unless usable ones are in memory. Called at the start of each authenticator
    /// that uses the source. The default calls [`refresh`](Self::refresh).
    fn warm_up(&self) -> Refreshing<'_> {
        self.refresh()
    }
}

/// A future that completes when a fetch of the keys ends.
pub type Refreshing<'s> = Pin<Box<dyn Future<Output = Result<(), FetchError>> + Send + 's>>;

impl<S: KeySource + ?Sized> KeySource for Arc<S> {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        (**self).resolve(wanted)
    }

    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        (**self).is_current(wanted, key)
    }

    fn replaced(
        &self,
        wanted: &KeyRequest<'_>,
        tried: &CandidateKeys,
    ) -> MaybeReady<Option<CandidateKeys>> {
        (**self).replaced(wanted, tried)
    }

    fn status(&self) -> Option<KeySetStatus> {
        (**self).status()
    }

    fn refresh(&self) -> Refreshing<'_> {
        (**self).refresh()
    }

    fn warm_up(&self) -> Refreshing<'_> {
        (**self).warm_up()
    }
}

/// Why there is no key for a token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ResolveError {
    /// The token is rejected: no key of the issuer matches it.
    Refused(TokenError),
    /// There are no usable keys, because the fetch failed.
    Unavailable {
        /// The delay before a retry.
        retry_after: Duration,
        /// Why the last fetch failed.
        source: Option<FetchError>,
    },
    /// The keys in memory lack the token's key, and no fetch is allowed now: unknown `kid`s have
    /// spent the budget, or too many requests are waiting.
    BudgetSpent {
        /// The delay before a retry.
        retry_after: Duration,
        /// Why the last fetch failed, if it did.
        source: Option<FetchError>,
    },
}

impl ResolveError {
    /// Returns the delay before a retry; zero if a retry does not help.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::Refused(_) => Duration::ZERO,
            Self::Unavailable { retry_after, .. } | Self::BudgetSpent { retry_after, .. } => {
                *retry_after
            }
        }
    }
}

/// Keys that the process holds in memory and replaces as a whole.
///
/// Use it for an issuer in the same process, for keys from a file, and for tests. Clones share the
/// set. A request keeps the keys that it started with.
///
/// ```
/// use portcullis::keys::{KeySet, SharedKeySet};
///
/// let keys = SharedKeySet::new(KeySet::from_json(br#"{"keys":[]}"#)?);
/// keys.replace(KeySet::from_json(br#"{"keys":[]}"#)?);
/// # Ok::<(), portcullis::keys::KeySetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SharedKeySet(Arc<ArcSwap<KeySet>>);

impl SharedKeySet {
    /// Creates a source with these keys.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keys)))
    }

    /// Replaces the whole set. Tokens signed with a key that is not in `keys` are rejected from now
    /// on.
    pub fn replace(&self, keys: KeySet) {
        self.0.store(Arc::new(keys));
    }
}

impl KeySource for SharedKeySet {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        let keys = self.0.load();
        let keys = keys
            .candidates(wanted)
            .and_then(|found| CandidateKeys::of(&found).ok_or_else(|| keys.absence(wanted.key_id)))
            // Local keys are not published, so the error must not blame the issuer's JWKS.
            .map_err(|error| match error {
                TokenError::UnknownKey => TokenError::UnknownLocalKey,
                error => error,
            });
        MaybeReady::Ready(keys.map_err(ResolveError::Refused))
    }

    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        matches!(self.0.load().has(wanted, key), Ok(Some(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::testing::TestKey;

    #[test]
    fn replaced_key_set_has_only_the_new_keys() {
        let (old, new) = ("old", "new");
        let key = |id| TestKey::generate(id, Algorithm::Es256);
        let (old_key, new_key) = (key(old), key(new));
        let source = SharedKeySet::new(TestKey::key_set([&old_key]));
        let has = |id| {
            let wanted = KeyRequest::new(Some(id), Algorithm::Es256);
            matches!(source.clone().resolve(&wanted), MaybeReady::Ready(Ok(_)))
        };
        assert_eq!((has(old), has(new)), (true, false));
        source.replace(TestKey::key_set([&new_key]));
        assert_eq!((has(old), has(new)), (false, true));
    }

    #[test]
    fn unknown_kid_of_local_keys_is_reported_without_a_jwks() {
        let key = crate::dangerous::hmac_key(None, Algorithm::Hs256, &[7; 32]).unwrap();
        let source = SharedKeySet::new(KeySet::from_iter([key]));
        let resolved = |kid| source.resolve(&KeyRequest::new(kid, Algorithm::Hs256));
        assert!(matches!(resolved(None), MaybeReady::Ready(Ok(_))));
        let MaybeReady::Ready(Err(ResolveError::Refused(error))) = resolved(Some("k")) else {
            unreachable!("a key without `kid` was used for a token with one")
        };
        assert_eq!((error.rule(), error.setting().map(|setting| setting.method)), ("kid", None));
        assert!(
            !error.to_string().contains("issuer") && !error.remedy().contains("JWKS"),
            "{error}"
        );
        assert!(error.remedy().contains("hmac_key(Some("), "{}", error.remedy());
    }

    #[test]
    fn token_with_a_skipped_local_key_is_rejected_with_the_reason() {
        let json = br#"{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}"#;
        let source = SharedKeySet::new(KeySet::from_json(json).unwrap());
        let refused = |id| match source.resolve(&KeyRequest::new(id, Algorithm::Es256)) {
            MaybeReady::Ready(Err(ResolveError::Refused(error))) => error.to_string(),
            other => panic!("{other:?}"),
        };
        let reason = "the key with this `kid` cannot be used: a symmetric key";
        assert_eq!(refused(Some("a")), reason);
        for other in [Some("b"), None] {
            assert_eq!(refused(other), "no local key has this `kid`");
        }
    }

    /// A custom source with only the required methods.
    #[derive(Debug)]
    struct Plain(SharedKeySet);

    impl KeySource for Plain {
        fn resolve(
            &self,
            wanted: &KeyRequest<'_>,
        ) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
            self.0.resolve(wanted)
        }
    }

    #[test]
    fn key_is_current_while_the_source_returns_it() {
        let old = TestKey::generate("k", Algorithm::Es256);
        let new = TestKey::generate("k", Algorithm::Es256);
        let keys = SharedKeySet::new(TestKey::key_set([&old]));
        let wanted = KeyRequest::new(Some("k"), Algorithm::Es256);
        let MaybeReady::Ready(Ok(found)) = keys.resolve(&wanted) else { panic!("not in memory") };
        let key = found.iter().next().unwrap();
        let sources: [&dyn KeySource; 3] =
            [&keys, &Plain(keys.clone()), &Arc::new(Plain(keys.clone()))];
        let current = || sources.map(|source| source.is_current(&wanted, key));
        assert_eq!(current(), [true; 3]);
        keys.replace(TestKey::key_set([&new]));
        assert_eq!(current(), [false; 3]);
    }

    #[test]
    fn shared_key_source_reports_its_status() {
        #[derive(Debug)]
        struct Told;
        impl KeySource for Told {
            fn resolve(
                &self,
                _: &KeyRequest<'_>,
            ) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
                MaybeReady::Pending(Box::pin(std::future::pending()))
            }

            fn status(&self) -> Option<KeySetStatus> {
                Some(KeySetStatus {
                    location: "a vault".to_owned(),
                    freshness: Freshness::Fresh,
                    age: None,
                    ttl: None,
                    last_error: None,
                    next_attempt: None,
                    is_kept: false,
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
