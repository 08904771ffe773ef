//! The issuer's metadata (RFC 8414 section 2).

use portcullis::Algorithm;
use serde::Serialize;
use utoipa::ToSchema;

use super::oauth::GRANT;

/// The algorithms that a signing key may have. During a rotation the key set may have several of
/// them.
const SIGNING_ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];

/// The issuer's metadata (RFC 8414 section 2).
#[derive(Serialize, ToSchema)]
pub(super) struct Metadata<'m> {
    /// The `iss` of the tokens.
    issuer: &'m str,
    /// The URL of the keys.
    jwks_uri: String,
    /// The URL of the token endpoint.
    token_endpoint: String,
    /// The URL of the introspection endpoint.
    introspection_endpoint: String,
    /// The URL of the revocation endpoint.
    revocation_endpoint: String,
    /// Always empty, since there is no authorization endpoint. The RFC requires this member. It
    /// allows an issuer without grants that use the authorization endpoint to omit
    /// `authorization_endpoint`.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 3],
    /// Required by OpenID Connect Discovery section 3. All clients see the same `sub`.
    subject_types_supported: [&'static str; 1],
    /// Required by OpenID Connect Discovery section 3. The issuer issues no ID tokens, but
    /// libraries take the accepted algorithms from this member.
    id_token_signing_alg_values_supported: [&'static str; 3],
    token_endpoint_auth_methods_supported: [&'static str; 4],
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: [&'static str; 4],
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// Whether clients may register a URI for logout tokens (OpenID Connect Back-Channel Logout 1.0
    /// section 2.1).
    backchannel_logout_supported: bool,
    /// Whether logout tokens have a `sid`.
    backchannel_logout_session_supported: bool,
}

impl<'m> Metadata<'m> {
    pub(super) fn of(issuer: &'m str) -> Self {
        let [basic, post, keys] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        // The issuer's own logins use a public client, which has no secret and may not introspect.
        let with_public = [basic, post, keys, "none"];
        let algorithms: Vec<_> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.as_str())
            // Assertions may also use the new name of EdDSA (RFC 9864).
            .chain(["Ed25519"])
            .collect();
        Self {
            issuer,
            jwks_uri: format!("{issuer}/.well-known/jwks.json"),
            token_endpoint: format!("{issuer}/oauth/token"),
            introspection_endpoint: format!("{issuer}/oauth/introspect"),
            revocation_endpoint: format!("{issuer}/oauth/revoke"),
            response_types_supported: [],
            grant_types_supported: ["client_credentials", "refresh_token", GRANT],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: SIGNING_ALGORITHMS,
            token_endpoint_auth_methods_supported: with_public,
            token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            introspection_endpoint_auth_methods_supported: [basic, post, keys],
            introspection_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            revocation_endpoint_auth_methods_supported: with_public,
            revocation_endpoint_auth_signing_alg_values_supported: algorithms,
            backchannel_logout_supported: true,
            backchannel_logout_session_supported: true,
        }
    }
}
