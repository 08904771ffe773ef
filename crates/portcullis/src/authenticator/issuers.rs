//! The issuers whose tokens are accepted, and which of them a token claims to be from.

mod resolved;

use std::sync::Arc;

use serde::de::MapAccess;

use super::Authenticator;
use crate::clock::{Clock, Timestamp};
use crate::error::TokenError;
use crate::issuer::TrustedIssuer;
use crate::json::{self, FromMembers, Member, Text};
use crate::jws::CompactJws;

use resolved::Resolved;

pub use resolved::IssuerResolver;

pub(super) struct Issuers {
    configured: Vec<Arc<TrustedIssuer>>,
    resolved: Option<Resolved>,
}

impl Issuers {
    pub(super) fn new(
        configured: Vec<Arc<TrustedIssuer>>,
        resolver: Option<Arc<dyn IssuerResolver>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let resolved = resolver.map(|resolver| Resolved::new(resolver, clock));
        Self { configured, resolved }
    }

    /// Those that were named at the start.
    pub(super) fn configured(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.configured.iter().map(AsRef::as_ref)
    }

    fn configured_as(&self, name: &str) -> Option<&Arc<TrustedIssuer>> {
        self.configured.iter().find(|issuer| issuer.name() == name)
    }

    /// All that have keys now.
    pub(super) fn all(&self) -> Vec<Arc<TrustedIssuer>> {
        let resolved = self.resolved.iter().flat_map(Resolved::all);
        self.configured.iter().cloned().chain(resolved).collect()
    }

    /// Notes that a token of `issuer` was accepted: issuers that forged tokens name must not evict it.
    /// The answer is the issuer that its caller is of; `None` if it is not trusted any more.
    pub(super) fn note_accepted(&self, issuer: &Arc<TrustedIssuer>) -> Option<Arc<TrustedIssuer>> {
        match &self.resolved {
            Some(resolved)
                if !self.configured.iter().any(|configured| Arc::ptr_eq(configured, issuer)) =>
            {
                resolved.note_accepted(issuer)
            }
            _ => Some(issuer.clone()),
        }
    }

    /// The issuer whose token this claims to be. Where there is only one, that is its signature's
    /// and its claims' business; else `iss` is looked at, which is not trusted yet: the claims
    /// that the signature covers are compared with the same issuer afterwards.
    pub(super) fn of(&self, jws: &CompactJws<'_>) -> Result<Arc<TrustedIssuer>, TokenError> {
        if let ([only], None) = (self.configured.as_slice(), &self.resolved) {
            return Ok(only.clone());
        }
        jws.peek(|payload| self.claimed_in(payload))?
    }

    /// Refuses a token that claims to be from another issuer than the only one that there is. What cannot
    /// be read claims nothing.
    pub(super) fn check_claimed(
        &self,
        jws: &CompactJws<'_>,
        issuer: &TrustedIssuer,
    ) -> Result<(), TokenError> {
        let is_another = jws.peek(|payload| {
            let claimed = json::from_slice::<Claimed<'_>>(payload).ok();
            claimed.and_then(|claimed| claimed.iss).is_some_and(|Text(name)| name != issuer.name())
        })?;
        if is_another { Err(TokenError::UntrustedIssuer) } else { Ok(()) }
    }

    /// Why the issuer that an unverified payload names is none of ours. `None` if it is ours, or cannot
    /// be read. Whatever a resolver answers for, usable or not, is ours.
    ///
    /// Tokens of our issuers always have `iss`: one without it is another's.
    pub(super) fn why_foreign(&self, payload: &[u8]) -> Option<TokenError> {
        let claimed: Claimed<'_> = json::from_slice(payload).ok()?;
        let Some(Text(name)) = claimed.iss else {
            return Some(TokenError::MissingClaim { name: "iss" });
        };
        let is_ours = self.configured_as(&name).is_some()
            || self.resolved.as_ref().is_some_and(|resolved| resolved.answers_for(&name));
        (!is_ours).then_some(TokenError::UntrustedIssuer)
    }

    fn claimed_in(&self, payload: &[u8]) -> Result<Arc<TrustedIssuer>, TokenError> {
        let claimed: Claimed<'_> =
            json::from_slice(payload).map_err(|error| TokenError::json(error, "payload"))?;
        let Text(name) = claimed.iss.ok_or(TokenError::MissingClaim { name: "iss" })?;
        if let Some(issuer) = self.configured_as(&name) {
            return Ok(issuer.clone());
        }
        let resolved = self.resolved.as_ref().ok_or(TokenError::UntrustedIssuer)?;
        resolved.get(&name).ok_or(TokenError::UntrustedIssuer)
    }
}

impl Issuers {
    /// Whether the log may name `issuer`: it was named at the start, or one of its tokens was accepted. An
    /// unverified token alone writes no name into the log.
    pub(super) fn may_be_named(&self, issuer: &Arc<TrustedIssuer>) -> bool {
        self.configured.iter().any(|other| Arc::ptr_eq(other, issuer))
            || self.resolved.as_ref().is_some_and(|resolved| resolved.has_accepted(issuer.name()))
    }

    /// Whether `issuer` is still the one of its name: a resolver's answer is kept for a time only.
    pub(super) fn still_has(
        &self,
        issuer: &Arc<TrustedIssuer>,
        now: impl FnOnce() -> Timestamp,
    ) -> bool {
        let same = |other: &Arc<TrustedIssuer>| Arc::ptr_eq(other, issuer);
        self.configured.iter().any(same)
            || self
                .resolved
                .as_ref()
                .and_then(|resolved| resolved.known(issuer.name(), now()))
                .is_some_and(|other| same(&other))
    }
}

impl Authenticator {
    /// Forgets what the [`IssuerResolver`] has answered for `issuer`: its next token asks the resolver
    /// again, whether or not the token was accepted before. Call it when a tenant is offboarded.
    ///
    /// An issuer that was named at the start is not forgotten.
    pub fn forget(&self, issuer: &str) {
        if let Some(resolved) = &self.0.issuers.resolved {
            resolved.forget(issuer);
        }
    }
}

#[derive(Default)]
struct Claimed<'a> {
    iss: Option<Text<'a>>,
}

impl<'de> FromMembers<'de> for Claimed<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        member: Member<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "iss" => self.iss = Some(member.read("iss")?),
            _ => member.skip()?,
        }
        Ok(())
    }

    fn repeated(&mut self, name: &str) -> bool {
        name != "iss"
    }
}
