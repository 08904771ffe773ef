//! Second factors as they are kept.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;

/// The sealed secrets of second factors, and the hashes of recovery codes.
pub(crate) trait SecondFactorStore: fmt::Debug + Send + Sync {
    /// Keeps the sealed secret of a second factor and its recovery codes, in place of one that never
    /// counted; `false` if there is one that counts.
    fn enrol_second_factor<'a>(
        &'a self,
        user_id: &'a str,
        sealed: &'a [u8],
        codes: &'a [TokenHash],
    ) -> Answer<'a, bool>;
    /// The second factor of a user.
    fn second_factor<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<StoredFactor>>;
    /// Counts an attempt at a code, before it is checked, and returns how many there have been since
    /// the last right one. `None` if there have been `most` already, on whichever process.
    fn begin_code<'a>(&'a self, user_id: &'a str, most: i64) -> Answer<'a, Option<i64>>;
    /// The code of this time step was shown in the session of `event`; `false` if that one or a
    /// later one was before, or if it was made from another secret.
    fn step_up<'a>(&'a self, sealed: &'a [u8], step: i64, event: &'a NewEvent) -> Answer<'a, bool>;
    /// A recovery code was shown in the session of `event`; `false` if it was before, or if there
    /// is no such code.
    fn use_recovery_code<'a>(
        &'a self,
        code: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Keeps these recovery codes instead of all others; `false` if no second factor counts.
    fn replace_recovery_codes<'a>(
        &'a self,
        codes: &'a [TokenHash],
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Forgets the second factor of the user of `event`; `false` if there is none.
    fn remove_second_factor<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
}

/// A second factor as it is kept.
pub(crate) struct StoredFactor {
    pub(crate) sealed: Vec<u8>,
    /// Whether the user has shown that the app has the secret, too.
    pub(crate) confirmed: bool,
}
