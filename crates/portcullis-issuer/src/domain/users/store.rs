//! Users as they are stored.

use std::fmt;

use super::name::FoldedName;
use crate::domain::Answer;
use crate::domain::audit::{Authority, NewEvent};

/// Users and the hashes of their passwords.
pub(crate) trait UserStore: fmt::Debug + Send + Sync {
    /// Adds a user, and records `event`. `authority` is `None` unless an administrator adds the
    /// user.
    fn add_user<'a>(
        &'a self,
        account: &'a Account<'a>,
        event: &'a NewEvent,
        authority: Option<Authority<'a>>,
    ) -> Answer<'a, Added>;
    /// Returns the user with this name, with the data that a login needs.
    fn user_named<'a>(&'a self, name: &'a FoldedName) -> Answer<'a, Option<StoredUser>>;
    /// Returns all users, ordered by name.
    fn users(&self) -> Answer<'_, Vec<User>>;
    /// Returns the distinct parameters of all password hashes: the beginnings of their PHC strings.
    fn password_parameters(&self) -> Answer<'_, Vec<String>>;
    /// Replaces a hash with another hash of the same password, unless the password was changed
    /// meanwhile.
    fn rehash_password<'a>(
        &'a self,
        user_id: &'a str,
        old: &'a str,
        new: &'a str,
        now: i64,
    ) -> Answer<'a, ()>;
}

/// A user that is about to be stored.
pub(crate) struct Account<'a> {
    pub(crate) user: &'a User,
    pub(crate) password_hash: &'a str,
    pub(crate) address: Option<&'a str>,
    pub(crate) address_verified_at: Option<i64>,
    pub(crate) awaits: Option<Awaits>,
    /// A user with the same name who awaits one of these is replaced. Otherwise a stranger could
    /// block a name.
    pub(crate) replaces: &'a [Awaits],
}

/// The result of adding a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    Done,
    NameTaken,
    /// The administrator's session has ended, or its user has lost the scope.
    NotAnAdministrator,
}

/// The step that is required before a user's first login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// The user sets a password.
    Invitation,
    /// The user proves the address.
    Verification,
}

impl Awaits {
    /// Returns the name in the store.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Verification => "verification",
        }
    }
}

/// A user with the data that a login needs.
pub(crate) struct StoredUser {
    pub(crate) user: User,
    pub(crate) password_hash: String,
    /// The number of changes of the credentials. A login that began before the last change must not
    /// start a session.
    pub(crate) credentials: i64,
    /// Whether the user is enabled, and awaits neither an invitation nor a verification.
    pub(crate) may_log_in: bool,
    pub(crate) has_second_factor: bool,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The `sub` of the user's tokens: opaque, and never reused.
    pub id: String,
    /// The name with which the user logs in.
    pub name: String,
    /// The `roles` of the user's tokens.
    pub roles: Vec<String>,
    /// The `scope` of the user's tokens.
    pub scopes: Vec<String>,
    /// When the user was added, in seconds since 1970.
    pub created_at: i64,
}
