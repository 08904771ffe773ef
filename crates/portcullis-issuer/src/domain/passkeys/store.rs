//! Passkeys and their ceremonies as they are kept.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::sessions::{KeyKind, Session};
use crate::domain::users::StoredUser;

/// Passkeys, and the ceremonies that have begun.
pub(crate) trait PasskeyStore: fmt::Debug + Send + Sync {
    /// Stores a ceremony. A registration replaces an earlier one of the same session.
    fn begin_ceremony<'a>(&'a self, ceremony: &'a Ceremony) -> Answer<'a, ()>;
    /// Deletes a ceremony, and returns its state if it has not expired. `registrar` is the user and
    /// the session of a registration, and `None` for a login or a step-up.
    fn take_ceremony<'a>(
        &'a self,
        hash: &'a TokenHash,
        registrar: Option<(&'a str, &'a str)>,
        now: i64,
    ) -> Answer<'a, Option<String>>;
    /// Returns the user handle of a user, which is `new` if there was none. Returns `None` if there
    /// is no such user.
    fn passkey_handle<'a>(&'a self, user_id: &'a str, new: &'a [u8])
    -> Answer<'a, Option<Vec<u8>>>;
    /// Returns a user's passkeys, the oldest first.
    fn passkeys_of<'a>(&'a self, user_id: &'a str) -> Answer<'a, Vec<StoredPasskey>>;
    /// Returns the passkey with this credential id, and its user.
    fn passkey_with<'a>(
        &'a self,
        credential_id: &'a [u8],
    ) -> Answer<'a, Option<(StoredPasskey, PasskeyUser)>>;
    /// Stores a new passkey in the live session of `event`, and records `event`. The recovery codes
    /// are stored only if it is the user's first second factor.
    fn add_passkey<'a>(
        &'a self,
        passkey: &'a NewPasskey,
        codes: &'a [TokenHash],
        event: &'a NewEvent,
    ) -> Answer<'a, Registered>;
    /// Records that a passkey was used, with `event`, unless it was removed or its counter was used
    /// already. `raises` is the session that the passkey steps up.
    fn use_passkey<'a>(
        &'a self,
        used: &'a UsedPasskey,
        raises: Option<&'a Session>,
        event: &'a NewEvent,
    ) -> Answer<'a, Use>;
    /// Renames a passkey of the user of `event`; `false` if there is none with this id.
    fn rename_passkey<'a>(
        &'a self,
        id: &'a str,
        name: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Deletes a passkey of the user of `event`; `false` if there is none with this id. Ends the
    /// sessions that began with it except `keeps`, undoes its step-ups, and ends logins that are
    /// under way. The recovery codes of a user without another second factor are deleted.
    fn remove_passkey<'a>(
        &'a self,
        id: &'a str,
        keeps: Option<&'a str>,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
}

/// A ceremony that begins.
pub(crate) struct Ceremony {
    /// The hash of its id.
    pub(crate) hash: TokenHash,
    /// The state of webauthn-rs, as JSON.
    pub(crate) state: String,
    /// The user and the session of a registration.
    pub(crate) registrar: Option<(String, String)>,
    pub(crate) expires_at: i64,
}

/// A passkey as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct StoredPasskey {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The passkey of webauthn-rs, as JSON.
    pub(crate) credential: String,
    /// Whether the key may be on several devices.
    pub(crate) synced: bool,
    /// Whether the key is on several devices, or in a backup.
    pub(crate) backed_up: bool,
    pub(crate) created_at: i64,
    pub(crate) last_used_at: Option<i64>,
}

impl StoredPasskey {
    pub(crate) fn kind(&self) -> KeyKind {
        if self.synced { KeyKind::Synced } else { KeyKind::DeviceBound }
    }
}

/// The user of a passkey.
pub(crate) struct PasskeyUser {
    pub(crate) stored: StoredUser,
    /// The user handle.
    pub(crate) handle: Option<Vec<u8>>,
}

/// A passkey that is about to be stored.
pub(crate) struct NewPasskey {
    pub(crate) passkey: StoredPasskey,
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) counter: i64,
    /// Whether the registration began after a step-up. If it did not, it fails if the user has got
    /// a second factor since.
    pub(crate) stepped_up: bool,
}

/// The properties of a passkey after an authentication.
pub(crate) struct UsedPasskey {
    pub(crate) passkey: StoredPasskey,
    pub(crate) counter: i64,
}

/// The result of using a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Counted,
    /// The stored counter has reached this counter already; nothing was changed.
    Cloned,
    /// There is no such passkey any more.
    Removed,
}

/// The result of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registered {
    /// The passkey was stored. `with_codes`: the recovery codes, too.
    Done { with_codes: bool },
    /// The user has [`PASSKEYS_PER_USER`](super::PASSKEYS_PER_USER) passkeys.
    TooMany,
    /// The credential id is taken, the session has ended, or a step-up is needed now.
    Refused,
}
