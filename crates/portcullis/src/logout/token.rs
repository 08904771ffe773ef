//! The claims of a logout token: OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6.

use std::time::Duration;

use super::claims::{claims_of, date, events, id_of, is_for, issued_at, string};
use crate::claims::NumericDate;
use crate::issuer::TrustedIssuer;
use crate::json::Members;
use crate::revocation::LogoutMatch;
use crate::revocation::feed::{Entry, Revocations, Target, rounded_up};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The time after its `iat` for which a token without `exp` is accepted. Hydra omits `exp`.
const WITHOUT_EXP: Duration = Duration::from_secs(300);

/// The time after its `iat` for which any token is accepted. Its `jti` must be stored for as long.
const AT_MOST: Duration = Duration::from_secs(3600);

/// What a verified logout token reports.
#[derive(Debug)]
pub(super) struct LogoutToken {
    target: Target,
    id: String,
    /// The time of the event, by the issuer's clock.
    at: u64,
    /// The time from which the token is no longer accepted.
    ends: u64,
}

impl LogoutToken {
    /// Checks the claims of a token whose signature is verified. Returns the reason if a claim is not
    /// acceptable.
    pub(super) fn check(
        payload: &[u8],
        issuer: &TrustedIssuer,
        now: NumericDate,
    ) -> Result<Self, &'static str> {
        let claims = claims_of(payload, issuer)?;
        if !is_for(&claims, &issuer.logout.clients)? {
            return Err("`aud` is none of the `logout_clients`");
        }
        if !events(&claims)?.get(EVENT).is_some_and(|event| event.is_object()) {
            return Err("`events` has no object for back-channel logout");
        }
        // ID tokens have a `nonce`. They must not be accepted as logout tokens.
        if claims.get("nonce").is_some() {
            return Err("`nonce` is present");
        }
        let (at, ends) = times(&claims, now, issuer.rules.leeway)?;
        let id = id_of(&claims)?;
        let session = string(&claims, "sid", "`sid` is not a string")?;
        let subject = string(&claims, "sub", "`sub` is not a string")?;
        let target = match (issuer.logout.matches, session, subject) {
            (LogoutMatch::Session, Some(session), _) => Target::Session(session),
            (_, _, Some(subject)) => Target::Subject(subject),
            (LogoutMatch::Session, None, None) => return Err("`sid` and `sub` are absent"),
            (LogoutMatch::Subject, _, None) => {
                return Err("`sub` is absent, and `logout_match` is `sub`");
            }
        };
        Ok(Self { target, id, at, ends })
    }

    /// Returns the entry for the event. The entry's ID is made from the token's `jti`, so that each
    /// token is accepted once.
    pub(super) fn entry(self, issuer: &TrustedIssuer, revocations: &Revocations) -> Entry {
        let issuer = issuer.name();
        let until = revocations.end_of(issuer, &self.target, self.at);
        let entry = Entry::new(issuer, self.target, self.at, until.max(self.ends));
        entry.reported_by(&["logout token", issuer, &self.id])
    }
}

/// Returns the time of the event and the end of the token's validity.
fn times(
    claims: &Members<'_>,
    now: NumericDate,
    leeway: Duration,
) -> Result<(u64, u64), &'static str> {
    let now = now.as_duration();
    let issued_at = issued_at(claims, now, leeway)?;
    let ends = match date(claims, "exp")? {
        Some(expires_at) => expires_at.min(issued_at.saturating_add(AT_MOST)),
        None => issued_at.saturating_add(WITHOUT_EXP),
    };
    let ends = ends.saturating_add(leeway);
    if now >= ends {
        return Err("the token has expired");
    }
    if date(claims, "nbf")?.is_some_and(|nbf| nbf > now.saturating_add(leeway)) {
        return Err("`nbf` is in the future");
    }
    Ok((rounded_up(issued_at), rounded_up(ends)))
}
