//! What a route requires beyond a token that has not expired: that the token was not revoked.

mod lists;
mod live;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::duration::InSeconds;
use crate::remote::freshness::Ages;

pub use crate::remote::status_list::StatusListStatus;
pub(crate) use lists::StatusLists;
pub(crate) use live::Introspections;

/// The shortest maximum age of a status list: a shorter one would cause fetches without a pause.
const MIN_AGE: Duration = Duration::from_secs(3);

/// How promptly a revocation is known.
///
/// A token that is validated locally is accepted until it expires, even if it was revoked. Choose
/// the trade-off for everything behind a [`Gate`](crate::Gate::revocation), or per route:
///
/// ```
/// use std::time::Duration;
/// use portcullis::{Authenticator, Gate, Policy, Revocation, adapter::Requirement};
///
/// # fn gate(auth: Authenticator) -> Result<(Gate, Requirement), portcullis::ConfigError> {
/// // A revocation is known within 10 seconds. If the list cannot be fetched for longer than that,
/// // requests are refused with 503.
/// let gate = Gate::new(auth).revocation(Revocation::status_list(Duration::from_secs(10)))?;
/// // Payments ask the issuer about the token of each request. This is what an adapter's
/// // `RequireLayer` or `Require` takes.
/// let pay = Requirement::from(Policy::scopes(["pay"])).revocation(Revocation::live());
/// # Ok((gate, pay))
/// # }
/// ```
///
/// The [guide](crate::guide::revocation) says what each one guarantees and costs.
#[doc(alias("introspection", "revoke", "logout"))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revocation(Means);

/// How a revocation is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Means {
    /// Nothing but the token itself.
    #[default]
    Expiry,
    /// A list that the issuer publishes.
    StatusList(Ages),
    /// The issuer's own answer.
    Live(Ages),
}

impl Revocation {
    /// Accepts tokens until they expire, without asking the issuer: the default.
    #[must_use]
    pub const fn expiry() -> Self {
        Self(Means::Expiry)
    }

    /// Requires that a status list of the token's issuer ([draft-ietf-oauth-status-list]) says that
    /// the token is valid. A token without a place in a list is refused with 401.
    ///
    /// `max_age` is the bound: a revocation that the issuer published longer ago than this is
    /// known. The minimum is 3 seconds; a shorter `max_age` counts as 3 seconds. The list is
    /// renewed in the background, so requests usually do not wait. A request that finds an older
    /// list waits for a fetch, and is refused with 503 if the fetch fails. The bound assumes that
    /// the issuer's own server answers: a cache that replays an older list is believed until that
    /// list expires.
    ///
    /// [draft-ietf-oauth-status-list]: https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/
    #[must_use]
    pub fn status_list(max_age: Duration) -> Self {
        let usual = max_age.max(MIN_AGE);
        Self(Means::StatusList(Ages { usual, in_outage: usual }))
    }

    /// Asks the issuer about the token of each request, by introspection ([RFC 7662], see
    /// [`introspection_url`](crate::AuthenticatorBuilder::introspection_url)). The issuer must
    /// answer that the token is active, so a session that ended is refused at the next request.
    ///
    /// Concurrent requests with one token share a question, but only one that was sent after they
    /// arrived. Without an answer they are refused with 503. This gives up what local validation is
    /// for: use it on the few routes that need it.
    ///
    /// [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
    #[must_use]
    pub const fn live() -> Self {
        Self(Means::Live(Ages { usual: Duration::ZERO, in_outage: Duration::ZERO }))
    }

    /// Accepts an earlier answer of the issuer that is at most this old and not past the `exp` that
    /// it names. By default [`live`](Self::live) needs a new answer for each request. Has no effect
    /// on [`expiry`](Self::expiry) and [`status_list`](Self::status_list).
    #[must_use]
    pub fn reuse_for(self, max_age: Duration) -> Self {
        Self(match self.0 {
            Means::Live(ages) => {
                Means::Live(Ages { usual: max_age, in_outage: ages.in_outage.max(max_age) })
            }
            other => other,
        })
    }

    /// While the issuer cannot be reached, accepts tokens that were known to be valid at most this
    /// long ago: the bound during an outage. With [`live`](Self::live) that covers only tokens that
    /// were asked about before: the last 10,000, and within an hour.
    #[must_use]
    pub fn in_outage(self, max_age: Duration) -> Self {
        let in_outage = |ages: Ages| Ages { in_outage: max_age.max(ages.usual), ..ages };
        Self(match self.0 {
            Means::Expiry => Means::Expiry,
            Means::StatusList(ages) => Means::StatusList(in_outage(ages)),
            Means::Live(ages) => Means::Live(in_outage(ages)),
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
        };
        let Ages { usual, in_outage } = ages;
        if usual == in_outage {
            write!(f, "{name}({})", InSeconds(usual))
        } else {
            write!(f, "{name}({}, in an outage {})", InSeconds(usual), InSeconds(in_outage))
        }
    }
}
