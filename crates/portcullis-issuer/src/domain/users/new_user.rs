//! A user to be added, and the checks of its attributes.

use std::fmt;

use zeroize::Zeroizing;

use super::name::FoldedName;
use crate::domain::scope::is_scope_token;
use crate::error::Error;

/// The maximum length of all roles and scopes, in bytes. A cookie with the token has at most 4,096
/// bytes (RFC 6265 section 6.1), and base64url encodes three bytes as four.
const MAX_NAMES_BYTES: usize = 2048;

/// A user to be added.
///
/// A name has 1 to 128 visible ASCII characters and no spaces, and is case-insensitive. A password
/// has 8 characters to 1,024 bytes, and is neither the name or address nor a common one. All roles
/// and scopes together have at most 2 KiB, since every token contains them.
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
    pub(super) name: String,
    pub(super) password: Zeroizing<String>,
    pub(super) roles: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) address: Option<String>,
}

impl NewUser {
    /// Creates a user without roles and scopes.
    #[must_use]
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: Zeroizing::new(password.into()),
            roles: Vec::new(),
            scopes: Vec::new(),
            address: None,
        }
    }

    /// Creates a user with a password of 256 random bits. Returns the password as well.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if there is no randomness.
    pub fn with_random_password(name: impl Into<String>) -> Result<(Self, String), Error> {
        let password = crate::random::secret()?.to_string();
        Ok((Self::new(name, password.clone()), password))
    }

    /// Sets the `roles` of the user's tokens.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the `scope` of the user's tokens.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the address to which the notifier delivers the user's messages, such as an email
    /// address. The issuer treats it as verified: only a registration requires the user to prove
    /// the address.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Rejects invalid attributes. The password is checked where it is hashed, off the async
    /// threads.
    pub(super) fn check(&self) -> Result<(), Error> {
        if FoldedName::of(&self.name).is_none() {
            return Err(Error::InvalidUser(
                "a user's name must have 1 to 128 visible ASCII characters and no spaces",
            ));
        }
        check_names(&self.roles, &self.scopes)?;
        self.address.as_deref().map_or(Ok(()), check_address)
    }
}

/// Rejects roles and scopes that do not fit into a token, or into a list whose items are separated by
/// white space or commas, such as a header of a proxy.
pub(crate) fn check_names(roles: &[String], scopes: &[String]) -> Result<(), Error> {
    let separates = |c: char| c.is_whitespace() || c.is_control() || c == ',';
    if roles.iter().any(|role| role.is_empty() || role.contains(separates)) {
        return Err(Error::InvalidUser(
            "a role must not be empty, and must have no spaces, commas and control characters: name \
             it `site-admin` instead of `site admin`",
        ));
    }
    if !scopes.iter().all(|scope| is_scope_token(scope)) {
        return Err(Error::InvalidUser(
            "a scope must be of printable ASCII characters without space, quote and backslash",
        ));
    }
    // Each name adds at most three bytes: two quotes and a separator.
    let names = roles.iter().chain(scopes);
    if names.map(|name| name.len() + 3).sum::<usize>() > MAX_NAMES_BYTES {
        return Err(Error::InvalidUser(
            "roles and scopes must have at most 2 KiB together: every token contains all of them, \
             and a longer token does not fit into a cookie",
        ));
    }
    Ok(())
}

/// Rejects an address that a program of the notifier could mistake for something else, such as an option.
pub(crate) fn check_address(address: &str) -> Result<(), Error> {
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || !(1..=254).contains(&address.len()) || address.starts_with('-') {
        return Err(Error::InvalidUser(
            "an address must have 1 to 254 visible ASCII characters without spaces, and must not \
             begin with a hyphen",
        ));
    }
    Ok(())
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
    fn user_with_an_invalid_attribute_is_rejected() {
        let good = NewUser::new("alice", "correct horse").roles(["admin"]).scopes(["a:b"]);
        good.check().unwrap();
        for bad in [
            NewUser { name: String::new(), ..good.clone() },
            NewUser { name: " alice".to_owned(), ..good.clone() },
            NewUser { name: "al\nice".to_owned(), ..good.clone() },
            NewUser { name: "alice\u{200b}".to_owned(), ..good.clone() },
            NewUser { name: "J\u{f6}rg".to_owned(), ..good.clone() },
            NewUser { name: "a".repeat(129), ..good.clone() },
            good.clone().address("alice@example.com\r\nBcc: mallory@example.com"),
            good.clone().address("-oQ/tmp"),
            good.clone().roles([""]),
            good.clone().roles(["two roles"]),
            good.clone().roles(["two\u{a0}roles"]),
            good.clone().roles(["two,roles"]),
            good.clone().roles(["role\u{7}"]),
            good.clone().scopes(["two scopes"]),
            good.clone().scopes(["quo\"te"]),
            good.clone().scopes((0..100).map(|n| format!("resource-{n}:read-write"))),
        ] {
            assert!(matches!(bad.check(), Err(Error::InvalidUser(_))), "{bad:?}");
        }
    }
}
