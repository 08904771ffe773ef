//! What an operator can do if valid tokens are rejected. Each text holds for every issuer that has
//! a [profile](crate::Profile), or is more general.

use super::TokenError;

impl TokenError {
    /// Returns what an operator can do if this rule rejects valid tokens.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "issue smaller tokens",
            Self::NotCompact => {
                "send a signed JWT; an opaque token often means that the client asked the issuer \
                 for no audience"
            }
            Self::Encrypted => "have the issuer sign access tokens, not encrypt them",
            Self::NotBase64Url { .. } | Self::NotJson { .. } => {
                "the token is damaged, forged or made by a faulty issuer"
            }
            Self::DuplicateMember { .. }
            | Self::WrongType { .. }
            | Self::OutOfRange { .. }
            | Self::UnreadableClaim(_) => {
                "have the issuer write it as RFC 7519 says, for a claim, or RFC 7515, for a header: of one \
                 type, and once"
            }
            Self::Revoked => "the user should log in again",
            Self::Inactive => {
                "the token was revoked, or the client that asks may not ask about it (Keycloak: the \
                 token's `aud` must name that client)"
            }
            Self::NoStatus => {
                "have the issuer put `status` into its tokens, and its lists where they are looked for"
            }
            Self::CriticalHeader | Self::UnencodedPayload => {
                "have the issuer leave out JOSE extensions"
            }
            Self::AlgorithmNotAllowed { algorithm } if !algorithm.is_symmetric() => {
                "allow the algorithm, if the issuer means to use it"
            }
            Self::UnknownAlgorithm | Self::AlgorithmNotAllowed { .. } => {
                "have the issuer sign with an asymmetric algorithm: RS256, ES256, EdDSA, …"
            }
            Self::TokenType { .. } => {
                "send an access token, or choose the profile that fits the issuer"
            }
            Self::UnknownKey => {
                "is the token from this issuer? if so, does its JWKS publish the key that signs?"
            }
            Self::UnknownLocalKey => {
                "name the key of the `key_source` as the token's `kid` does (`hmac_key(Some(…), …)` for a \
                 secret): a key without a name is for tokens without `kid`"
            }
            Self::UnusableKey { .. } => {
                "have the issuer sign with a key that can be used; is its algorithm in `algorithms`?"
            }
            Self::TooManyCandidates { .. } => "have the issuer put `kid` into its tokens and keys",
            Self::AlgorithmMismatch { .. } => {
                "if the token is the issuer's, have it publish the key with the `alg` that it signs with, or \
                 without `alg`"
            }
            Self::Signature => "the token is forged or damaged, or signed by another key",
            Self::MissingClaim { name: "aud" } => {
                "have the issuer put this API into `aud`; with Keycloak, by an audience mapper, which must \
                 be marked for lightweight access tokens where a client has those"
            }
            Self::MissingClaim { .. } | Self::RequiredClaim { .. } => {
                "have the issuer put the claim into its access tokens; with Keycloak, switch lightweight \
                 access tokens off for the client, or mark the claim's mapper for them"
            }
            Self::Issuer { .. } | Self::UntrustedIssuer => {
                "set the issuer exactly as the tokens spell it: scheme, host, trailing slash"
            }
            Self::Audience { .. } => {
                "have the issuer put this API into `aud` (Keycloak: by an audience mapper), or set the \
                 audience as the tokens spell it, if that is a name of this API. An ID token is for its \
                 client: send the access token"
            }
            Self::Expired { .. } | Self::TooOld { .. } => {
                "the client should refresh its token; check both clocks"
            }
            Self::NotYetValid { .. } | Self::IssuedInFuture { .. } => {
                "synchronise the clocks of the issuer and of this host"
            }
            Self::LifetimeTooLong { .. } => {
                "shorten the issuer's access expiry, or raise the limit"
            }
            Self::ClaimValue { name: "ver", .. } => {
                "choose the profile of the version that the issuer makes: `entra-v1` or `entra-v2`"
            }
            Self::ClaimValue { .. } => {
                "send the access token; ID and refresh tokens are not for APIs. If this is one, choose the \
                 profile of the issuer that made it"
            }
            Self::NotAnAccessToken { mark } if OF_SOME_ACCESS_TOKENS.contains(mark) => {
                "send the access token; if this is one, choose its issuer's profile, which may know the \
                 mark: `keycloak`, `entra-b2c`, `authentik`, `dex`"
            }
            Self::NotAnAccessToken { .. } => {
                "send the access token; ID and refresh tokens are not for APIs"
            }
            Self::NoAccessMark { .. } | Self::IdentityClaim { .. } => {
                "send the access token; if this is one, choose the profile of the issuer that made it"
            }
            Self::LikeIdToken => {
                "send the access token; if this is one, choose its issuer's profile, which knows it by a \
                 claim (`authentik`, `okta`, `entra-v1`, `hydra`, …), or accept ID tokens as well with \
                 `dangerous::accept_id_tokens`"
            }
            Self::Indistinct { .. } => {
                "accept the ID tokens of this audience as well, by `dangerous::accept_id_tokens`, or use an \
                 issuer that tells the two apart"
            }
            Self::SenderConstrained => "issue plain bearer tokens for this API",
            Self::UnfitClaims { .. } => {
                "have the issuer add the claims, or relax the handler's type"
            }
        }
    }
}

/// Signs of an ID token that some issuers also put into access tokens.
pub(crate) const NONCE: &str = "`nonce` is an ID token's";
pub(crate) const AT_HASH: &str = "`at_hash` is an ID token's";

const OF_SOME_ACCESS_TOKENS: [&str; 2] = [NONCE, AT_HASH];
