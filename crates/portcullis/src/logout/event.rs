//! The claims of a security event token: RFC 8417, as the Shared Signals Framework 1.0 profiles it,
//! with events of the Continuous Access Evaluation Profile (CAEP) 1.0.

use std::time::Duration;

use super::claims::{claims_of, date, events, id_of, is_for, issued_at, string};
use super::response::Reason;
use crate::claims::NumericDate;
use crate::issuer::TrustedIssuer;
use crate::json::{Members, Raw};
use crate::revocation::LogoutMatch;
use crate::revocation::feed::{Entry, Revocations, Target, rounded_up};

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CREDENTIAL_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";

/// How long after its `iat` a token is accepted, unless the issuer's access tokens live longer.
const AT_LEAST: Duration = Duration::from_secs(3600);

/// What a verified security event token reports.
#[derive(Debug)]
pub(super) struct SecurityEvent {
    target: Target,
    id: String,
    /// The time of the event, by the issuer's clock.
    at: u64,
}

/// What `sub_id` names.
#[derive(Debug, Default)]
struct Named {
    session: Option<String>,
    user: Option<String>,
}

impl SecurityEvent {
    /// Checks the claims of a token whose signature is verified. Returns `None` for an acceptable
    /// event that revokes nothing. `lifetime` bounds how long access tokens are accepted.
    pub(super) fn check(
        payload: &[u8],
        issuer: &TrustedIssuer,
        lifetime: Duration,
        now: NumericDate,
    ) -> Result<Option<Self>, Reason> {
        let claims = claims_of(payload, issuer)?;
        if !is_for(&claims, &issuer.logout.event_audiences)? {
            return Err(Reason::audience("`aud` is none of the `event_audiences`"));
        }
        // Shared Signals Framework §4.1: access and ID tokens have both.
        if claims.get("exp").is_some() || claims.get("sub").is_some() {
            return Err("`exp` or `sub` is present".into());
        }
        let (now, leeway) = (now.as_duration(), issuer.rules.leeway);
        let issued_at = issued_at(&claims, now, leeway)?;
        if now > issued_at.saturating_add(lifetime.max(AT_LEAST)).saturating_add(leeway) {
            return Err("the token is older than any access token that it could revoke".into());
        }
        let id = id_of(&claims)?;
        let events = events(&claims)?;
        let (revoked, changed) = (events.get(SESSION_REVOKED), events.get(CREDENTIAL_CHANGE));
        let event = match (revoked, changed) {
            (Some(_), Some(_)) => return Err("`events` has two events".into()),
            (Some(event), None) | (None, Some(event)) => event,
            (None, None) if events.values().next().is_none() => {
                return Err("`events` is empty".into());
            }
            (None, None) => return Ok(None),
        };
        if !event.is_object() {
            return Err("the event is not an object".into());
        }
        let event = event.members().map_err(|_| "a member of the event is duplicated")?;
        if changed.is_some() && !ends_sessions(&event)? {
            return Ok(None);
        }
        let at = date(&event, "event_timestamp")?.unwrap_or(issued_at);
        if at > now.saturating_add(leeway) {
            return Err("`event_timestamp` is in the future; it must be in seconds".into());
        }
        let subject = claims.get("sub_id").ok_or("`sub_id` is absent")?;
        let named = Named::by(subject, issuer)?;
        let target = named.target(changed.is_some(), issuer.logout.matches)?;
        Ok(Some(Self { target, id, at: rounded_up(at) }))
    }

    /// The entry for the event. A token that is delivered again has the same.
    pub(super) fn entry(self, issuer: &TrustedIssuer, revocations: &Revocations) -> Entry {
        let Self { target, id, at } = self;
        let issuer = issuer.name();
        let until = revocations.end_of(issuer, &target, at);
        let (kind, value) = (target.kind(), target.value().to_owned());
        let entry = Entry::new(issuer, target, at, until);
        entry.reported_by(&["security event token", issuer, &id, kind, &value])
    }
}

/// Whether a change of a credential ends the sessions that it may have opened: all but a new one.
fn ends_sessions(event: &Members<'_>) -> Result<bool, &'static str> {
    let change = string(event, "change_type", "`change_type` is not a string")?;
    match change.as_deref() {
        Some("revoke" | "update" | "delete") => Ok(true),
        Some("create") => Ok(false),
        _ => Err("`change_type` is absent or unknown"),
    }
}

impl Named {
    /// Reads a subject identifier (RFC 9493 §3; `complex` is of the Shared Signals Framework).
    fn by(subject: Raw<'_>, issuer: &TrustedIssuer) -> Result<Self, &'static str> {
        let (format, members) = read(subject)?;
        match &*format {
            "iss_sub" => Ok(Self { user: Some(user(&members, issuer)?), ..Self::default() }),
            "opaque" => Ok(Self { session: Some(session(&members)?), ..Self::default() }),
            "complex" => {
                let mut named = Self::default();
                if let Some(member) = members.get("session") {
                    let (format, members) = read(member)?;
                    if format != "opaque" {
                        return Err("the `format` of the `session` is not `opaque`");
                    }
                    named.session = Some(session(&members)?);
                }
                if let Some(member) = members.get("user") {
                    let (format, members) = read(member)?;
                    named.user =
                        if format == "iss_sub" { Some(user(&members, issuer)?) } else { None };
                }
                Ok(named)
            }
            _ => Ok(Self::default()),
        }
    }

    fn target(self, needs_user: bool, matches: LogoutMatch) -> Result<Target, &'static str> {
        match (self.session, self.user) {
            (Some(session), _) if !needs_user && matches == LogoutMatch::Session => {
                Ok(Target::Session(session))
            }
            (_, Some(user)) => Ok(Target::Subject(user)),
            (Some(_), None) => Err(
                "`sub_id` names no user, which `credential-change` and `logout_match` = `sub` need",
            ),
            (None, None) => Err("`sub_id` names no user by `iss_sub`, and no session by `opaque`"),
        }
    }
}

/// Returns the format and the members of a subject identifier.
fn read(subject: Raw<'_>) -> Result<(String, Members<'_>), &'static str> {
    if !subject.is_object() {
        return Err("a subject identifier is not an object");
    }
    let members =
        subject.members().map_err(|_| "a member of a subject identifier is duplicated")?;
    let format = string(&members, "format", "`format` is not a string")?;
    Ok((format.ok_or("a subject identifier has no `format`")?, members))
}

fn user(members: &Members<'_>, issuer: &TrustedIssuer) -> Result<String, &'static str> {
    if string(members, "iss", "`iss` is not a string")?.as_deref() != Some(issuer.name()) {
        return Err("the user is of another issuer");
    }
    let user = string(members, "sub", "`sub` of the user is not a string")?;
    user.ok_or("`sub` of the user is absent")
}

fn session(members: &Members<'_>) -> Result<String, &'static str> {
    let session = string(members, "id", "`id` of the session is not a string")?;
    session.ok_or("`id` of the session is absent")
}
