//! The response of the token endpoint.

use serde::Serialize;
use utoipa::ToSchema;

/// A token (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TokenAnswer<'a> {
    /// A JWT (RFC 9068).
    pub(super) access_token: &'a str,
    /// Always `Bearer`.
    pub(super) token_type: &'static str,
    /// The lifetime of the access token, in seconds.
    pub(super) expires_in: u64,
    /// The session's refresh token, valid for one refresh; absent without a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) refresh_token: Option<&'a str>,
    /// Left out when empty: a scope has at least one token (RFC 6749 section 3.3).
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    pub(super) scope: &'a str,
    /// `urn:ietf:params:oauth:token-type:access_token` after an exchange (RFC 8693 section 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) issued_token_type: Option<&'static str>,
}
