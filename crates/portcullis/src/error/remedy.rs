//! What an operator can do if valid tokens are rejected. Each text is correct for every issuer that
//! has a [profile](crate::Profile).

use super::TokenError;

impl TokenError {
    /// Returns what an operator can do if this rule rejects valid tokens.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "issue smaller tokens",
            Self::NotCompact => {
                "send a signed JWT; an opaque token often means that the client requested no \
                 audience from the issuer"
            }
            Self::Encrypted => "have the issuer sign access tokens, not encrypt them",
            Self::NotBase64Url { .. } | Self::NotJson { .. } => {
                "the token is damaged or forged, or the issuer is faulty"
            }
            Self::DuplicateMember { .. }
            | Self::WrongType { .. }
            | Self::OutOfRange { .. }
            | Self::UnreadableClaim(_) => {
                "have the issuer send the member once, with the type and range that RFC 7519 (claims) or RFC 7515 \
                 (header parameters) requires"
            }
            Self::Revoked => "the user should log in again",
            Self::Inactive => {
                "the token was revoked, or the client `introspection_client_id` is not allowed to introspect \
                 it (Keycloak: the token's `aud` must contain that client)"
            }
            Self::NoStatus => {
                "have the issuer put `status` into its tokens, and publish its lists below `status_lists`"
            }
            Self::CriticalHeader | Self::UnencodedPayload => "have the issuer omit JOSE extensions",
            Self::AlgorithmNotAllowed { algorithm } if !algorithm.is_symmetric() => {
                "allow the algorithm if the issuer should use it"
            }
            Self::UnknownAlgorithm | Self::AlgorithmNotAllowed { .. } => {
                "have the issuer sign with an asymmetric algorithm: RS256, ES256, EdDSA, …"
            }
            Self::TokenType { .. } => {
                "send an access token, or choose the profile that fits the issuer"
            }
            Self::UnknownKey => {
                "check that the token is from this issuer, and that its JWKS contains the signing key"
            }
            Self::UnknownLocalKey => {
                "set the `kid` of the key in `key_source` to the token's (for a secret: `hmac_key(Some(…), …)`); \
                 a key without `kid` verifies only tokens without `kid`"
            }
            Self::UnusableKey { .. } => {
                "have the issuer sign with a usable key, and check that its algorithm is in `algorithms`"
            }
            Self::TooManyCandidates { .. } => "have the issuer put `kid` into its tokens and keys",
            Self::AlgorithmMismatch { .. } => {
                "if the token is from the issuer, have it publish the key with the `alg` that it signs with, or \
                 without `alg`"
            }
            Self::Signature => "the token is forged or damaged, or signed by another key",
            Self::MissingClaim { name: "aud" } => {
                "have the issuer put this API into `aud`; with Keycloak, add an audience mapper, and enable it \
                 for lightweight access tokens if the client uses them"
            }
            Self::MissingClaim { .. } | Self::RequiredClaim { .. } => {
                "have the issuer put the claim into its access tokens; with Keycloak, disable lightweight \
                 access tokens for the client, or enable the claim's mapper for them"
            }
            Self::Issuer { .. } | Self::UntrustedIssuer => {
                "set the issuer exactly as in the token's `iss`: scheme, host, trailing slash"
            }
            Self::Audience { .. } => {
                "have the issuer put this API into `aud` (Keycloak: with an audience mapper), or set the \
                 audience to the value in the token if it identifies this API. An ID token is for its \
                 client: send the access token"
            }
            Self::Expired { .. } | Self::TooOld { .. } => {
                "the client should refresh its token; check the clocks of the issuer and of this host"
            }
            Self::NotYetValid { .. } | Self::IssuedInFuture { .. } => {
                "synchronize the clocks of the issuer and of this host"
            }
            Self::LifetimeTooLong { .. } => {
                "shorten the issuer's access expiry, or raise the limit"
            }
            Self::ClaimValue { name: "ver", .. } => {
                "choose the profile of the token version that the issuer issues: `entra-v1` or `entra-v2`"
            }
            Self::ClaimValue { .. } => {
                "send the access token; ID and refresh tokens are not for APIs. If this is an access token, \
                 choose its issuer's profile"
            }
            Self::NotAnAccessToken { mark } if OF_SOME_ACCESS_TOKENS.contains(mark) => {
                "send the access token; if this is one, choose its issuer's profile, which may allow the \
                 claim: `keycloak`, `entra-b2c`, `authentik`, `dex`"
            }
            Self::NotAnAccessToken { .. } => {
                "send the access token; ID and refresh tokens are not for APIs"
            }
            Self::NoAccessMark { .. } | Self::IdentityClaim { .. } => {
                "send the access token; if this is one, choose its issuer's profile"
            }
            Self::LikeIdToken => {
                "send the access token; if this is one, choose its issuer's profile, which recognizes it by \
                 a claim (`authentik`, `okta`, `entra-v1`, `hydra`, …), or accept ID tokens, too, with \
                 `dangerous::accept_id_tokens`"
            }
            Self::Indistinct { .. } => {
                "accept the ID tokens of this audience, too, with `dangerous::accept_id_tokens`, or use an \
                 issuer that distinguishes the two"
            }
            Self::SenderConstrained => "issue plain bearer tokens for this API",
            Self::UnfitClaims { .. } => {
                "have the issuer add the claims, or make the fields of the handler's type optional"
            }
        }
    }
}

/// The texts for two claims that mark an ID token, but that some issuers also put into access
/// tokens.
pub(crate) const NONCE: &str = "`nonce` occurs only in ID tokens";
pub(crate) const AT_HASH: &str = "`at_hash` occurs only in ID tokens";

const OF_SOME_ACCESS_TOKENS: [&str; 2] = [NONCE, AT_HASH];
