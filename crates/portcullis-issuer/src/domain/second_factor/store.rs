//! Second factors as they are stored.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;

/// The sealed secrets of second factors, and the hashes of recovery codes.
pub(crate) trait SecondFactorStore: fmt::Debug + Send + Sync {
    /// Stores the sealed secret of a second factor and its recovery codes. They replace a second
    /// factor that was never confirmed; `false` if there is a confirmed one, or if the user has
    /// passkeys and `stepped_up` is `false`.
    fn enrol_second_factor<'a>(
        &'a self,
        user_id: &'a str,
        sealed: &'a [u8],
        codes: &'a [TokenHash],
        stepped_up: bool,
    ) -> Answer<'a, bool>;
    /// The second factor of a user.
    fn second_factor<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<StoredFactor>>;
    /// Counts an attempt before its code is checked, and returns the number of attempts since the
    /// last right code. Returns `None` if all processes together have had `most` attempts already.
    fn begin_code<'a>(&'a self, user_id: &'a str, most: i64) -> Answer<'a, Option<i64>>;
    /// Uses up the code of this time step in the session of `event`. Returns `false` if this or a
    /// later code was used before, or if the secret was replaced.
    fn step_up<'a>(&'a self, sealed: &'a [u8], step: i64, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Uses up a recovery code in the session of `event`; `false` if the code is unknown or was
    /// used before.
    fn use_recovery_code<'a>(
        &'a self,
        code: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Replaces all recovery codes; `false` if there is no confirmed second factor.
    fn replace_recovery_codes<'a>(
        &'a self,
        codes: &'a [TokenHash],
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Deletes the second factor of the user of `event`; `false` if there is none.
    fn remove_second_factor<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
}

/// A second factor as it is stored.
pub(crate) struct StoredFactor {
    /// The app's sealed secret.
    pub(crate) sealed: Option<Vec<u8>>,
    /// Whether the user has confirmed the secret with a right code from the app.
    pub(crate) confirmed: bool,
    pub(crate) has_passkeys: bool,
}

impl StoredFactor {
    /// Returns whether recovery codes are accepted: only instead of a second factor that is in use.
    pub(crate) fn has_recovery(&self) -> bool {
        self.confirmed || self.has_passkeys
    }
}
