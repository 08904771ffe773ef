//! Second factors as they are kept.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;

/// The sealed secrets of second factors.
pub(crate) trait SecondFactorStore: fmt::Debug + Send + Sync {
    /// Keeps the sealed secret of a second factor, in place of one that never counted; `false` if
    /// there is one that counts.
    fn enrol_second_factor<'a>(&'a self, user_id: &'a str, sealed: &'a [u8]) -> Answer<'a, bool>;
    /// The sealed secret of a user's second factor.
    fn second_factor<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<Vec<u8>>>;
    /// The code of this time step was shown in the session of `event`; `false` if that one or a
    /// later one was before, or if it was made from another secret.
    fn step_up<'a>(&'a self, sealed: &'a [u8], step: i64, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Forgets the second factor of the user of `event`; `false` if there is none.
    fn remove_second_factor<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
}
