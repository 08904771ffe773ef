//! What is modelled: a service, its clients, and their issuer. All times are in seconds.

use clap::ValueEnum;
use serde::Serialize;

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Scenario {
    pub(super) access_expiry: f64,
    pub(super) verifier: Verifier,
    pub(super) sessions: u64,
    pub(super) instances: u64,
    pub(super) activity: Activity,
    pub(super) habit: Habit,
    pub(super) revocations_per_day: f64,
    pub(super) rotations_per_day: f64,
    pub(super) outage: f64,
    /// The standard deviation of the instances' clocks.
    pub(super) clock_skew: f64,
    pub(super) costs: Costs,
}

/// The settings of the instances.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Verifier {
    pub(super) jwks_ttl: f64,
    pub(super) leeway: f64,
    pub(super) fetch_timeout: f64,
    pub(super) max_stale: f64,
}

impl Verifier {
    /// An instance renews its keys between one and two times this before their TTL: what
    /// `refresh_ahead` is by default.
    pub(super) fn refresh_ahead(&self) -> f64 {
        (self.jwks_ttl / 10.0).min(30.0)
    }
}

/// Bursts and pauses of exponential lengths, with requests at random moments of a burst.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Activity {
    pub(super) request_every: f64,
    pub(super) burst: f64,
    /// Zero: one burst for ever.
    pub(super) pause: f64,
}

/// When a client asks for its next token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Habit {
    /// As the token expires, if it is active then; or else when it becomes active.
    Timer,
    /// With the first request that is answered with 401.
    Lazy,
}

/// CPU time in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Costs {
    pub(super) verify: f64,
    pub(super) hit: f64,
    pub(super) refresh: f64,
    pub(super) fetch: f64,
}

#[cfg(test)]
impl Scenario {
    /// As without options.
    pub(super) fn for_test() -> Self {
        Self {
            access_expiry: 900.0,
            verifier: Verifier {
                jwks_ttl: 300.0,
                leeway: 10.0,
                fetch_timeout: 5.0,
                max_stale: 3600.0,
            },
            sessions: 10_000,
            instances: 10,
            activity: Activity { request_every: 10.0, burst: 300.0, pause: 1500.0 },
            habit: Habit::Timer,
            revocations_per_day: 100.0,
            rotations_per_day: 0.0,
            outage: 300.0,
            clock_skew: 2.0,
            costs: Costs { verify: 4e-5, hit: 2e-6, refresh: 1e-3, fetch: 1e-4 },
        }
    }
}

impl Scenario {
    /// How long a token is accepted.
    pub(super) fn accepted_for(&self) -> f64 {
        self.access_expiry + self.verifier.leeway
    }

    /// How old a token gets before its client wants another.
    pub(super) fn used_for(&self) -> f64 {
        match self.habit {
            Habit::Timer => self.access_expiry,
            Habit::Lazy => self.accepted_for(),
        }
    }

    /// The same with sessions that are never at rest.
    pub(super) fn always_active(self) -> Self {
        Self { activity: Activity { pause: 0.0, ..self.activity }, ..self }
    }
}
