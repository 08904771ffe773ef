//! Readers of the claims that logout tokens and security event tokens share.

use std::time::Duration;

use crate::claims::NumericDate;
use crate::issuer::TrustedIssuer;
use crate::json::{Lenient, Members, Raw};

/// Returns the claims of a verified payload, which must name the issuer.
pub(super) fn claims_of<'p>(
    payload: &'p [u8],
    issuer: &TrustedIssuer,
) -> Result<Members<'p>, &'static str> {
    let text = std::str::from_utf8(payload).map_err(|_| "the payload is not UTF-8")?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|_| "the payload is not JSON")?;
    let raw = Raw::new(text);
    if !raw.is_object() {
        return Err("the payload is not a JSON object");
    }
    let claims = raw.members().map_err(|_| "a claim is duplicated")?;
    if string(&claims, "iss", "`iss` is not a string")?.as_deref() != Some(issuer.name()) {
        return Err("`iss` is not the issuer");
    }
    Ok(claims)
}

/// Returns a member that must be a string if it is present. `null` counts as absent.
pub(super) fn string(
    members: &Members<'_>,
    name: &str,
    otherwise: &'static str,
) -> Result<Option<String>, &'static str> {
    match members.get(name) {
        Some(member) if !member.is_null() => {
            member.string().map(|text| Some(text.0.into_owned())).ok_or(otherwise)
        }
        _ => Ok(None),
    }
}

/// Whether `aud` names one of ours.
pub(super) fn is_for(claims: &Members<'_>, ours: &[String]) -> Result<bool, &'static str> {
    let audience = claims.get("aud").ok_or("`aud` is absent")?;
    let audience = audience.strings().map_err(|_| "`aud` is not readable")?;
    if !matches!(audience, Lenient::Text(_) | Lenient::Texts(_)) {
        return Err("`aud` is neither a string nor an array of strings");
    }
    Ok(audience.strings().iter().any(|name| ours.iter().any(|own| *own == name.0)))
}

/// Returns a time that must be a number if it is present, since 1970.
pub(super) fn date(members: &Members<'_>, name: &str) -> Result<Option<Duration>, &'static str> {
    let member = members.get(name).filter(|member| !member.is_null());
    let date = member.map(|member| member.parse::<NumericDate>().ok_or("a time is not a date"));
    Ok(date.transpose()?.map(NumericDate::as_duration))
}

/// Returns `iat`, which must not be in the future.
pub(super) fn issued_at(
    claims: &Members<'_>,
    now: Duration,
    leeway: Duration,
) -> Result<Duration, &'static str> {
    let issued_at = date(claims, "iat")?.ok_or("`iat` is absent")?;
    if issued_at > now.saturating_add(leeway) {
        return Err("`iat` is in the future");
    }
    Ok(issued_at)
}

/// Returns `jti`.
pub(super) fn id_of(claims: &Members<'_>) -> Result<String, &'static str> {
    let id = string(claims, "jti", "`jti` is not a string")?.filter(|id| !id.is_empty());
    id.ok_or("`jti` is absent")
}

/// Returns the members of `events`.
pub(super) fn events<'c>(claims: &Members<'c>) -> Result<Members<'c>, &'static str> {
    let events = claims.get("events").filter(|events| events.is_object());
    let events = events.ok_or("`events` is not an object")?;
    events.members().map_err(|_| "a member of `events` is duplicated")
}
