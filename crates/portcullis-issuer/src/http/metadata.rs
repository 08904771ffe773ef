//! What clients and verifiers need to know of the issuer (RFC 8414 section 2).

use portcullis::Algorithm;
use serde::Serialize;
use utoipa::ToSchema;

/// What there is, and where (RFC 8414 section 2).
#[derive(Serialize, ToSchema)]
pub(super) struct Metadata<'m> {
    /// The `iss` of the tokens.
    issuer: &'m str,
    /// Where the keys are.
    jwks_uri: String,
    /// Where clients get tokens.
    token_endpoint: String,
    /// Where clients ask what a token is worth.
    introspection_endpoint: String,
    /// Where clients make a token worth nothing.
    revocation_endpoint: String,
    /// None: there is no authorization endpoint, though the RFC requires the member.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 4],
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: [&'static str; 4],
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
}

impl<'m> Metadata<'m> {
    pub(super) fn of(issuer: &'m str) -> Self {
        let [basic, post, keys] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        // The issuer's own logins are of a client that has no secret; it introspects nothing.
        let with_public = [basic, post, keys, "none"];
        let algorithms: Vec<_> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.as_str())
            // Its other name (RFC 9864), which is understood as well.
            .chain(["Ed25519"])
            .collect();
        Self {
            issuer,
            jwks_uri: format!("{issuer}/.well-known/jwks.json"),
            token_endpoint: format!("{issuer}/oauth/token"),
            introspection_endpoint: format!("{issuer}/oauth/introspect"),
            revocation_endpoint: format!("{issuer}/oauth/revoke"),
            response_types_supported: [],
            grant_types_supported: ["client_credentials", "refresh_token"],
            token_endpoint_auth_methods_supported: with_public,
            token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            introspection_endpoint_auth_methods_supported: [basic, post, keys],
            introspection_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            revocation_endpoint_auth_methods_supported: with_public,
            revocation_endpoint_auth_signing_alg_values_supported: algorithms,
        }
    }
}
