//! Users' accounts, which administrators and operators read and change.

use std::fmt;

use serde::Serialize;

use crate::domain::Answer;
use crate::domain::audit::{Authority, NewEvent};
use crate::domain::users::FoldedName;

/// Accounts.
pub(crate) trait PeopleStore: fmt::Debug + Send + Sync {
    /// A user's account.
    fn account<'a>(&'a self, user_ref: &'a UserRef) -> Answer<'a, Option<AccountInfo>>;
    /// Returns up to `limit` accounts whose ids follow `after`, ordered by id.
    fn accounts<'a>(&'a self, after: &'a str, limit: i64) -> Answer<'a, Vec<AccountInfo>>;
    /// Applies a change to an account in one transaction, which also ends sessions if the change
    /// requires it, and records `event` with the user. If the change alters nothing, nothing is
    /// recorded. `authority` is `None` for an operator.
    fn change_account<'a>(
        &'a self,
        user_ref: &'a UserRef,
        change: &'a Change,
        event: &'a NewEvent,
        authority: Option<Authority<'a>>,
    ) -> Answer<'a, Changed>;
    /// Ends up to `limit` sessions; if it ends none, all sessions have ended. Expired sessions are
    /// ended as well, because they may still be live by another host's clock. Records `begins` in the
    /// same transaction.
    fn end_some_sessions<'a>(
        &'a self,
        now: i64,
        limit: i64,
        begins: Option<&'a NewEvent>,
        authority: Option<Authority<'a>>,
    ) -> Answer<'a, Changed>;
}

/// A reference to a user's account.
#[derive(Debug, Clone)]
pub(crate) enum UserRef {
    Named(FoldedName),
    WithId(String),
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The change was applied, and ended this number of sessions.
    Done(u64),
    /// There is no such user, or a condition of `keeps` does not hold.
    NotFound,
    /// The administrator's session has ended, or its user has lost the scope.
    NotAnAdministrator,
}

/// A change of an account.
pub(crate) enum Change {
    /// Sets the hash of a new password. Ends all sessions except `keeps`, and invalidates the
    /// user's single-use tokens.
    Password {
        hash: String,
        keeps: Option<Kept>,
    },
    /// Disables the user and ends all sessions if `true`, or enables the user if `false`.
    Disabled(bool),
    /// Deletes the user. Ends all sessions.
    Removed,
    /// Ends all sessions, and changes nothing else.
    LoggedOut,
    /// Sets the address to which the notifier delivers the user's messages. Tokens that were sent
    /// to the former address become invalid.
    Address(String),
    Roles(Vec<String>),
    Scopes(Vec<String>),
    /// Deletes the app's secret, the recovery codes and the passkeys. Undoes the step-up of the
    /// user's sessions, and ends those that began with a passkey.
    NoSecondFactor,
    /// Resets the number of wrong codes.
    Unlocked,
}

/// The session in which users change their own password. The change is made only if the session is
/// live, and if the credentials have not changed since the former password was proven.
pub(crate) struct Kept {
    pub(crate) session_id: String,
    /// The user's number of changes, read before the proof.
    pub(crate) credentials: i64,
}

/// A user's account, for operators and administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccountInfo {
    /// The `sub` of the user's tokens.
    pub id: String,
    /// The name with which the user logs in.
    pub name: String,
    /// The `roles` of the user's tokens.
    pub roles: Vec<String>,
    /// The `scope` of the user's tokens.
    pub scopes: Vec<String>,
    /// When the user was added, in seconds since 1970.
    pub created_at: i64,
    /// When the user was disabled, in seconds since 1970.
    pub disabled_at: Option<i64>,
    /// The address to which the notifier delivers the user's messages.
    pub address: Option<String>,
    /// When the address was verified, in seconds since 1970.
    pub address_verified_at: Option<i64>,
    /// What must happen before the first login: `invitation` or `verification`.
    pub awaits: Option<String>,
    /// Whether a login asks for a second factor.
    pub has_second_factor: bool,
    /// The number of passkeys.
    pub passkeys: i64,
    /// The number of wrong codes since the last right one; locked at 100.
    pub wrong_codes: i64,
}
