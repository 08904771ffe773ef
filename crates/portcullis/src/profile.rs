//! Token profiles: the conventions of an issuer, as data.

mod habits;
mod mark;
mod providers;
#[cfg(test)]
mod tests;
mod unread;

use crate::error::TokenError;
use crate::jws::TokenType;
use habits::Habits;

pub use mark::AccessTokenMark;
pub use providers::UnknownProfile;
pub(crate) use unread::Lack;

/// Defines which tokens are accepted as access tokens, and where they carry scopes, roles and the
/// audience.
///
/// ```
/// use portcullis::Profile;
///
/// assert_eq!(Profile::default(), Profile::jwt());
/// assert_eq!(Profile::rfc9068().name(), "rfc9068");
/// // Roles in a custom claim.
/// let profile = Profile::auth0().roles_at(["https://api.example/roles"]);
/// assert_eq!(profile.name(), "auth0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    name: &'static str,
    token_types: &'static [TokenType],
    required_claims: &'static [&'static str],
    habits: Habits,
    /// The path of member names to the claim that scopes are read from, if it replaces the
    /// profile's.
    scopes_at: Option<Vec<String>>,
    /// Further claims that roles are read from: paths of member names.
    roles_at: Vec<Vec<String>>,
    /// Whether ID tokens are also accepted. Only `dangerous` sets it.
    pub(crate) accepts_id_tokens: bool,
}

impl Profile {
    /// Returns the default profile, which accepts any JWT access token.
    ///
    /// `typ` may be `JWT`, `at+jwt` or absent, as with Okta, Cognito and Kubernetes. ID, logout and
    /// refresh tokens are recognized by their claims and rejected. A token that does not state its
    /// kind is also rejected if it looks like an ID token: its `azp` is in its `aud`, it has
    /// `auth_time`, and it has no scope.
    #[must_use]
    pub const fn jwt() -> Self {
        Self {
            name: "jwt",
            token_types: &[TokenType::AccessToken, TokenType::Jwt, TokenType::Absent],
            required_claims: &[],
            habits: Habits::NONE,
            scopes_at: None,
            roles_at: Vec::new(),
            accepts_id_tokens: false,
        }
    }

    /// Returns the profile that accepts only [RFC 9068] access tokens: `typ` is `at+jwt`, and
    /// `sub`, `client_id`, `iat` and `jti` are present.
    ///
    /// [RFC 9068]: https://www.rfc-editor.org/rfc/rfc9068#section-4
    #[must_use]
    pub const fn rfc9068() -> Self {
        Self {
            name: "rfc9068",
            token_types: &[TokenType::AccessToken],
            required_claims: &["sub", "client_id", "iat", "jti"],
            habits: Habits::NONE,
            scopes_at: None,
            roles_at: Vec::new(),
            accepts_id_tokens: false,
        }
    }

    /// Returns the profile's name, as used in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Reads scopes from another claim than the profile's. `path` lists member names, from the
    /// outermost to the innermost. The claim is a space-separated string, or an array with one
    /// scope per element. No other claim is read for scopes.
    ///
    /// `PORTCULLIS_SCOPES_AT`: a claim's name, or a path as a JSON array.
    ///
    /// ```
    /// # use portcullis::Profile;
    /// // {"scp": ["orders:read"]}
    /// let profile = Profile::jwt().scopes_at(["scp"]);
    /// ```
    #[must_use]
    pub fn scopes_at<S: Into<String>>(mut self, path: impl IntoIterator<Item = S>) -> Self {
        self.scopes_at = Some(path.into_iter().map(Into::into).collect());
        self
    }

    /// Also reads roles from another claim. `path` lists member names, from the outermost to the
    /// innermost.
    ///
    /// `PORTCULLIS_ROLES_AT`: a claim's name, a path as a JSON array, or an array of such paths.
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

    /// Rejects a token by its header alone, before any key lookup.
    pub(crate) fn check_token_type(&self, token_type: TokenType) -> Result<(), TokenError> {
        if self.token_types.contains(&token_type) {
            Ok(())
        } else {
            Err(TokenError::TokenType { profile: self.name })
        }
    }

    /// Returns the path of the claim that scopes are read from, as nested member names.
    #[must_use]
    pub fn scopes_place(&self) -> Vec<&str> {
        match &self.scopes_at {
            Some(path) => path.iter().map(String::as_str).collect(),
            None => self.habits.scopes_in.to_vec(),
        }
    }

    /// Returns the paths of the claims that roles are read from, each as nested member names.
    #[must_use]
    pub fn roles_places(&self) -> Vec<Vec<&str>> {
        let own = self.habits.roles_in.iter().map(|path| path.to_vec());
        let added = self.roles_at.iter().map(|path| path.iter().map(String::as_str).collect());
        std::iter::once(vec!["roles"]).chain(own).chain(added).collect()
    }

    /// Returns the claim that names the API: `aud`, or the issuer's equivalent.
    #[must_use]
    pub fn audience_claim(&self) -> &'static str {
        self.habits.audience_in.unwrap_or("aud")
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
