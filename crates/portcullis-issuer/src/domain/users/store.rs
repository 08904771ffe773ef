//! Users as they are kept.

use std::fmt;

use crate::domain::Answer;

/// Users and the hashes of their passwords.
pub(crate) trait UserStore: fmt::Debug + Send + Sync {
    /// Adds a user; `false` if the name is taken.
    fn add_user<'a>(&'a self, user: &'a User, password_hash: &'a str) -> Answer<'a, bool>;
    /// The user of that name, with the password hash.
    fn user_named<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(User, String)>>;
    /// All users, by name.
    fn users(&self) -> Answer<'_, Vec<User>>;
    /// The parameters of all password hashes, each once: the beginnings of their PHC strings.
    fn password_parameters(&self) -> Answer<'_, Vec<String>>;
    /// Puts another hash of the same password in place of this one, if it is still there.
    fn rehash_password<'a>(
        &'a self,
        user_id: &'a str,
        old: &'a str,
        new: &'a str,
        now: i64,
    ) -> Answer<'a, ()>;
}

/// Someone who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The `sub` of their tokens: opaque, and never reused.
    pub id: String,
    /// What they log in with.
    pub name: String,
    /// The `roles` of their tokens.
    pub roles: Vec<String>,
    /// The `scope` of their tokens.
    pub scopes: Vec<String>,
    /// When the user was added, in seconds since 1970.
    pub created_at: i64,
}
