//! What a gate or an authenticator says to a request. The only place where tests look into how the
//! answer is represented.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::authenticated::Authenticated;
use crate::authenticator::{Attempt, Authenticator};
use crate::error::TokenError;
use crate::gate::{Entry, Gate, Visitor};
use crate::refusal::{Refusal, RefusalKind};
use crate::request::RequestView;

/// An answer that is known now, or the future of it.
pub type Now<T> = Result<T, Waits<T>>;

/// The verdict of `gate` on `request`, after whatever it has to wait for.
///
/// # Errors
///
/// The refusal, if the request is not let in.
pub async fn verdict(
    gate: &Gate,
    request: &(impl RequestView + ?Sized),
) -> Result<Visitor, Refusal> {
    match verdict_now(gate, request) {
        Ok(verdict) => verdict,
        Err(waits) => waits.await,
    }
}

/// The verdict of `gate` on `request`, if everything that it needs is in memory.
///
/// # Errors
///
/// A future of the verdict, if a key, a status list or the issuer's answer must be fetched first.
pub fn verdict_now(
    gate: &Gate,
    request: &(impl RequestView + ?Sized),
) -> Now<Result<Visitor, Refusal>> {
    match gate.enter(request) {
        Entry::Pass(visitor) => Ok(Ok(visitor)),
        Entry::Refused(refusal) => Ok(Err(refusal)),
        Entry::Waiting(waiting) => Err(Waits::new(waiting)),
    }
}

/// What `auth` says to `request`, if everything that it needs is in memory: the caller, or `None`
/// for a request without a token.
///
/// # Errors
///
/// A future of the outcome, if a key must be fetched first.
pub fn attempt_now(
    auth: &Authenticator,
    request: &(impl RequestView + ?Sized),
) -> Now<Result<Option<Authenticated>, Refusal>> {
    match auth.attempt(request) {
        Attempt::Done(outcome) => Ok(outcome),
        Attempt::Pending(pending) => Err(Waits::new(async { pending.await.map(Some) })),
    }
}

/// What `auth` says to `request` in a word: `accepted`, or the rule that refuses the token
/// ([`TokenError::rule`]), or the kind of a refusal that is not about a token
/// ([`RefusalKind::as_str`]).
pub async fn rule(auth: &Authenticator, request: &(impl RequestView + ?Sized)) -> &'static str {
    match auth.authenticate(request).await {
        Ok(_) => "accepted",
        Err(refusal) => match refusal.token_error() {
            Some(error) => TokenError::rule(error),
            None => RefusalKind::as_str(refusal.kind()),
        },
    }
}

/// A future of an answer that has to wait. It owns all it needs: the request may go.
pub struct Waits<T>(Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Waits<T> {
    fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl<T> Future for Waits<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Waits<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").finish_non_exhaustive()
    }
}
