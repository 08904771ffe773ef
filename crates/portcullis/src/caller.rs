//! The caller of a request, as stored by a layer in the request's extensions. All adapters share these
//! functions, so they all treat a caller, an anonymous request and a service without a layer in the
//! same way.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::anonymous::Anonymous;
use crate::authenticated::Authenticated;
use crate::foreign::Foreign;
use crate::maybe_ready::MaybeReady;
use crate::refusal::{Refusal, Site, Unreported, reported};
use crate::requirement::Requirement;

/// Checks that the caller meets what a route requires.
///
/// Every adapter's `Require` calls it. `who`, `anonymous` and `foreign` are from the request's
/// extensions. `site` is called only for a refusal, or if something must be fetched first.
///
/// # Errors
///
/// The errors are those of [`required_caller`] and [`Authenticated::require`]. If the route
/// requires the revocation status, also 401 for a revoked token, 503 if the status is unavailable,
/// and 500 if introspection is not configured for the issuer.
pub fn admit(
    who: Option<&Authenticated>,
    anonymous: Option<&Anonymous>,
    foreign: Option<&Foreign>,
    requirement: &Requirement,
    remedy: &'static str,
    site: impl FnOnce() -> Site,
) -> MaybeReady<Result<(), Refusal>> {
    let met = required(who, anonymous, foreign, remedy).and_then(|who| {
        let policy = requirement.policy.as_ref();
        policy.map_or(Ok(()), |policy| who.meets(policy)).map(|()| who)
    });
    let admitted = match met {
        Ok(who) => who.stands(requirement.revocation.means()),
        Err(refusal) => MaybeReady::Ready(Err(refusal)),
    };
    reported(admitted, site)
}

/// Returns the caller, for a handler that requires one. `who`, `anonymous` and `foreign` are from
/// the request's extensions.
///
/// # Errors
///
/// 401 for an anonymous caller, and for a foreign credential. 500 if no layer stored anything, with
/// `remedy` in the log: a forgotten layer must not let requests through.
pub fn required_caller<'e>(
    who: Option<&'e Authenticated>,
    anonymous: Option<&Anonymous>,
    foreign: Option<&Foreign>,
    remedy: &'static str,
    site: impl FnOnce() -> Site,
) -> Result<&'e Authenticated, Refusal> {
    required(who, anonymous, foreign, remedy).map_err(|refusal| refusal.at(&site()))
}

/// Returns the caller, for a handler with an optional one; `None` for an anonymous caller.
///
/// # Errors
///
/// 401 for a foreign credential: a credential that no code accepted is not the same as no
/// credential. 500 if no layer stored anything, with `remedy` in the log: a forgotten layer is not
/// the same as a request without a token.
pub fn optional_caller<'e>(
    who: Option<&'e Authenticated>,
    anonymous: Option<&Anonymous>,
    foreign: Option<&Foreign>,
    remedy: &'static str,
    site: impl FnOnce() -> Site,
) -> Result<Option<&'e Authenticated>, Refusal> {
    match (who, anonymous, foreign) {
        (None, Some(_), None) => Ok(None),
        _ => required_caller(who, anonymous, foreign, remedy, site).map(Some),
    }
}

/// Returns the caller's claims, like [`Authenticated::claims`], with the request's method and route
/// (`site`) in the log.
///
/// # Errors
///
/// The errors are those of [`Authenticated::claims`].
pub fn claims<C: DeserializeOwned>(
    who: &Authenticated,
    site: impl FnOnce() -> Site,
) -> Result<C, Refusal> {
    who.read_claims().map_err(|refusal| refusal.at(&site()))
}

/// Returns the caller's claims, like [`Authenticated::shared_claims`], with the request's method
/// and route (`site`) in the log.
///
/// # Errors
///
/// The errors are those of [`Authenticated::claims`].
pub fn shared_claims<C: DeserializeOwned + Send + Sync + 'static>(
    who: &Authenticated,
    site: impl FnOnce() -> Site,
) -> Result<Arc<C>, Refusal> {
    who.read_shared_claims().map_err(|refusal| refusal.at(&site()))
}

fn required<'e>(
    who: Option<&'e Authenticated>,
    anonymous: Option<&Anonymous>,
    foreign: Option<&Foreign>,
    remedy: &'static str,
) -> Result<&'e Authenticated, Unreported> {
    match (who, foreign, anonymous) {
        (Some(who), _, _) => Ok(who),
        (None, Some(foreign), _) => Err(foreign.refused()),
        (None, None, Some(anonymous)) => Err(anonymous.refused()),
        (None, None, None) => Err(Unreported::past_all_layers(remedy)),
    }
}
