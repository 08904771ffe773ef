//! Users: who may be added, and under what names.

mod costs;
mod password;
mod password_cost;
mod store;

use std::fmt;
use std::sync::Arc;

use portcullis::clock::Clock;
use zeroize::Zeroizing;

use self::password::{Passwords, Verdict};
pub use self::password_cost::PasswordCost;
pub use self::store::User;
pub(crate) use self::store::UserStore;
use crate::clock::now_secs;
use crate::domain::scope::is_scope_token;
use crate::error::Error;

/// A cookie has 4096 bytes (RFC 6265 section 6.1), and base64url makes four of three.
const MAX_NAMES_BYTES: usize = 2048;

/// A user to be added.
///
/// A name has 1 to 128 visible ASCII characters and no spaces; capitals make no difference. All
/// roles and scopes together have at most 2 KiB, since they stand in every token.
///
/// ```
/// use portcullis_issuer::NewUser;
///
/// let user = NewUser::new("alice", "correct horse battery staple")
///     .roles(["admin"])
///     .scopes(["orders:read", "orders:write"]);
/// assert!(!format!("{user:?}").contains("horse"));
/// ```
#[derive(Clone)]
pub struct NewUser {
    name: String,
    password: Zeroizing<String>,
    roles: Vec<String>,
    scopes: Vec<String>,
}

impl NewUser {
    /// A user without roles and scopes.
    #[must_use]
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: Zeroizing::new(password.into()),
            roles: Vec::new(),
            scopes: Vec::new(),
        }
    }

    /// The same with a password of 256 random bits, which is returned to be handed over.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if there is no randomness.
    pub fn with_random_password(name: impl Into<String>) -> Result<(Self, String), Error> {
        let password = crate::random::secret()?.to_string();
        Ok((Self::new(name, password.clone()), password))
    }

    /// The `roles` of their tokens.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// The `scope` of their tokens.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    fn check(&self) -> Result<(), Error> {
        let visible = |text: &str| {
            !text.is_empty() && text.trim() == text && !text.contains(char::is_control)
        };
        // Only ASCII, as nobody can tell apart all of Unicode: there are letters that look alike,
        // letters that cannot be seen, and two ways to write an umlaut.
        let is_ascii = self.name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_ascii || !(1..=128).contains(&self.name.len()) {
            return Err(Error::InvalidUser(
                "a user's name must have 1 to 128 visible ASCII characters and no spaces",
            ));
        }
        // NIST SP 800-63B section 3.1.1: at least 8, and long ones must be possible.
        if self.password.chars().count() < 8 || self.password.len() > 1024 {
            return Err(Error::InvalidUser("a password must have 8 characters to 1024 bytes"));
        }
        if !self.roles.iter().all(|role| visible(role)) {
            return Err(Error::InvalidUser("a role must not be empty"));
        }
        if !self.scopes.iter().all(|scope| is_scope_token(scope)) {
            return Err(Error::InvalidUser(
                "a scope must be of printable ASCII characters without space, quote and backslash",
            ));
        }
        // Every name counts with what separates it from the next.
        let names = self.roles.iter().chain(&self.scopes);
        if names.map(|name| name.len() + 3).sum::<usize>() > MAX_NAMES_BYTES {
            return Err(Error::InvalidUser(
                "roles and scopes must have at most 2 KiB together: all of them stand in every \
                 token, and a longer one does not fit into a cookie",
            ));
        }
        Ok(())
    }
}

/// Users and their passwords.
#[derive(Debug)]
pub(crate) struct Users {
    store: Arc<dyn UserStore>,
    passwords: Passwords,
    clock: Arc<dyn Clock>,
}

/// The result of a password check.
pub(crate) enum PasswordCheck {
    Right {
        user: User,
        /// Set if the stored hash has other parameters than the configured ones.
        outdated: Option<Outdated>,
    },
    /// The password is wrong, or there is no such user.
    Wrong { user: Option<User> },
}

/// A stored hash, and the hash of the same password that replaces it.
pub(crate) struct Outdated {
    old: String,
    new: String,
}

impl Users {
    pub(crate) async fn new(
        store: Arc<dyn UserStore>,
        cost: PasswordCost,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let stored = store.password_parameters().await?;
        Ok(Self { passwords: Passwords::new(cost, &stored)?, store, clock })
    }

    pub(crate) async fn add(&self, user: NewUser) -> Result<User, Error> {
        user.check()?;
        let hash = self.passwords.hash(user.password).await?;
        let added = User {
            id: crate::random::hex_id()?,
            name: user.name,
            roles: user.roles,
            scopes: user.scopes,
            created_at: now_secs(&*self.clock),
        };
        if self.store.add_user(&added, &hash).await? {
            Ok(added)
        } else {
            Err(Error::UserExists { name: added.name })
        }
    }

    /// Returns all users, by name.
    pub(crate) async fn all(&self) -> Result<Vec<User>, Error> {
        Ok(self.store.users().await?)
    }

    /// Returns the user with this name, which is case-insensitive.
    pub(crate) async fn named(&self, name: &str) -> Result<Option<User>, Error> {
        Ok(self.store.user_named(name).await?.map(|(user, _)| user))
    }

    /// Checks a password against the hash of the user with this name. Takes as long for an unknown
    /// user.
    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: Zeroizing<String>,
    ) -> Result<PasswordCheck, Error> {
        let (user, hash) = self.store.user_named(name).await?.unzip();
        let verdict = self.passwords.verify(password, hash.clone()).await?;
        Ok(match (user, verdict) {
            (user, Verdict::Wrong) => PasswordCheck::Wrong { user },
            (None, _) => PasswordCheck::Wrong { user: None },
            (Some(user), Verdict::Right) => PasswordCheck::Right { user, outdated: None },
            (Some(user), Verdict::Rehashed(new)) => {
                PasswordCheck::Right { user, outdated: hash.map(|old| Outdated { old, new }) }
            }
        })
    }

    /// Replaces an outdated hash.
    pub(crate) async fn replace_hash(
        &self,
        user: &User,
        outdated: &Outdated,
        now: i64,
    ) -> Result<(), Error> {
        let Outdated { old, new } = outdated;
        Ok(self.store.rehash_password(&user.id, old, new, now).await?)
    }

    /// Stops all password checks, and ends those that wait.
    pub(crate) fn close(&self) {
        self.passwords.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.passwords.is_closed()
    }
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("name", &self.name)
            .field("roles", &self.roles)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = NewUser::new("alice", "correct horse").roles(["admin"]).scopes(["a:b"]);
        good.check().unwrap();
        for bad in [
            NewUser { name: String::new(), ..good.clone() },
            NewUser { name: " alice".to_owned(), ..good.clone() },
            NewUser { name: "al\nice".to_owned(), ..good.clone() },
            NewUser { name: "alice\u{200b}".to_owned(), ..good.clone() },
            NewUser { name: "J\u{f6}rg".to_owned(), ..good.clone() },
            NewUser { name: "a".repeat(129), ..good.clone() },
            NewUser::new("alice", "1234567"),
            NewUser::new("alice", "x".repeat(1025)),
            good.clone().roles([""]),
            good.clone().scopes(["two scopes"]),
            good.clone().scopes(["quo\"te"]),
            good.clone().scopes((0..100).map(|n| format!("resource-{n}:read-write"))),
        ] {
            assert!(matches!(bad.check(), Err(Error::InvalidUser(_))), "{bad:?}");
        }
    }
}
