//! What can be wrong with a token, as the operator is told it. What the client is told is in
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

/// The rule that a token broke.
///
/// Its text and `Debug` name rules, settings and their configured values, never a value out of
/// the token. Only [`found`](Self::found) does, for the operator's log.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than any token should be.
    #[error("the token or its header is longer than {limit} bytes")]
    #[non_exhaustive]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not three parts separated by periods (RFC 7515 §7.1).
    #[error("the token is not a JWS in compact form")]
    NotCompact,
    /// Five parts: a JWE (RFC 7516).
    #[error("the token is encrypted (five parts: a JWE)")]
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
    /// A member name comes twice (RFC 7515 §4, RFC 7519 §4).
    #[error("the {part} has a member twice")]
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
    /// `exp`, `nbf` or `iat` is a number and no moment between 1970 and 9999.
    #[error("`{name}` is not a number of seconds between 1970 and 9999")]
    #[non_exhaustive]
    OutOfRange {
        /// The claim.
        name: &'static str,
    },
    /// A claim that a rule or the profile reads is present and cannot be read: it or a member in it comes
    /// twice, for example.
    #[error(transparent)]
    UnreadableClaim(UnreadableClaim),
    /// The issuer has revoked the token, or suspended it.
    #[error("the token was revoked")]
    Revoked,
    /// The issuer, when asked, says that the token is not active (RFC 7662). It does not say why.
    #[error("the issuer says that the token is not active")]
    Inactive,
    /// The route asks for the token's status, and the token names no list that has it.
    #[error("the token has no place in a status list of its issuer")]
    NoStatus,
    /// `crit` is present; no extension is understood (RFC 7515 §4.1.11).
    #[error("the header has `crit`")]
    CriticalHeader,
    /// `b64` is present (RFC 7797).
    #[error("the header has `b64`")]
    UnencodedPayload,
    /// `alg` is absent or is not an asymmetric signature algorithm that is known here.
    #[error("`alg` is not a known asymmetric algorithm")]
    UnknownAlgorithm,
    /// `alg` is not among the configured ones.
    #[error("`alg` is {algorithm}, which is not allowed")]
    #[non_exhaustive]
    AlgorithmNotAllowed {
        /// The token's algorithm.
        algorithm: Algorithm,
    },
    /// `typ` is not what the profile asks for (RFC 9068 §4, RFC 8725 §3.11).
    #[error("`typ` is not that of profile {profile}")]
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
    /// The issuer publishes a key with the token's `kid`, which cannot be used.
    #[error("the key with this `kid` cannot be used: {reason}")]
    #[non_exhaustive]
    UnusableKey {
        /// What a [`KeyError`](crate::keys::KeyError) says of it.
        reason: String,
    },
    /// The token has no `kid`, and more keys fit than are tried.
    #[error("no `kid`, and the issuer has more than {limit} keys for {algorithm}")]
    #[non_exhaustive]
    TooManyCandidates {
        /// The token's algorithm.
        algorithm: Algorithm,
        /// The maximum number of keys that are tried.
        limit: usize,
    },
    /// The key of that `kid` is for another algorithm (RFC 8725 §3.1).
    #[error("`alg` is {algorithm}, but the key of this `kid` is for {key_algorithm}")]
    #[non_exhaustive]
    AlgorithmMismatch {
        /// The token's algorithm.
        algorithm: Algorithm,
        /// The algorithm that the key is pinned to.
        key_algorithm: Algorithm,
    },
    /// The signature is wrong.
    #[error("the signature does not verify")]
    Signature,
    /// A compulsory claim is absent.
    #[error("`{name}` is absent")]
    #[non_exhaustive]
    MissingClaim {
        /// The claim.
        name: &'static str,
    },
    /// `iss` is another issuer.
    #[error("`iss` is not {expected:?}{}", found.difference())]
    #[non_exhaustive]
    Issuer {
        /// The configured issuer.
        expected: String,
        /// What the token says.
        found: Found,
    },
    /// `iss` is none of several issuers.
    #[error("`iss` is no issuer that is trusted here")]
    UntrustedIssuer,
    /// `aud` does not name this API.
    #[error("`aud` holds none of {expected:?}{}", found.difference())]
    #[non_exhaustive]
    Audience {
        /// The configured audiences.
        expected: Vec<String>,
        /// What the token says.
        found: Found,
    },
    /// `exp` has passed.
    #[error("`exp` passed {} ago", InSeconds(*.ago))]
    #[non_exhaustive]
    Expired {
        /// How long ago, the leeway not counted.
        ago: Duration,
    },
    /// `nbf` is still to come.
    #[error("`nbf` is {} ahead", InSeconds(*.ahead))]
    #[non_exhaustive]
    NotYetValid {
        /// How far it is ahead.
        ahead: Duration,
    },
    /// `iat` is still to come.
    #[error("`iat` is {} ahead", InSeconds(*.ahead))]
    #[non_exhaustive]
    IssuedInFuture {
        /// How far it is ahead.
        ahead: Duration,
    },
    /// The token was issued for longer than the configured maximum.
    #[error(
        "the token was issued for {}, which is longer than {}",
        InSeconds(*.lifetime), InSeconds(*.max)
    )]
    #[non_exhaustive]
    LifetimeTooLong {
        /// From `iat` to `exp`.
        lifetime: Duration,
        /// The configured maximum.
        max: Duration,
    },
    /// The token was issued longer ago than the configured maximum.
    #[error("the token was issued {} ago, which is longer than {}", InSeconds(*.age), InSeconds(*.max))]
    #[non_exhaustive]
    TooOld {
        /// Since `iat`, the leeway not counted.
        age: Duration,
        /// The configured maximum.
        max: Duration,
    },
    /// A claim is absent, or `null`, that this service requires.
    #[error("`{name}` is absent, and is required here")]
    #[non_exhaustive]
    RequiredClaim {
        /// The claim.
        name: String,
    },
    /// A mark of an ID token, logout token, refresh token or proof (RFC 8725 §3.12).
    #[error("not an access token: {mark}")]
    #[non_exhaustive]
    NotAnAccessToken {
        /// The mark.
        mark: &'static str,
    },
    /// The claims are absent that tell an access token of the profile: one that each has, or all of several
    /// of which each has one.
    #[error("not an access token of profile `{profile}`: {} absent", are(.claims))]
    #[non_exhaustive]
    NoAccessMark {
        /// The configured profile.
        profile: &'static str,
        /// The claims.
        claims: &'static [&'static str],
    },
    /// A claim is there that no access token of the profile has.
    #[error("not an access token of profile `{profile}`: it has `{name}`")]
    #[non_exhaustive]
    IdentityClaim {
        /// The configured profile.
        profile: &'static str,
        /// The claim.
        name: &'static str,
    },
    /// Nothing says what kind of token it is, and it is made like an ID token: `azp` is in `aud` or no
    /// string, `auth_time` is there, and no scope is there that can be read.
    #[error(
        "taken for an ID token: it has no `typ` that is known, its `azp` is in its `aud` or no string, it has \
         `auth_time` and no scope that can be read"
    )]
    LikeIdToken,
    /// The issuer of the profile makes access and ID tokens alike.
    #[error("nothing tells an access token of profile `{profile}` from an ID token")]
    #[non_exhaustive]
    Indistinct {
        /// The configured profile.
        profile: &'static str,
    },
    /// A claim has not the value that the profile expects of an access token.
    #[error("`{name}` is not {expected:?}")]
    #[non_exhaustive]
    ClaimValue {
        /// The claim.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// `cnf` binds the token to a key whose proof is not checked here (RFC 7800).
    #[error("`cnf` binds the token to a key, and its proof is not checked")]
    SenderConstrained,
    /// The claims do not fit the type that the handler asks for.
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

/// "`a`, `b` and `c` are", or "`a` is".
fn are(claims: &[&str]) -> String {
    let named: Vec<_> = claims.iter().map(|name| format!("`{name}`")).collect();
    match named.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last} are", first.join(", ")),
        one => format!("{} is", one.concat()),
    }
}

impl TokenError {
    /// The error of a `part` that is not read: `header` or `payload`.
    pub(crate) fn json(error: JsonError, part: &'static str) -> Self {
        match error {
            JsonError::NotAnObject => Self::NotJson { part },
            JsonError::DuplicateMember => Self::DuplicateMember { part },
            JsonError::WrongType(name) => Self::WrongType { name },
            JsonError::OutOfRange(name) => Self::OutOfRange { name },
        }
    }

    /// Whether the text is no JWS at all by its form: not three parts, or the first is not the base64url of
    /// a JSON object.
    pub(crate) fn is_of_form(&self) -> bool {
        matches!(
            self,
            Self::NotCompact
                | Self::Encrypted
                | Self::NotBase64Url { part: "header" }
                | Self::NotJson { part: "header" }
        )
    }

    /// Returns what the token has in the place of what is configured: its `iss` or `aud`, escaped and
    /// cut short. For the operator's log: no client may be shown it. There is one only where the token's
    /// signature held, and none where the issuer has another claim in the place of `aud`.
    #[must_use]
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Issuer { found, .. } | Self::Audience { found, .. } => Some(found),
            _ => None,
        }
        .filter(|found| found.is_shown())
    }

    /// A short, stable name of the rule, from a closed list: for logs and metric labels.
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

    /// The setting that decides this rule, where one does.
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
