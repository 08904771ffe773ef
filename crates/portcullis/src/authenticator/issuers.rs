//! The issuers whose tokens are accepted, and which of them a token claims to be from.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use serde::de::MapAccess;

use super::issuer_settings::IssuerSettings;
use crate::clock::Clock;
use crate::error::TokenError;
use crate::issuer::TrustedIssuer;
use crate::json::{self, FromMembers, Member, Text};
use crate::jws::CompactJws;

/// How many issuers that were met at run time are kept, and how long unused.
const MAX_RESOLVED: u64 = 1000;
const IDLE: Duration = Duration::from_secs(3600);

/// Vouches for issuers that are only known at run time, such as one for each tenant.
///
/// ```
/// use portcullis::{IssuerSettings, config::IssuerResolver};
///
/// struct Tenants;
///
/// impl IssuerResolver for Tenants {
///     fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
///         // What a token says is nobody's word yet: look it up in what *you* know.
///         let known = ["https://a.tenants.example", "https://b.tenants.example"];
///         known.contains(&issuer).then(|| IssuerSettings::new(issuer, "https://api.example"))
///     }
/// }
/// ```
pub trait IssuerResolver: Send + Sync + 'static {
    /// The settings for the tokens of `issuer`, or `None` if it is not trusted.
    ///
    /// `issuer` is whatever the sender of a token wrote. The answer must come from a trusted set,
    /// at once and without I/O; it is kept while it is used, so a change is seen when the issuer
    /// has not been met for an hour. The keys are fetched when the first token needs them.
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings>;
}

pub(super) struct Issuers {
    configured: Vec<Arc<TrustedIssuer>>,
    resolved: Option<Resolved>,
}

struct Resolved {
    resolver: Arc<dyn IssuerResolver>,
    /// Bounded, since the names come from whoever sends tokens.
    met: Cache<String, Arc<TrustedIssuer>>,
    clock: Arc<dyn Clock>,
}

impl Issuers {
    pub(super) fn new(
        configured: Vec<Arc<TrustedIssuer>>,
        resolver: Option<Arc<dyn IssuerResolver>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let met = || Cache::builder().max_capacity(MAX_RESOLVED).time_to_idle(IDLE).build();
        let resolved = resolver.map(|resolver| Resolved { resolver, met: met(), clock });
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
        let met = self.resolved.iter().flat_map(|resolved| &resolved.met);
        self.configured.iter().cloned().chain(met.map(|(_, issuer)| issuer)).collect()
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

    fn claimed_in(&self, payload: &[u8]) -> Result<Arc<TrustedIssuer>, TokenError> {
        let claimed: Claimed<'_> =
            json::from_slice(payload).map_err(|_| TokenError::NotJson { part: "payload" })?;
        let Text(name) = claimed.iss.ok_or(TokenError::MissingClaim { name: "iss" })?;
        if let Some(issuer) = self.configured_as(&name) {
            return Ok(issuer.clone());
        }
        let resolved = self.resolved.as_ref().ok_or(TokenError::UntrustedIssuer)?;
        resolved.get(&name).ok_or(TokenError::UntrustedIssuer)
    }
}

impl Issuers {
    /// Whether `issuer` is still the one of its name: a resolver's answer is kept for a time only.
    pub(super) fn still_has(&self, issuer: &Arc<TrustedIssuer>) -> bool {
        let same = |other: &Arc<TrustedIssuer>| Arc::ptr_eq(other, issuer);
        self.configured.iter().any(same)
            || self
                .resolved
                .as_ref()
                .and_then(|resolved| resolved.met.get(issuer.name()))
                .is_some_and(|other| same(&other))
    }
}

impl Resolved {
    fn get(&self, name: &str) -> Option<Arc<TrustedIssuer>> {
        // One at a time makes an issuer: two would have two budgets.
        self.met.optionally_get_with_by_ref(name, || {
            match self.resolver.resolve(name)?.trusted_issuer(&self.clock) {
                Ok(issuer) if issuer.name() == name => Some(Arc::new(issuer)),
                Ok(issuer) => {
                    tracing::error!(
                        target: "portcullis",
                        resolved = issuer.name(),
                        "the resolver answered with another issuer than it was asked for",
                    );
                    None
                }
                Err(error) => {
                    tracing::error!(
                        target: "portcullis",
                        error = &error as &dyn std::error::Error,
                        "the resolver answered with settings that can not be right",
                    );
                    None
                }
            }
        })
    }
}

#[cfg(test)]
impl Issuers {
    /// As if no issuer had been met for an hour.
    pub(super) fn forget_met(&self) {
        self.resolved.iter().for_each(|resolved| resolved.met.invalidate_all());
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
}
