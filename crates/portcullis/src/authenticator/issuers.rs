//! The accepted issuers, and the selection of one for a token.

mod made;
mod resolved;
mod resolver;

use std::sync::Arc;

use crate::clock::{Clock, Timestamp};
use crate::crypto::Provider;
use crate::error::TokenError;
use crate::issuer::TrustedIssuer;
use crate::json::{self, FromMembers, Member, Text};
use crate::jws::CompactJws;
use crate::request::RequestView;
use crate::revocation::feed::Revocations;

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
        revocations: Option<Revocations>,
        crypto: Option<Provider>,
    ) -> Self {
        let resolved = resolver.map(|resolver| Resolved::new(resolver, clock, revocations, crypto));
        Self { configured, resolved }
    }

    /// The issuers that the authenticator was built with.
    pub(super) fn configured(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.configured.iter().map(AsRef::as_ref)
    }

    pub(super) fn has_resolver(&self) -> bool {
        self.resolved.is_some()
    }

    /// Whether all issuers come from a resolver.
    pub(super) fn are_all_resolved(&self) -> bool {
        self.configured.is_empty()
    }

    fn configured_as(&self, name: &str) -> Option<&Arc<TrustedIssuer>> {
        self.configured.iter().find(|issuer| issuer.name() == name)
    }

    /// The configured issuers and the resolved ones.
    pub(super) fn all(&self) -> Vec<Arc<TrustedIssuer>> {
        let resolved = self.resolved.iter().flat_map(Resolved::all);
        self.configured.iter().cloned().chain(resolved).collect()
    }

    /// Records that a token of `issuer` was accepted, so that issuers named by forged tokens do not
    /// evict it. Returns the current issuer of its rule set; `None` if it is no longer trusted.
    pub(super) fn note_accepted(&self, issuer: &Arc<TrustedIssuer>) -> Option<Arc<TrustedIssuer>> {
        let Some(rule_set) = &issuer.rule_set else { return Some(issuer.clone()) };
        self.resolved.as_ref()?.note_accepted(rule_set, issuer)
    }

    /// The issuer that the token claims to be from. A single configured issuer is returned without
    /// reading `iss`. Otherwise, the unverified `iss` selects the issuer. In both cases, the claims
    /// check later compares the verified `iss` with the issuer. For resolved issuers, `request`
    /// takes part in the selection.
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

    /// Rejects a token that names another issuer, if only one issuer is accepted. A token with an
    /// unreadable payload is not rejected here.
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

    /// Whether an unverified payload names one of the trusted issuers, or is a JSON object that cannot
    /// be read.
    pub(super) fn may_name_ours(&self, payload: &[u8]) -> bool {
        match json::from_slice::<Claimed<'_>>(payload) {
            Ok(claimed) => claimed.iss.is_some_and(|Text(name)| self.is_ours(&name)),
            Err(_) => payload.trim_ascii_start().starts_with(b"{"),
        }
    }

    /// Returns the reason why the issuer in an unverified payload is not trusted. `None` if it is
    /// trusted, or if the payload is unreadable.
    ///
    /// Tokens of trusted issuers always have `iss`, so a token without it is foreign.
    pub(super) fn why_foreign(&self, payload: &[u8]) -> Option<TokenError> {
        let claimed: Claimed<'_> = json::from_slice(payload).ok()?;
        match claimed.iss {
            None => Some(TokenError::MissingClaim { name: "iss" }),
            Some(Text(name)) => (!self.is_ours(&name)).then_some(TokenError::UntrustedIssuer),
        }
    }

    fn is_ours(&self, name: &str) -> bool {
        self.configured_as(name).is_some()
            || self.resolved.as_ref().is_some_and(|resolved| resolved.is_ours(name))
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
    /// Whether the log may name `issuer`: it is a configured one, or one of its tokens was accepted. An
    /// unverified token cannot cause the name to be logged.
    pub(super) fn may_be_named(&self, issuer: &Arc<TrustedIssuer>) -> bool {
        self.in_resolved(issuer, Resolved::has_accepted)
    }

    /// Whether tokens of `issuer` with `request` are validated by this rule set.
    pub(super) fn has_selected(&self, issuer: &TrustedIssuer, request: &dyn RequestView) -> bool {
        self.in_resolved(issuer, |resolved, rule_set| {
            resolved.selects(rule_set, issuer.name(), request)
        })
    }

    /// Whether `issuer` is still the current one of its rule set: a resolver's answer is valid for
    /// a limited time.
    pub(super) fn still_has(
        &self,
        issuer: &Arc<TrustedIssuer>,
        now: impl FnOnce() -> Timestamp,
    ) -> bool {
        self.in_resolved(issuer, |resolved, rule_set| {
            resolved.known(rule_set, now()).is_some_and(|current| Arc::ptr_eq(&current, issuer))
        })
    }

    /// Forgets the resolver's answer for `rule_set`.
    pub(super) fn forget(&self, rule_set: &str) {
        if let Some(resolved) = &self.resolved {
            resolved.forget(rule_set);
        }
    }

    /// Applies `says` to the rule set of `issuer`. `true` for a configured issuer, which has no
    /// rule set and never changes.
    fn in_resolved(
        &self,
        issuer: &TrustedIssuer,
        says: impl FnOnce(&Resolved, &str) -> bool,
    ) -> bool {
        let Some(rule_set) = &issuer.rule_set else { return true };
        self.resolved.as_ref().is_some_and(|resolved| says(resolved, rule_set))
    }
}

#[derive(Default)]
struct Claimed<'a> {
    iss: Option<Text<'a>>,
}

impl<'de> FromMembers<'de> for Claimed<'de> {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
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
