//! The revocation check that a route requires in addition to the token's expiry.

pub(crate) mod feed;
mod lists;
mod live;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::duration::InSeconds;
use crate::remote::freshness::Ages;

pub use crate::remote::status_list::StatusListStatus;
pub(crate) use lists::StatusLists;
pub(crate) use live::Introspections;

/// The minimum `max_age` of a status list and of the feed. A shorter one would cause constant
/// fetches.
const MIN_AGE: Duration = Duration::from_secs(3);

/// How quickly a revocation takes effect.
///
/// A token that is validated locally is accepted until it expires, even if it was revoked. Choose
/// the trade-off for everything behind a [`Gate`](crate::Gate::revocation), or per route:
///
/// ```
/// use std::time::Duration;
/// use portcullis::{Authenticator, Gate, Policy, Revocation, adapter::Requirement};
///
/// # fn gate(auth: Authenticator) -> Result<(Gate, Requirement), portcullis::ConfigError> {
/// // A revocation takes effect within 10 seconds. If the list cannot be fetched for longer,
/// // requests are rejected with 503.
/// let gate = Gate::new(auth).revocation(Revocation::status_list(Duration::from_secs(10)))?;
/// // Payments introspect the token at each request. An adapter's `RequireLayer` or `Require`
/// // takes the requirement.
/// let pay = Requirement::from(Policy::scopes(["pay"])).revocation(Revocation::live());
/// # Ok((gate, pay))
/// # }
/// ```
///
/// The [guide](crate::guide::revocation) lists the guarantees and the cost of each option.
#[doc(alias("introspection", "revoke", "logout"))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revocation(Means);

/// What a logout token with both `sid` and `sub` revokes.
///
/// ```
/// use portcullis::feed::LogoutMatch;
///
/// assert_eq!("sub".parse(), Ok(LogoutMatch::Subject));
/// assert!("session".parse::<LogoutMatch>().is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutMatch {
    /// The session, `sid`. A logout token without `sid` revokes the tokens of `sub` that were issued
    /// before the logout. Access tokens must name their session.
    #[default]
    Session,
    /// All tokens of the subject, `sub`, that were issued before the logout; `sid` is ignored. For
    /// issuers whose access tokens name no session. A logout on one device then also rejects the other
    /// devices until they refresh their tokens. A logout token without `sub` is rejected.
    Subject,
}

impl FromStr for LogoutMatch {
    type Err = UnknownMatch;

    fn from_str(name: &str) -> Result<Self, UnknownMatch> {
        match name {
            "sid" => Ok(Self::Session),
            "sub" => Ok(Self::Subject),
            _ => Err(UnknownMatch),
        }
    }
}

/// The error of parsing a [`LogoutMatch`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `sid` or `sub`")]
pub struct UnknownMatch;

crate::causes::debug_with_causes!(UnknownMatch);

/// The source of revocation information.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Means {
    /// Only the token's own expiry.
    #[default]
    Expiry,
    /// A status list that the issuer publishes.
    StatusList(Ages),
    /// Token introspection at the issuer.
    Live(Ages),
    /// The revocations that were reported to the service.
    Feed(Ages),
}

impl Revocation {
    /// Accepts tokens until they expire, without a request to the issuer. This is the default.
    #[must_use]
    pub const fn expiry() -> Self {
        Self(Means::Expiry)
    }

    /// Requires that a status list of the token's issuer ([draft-ietf-oauth-status-list]) lists the
    /// token as valid. A token without a status list reference is rejected with 401.
    ///
    /// `max_age` bounds the delay: a revocation takes effect at most this long after the issuer
    /// published it. The minimum is 3 seconds; a shorter `max_age` counts as 3 seconds. The list is
    /// refreshed in the background, so requests usually do not wait. A request that finds an older
    /// list waits for a fetch, and is rejected with 503 if the fetch fails. The bound assumes that
    /// the issuer's own server responds. If a cache replays an older list, that list is used until it
    /// expires.
    ///
    /// [draft-ietf-oauth-status-list]: https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/
    #[must_use]
    pub fn status_list(max_age: Duration) -> Self {
        let usual = max_age.max(MIN_AGE);
        Self(Means::StatusList(Ages { usual, in_outage: usual }))
    }

    /// Requires introspection of the token at the issuer for each request ([RFC 7662], see
    /// [`introspection_url`](crate::AuthenticatorBuilder::introspection_url)). The issuer must
    /// respond that the token is active, so a session that ended is rejected at the next request.
    ///
    /// Concurrent requests with the same token share an introspection request, but each request
    /// uses only a response to an introspection request that was sent after it arrived. Without
    /// such a response, it is rejected with 503. This gives up the benefits of local validation, so
    /// use it only on the few routes that need it.
    ///
    /// [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
    #[must_use]
    pub const fn live() -> Self {
        Self(Means::Live(Ages { usual: Duration::ZERO, in_outage: Duration::ZERO }))
    }

    /// Rejects tokens that were reported to the service as revoked: by a logout token of the issuer, or
    /// by the service's own call of [`Revocations`](crate::feed::Revocations). See
    /// [`feed`](crate::feed).
    ///
    /// `max_age` bounds the delay between the acknowledgement of an event, by any instance of the
    /// service, and its effect on this one. The minimum is 3 seconds; a shorter `max_age` counts as
    /// 3 seconds. The check is local, and usually one comparison. If this instance last read the store
    /// longer ago, the request waits for a read of the store, and is rejected with 503 if the read fails.
    ///
    /// A revocation that is not reported has no effect: the token is accepted until it expires.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::{Authenticator, Gate, Revocation, feed::Revocations};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let keys = || portcullis::keys::SharedKeySet::new(Default::default());
    /// let auth = Authenticator::builder("https://auth.example", "https://api.example")
    ///     .max_token_lifetime(Duration::from_secs(900))
    ///     .revocations(Revocations::in_memory())
    /// #   .key_source(keys())
    ///     .build()
    ///     .await?;
    /// let feed = Revocation::feed(Duration::from_secs(5)).in_outage(Duration::from_secs(60));
    /// let gate = Gate::new(auth).revocation(feed)?;
    ///
    /// // Without `revocations`, the gate returns an error.
    /// let auth = Authenticator::builder("https://auth.example", "https://api.example");
    /// # let auth = auth.key_source(keys());
    /// assert!(Gate::new(auth.build().await?).revocation(feed).is_err());
    /// # let _ = gate; Ok(()) }
    /// ```
    #[must_use]
    pub fn feed(max_age: Duration) -> Self {
        let usual = max_age.max(MIN_AGE);
        Self(Means::Feed(Ages { usual, in_outage: usual }))
    }

    /// Reuses an introspection response that is at most this old, and not past the `exp` in it. By
    /// default, [`live`](Self::live) requires a new response for each request. Has no effect on
    /// [`expiry`](Self::expiry), [`status_list`](Self::status_list) and [`feed`](Self::feed).
    #[must_use]
    pub fn reuse_for(self, max_age: Duration) -> Self {
        Self(match self.0 {
            Means::Live(ages) => {
                Means::Live(Ages { usual: max_age, in_outage: ages.in_outage.max(max_age) })
            }
            other => other,
        })
    }

    /// While the issuer is unreachable, accepts tokens that were known to be valid at most this
    /// long ago. This is the bound during an outage. With [`live`](Self::live), only tokens with a cached
    /// introspection response are accepted. At most 10,000 responses are cached, each until it has not
    /// been used for an hour. With [`feed`](Self::feed), the outage is that of the store.
    #[must_use]
    pub fn in_outage(self, max_age: Duration) -> Self {
        let in_outage = |ages: Ages| Ages { in_outage: max_age.max(ages.usual), ..ages };
        Self(match self.0 {
            Means::Expiry => Means::Expiry,
            Means::StatusList(ages) => Means::StatusList(in_outage(ages)),
            Means::Live(ages) => Means::Live(in_outage(ages)),
            Means::Feed(ages) => Means::Feed(in_outage(ages)),
        })
    }

    pub(crate) fn means(self) -> Means {
        self.0
    }
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, ages) = match self.0 {
            Means::Expiry => return f.write_str("expiry"),
            Means::StatusList(ages) => ("status_list", ages),
            Means::Live(ages) => ("live", ages),
            Means::Feed(ages) => ("feed", ages),
        };
        let Ages { usual, in_outage } = ages;
        if usual == in_outage {
            write!(f, "{name}({})", InSeconds(usual))
        } else {
            write!(f, "{name}({}, in an outage {})", InSeconds(usual), InSeconds(in_outage))
        }
    }
}
