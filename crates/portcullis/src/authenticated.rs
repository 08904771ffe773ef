//! The caller of an accepted token.

mod demands;
mod unfit;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::claims::{NumericDate, RegisteredClaims};
use crate::clock::{Readings, Timestamp};
use crate::error::TokenError;
use crate::error::UnreadableClaim;
use crate::issuer::TrustedIssuer;
use crate::key::VerificationKey;
use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;
use crate::profile::Lack;
use crate::refusal::ProtectionSpace;
use crate::refusal::{Refusal, Site, Unreported, Wanted};
use crate::remote::freshness::Ages;
use crate::remote::introspection::Life;
use crate::remote::status_list::RemoteStatusList;
use crate::revocation::Means;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::token_cache::HasToken;
pub(crate) use demands::{Demand, Demands};

/// A caller whose token was accepted: its signature, claims, validity period and type are verified.
///
/// It is cheap to clone. An adapter stores it in the request's extensions. It gives no access to
/// the token itself.
#[doc(alias("principal", "user"))]
#[derive(Clone)]
pub struct Authenticated(Arc<Inner>, Demands);

struct Inner {
    registered: RegisteredClaims,
    key_id: Option<Arc<str>>,
    algorithm: Algorithm,
    origin: Origin,
    space: Arc<ProtectionSpace>,
    /// The deserialized claims, in the first type that `shared_claims` was called with.
    shared: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// The token's entry in a status list, once a route has looked it up.
    place: OnceLock<(RemoteStatusList, u64)>,
    /// The generation of the feed's entries at the last check that did not revoke the token; 0
    /// before the first check.
    fed: AtomicU64,
}

/// The issuer and the key that a token was accepted with. A cache hit checks again that both are
/// current, and revocation checks use the issuer and the token.
pub(crate) struct Origin {
    pub(crate) issuer: Arc<TrustedIssuer>,
    pub(crate) key: Arc<VerificationKey>,
    /// The token, if it is needed as the cache key or for introspection.
    pub(crate) token: Option<Zeroizing<Box<str>>>,
}

/// The log's reason for a 500: the route requires introspection, which is not configured for the
/// issuer.
const NO_INTROSPECTION: &str = "the route requires introspection (`Revocation::live`), which is not configured for this issuer";

/// The log's reason for a 500: the route requires the feed, but the service has no revocations.
const NO_FEED: &str =
    "the route requires the revocation feed (`Revocation::feed`), which is not configured";

const CONFIGURE_FEED: &str = "set `revocations` on the `AuthenticatorBuilder`";

const NO_SUBJECT: &str = "the handler requires `sub`, but the settings accept tokens without it";

const REQUIRE_SUBJECT: &str = "add `sub` to the `required_claims` of this issuer";

const CONFIGURE_INTROSPECTION: &str = "set `introspection_url` for this issuer, and the client id and secret file if it requires them";

impl Authenticated {
    pub(crate) fn new(
        registered: RegisteredClaims,
        key_id: Option<Arc<str>>,
        algorithm: Algorithm,
        origin: Origin,
        space: Arc<ProtectionSpace>,
    ) -> Self {
        let (shared, place, fed) = (OnceLock::new(), OnceLock::new(), AtomicU64::new(0));
        let inner = Inner { registered, key_id, algorithm, origin, space, shared, place, fed };
        Self(Arc::new(inner), Demands::default())
    }

    /// Returns the registered claims.
    #[must_use]
    pub fn registered(&self) -> &RegisteredClaims {
        &self.0.registered
    }

    /// Returns `sub`, the subject of the token.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.registered.subject()
    }

    /// Returns `sub`. Use it only if tokens without `sub` are rejected: because the
    /// [profile](crate::Profile) requires `sub`, or because it is among the
    /// [`required_claims`](crate::AuthenticatorBuilder::required_claims).
    ///
    /// ```
    /// # use portcullis::{Authenticated, Refusal};
    /// fn owner(who: &Authenticated) -> Result<String, Refusal> {
    ///     Ok(who.required_subject()?.to_owned())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// A refusal with 500 if the token has no `sub`, because the settings should not accept such a
    /// token. The log names the setting to change. If tokens may have no `sub`, use
    /// [`subject`](Self::subject), which returns `None`.
    pub fn required_subject(&self) -> Result<&str, Refusal> {
        self.subject().ok_or_else(|| {
            let refused = Unreported::misconfigured(NO_SUBJECT, REQUIRE_SUBJECT, self.space());
            refused.of_issuer(self.0.origin.issuer.name()).at(&Site::default())
        })
    }

    /// Returns the `kid` of the key that signed the token.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// Returns the signature algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Returns the name of a claim that contains everything in `lacks` but is not read by the
    /// profile.
    pub(crate) fn unread_place(&self, lacks: &[Lack<'_>]) -> Option<&'static str> {
        self.0.origin.issuer.rules.profile.unread_place(lacks, &self.0.registered)
    }

    /// The refusal of this token, with the name of its issuer.
    fn refused(&self, error: TokenError) -> Unreported {
        Unreported::token(error, self.space()).of_issuer(self.0.origin.issuer.name())
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    pub(crate) fn space(&self) -> &Arc<ProtectionSpace> {
        &self.0.space
    }

    /// What the gate and the route require of this caller.
    pub(crate) fn demands(&self) -> &Demands {
        &self.1
    }

    pub(crate) fn demands_mut(&mut self) -> &mut Demands {
        &mut self.1
    }

    /// Deserializes the claims into the application's own type.
    ///
    /// ```
    /// use portcullis::{Authenticated, Refusal};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     tenant: u64,
    /// }
    ///
    /// fn tenant(who: &Authenticated) -> Result<u64, Refusal> {
    ///     // 403 for a token without a numeric `tenant`.
    ///     Ok(who.claims::<User>()?.tenant)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// A refusal with 403 if the claims do not fit the type. The status is not 401, because the
    /// token is valid, and a new one from the same issuer would not fit either. The log names the
    /// type and the position in the payload. It also names the claim if the type is a struct that
    /// derives `Deserialize` and has a field of that name.
    ///
    /// A token may contain duplicates of a claim that no rule reads, or of a member inside such a
    /// claim. The type decides how they are handled: a struct that derives `Deserialize` rejects
    /// duplicates of its own fields, and a map or a [`Value`] keeps the last duplicate.
    /// [`claim`](Self::claim) rejects duplicates at any depth.
    pub fn claims<C: DeserializeOwned>(&self) -> Result<C, Refusal> {
        self.read_claims().map_err(|refusal| refusal.at(&Site::default()))
    }

    pub(crate) fn read_claims<C: DeserializeOwned>(&self) -> Result<C, Unreported> {
        let payload = self.0.registered.payload();
        serde_json::from_str(payload).map_err(|error| {
            let wanted = std::any::type_name::<C>();
            let problem = unfit::problem::<C>(&error, payload);
            self.refused(TokenError::UnfitClaims { wanted, problem })
        })
    }

    /// Deserializes the claims once and caches them with the token.
    ///
    /// On a [cache hit](crate::guide::token_cache), it returns a pointer to the cached value.
    /// Otherwise, it deserializes the claims like [`claims`](Self::claims).
    ///
    /// One type is cached for each token: the first one requested. Other types are deserialized
    /// each time.
    ///
    /// ```
    /// # use serde::Deserialize;
    /// # use portcullis::{Authenticated, Refusal};
    /// #[derive(Deserialize)]
    /// struct User {
    ///     sub: String,
    /// }
    ///
    /// fn greet(who: &Authenticated) -> Result<String, Refusal> {
    ///     let user = who.shared_claims::<User>()?;
    ///     Ok(format!("hello {}", user.sub))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors are those of [`claims`](Self::claims).
    pub fn shared_claims<C>(&self) -> Result<Arc<C>, Refusal>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        self.read_shared_claims().map_err(|refusal| refusal.at(&Site::default()))
    }

    pub(crate) fn read_shared_claims<C>(&self) -> Result<Arc<C>, Unreported>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        if let Some(kept) = self.0.shared.get().filter(|kept| kept.is::<C>())
            && let Ok(claims) = kept.clone().downcast()
        {
            return Ok(claims);
        }
        let claims = Arc::new(self.read_claims::<C>()?);
        // If another call has stored a value first, that value stays. The new value is either equal
        // to it or of another type.
        let _ = self.0.shared.set(claims.clone());
        Ok(claims)
    }

    /// Returns the value of the claim `name`, a top-level member of the payload; `None` if it is
    /// absent.
    ///
    /// The form of a number in the token does not matter: `1.0` and `1e0` are returned as the
    /// integer 1, and `-0.0` as 0. Each call parses the payload again. For more than one or two
    /// claims, use [`claims`](Self::claims).
    ///
    /// ```
    /// use portcullis::Authenticated;
    ///
    /// fn is_suspended(who: &Authenticated) -> bool {
    ///     match who.claim("suspended") {
    ///         Ok(None) => false,
    ///         Ok(Some(value)) => value != false,
    ///         // Unreadable, for example because the claim is duplicated.
    ///         Err(_) => true,
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// An error if the claim is present but unreadable: it is duplicated, an object in it has a
    /// duplicate member, or a number in it cannot be represented exactly. Integers from -2^63 to
    /// 2^64 - 1 can be represented exactly, and so can fractions that a 64-bit float prints with
    /// the same digits. Do not treat this error as absence.
    pub fn claim(&self, name: &str) -> Result<Option<Value>, UnreadableClaim> {
        let unreadable = |why| UnreadableClaim::new(name, why);
        let claim = self.0.registered.raw().find(name).map_err(unreadable)?;
        claim.map(|raw| raw.value().map_err(unreadable)).transpose()
    }

    /// The approximate size in memory, in bytes, including the shared claims. Their type is not
    /// known yet, so their size is assumed to be twice that of the payload.
    pub(crate) fn bytes(&self) -> usize {
        // The two reference counts of an `Arc`, and the allocator's overhead for each of six
        // allocations.
        const OVERHEAD: usize = 16 + 6 * 16;
        let inner = &*self.0;
        let key_id = inner.key_id.as_ref().map_or(0, |key_id| key_id.len());
        let shared = 2 * inner.registered.payload().len();
        let token = inner.origin.token.as_ref().map_or(0, |token| token.len());
        size_of::<Inner>() + inner.registered.heap_bytes() + key_id + token + shared + OVERHEAD
    }

    /// The current time, by the clock that the token was validated with.
    pub(crate) fn now(&self) -> NumericDate {
        NumericDate::from(self.0.space.clock.now())
    }

    /// Checks that the token was not revoked, by the given `means`.
    ///
    /// # Errors
    ///
    /// A refusal with 401 if the token was revoked, with 503 if the revocation status is
    /// unavailable, and with 500 if introspection or the feed is required and not configured.
    pub(crate) fn stands(&self, means: Means) -> MaybeReady<Result<(), Unreported>> {
        if self.0.origin.issuer.is_forgotten() {
            return MaybeReady::Ready(Err(self.refused(TokenError::UntrustedIssuer)));
        }
        if self.plainly_stands(means, &Readings::of(&self.0.space.clock)) {
            return MaybeReady::Ready(Ok(()));
        }
        let Origin { issuer, token, .. } = &self.0.origin;
        let standing = match (means, token) {
            (Means::Expiry, _) => return MaybeReady::Ready(Ok(())),
            (Means::StatusList(ages), _) => {
                Some(issuer.status_lists.standing(self.0.registered.status(), ages))
            }
            (Means::Live(ages), Some(token)) => {
                let (issued_at, expires_at) =
                    (self.0.registered.issued_at(), self.0.registered.expires_at());
                issuer.introspections.standing(token, Life { issued_at, expires_at }, ages)
            }
            (Means::Live(_), None) => None,
            (Means::Feed(ages), _) => return self.stands_by_feed(ages),
        };
        let Some(standing) = standing else {
            let refusal =
                Unreported::misconfigured(NO_INTROSPECTION, CONFIGURE_INTROSPECTION, self.space());
            return MaybeReady::Ready(Err(refusal.of_issuer(issuer.name())));
        };
        let who = self.clone();
        standing.map(move |standing| {
            standing.map_err(|error| {
                let refusal = Unreported::unresolved(error, Wanted::Status, who.space());
                refusal.of_issuer(who.0.origin.issuer.name())
            })
        })
    }

    /// Returns `true` if the token is known not to be revoked. If it returns `false`,
    /// [`stands`](Self::stands) must decide. The result is valid only right after a check that the
    /// token's key is current.
    pub(crate) fn plainly_stands(&self, means: Means, readings: &Readings<'_>) -> bool {
        match means {
            Means::Expiry => true,
            Means::StatusList(ages) => self.stands_in_list(ages, readings.at()),
            Means::Live(_) => false,
            Means::Feed(ages) => self.0.origin.issuer.feed.as_ref().is_some_and(|feed| {
                // The generation must be read after the age, so that it includes the entries of the
                // read that the age refers to.
                feed.revocations.is_fresh(ages, readings)
                    && feed.entries.generation() == self.0.fed.load(Ordering::Relaxed)
            }),
        }
    }

    fn stands_by_feed(&self, ages: Ages) -> MaybeReady<Result<(), Unreported>> {
        let issuer = &self.0.origin.issuer;
        let Some(feed) = &issuer.feed else {
            let unfed = Unreported::misconfigured(NO_FEED, CONFIGURE_FEED, self.space());
            return MaybeReady::Ready(Err(unfed.of_issuer(issuer.name())));
        };
        let who = self.clone();
        let checked = move |current: Result<(), ResolveError>| {
            current.and_then(|()| who.check_feed()).map_err(|error| {
                let refusal = Unreported::unresolved(error, Wanted::Status, who.space());
                refusal.of_issuer(who.0.origin.issuer.name())
            })
        };
        feed.revocations.current(ages).map(checked)
    }

    /// Checks the known entries, and records the generation under which they do not revoke the token.
    pub(crate) fn check_feed(&self) -> Result<(), ResolveError> {
        let Some(feed) = &self.0.origin.issuer.feed else { return Ok(()) };
        let generation = feed.check(&self.0.registered).map_err(ResolveError::Refused)?;
        self.0.fed.store(generation, Ordering::Relaxed);
        Ok(())
    }

    /// When the last introspection response about this token was requested, if it is still known.
    pub(crate) fn introspected_at(&self) -> Option<Timestamp> {
        let Origin { issuer, token, .. } = &self.0.origin;
        issuer.introspections.asked_at(token.as_ref()?)
    }

    fn stands_in_list(&self, ages: Ages, at: Timestamp) -> bool {
        let Origin { issuer, key, .. } = &self.0.origin;
        let Some((list, index)) = self.list_entry() else { return false };
        if list.is_forgotten(at.monotonic()) {
            issuer.status_lists.remember(list, at.monotonic());
        }
        list.plainly_stands(index, ages, key, at)
    }

    /// The status list that contains the token's status, and the token's index in that list.
    pub(crate) fn list_entry(&self) -> Option<(&RemoteStatusList, u64)> {
        let (list, index) = match self.0.place.get() {
            Some(place) => place,
            None => {
                let place = self.0.registered.status()?;
                let list = self.0.origin.issuer.status_lists.list(place.uri)?;
                self.0.place.get_or_init(|| (list, place.index))
            }
        };
        Some((list, *index))
    }
}

impl HasToken for Authenticated {
    fn token(&self) -> &[u8] {
        self.0.origin.token.as_ref().map_or(&[], |token| token.as_bytes())
    }

    /// Several rule sets may accept the same token, so an entry replaces only an entry of its own
    /// rule set.
    fn is_replaced_by(&self, other: &Self) -> bool {
        self.0.origin.issuer.rule_set == other.0.origin.issuer.rule_set
    }
}

/// Shows the algorithm, the expiry and the number of names, but no text from the token.
impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("algorithm", &self.algorithm())
            .field("registered", &self.0.registered)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Authenticated {
    /// Creates a caller for tests of the code that runs after authentication.
    pub(crate) fn for_test(claims: &str) -> Self {
        let payload = crate::key::Payload::for_test(claims);
        Self::of_claims(RegisteredClaims::parse(payload).unwrap())
    }

    fn of_claims(registered: RegisteredClaims) -> Self {
        let key = crate::testing::TestKey::generate("k", Algorithm::Es256);
        let key = VerificationKey::from_jwk(key.jwk().to_string().as_bytes(), Algorithm::Es256);
        let key = Arc::new(key.unwrap());
        let origin = Origin { issuer: TrustedIssuer::for_test(), key, token: None };
        Self::new(registered, None, Algorithm::Es256, origin, ProtectionSpace::for_test())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::RefusalKind;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct User {
        sub: String,
        #[expect(dead_code, reason = "its absence is tested")]
        tenant: u64,
    }

    #[test]
    fn claims_deserialize_into_the_requested_type() {
        let who = Authenticated::for_test(r#"{"sub":"alice","tenant":7}"#);
        assert_eq!(who.claims::<User>().unwrap().sub, "alice");
    }

    #[test]
    fn shared_claims_are_deserialized_once_for_the_first_type() {
        let who = Authenticated::for_test(r#"{"sub":"alice","tenant":7}"#);
        let first = who.shared_claims::<User>().unwrap();
        assert_eq!(first.sub, "alice");
        assert!(Arc::ptr_eq(&first, &who.clone().shared_claims().unwrap()));
        // Another type gets its own value, and does not replace the first.
        let other = who.shared_claims::<Value>().unwrap();
        assert_eq!(other["tenant"], 7);
        assert!(!Arc::ptr_eq(&other, &who.shared_claims().unwrap()));
        assert!(Arc::ptr_eq(&first, &who.shared_claims().unwrap()));
    }

    #[test]
    fn unfit_shared_claims_are_rejected_each_time() {
        let who = Authenticated::for_test(r#"{"sub":"alice"}"#);
        for _ in 0..2 {
            assert_eq!(who.shared_claims::<User>().unwrap_err().status(), 403);
        }
        assert!(who.shared_claims::<Value>().is_ok());
    }

    #[test]
    fn unfit_claims_are_rejected_without_their_values() {
        for (claims, problem) in [
            (r#"{"sub":"alice"}"#, "missing field `tenant`"),
            (r#"{"sub":"alice","tenant":"s3cret, expected"}"#, "`tenant`: expected u64"),
            ("{\"sub\":\"alice\",\n\n \"tenant\" : -7 }", "`tenant`: expected u64"),
            (r#"{"sub":["s3cret"],"tenant":7}"#, "`sub`: expected a string"),
            (r#"{"sub":null,"tenant":7}"#, "`sub`: expected a string"),
            (r#"{"s\u0075b":7,"tenant":7}"#, "`sub`: expected a string"),
            (r#"{"sub":"alice","tenant":7,"s3cret":[7]}"#, "at line 1"),
            (r#"{"sub":"alice","tenant":7,"tenant":8}"#, "at line 1"),
            (r#"{"sub":"alice","tenant":7,"x, expected s3cret":8}"#, "at line 1"),
        ] {
            // In practice, a token with the last payload is rejected before its claims are
            // deserialized.
            let who = Authenticated::of_claims(RegisteredClaims::unread(claims));
            assert_eq!(who.claims::<Option<User>>().unwrap_err().rule(), "claims");
            let refusal = who.claims::<User>().unwrap_err();
            assert_eq!((refusal.status().as_u16(), refusal.kind()), (403, RefusalKind::Forbidden));
            assert!(refusal.challenge().is_none(), "a refreshed token would be rejected too");
            let shown = format!("{refusal:?}");
            assert!(shown.contains(problem) && !shown.contains("s3cret"), "{shown}");
        }
    }
}
