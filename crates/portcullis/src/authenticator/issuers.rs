//! The issuers whose tokens are accepted, and which of them a token claims to be from.

mod resolved;
mod resolver;

use std::sync::Arc;

use serde::de::MapAccess;

use super::Authenticator;
use crate::clock::{Clock, Timestamp};
use crate::error::TokenError;
use crate::issuer::TrustedIssuer;
use crate::json::{self, FromMembers, Member, Text};
use crate::jws::CompactJws;
use crate::request::RequestView;

use resolved::Resolved;

pub use resolver::IssuerResolver;

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

    /// Whether there are no others than those that a resolver answers with.
    pub(super) fn are_all_resolved(&self) -> bool {
        self.configured.is_empty()
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
        let Some(rule_set) = &issuer.rule_set else { return Some(issuer.clone()) };
        self.resolved.as_ref()?.note_accepted(rule_set, issuer)
    }

    /// The issuer whose token this claims to be. Where there is only one, that is its signature's
    /// and its claims' business; else `iss` is looked at, which is not trusted yet: the claims
    /// that the signature covers are compared with the same issuer afterwards. Of the issuers that a
    /// resolver answers with, `request` decides, too.
    pub(super) fn of(
        &self,
        jws: &CompactJws<'_>,
        request: &dyn RequestView,
    ) -> Result<Arc<TrustedIssuer>, TokenError> {
        if let ([only], None) = (self.configured.as_slice(), &self.resolved) {
            return Ok(only.clone());
        }
        jws.peek(|payload| self.claimed_in(payload, request))?
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
    /// be read. Whatever a resolver selects a rule set for that it answers for, usable or not, is ours.
    ///
    /// Tokens of our issuers always have `iss`: one without it is another's.
    pub(super) fn why_foreign(
        &self,
        payload: &[u8],
        request: &dyn RequestView,
    ) -> Option<TokenError> {
        let claimed: Claimed<'_> = json::from_slice(payload).ok()?;
        let Some(Text(name)) = claimed.iss else {
            return Some(TokenError::MissingClaim { name: "iss" });
        };
        let is_ours = self.configured_as(&name).is_some()
            || self.resolved.as_ref().is_some_and(|resolved| resolved.answers_for(&name, request));
        (!is_ours).then_some(TokenError::UntrustedIssuer)
    }

    fn claimed_in(
        &self,
        payload: &[u8],
        request: &dyn RequestView,
    ) -> Result<Arc<TrustedIssuer>, TokenError> {
        let claimed: Claimed<'_> =
            json::from_slice(payload).map_err(|error| TokenError::json(error, "payload"))?;
        let Text(name) = claimed.iss.ok_or(TokenError::MissingClaim { name: "iss" })?;
        if let Some(issuer) = self.configured_as(&name) {
            return Ok(issuer.clone());
        }
        let resolved = self.resolved.as_ref().ok_or(TokenError::UntrustedIssuer)?;
        resolved.of(&name, request).ok_or(TokenError::UntrustedIssuer)
    }
}

impl Issuers {
    /// Whether the log may name `issuer`: it was named at the start, or one of its tokens was accepted. An
    /// unverified token alone writes no name into the log.
    pub(super) fn may_be_named(&self, issuer: &Arc<TrustedIssuer>) -> bool {
        self.in_resolved(issuer, Resolved::has_accepted)
    }

    /// Whether tokens of `issuer` are judged by these rules when they come with `request`.
    pub(super) fn has_selected(&self, issuer: &TrustedIssuer, request: &dyn RequestView) -> bool {
        self.in_resolved(issuer, |resolved, rule_set| {
            resolved.selects(rule_set, issuer.name(), request)
        })
    }

    /// Whether `issuer` is still the one of its rule set: a resolver's answer is kept for a time only.
    pub(super) fn still_has(
        &self,
        issuer: &Arc<TrustedIssuer>,
        now: impl FnOnce() -> Timestamp,
    ) -> bool {
        self.in_resolved(issuer, |resolved, rule_set| {
            resolved.known(rule_set, now()).is_some_and(|current| Arc::ptr_eq(&current, issuer))
        })
    }

    /// What the resolved issuers say to the rule set of `issuer`; an issuer that was named at the start
    /// has none, and stays.
    fn in_resolved(
        &self,
        issuer: &TrustedIssuer,
        says: impl FnOnce(&Resolved, &str) -> bool,
    ) -> bool {
        let Some(rule_set) = &issuer.rule_set else { return true };
        self.resolved.as_ref().is_some_and(|resolved| says(resolved, rule_set))
    }
}

impl Authenticator {
    /// Forgets what the [`IssuerResolver`] has answered for `rule_set`: its next token asks the resolver
    /// again, whether or not the token was accepted before. Call it when a tenant is offboarded, or
    /// when its settings have changed.
    ///
    /// `rule_set` is what [`IssuerResolver::select`] has named: the issuer, unless the resolver selects
    /// by more. An issuer that was named at the start is not forgotten.
    pub fn forget(&self, rule_set: &str) {
        if let Some(resolved) = &self.0.issuers.resolved {
            resolved.forget(rule_set);
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
