//! The claims of a logout token: OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6.

use std::time::Duration;

use crate::claims::NumericDate;
use crate::issuer::TrustedIssuer;
use crate::json::{Lenient, Members, Raw};
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
        let text = std::str::from_utf8(payload).map_err(|_| "the payload is not UTF-8")?;
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|_| "the payload is not JSON")?;
        let raw = Raw::new(text);
        if !raw.is_object() {
            return Err("the payload is not a JSON object");
        }
        let claims = raw.members().map_err(|_| "a claim is duplicated")?;
        if string(&claims, "iss", "`iss` is not a string")?.as_deref() != Some(issuer.name()) {
            return Err("`iss` is not the issuer");
        }
        check_audience(&claims, &issuer.logout.clients)?;
        check_event(&claims)?;
        // ID tokens have a `nonce`. They must not be accepted as logout tokens.
        if claims.get("nonce").is_some() {
            return Err("`nonce` is present");
        }
        let (at, ends) = times(&claims, now, issuer.rules.leeway)?;
        let id = string(&claims, "jti", "`jti` is not a string")?.filter(|id| !id.is_empty());
        let id = id.ok_or("`jti` is absent")?;
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
        let until = match self.target {
            Target::Session(_) => revocations.end_of_session(issuer, self.at),
            _ => revocations.end_of_tokens(issuer, self.at),
        };
        let entry = Entry::new(issuer, self.target, self.at, until.max(self.ends));
        entry.reported_by(&["logout token", issuer, &self.id])
    }
}

/// Returns a claim that must be a string if it is present. `null` counts as absent.
fn string(
    claims: &Members<'_>,
    name: &str,
    otherwise: &'static str,
) -> Result<Option<String>, &'static str> {
    match claims.get(name) {
        Some(claim) if !claim.is_null() => {
            claim.string().map(|text| Some(text.0.into_owned())).ok_or(otherwise)
        }
        _ => Ok(None),
    }
}

fn check_audience(claims: &Members<'_>, clients: &[String]) -> Result<(), &'static str> {
    let audience = claims.get("aud").ok_or("`aud` is absent")?;
    let audience = audience.strings().map_err(|_| "`aud` is not readable")?;
    let is_ours = |name: &str| clients.iter().any(|client| client == name);
    if !matches!(audience, Lenient::Text(_) | Lenient::Texts(_)) {
        return Err("`aud` is neither a string nor an array of strings");
    }
    if audience.strings().iter().any(|name| is_ours(&name.0)) {
        Ok(())
    } else {
        Err("`aud` is none of the `logout_clients`")
    }
}

fn check_event(claims: &Members<'_>) -> Result<(), &'static str> {
    let events = claims.get("events").filter(|events| events.is_object());
    let events = events.ok_or("`events` is not an object")?;
    let events = events.members().map_err(|_| "a member of `events` is duplicated")?;
    match events.get(EVENT) {
        Some(event) if event.is_object() => Ok(()),
        _ => Err("`events` has no object for back-channel logout"),
    }
}

/// Returns the time of the event and the end of the token's validity.
fn times(
    claims: &Members<'_>,
    now: NumericDate,
    leeway: Duration,
) -> Result<(u64, u64), &'static str> {
    let now = now.as_duration();
    let date = |name| {
        let claim = claims.get(name).filter(|claim| !claim.is_null());
        claim.map(|claim| claim.parse::<NumericDate>().ok_or("a time is not a date")).transpose()
    };
    let issued_at = date("iat")?.ok_or("`iat` is absent")?.as_duration();
    if issued_at > now.saturating_add(leeway) {
        return Err("`iat` is in the future");
    }
    let ends = match date("exp")? {
        Some(expires_at) => expires_at.as_duration().min(issued_at.saturating_add(AT_MOST)),
        None => issued_at.saturating_add(WITHOUT_EXP),
    };
    let ends = ends.saturating_add(leeway);
    if now >= ends {
        return Err("the token has expired");
    }
    if date("nbf")?.is_some_and(|nbf| nbf.as_duration() > now.saturating_add(leeway)) {
        return Err("`nbf` is in the future");
    }
    Ok((rounded_up(issued_at), rounded_up(ends)))
}
