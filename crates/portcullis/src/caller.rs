//! Who is behind a request, by what a layer left in its extensions. For adapters: whether it is a
//! caller, nobody, or a service without a layer is decided here for all of them.

use crate::anonymous::Anonymous;
use crate::authenticated::Authenticated;
use crate::policy::Policy;
use crate::refusal::Refusal;

/// Whether the caller meets `policy`: what every adapter's `Require` comes down to. `who` and
/// `anonymous` are what stands in the request's extensions.
///
/// # Errors
///
/// As [`required_caller`], and as [`Authenticated::require`].
pub fn admit(
    who: Option<&Authenticated>,
    anonymous: Option<&Anonymous>,
    policy: &Policy,
    remedy: &'static str,
) -> Result<(), Refusal> {
    required_caller(who, anonymous, remedy)?.require(policy)
}

/// The caller, where one is required. `who` and `anonymous` are what stands in the request's
/// extensions.
///
/// # Errors
///
/// 401 for an anonymous caller. 500 where no layer left anything, with `remedy` in the log: nothing
/// is let through because of a forgotten layer.
pub fn required_caller<'e>(
    who: Option<&'e Authenticated>,
    anonymous: Option<&Anonymous>,
    remedy: &'static str,
) -> Result<&'e Authenticated, Refusal> {
    match (who, anonymous) {
        (Some(who), _) => Ok(who),
        (None, Some(anonymous)) => Err(anonymous.refusal()),
        (None, None) => Err(Refusal::misconfigured(remedy)),
    }
}

/// The caller, where none is required; `None` for an anonymous one.
///
/// # Errors
///
/// 500 where no layer left anything, with `remedy` in the log: a forgotten layer must not look like
/// a caller without a token.
pub fn optional_caller<'e>(
    who: Option<&'e Authenticated>,
    anonymous: Option<&Anonymous>,
    remedy: &'static str,
) -> Result<Option<&'e Authenticated>, Refusal> {
    match (who, anonymous) {
        (None, Some(_)) => Ok(None),
        (who, anonymous) => required_caller(who, anonymous, remedy).map(Some),
    }
}
