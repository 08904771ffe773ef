//! What a route asks for beyond a token that has not expired: that its session was not revoked.

mod lists;
mod live;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::remote::freshness::Ages;

pub use crate::remote::status_list::StatusListStatus;
pub(crate) use lists::StatusLists;
pub(crate) use live::Introspections;

/// The least age that a status list can be asked for: below it, asking would be all that it does.
const MIN_AGE: Duration = Duration::from_secs(3);

/// How promptly a revocation is known.
///
/// A token that was verified here is accepted until it expires, unless somebody asks the issuer.
/// Which is worth it where is the application's to say, for everything behind a
/// [`Gate`](crate::Gate::revocation) or for a route behind it:
///
/// ```
/// use std::time::Duration;
/// use portcullis::{Authenticator, Gate, Policy, Revocation, adapter::Requirement};
///
/// # fn gate(auth: Authenticator) -> Result<(Gate, Requirement), portcullis::ConfigError> {
/// // A revocation is known within 10 seconds, and if the list can not be fetched for longer than
/// // that, nobody is let in.
/// let gate = Gate::new(auth).revocation(Revocation::status_list(Duration::from_secs(10)))?;
/// // Whoever pays must be logged in right now, at the price of one question a request. This is what
/// // an adapter's `RequireLayer` or `Require` takes.
/// let pay = Requirement::from(Policy::scopes(["pay"])).revocation(Revocation::live());
/// # Ok((gate, pay))
/// # }
/// ```
///
/// The [guide](crate::guide::revocation) has what each promises and costs.
#[doc(alias("introspection", "revoke", "logout"))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revocation(Means);

/// By what it is known.
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
    /// Tokens are accepted until they expire, and nobody is asked: the default.
    #[must_use]
    pub const fn expiry() -> Self {
        Self(Means::Expiry)
    }

    /// The token's place in a status list of its issuer ([draft-ietf-oauth-status-list]) must say
    /// that it stands. A token that has no place in one is refused with 401.
    ///
    /// `max_age` is the bound: a revocation that the issuer published longer ago than this is
    /// known. At least 3 seconds; a shorter one is taken for that. The list is fetched often enough
    /// in the background that requests do not wait for it; one that comes when it is older waits
    /// for a fetch, and if that fails is refused with 503. The bound holds of what the issuer's
    /// server answers: a cache that replays an older list in its place is believed until that list
    /// expires.
    ///
    /// [draft-ietf-oauth-status-list]: https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/
    #[must_use]
    pub fn status_list(max_age: Duration) -> Self {
        let usual = max_age.max(MIN_AGE);
        Self(Means::StatusList(Ages { usual, in_outage: usual }))
    }

    /// The issuer is asked about the token at each request ([RFC 7662], see
    /// [`introspection_url`](crate::AuthenticatorBuilder::introspection_url)), and must answer that
    /// it is active: a session that ended is refused at the next request.
    ///
    /// Requests with one token that come at once share the question that was asked after they had
    /// come. If there is no answer, they are refused with 503. The issuer is then asked for every
    /// request, which is what local validation is there to avoid: for the few routes that are worth
    /// it.
    ///
    /// [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
    #[must_use]
    pub const fn live() -> Self {
        Self(Means::Live(Ages { usual: Duration::ZERO, in_outage: Duration::ZERO }))
    }

    /// Is content with an answer of the issuer that is not older than this, and not past the `exp`
    /// that it names: by default [`live`](Self::live) uses none twice. Nothing changes for the
    /// others.
    #[must_use]
    pub fn reuse_for(self, max_age: Duration) -> Self {
        Self(match self.0 {
            Means::Live(ages) => {
                Means::Live(Ages { usual: max_age, in_outage: ages.in_outage.max(max_age) })
            }
            other => other,
        })
    }

    /// While the issuer can not be asked, accepts tokens that stood up to this long ago: the bound
    /// during an outage, and the price of not refusing everybody. Of [`live`](Self::live) these are
    /// the tokens that were asked about: the last 10,000, and within an hour.
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
            write!(f, "{name}({usual:?})")
        } else {
            write!(f, "{name}({usual:?}, in an outage {in_outage:?})")
        }
    }
}
