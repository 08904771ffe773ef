//! The outcome of a gate or an authenticator for a request. Tests use these functions, so that only
//! this module depends on how an outcome is represented.

use crate::authenticated::Authenticated;
use crate::authenticator::Authenticator;
use crate::error::TokenError;
use crate::gate::{Gate, Visitor};
use crate::maybe_ready::{Answer, MaybeReady};
use crate::refusal::{Refusal, RefusalKind};
use crate::request::RequestView;

/// An outcome that is known now, or a future that returns it.
pub type Now<T> = Result<T, Answer<T>>;

/// Returns the outcome of `gate` for `request`, after any fetches.
///
/// # Errors
///
/// The refusal, if the request is rejected.
pub async fn verdict(
    gate: &Gate,
    request: &(impl RequestView + ?Sized),
) -> Result<Visitor, Refusal> {
    gate.enter(request).await
}

/// Returns the outcome of `gate` for `request`, if everything that it needs is in memory.
///
/// # Errors
///
/// A future that returns the outcome, if a key, a status list or an introspection response must be
/// fetched first.
pub fn verdict_now(
    gate: &Gate,
    request: &(impl RequestView + ?Sized),
) -> Now<Result<Visitor, Refusal>> {
    now(gate.enter(request))
}

/// Returns the outcome of `auth` for `request`, if everything that it needs is in memory: the
/// caller, or `None` for a request without a token.
///
/// # Errors
///
/// A future that returns the outcome, if a key must be fetched first.
pub fn attempt_now(
    auth: &Authenticator,
    request: &(impl RequestView + ?Sized),
) -> Now<Result<Option<Authenticated>, Refusal>> {
    now(auth.attempt(request))
}

/// Returns the outcome of `auth` for `request` as one word: `accepted`, the rule that rejects the
/// token ([`TokenError::rule`]), or the kind of a refusal that is not about a token
/// ([`RefusalKind::as_str`]).
pub async fn rule(auth: &Authenticator, request: &(impl RequestView + ?Sized)) -> &'static str {
    word(&auth.authenticate(request).await)
}

/// Like [`rule`], but for a gate, and including its revocation check.
pub async fn gate_rule(gate: &Gate, request: &(impl RequestView + ?Sized)) -> &'static str {
    word(&gate.authenticate(request).await)
}

/// Like [`rule`], for a token without a request.
pub async fn token_rule(gate: &Gate, token: &str) -> &'static str {
    word(&gate.authenticate_token(token).await)
}

fn word(verdict: &Result<Authenticated, Refusal>) -> &'static str {
    match verdict {
        Ok(_) => "accepted",
        Err(refusal) => match refusal.token_error() {
            Some(error) => TokenError::rule(error),
            None => RefusalKind::as_str(refusal.kind()),
        },
    }
}

fn now<T>(answer: MaybeReady<T>) -> Now<T> {
    match answer {
        MaybeReady::Ready(answer) => Ok(answer),
        pending => Err(pending.into_future()),
    }
}
