//! What kind of token is expected: the habits of an issuer, as data.

mod habits;
mod providers;
#[cfg(test)]
mod tests;

use crate::error::TokenError;
use crate::jws::TokenType;
use habits::Habits;

pub use providers::UnknownProfile;

/// The kind of token that is accepted, and where in it scopes, roles and the audience stand.
///
/// ```
/// use portcullis::Profile;
///
/// assert_eq!(Profile::default(), Profile::jwt());
/// assert_eq!(Profile::rfc9068().name(), "rfc9068");
/// // Roles that an issuer was told to put somewhere of its own.
/// let profile = Profile::auth0().roles_at(["https://api.example/roles"]);
/// assert_eq!(profile.name(), "auth0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    name: &'static str,
    token_types: &'static [TokenType],
    required_claims: &'static [&'static str],
    habits: Habits,
    /// Where roles stand besides: paths of member names.
    roles_at: Vec<Vec<String>>,
}

impl Profile {
    /// The default: any access token that is a JWT.
    ///
    /// `typ` may be `JWT`, `at+jwt` or absent, as it is with Okta, Cognito and Kubernetes; ID,
    /// logout and refresh tokens are told by the marks in their claims and refused.
    #[must_use]
    pub const fn jwt() -> Self {
        Self {
            name: "jwt",
            token_types: &[TokenType::AccessToken, TokenType::Jwt, TokenType::Absent],
            required_claims: &[],
            habits: Habits::NONE,
            roles_at: Vec::new(),
        }
    }

    /// Strictly the access tokens of [RFC 9068]: `typ` is `at+jwt`, and `sub`, `client_id`, `iat`
    /// and `jti` are there too.
    ///
    /// [RFC 9068]: https://www.rfc-editor.org/rfc/rfc9068#section-4
    #[must_use]
    pub const fn rfc9068() -> Self {
        Self {
            name: "rfc9068",
            token_types: &[TokenType::AccessToken],
            required_claims: &["sub", "client_id", "iat", "jti"],
            habits: Habits::NONE,
            roles_at: Vec::new(),
        }
    }

    /// The name, as the setting has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Looks for roles in another place as well: the names of members, one inside the other.
    ///
    /// ```
    /// # use portcullis::Profile;
    /// // {"resource_access": {"my.client": {"roles": ["clerk"]}}}
    /// let profile = Profile::keycloak().roles_at(["resource_access", "my.client", "roles"]);
    /// ```
    #[must_use]
    pub fn roles_at<S: Into<String>>(mut self, path: impl IntoIterator<Item = S>) -> Self {
        self.roles_at.push(path.into_iter().map(Into::into).collect());
        self
    }

    /// Refuses a token by its header alone, before any key is looked up.
    pub(crate) fn check_token_type(&self, token_type: TokenType) -> Result<(), TokenError> {
        if self.token_types.contains(&token_type) {
            Ok(())
        } else {
            Err(TokenError::TokenType { profile: self.name })
        }
    }

    pub(crate) fn required_claims(&self) -> &'static [&'static str] {
        self.required_claims
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::jwt()
    }
}
