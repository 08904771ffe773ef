//! What a route asks for beyond a token that has not expired: that its session was not revoked.

mod lists;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::remote::status_list::Ages;

pub use crate::remote::status_list::StatusListStatus;
pub(crate) use lists::StatusLists;

/// The least age that a status list can be asked for: below it, asking would be all that it does.
const MIN_AGE: Duration = Duration::from_secs(3);

/// How promptly a revocation is known, for the routes behind one [`Gate`](crate::Gate).
///
/// A token that was verified here is accepted until it expires, unless somebody asks the issuer.
/// Which is worth it where is the application's to say:
///
/// ```
/// use std::time::Duration;
/// use tollgate::{Authenticator, Gate, Revocation};
///
/// # fn gates(auth: Authenticator) -> [Gate; 2] {
/// // Reading may go on for the minutes that a token has left.
/// let read = Gate::new(auth.clone());
/// // Paying may not: a revocation is known within 10 seconds, and if the issuer can not be asked
/// // for longer than that, nobody pays.
/// let pay = Gate::new(auth).revocation(Revocation::status_list(Duration::from_secs(10)));
/// # [read, pay]
/// # }
/// ```
///
/// The [guide](crate::guide::revocation) has what each promises and costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revocation(Option<Ages>);

impl Revocation {
    /// Tokens are accepted until they expire, and nobody is asked: the default.
    #[must_use]
    pub const fn expiry() -> Self {
        Self(None)
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
        Self(Some(Ages { usual, in_outage: usual }))
    }

    /// While the issuer can not be asked, accepts tokens that stood in a list of up to this age:
    /// the bound during an outage, and the price of not refusing everybody.
    #[must_use]
    pub fn in_outage(self, max_age: Duration) -> Self {
        Self(self.0.map(|ages| Ages { in_outage: max_age.max(ages.usual), ..ages }))
    }

    pub(crate) fn ages(&self) -> Option<Ages> {
        self.0
    }
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("expiry"),
            Some(Ages { usual, in_outage }) if usual == in_outage => {
                write!(f, "status_list({usual:?})")
            }
            Some(Ages { usual, in_outage }) => {
                write!(f, "status_list({usual:?}, in an outage {in_outage:?})")
            }
        }
    }
}
