//! Users: who may be added, and under what names.

pub(crate) mod password;
pub(crate) mod password_cost;
mod store;

use std::fmt;

use zeroize::Zeroizing;

pub use self::store::User;
pub(crate) use self::store::UserStore;

use crate::domain::peer::Peer;
use crate::domain::scope::is_scope_token;
use crate::error::Error;
use crate::issuer::Issuer;

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

impl Issuer {
    /// Adds a user.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUser`] if name, password, a role or a scope does not fit,
    /// [`Error::UserExists`] if the name is taken, whatever its capitals.
    pub async fn add_user(&self, user: NewUser) -> Result<User, Error> {
        user.check()?;
        let hash = self.passwords().hash(user.password).await?;
        let added = User {
            id: crate::random::hex_id()?,
            name: user.name,
            roles: user.roles,
            scopes: user.scopes,
            created_at: self.now(),
        };
        if self.store().add_user(&added, &hash).await? {
            Ok(added)
        } else {
            Err(Error::UserExists { name: added.name })
        }
    }

    /// All users, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        Ok(self.store().users().await?)
    }
}

/// A live session, as far as it is an operator's business.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The `sid` of its tokens.
    pub id: String,
    /// When its user logged in, in seconds since 1970.
    pub created_at: i64,
    /// When it was refreshed last, in seconds since 1970.
    pub last_used_at: i64,
    /// When it ends if it is not used, in seconds since 1970.
    pub expires_at: i64,
    /// What the client called itself.
    pub user_agent: Option<String>,
}

impl Issuer {
    /// The live sessions of the user of that name, the latest first; `None` if there is no such
    /// user.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn sessions_of(&self, name: &str) -> Result<Option<Vec<SessionInfo>>, Error> {
        let Some((user, _)) = self.store().user_named(name).await? else { return Ok(None) };
        let sessions = self.store().live_sessions(&user.id, self.now()).await?;
        Ok(Some(
            sessions
                .into_iter()
                .map(|session| SessionInfo {
                    id: session.id,
                    created_at: session.created_at,
                    last_used_at: session.last_used_at,
                    expires_at: session.expires_at,
                    user_agent: session.user_agent,
                })
                .collect(),
        ))
    }

    /// Ends all sessions of the user of that name, and says how many those were; `None` if there
    /// is no such user. Their access tokens are accepted by apps until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn end_sessions_of(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some((user, _)) = self.store().user_named(name).await? else { return Ok(None) };
        Ok(Some(self.logout_everywhere(&user, &Peer::default()).await?))
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
