//! Who is behind a request, by what a layer left in its extensions. For adapters: whether it is a
//! caller, nobody, or a service without a layer is decided here for all of them.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::anonymous::Anonymous;
use crate::authenticated::Authenticated;
use crate::foreign::Foreign;
use crate::maybe_ready::MaybeReady;
use crate::refusal::{Refusal, Site, Unreported, reported};
use crate::requirement::Requirement;

/// Whether the caller meets what a route requires: what every adapter's `Require` comes down to.
/// `who`, `anonymous` and `foreign` are what stands in the request's extensions; `site` is asked only for a
/// refusal, or where something must be fetched first.
///
/// # Errors
///
/// As [`required_caller`], and as [`Authenticated::require`]; then, where the route asks for it, 401
/// for a token that was revoked, 503 if the issuer cannot be asked now, and 500 if it has no
/// introspection.
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

/// The caller, where one is required. `who`, `anonymous` and `foreign` are what stands in the request's
/// extensions.
///
/// # Errors
///
/// 401 for an anonymous caller, and for a foreign credential. 500 where no layer left anything, with `remedy` in the log: nothing
/// is let through because of a forgotten layer.
pub fn required_caller<'e>(
    who: Option<&'e Authenticated>,
    anonymous: Option<&Anonymous>,
    foreign: Option<&Foreign>,
    remedy: &'static str,
    site: impl FnOnce() -> Site,
) -> Result<&'e Authenticated, Refusal> {
    required(who, anonymous, foreign, remedy).map_err(|refusal| refusal.at(&site()))
}

/// The caller, where none is required; `None` for an anonymous one.
///
/// # Errors
///
/// 401 for a foreign credential: one that nobody accepted must not look like none. 500 where no layer left
/// anything, with `remedy` in the log: neither must a forgotten layer.
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

/// The caller's claims, as [`Authenticated::claims`], with the request's site in the log.
///
/// # Errors
///
/// As [`Authenticated::claims`].
pub fn claims<C: DeserializeOwned>(
    who: &Authenticated,
    site: impl FnOnce() -> Site,
) -> Result<C, Refusal> {
    who.read_claims().map_err(|refusal| refusal.at(&site()))
}

/// The caller's claims, as [`Authenticated::shared_claims`], with the request's site in the log.
///
/// # Errors
///
/// As [`Authenticated::claims`].
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
