//! Reasons for rejecting a token, for operators. What clients see is in
//! [`refusal`](crate::refusal).

mod found;
mod remedy;
mod unreadable;

use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::causes::debug_with_causes;
use crate::duration::InSeconds;
use crate::json::JsonError;
use crate::settings::{self, Setting};

pub use found::Found;
pub(crate) use remedy::{AT_HASH, NONCE};
pub use unreadable::UnreadableClaim;

/// The rule that a token violates.
///
/// The message and `Debug` name rules, settings and configured values, but no value from the token.
/// Only [`found`](Self::found) returns such a value, for the operator's log.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token exceeds the length limit.
    #[error("the token or its header is longer than {limit} bytes")]
    #[non_exhaustive]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The token does not have three parts separated by periods (RFC 7515 §7.1).
    #[error("the token is not a JWS in compact form")]
    NotCompact,
    /// The token has five parts, so it is a JWE (RFC 7516).
    #[error("the token is encrypted (a JWE, which has five parts)")]
    Encrypted,
    /// A part is not base64url without padding (RFC 7515 §2).
    #[error("the {part} is not base64url")]
    #[non_exhaustive]
    NotBase64Url {
        /// `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// A part is not a JSON object.
    #[error("the {part} is not a JSON object")]
    #[non_exhaustive]
    NotJson {
        /// `header` or `payload`.
        part: &'static str,
    },
    /// A member name is duplicated (RFC 7515 §4, RFC 7519 §4).
    #[error("the {part} has a duplicate member")]
    #[non_exhaustive]
    DuplicateMember {
        /// `header` or `payload`.
        part: &'static str,
    },
    /// A header parameter or claim has a value of the wrong type.
    #[error("`{name}` has a value of the wrong type")]
    #[non_exhaustive]
    WrongType {
        /// The header parameter or claim.
        name: &'static str,
    },
    /// `exp`, `nbf` or `iat` is a number outside the years 1970 to 9999.
    #[error("`{name}` is not a number of seconds between 1970 and 9999")]
    #[non_exhaustive]
    OutOfRange {
        /// The claim.
        name: &'static str,
    },
    /// A claim that a rule or the profile reads is present but cannot be read, for example because
    /// the claim or one of its members is duplicated.
    #[error(transparent)]
    UnreadableClaim(UnreadableClaim),
    /// The issuer has revoked or suspended the token.
    #[error("the token was revoked")]
    Revoked,
    /// The introspection response says that the token is not active (RFC 7662), without a reason.
    #[error("the introspection response is `active: false`")]
    Inactive,
    /// The route requires the token's revocation status, but the token references no status list.
    #[error("the token references no status list of its issuer")]
    NoStatus,
    /// `crit` is present; no extension is supported (RFC 7515 §4.1.11).
    #[error("the header has `crit`, which is not supported")]
    CriticalHeader,
    /// `b64` is present (RFC 7797).
    #[error("the header has `b64`, which is not supported")]
    UnencodedPayload,
    /// `alg` is absent or is not a supported asymmetric signature algorithm.
    #[error("`alg` is not a supported asymmetric algorithm")]
    UnknownAlgorithm,
    /// `alg` is not among the configured algorithms.
    #[error("`alg` is {algorithm}, which is not allowed")]
    #[non_exhaustive]
    AlgorithmNotAllowed {
        /// The token's algorithm.
        algorithm: Algorithm,
    },
    /// `typ` is not accepted by the profile (RFC 9068 §4, RFC 8725 §3.11).
    #[error("`typ` is not accepted by profile `{profile}`")]
    #[non_exhaustive]
    TokenType {
        /// The configured profile.
        profile: &'static str,
    },
    /// No key of the issuer has the token's `kid`.
    #[error("no key of the issuer has this `kid`")]
    UnknownKey,
    /// None of the service's own keys has the token's `kid`.
    #[error("no local key has this `kid`")]
    UnknownLocalKey,
    /// The issuer publishes a key with the token's `kid`, but the key cannot be used.
    #[error("the key with this `kid` cannot be used: {reason}")]
    #[non_exhaustive]
    UnusableKey {
        /// The reason, from a [`KeyError`](crate::keys::KeyError).
        reason: String,
    },
    /// The token has no `kid`, and the number of matching keys exceeds the limit.
    #[error("the token has no `kid`, and the issuer has more than {limit} keys for {algorithm}")]
    #[non_exhaustive]
    TooManyCandidates {
        /// The token's algorithm.
        algorithm: Algorithm,
        /// The maximum number of keys that are tried.
        limit: usize,
    },
    /// The key with the token's `kid` is for another algorithm (RFC 8725 §3.1).
    #[error("`alg` is {algorithm}, but the key with this `kid` is for {key_algorithm}")]
    #[non_exhaustive]
    AlgorithmMismatch {
        /// The token's algorithm.
        algorithm: Algorithm,
        /// The algorithm that the key is pinned to.
        key_algorithm: Algorithm,
    },
    /// The signature is wrong.
    #[error("the signature is invalid")]
    Signature,
    /// A mandatory claim is absent.
    #[error("`{name}` is absent")]
    #[non_exhaustive]
    MissingClaim {
        /// The claim.
        name: &'static str,
    },
    /// `iss` is not the configured issuer.
    #[error("`iss` is not {expected:?}{}", found.difference())]
    #[non_exhaustive]
    Issuer {
        /// The configured issuer.
        expected: String,
        /// The value in the token.
        found: Found,
    },
    /// `iss` is none of the configured issuers.
    #[error("`iss` is not a configured issuer")]
    UntrustedIssuer,
    /// `aud` does not name this API.
    #[error("`aud` contains none of {expected:?}{}", found.difference())]
    #[non_exhaustive]
    Audience {
        /// The configured audiences.
        expected: Vec<String>,
        /// The value in the token.
        found: Found,
    },
    /// `exp` has passed.
    #[error("the token expired {} ago (`exp`)", InSeconds(*.ago))]
    #[non_exhaustive]
    Expired {
        /// The time since `exp`, without the leeway.
        ago: Duration,
    },
    /// `nbf` is in the future.
    #[error("`nbf` is {} in the future", InSeconds(*.ahead))]
    #[non_exhaustive]
    NotYetValid {
        /// How far it is in the future.
        ahead: Duration,
    },
    /// `iat` is in the future.
    #[error("`iat` is {} in the future", InSeconds(*.ahead))]
    #[non_exhaustive]
    IssuedInFuture {
        /// How far it is in the future.
        ahead: Duration,
    },
    /// The token's lifetime is longer than the configured maximum.
    #[error(
        "the token's lifetime is {}, which exceeds the maximum of {}",
        InSeconds(*.lifetime), InSeconds(*.max)
    )]
    #[non_exhaustive]
    LifetimeTooLong {
        /// The time from `iat` to `exp`.
        lifetime: Duration,
        /// The configured maximum.
        max: Duration,
    },
    /// The token was issued longer ago than the configured maximum.
    #[error("the token was issued {} ago, which exceeds the maximum of {}", InSeconds(*.age), InSeconds(*.max))]
    #[non_exhaustive]
    TooOld {
        /// The time since `iat`, without the leeway.
        age: Duration,
        /// The configured maximum.
        max: Duration,
    },
    /// A claim that the configuration requires is absent or `null`.
    #[error("`{name}` is absent, but the settings require it")]
    #[non_exhaustive]
    RequiredClaim {
        /// The claim.
        name: String,
    },
    /// The token has a mark of an ID token, logout token, refresh token or proof (RFC 8725 §3.12).
    #[error("not an access token: {mark}")]
    #[non_exhaustive]
    NotAnAccessToken {
        /// The mark.
        mark: &'static str,
    },
    /// The claims that mark access tokens of the profile are absent. Every access token of the
    /// profile has the claim in `claims` or, if `claims` has several, at least one of them.
    #[error("not an access token of profile `{profile}`: {} absent", are(.claims))]
    #[non_exhaustive]
    NoAccessMark {
        /// The configured profile.
        profile: &'static str,
        /// The claims.
        claims: &'static [&'static str],
    },
    /// The token has a claim that no access token of the profile has.
    #[error("not an access token of profile `{profile}`: it has `{name}`")]
    #[non_exhaustive]
    IdentityClaim {
        /// The configured profile.
        profile: &'static str,
        /// The claim.
        name: &'static str,
    },
    /// The token does not state its kind and looks like an ID token: `azp` is in `aud` or not a
    /// string, `auth_time` is present, and no readable scope is present.
    #[error(
        "looks like an ID token: its `typ` is unknown, it has `auth_time` but no readable scope, \
         and its `azp` either is in its `aud` or is not a string"
    )]
    LikeIdToken,
    /// The profile's issuer gives access tokens and ID tokens the same shape.
    #[error("profile `{profile}` cannot tell an access token from an ID token")]
    #[non_exhaustive]
    Indistinct {
        /// The configured profile.
        profile: &'static str,
    },
    /// A claim does not have the value that the profile requires of access tokens.
    #[error("`{name}` is not {expected:?}")]
    #[non_exhaustive]
    ClaimValue {
        /// The claim.
        name: &'static str,
        /// The expected value.
        expected: &'static str,
    },
    /// `cnf` binds the token to a key (RFC 7800), and this crate does not check the proof of
    /// possession.
    #[error("`cnf` binds the token to a key, and proof of possession is not checked")]
    SenderConstrained,
    /// The claims do not fit the type that the handler requests.
    #[error("the claims do not fit {wanted}: {problem}")]
    #[non_exhaustive]
    UnfitClaims {
        /// The handler's type.
        wanted: &'static str,
        /// What does not fit, without the offending value.
        problem: String,
    },
}

debug_with_causes!(TokenError);

/// Formats "`a`, `b` and `c` are", or "`a` is".
fn are(claims: &[&str]) -> String {
    let named: Vec<_> = claims.iter().map(|name| format!("`{name}`")).collect();
    match named.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last} are", first.join(", ")),
        one => format!("{} is", one.concat()),
    }
}

impl TokenError {
    /// Returns the error for a `part` that cannot be parsed: `header` or `payload`.
    pub(crate) fn json(error: JsonError, part: &'static str) -> Self {
        match error {
            JsonError::NotAnObject => Self::NotJson { part },
            JsonError::DuplicateMember => Self::DuplicateMember { part },
            JsonError::WrongType(name) => Self::WrongType { name },
            JsonError::OutOfRange(name) => Self::OutOfRange { name },
        }
    }

    /// Whether the text does not have the form of a JWS: it does not have three parts, or its first
    /// part is not the base64url encoding of a JSON object.
    pub(crate) fn is_of_form(&self) -> bool {
        matches!(
            self,
            Self::NotCompact
                | Self::Encrypted
                | Self::NotBase64Url { part: "header" }
                | Self::NotJson { part: "header" }
        )
    }

    /// Returns the token's `iss` or `aud`, escaped and truncated, if it differs from the configured
    /// value.
    ///
    /// Use it in the operator's log only, and never show it to a client. It is `Some` only if the
    /// token's signature is valid, and `None` if the issuer uses another claim instead of `aud`.
    #[must_use]
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Issuer { found, .. } | Self::Audience { found, .. } => Some(found),
            _ => None,
        }
        .filter(|found| found.is_shown())
    }

    /// Returns a short, stable name of the rule from a closed list, for logs and metric labels.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "length",
            Self::NotCompact => "compact_form",
            Self::Encrypted => "encrypted",
            Self::NotBase64Url { .. } => "base64url",
            Self::NotJson { .. } => "json",
            Self::DuplicateMember { .. } => "duplicate_member",
            Self::WrongType { .. } => "wrong_type",
            Self::OutOfRange { .. } => "out_of_range",
            Self::UnreadableClaim(claim) if claim.is_repeated() => "duplicate_member",
            Self::UnreadableClaim(_) => "unreadable_claim",
            Self::Revoked => "revoked",
            Self::Inactive => "inactive",
            Self::NoStatus => "no_status",
            Self::CriticalHeader => "crit",
            Self::UnencodedPayload => "b64",
            Self::UnknownAlgorithm | Self::AlgorithmNotAllowed { .. } => "alg",
            Self::AlgorithmMismatch { .. } => "alg_of_key",
            Self::TokenType { .. } => "typ",
            Self::UnknownKey
            | Self::UnknownLocalKey
            | Self::UnusableKey { .. }
            | Self::TooManyCandidates { .. } => "kid",
            Self::Signature => "signature",
            Self::MissingClaim { .. } => "missing_claim",
            Self::Issuer { .. } | Self::UntrustedIssuer => "iss",
            Self::Audience { .. } => "aud",
            Self::Expired { .. } => "exp",
            Self::NotYetValid { .. } => "nbf",
            Self::IssuedInFuture { .. } => "iat",
            Self::LifetimeTooLong { .. } => "lifetime",
            Self::TooOld { .. } => "token_age",
            Self::RequiredClaim { .. } => "required_claim",
            Self::NotAnAccessToken { .. }
            | Self::NoAccessMark { .. }
            | Self::IdentityClaim { .. }
            | Self::LikeIdToken
            | Self::Indistinct { .. } => "access_token",
            Self::ClaimValue { .. } => "claim_value",
            Self::SenderConstrained => "cnf",
            Self::UnfitClaims { .. } => "claims",
        }
    }

    /// Returns the setting that controls this rule, if there is one.
    #[must_use]
    pub fn setting(&self) -> Option<&'static Setting> {
        Some(match self {
            Self::AlgorithmNotAllowed { .. } => settings::ALGORITHMS,
            Self::TokenType { .. }
            | Self::NotAnAccessToken { .. }
            | Self::NoAccessMark { .. }
            | Self::IdentityClaim { .. }
            | Self::LikeIdToken
            | Self::Indistinct { .. }
            | Self::ClaimValue { .. } => settings::PROFILE,
            Self::UnknownKey | Self::TooManyCandidates { .. } => settings::JWKS_URL,
            Self::Issuer { .. } | Self::UntrustedIssuer => settings::ISSUER,
            Self::Audience { .. } => settings::AUDIENCE,
            Self::Expired { .. } | Self::NotYetValid { .. } | Self::IssuedInFuture { .. } => {
                settings::LEEWAY
            }
            Self::LifetimeTooLong { .. } => settings::MAX_TOKEN_LIFETIME,
            Self::TooOld { .. } => settings::MAX_TOKEN_AGE,
            Self::RequiredClaim { .. } => settings::REQUIRED_CLAIMS,
            _ => return None,
        })
    }
}
