//! Validates tokens as a service does: a [`Gate`], then each [`Policy`].

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, HeaderName};
use portcullis::{
    Authenticated, Gate, Policy, Refusal, RequestView,
    claims::NumericDate,
    clock::{Clock, SystemClock},
};

use super::configuration;
use super::feed::Revocable;
use super::tokens::Token;
use super::verdict::{Accepted, Verdict};
use crate::cli::CheckArguments;
use crate::exit::Failure;

/// The total time for which a run waits to fetch the key set again for unknown `kid`s. The cooldown
/// allows one such fetch per second.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Judge {
    gate: Gate,
    policies: Vec<Policy>,
    clock: Arc<dyn Clock>,
    show_claims: bool,
    patience: Duration,
}

impl Judge {
    /// Reads the configuration and fetches the keys.
    pub(super) async fn new(arguments: &CheckArguments) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = match arguments.at {
            Some(secs) => Arc::new(StoppedClock::at(secs)),
            None => Arc::new(SystemClock::new()),
        };
        let policies = configuration::policies(arguments)?;
        let gate = configuration::gate(arguments, clock.clone()).await?;
        for keys in gate.authenticator().status().into_iter().filter_map(|issuer| issuer.keys) {
            configuration::tell_unused(&keys.location, keys.keys, &keys.skipped);
        }
        Ok(Self { gate, policies, clock, show_claims: arguments.show_claims, patience: PATIENCE })
    }

    pub(super) async fn judge(&mut self, token: &Token) -> Verdict {
        let request = Request::with(&token.text);
        loop {
            let outcome = self.gate.authenticate(&request).await;
            let refusal = match outcome.and_then(|who| self.accept(&who)) {
                Ok(accepted) => return Verdict::Accepted(accepted),
                Err(refusal) => refusal,
            };
            // Only rejections for unavailable keys or revocation status have `retry_after`.
            match refusal.retry_after().filter(|wait| *wait <= self.patience) {
                Some(wait) => {
                    self.patience -= wait;
                    tokio::time::sleep(wait).await;
                }
                None => return Verdict::from(&refusal),
            }
        }
    }

    fn accept(&self, who: &Authenticated) -> Result<Accepted, Refusal> {
        self.policies.iter().try_for_each(|policy| who.require(policy))?;
        let claims = self.show_claims.then(|| who.claims()).transpose()?;
        let feed = Revocable::of(who, &self.gate);
        Ok(Accepted::new(who, NumericDate::from(self.clock.now()), claims, feed))
    }
}

/// A request with only an Authorization header. It is not an [`http::HeaderMap`], which would reject some
/// bytes before the [`Authenticator`](portcullis::Authenticator) reads them.
pub(crate) struct Request(Vec<u8>);

impl Request {
    pub(crate) fn with(token: &[u8]) -> Self {
        Self([b"Bearer ", token].concat())
    }
}

impl RequestView for Request {
    fn method(&self) -> Option<&str> {
        None
    }

    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    ) {
        if *name == AUTHORIZATION {
            let _ = visit(&self.0);
        }
    }
}

/// A clock whose wall time is fixed. Its monotonic time advances, since fetches depend on it.
#[derive(Debug)]
pub(crate) struct StoppedClock {
    now: SystemTime,
    running: SystemClock,
}

impl StoppedClock {
    pub(crate) fn at(secs: u64) -> Self {
        let now = SystemTime::from(NumericDate::from_secs(secs));
        Self { now, running: SystemClock::new() }
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> SystemTime {
        self.now
    }

    fn monotonic(&self) -> Duration {
        self.running.monotonic()
    }
}
