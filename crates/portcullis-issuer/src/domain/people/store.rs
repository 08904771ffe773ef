//! Accounts, as an administrator sees and changes them.

use std::fmt;

use serde::Serialize;

use crate::domain::Answer;
use crate::domain::audit::{Authority, NewEvent};
use crate::domain::users::FoldedName;

/// Accounts.
pub(crate) trait PeopleStore: fmt::Debug + Send + Sync {
    /// A user's account.
    fn account<'a>(&'a self, user_ref: &'a UserRef) -> Answer<'a, Option<AccountInfo>>;
    /// Up to `limit` accounts whose ids follow this one, by id.
    fn accounts<'a>(&'a self, after: &'a str, limit: i64) -> Answer<'a, Vec<AccountInfo>>;
    /// Changes an account, ends the sessions that the change ends, and records `event` with the
    /// user, all in one transaction. Nothing is recorded of an account that is as it should be
    /// already. `authority` is the administrator's, if one makes the change.
    fn change_account<'a>(
        &'a self,
        user_ref: &'a UserRef,
        change: &'a Change,
        event: &'a NewEvent,
        authority: Option<Authority<'a>>,
    ) -> Answer<'a, Changed>;
    /// Ends up to `limit` sessions; none only if all have ended. Whether a session is live is not
    /// asked: by another clock an expired one may be.
    fn end_some_sessions<'a>(
        &'a self,
        now: i64,
        limit: i64,
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
    /// It is made, and so many sessions have ended.
    Done(u64),
    /// There is no such user, or a session that the change keeps has ended.
    NotFound,
    /// The administrator's session has ended, or its user has lost the scope.
    NotAnAdministrator,
}

/// A change of an account.
pub(crate) enum Change {
    /// Sets the hash of another password. Ends all sessions except `keeps`, and invalidates the
    /// user's single-use tokens.
    Password {
        hash: String,
        keeps: Option<String>,
    },
    /// Whether the user may not log in. Ends all sessions.
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
    /// Deletes the second factor and its recovery codes. No session counts as stepped up from then
    /// on.
    NoSecondFactor,
    /// Resets the number of wrong codes.
    Unlocked,
}

/// A user's account, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccountInfo {
    /// The `sub` of the user's tokens.
    pub id: String,
    /// What the user logs in with.
    pub name: String,
    /// The `roles` of the user's tokens.
    pub roles: Vec<String>,
    /// The `scope` of the user's tokens.
    pub scopes: Vec<String>,
    /// When the user was added, in seconds since 1970.
    pub created_at: i64,
    /// When the user was disabled, in seconds since 1970.
    pub disabled_at: Option<i64>,
    /// Where the notifier reaches the user.
    pub address: Option<String>,
    /// When the address was verified, in seconds since 1970.
    pub address_verified_at: Option<i64>,
    /// What must happen before the first login: `invitation` or `verification`.
    pub awaits: Option<String>,
    /// Whether a login asks for a second factor.
    pub has_second_factor: bool,
    /// The number of wrong codes since the last right one; locked at 100.
    pub wrong_codes: i64,
}
