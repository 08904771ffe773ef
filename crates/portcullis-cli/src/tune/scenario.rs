//! What is modelled: a service, its clients, and their issuer. All times are in seconds.

use clap::ValueEnum;
use serde::Serialize;

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Scenario {
    pub(super) access_expiry: f64,
    pub(super) verifier: Verifier,
    pub(super) sessions: u64,
    /// Of all services together.
    pub(super) instances: u64,
    /// Services that one request of a user goes through.
    pub(super) fan_out: u64,
    pub(super) activity: Activity,
    pub(super) habit: Habit,
    /// How long before the expiry a client with a timer refreshes; never more than half of it.
    pub(super) refresh_early: f64,
    /// After so long without a new token the issuer ends a session, and its user must log in; `None`
    /// if it does not.
    pub(super) session_idle: Option<f64>,
    pub(super) revocations_per_day: f64,
    pub(super) rotations_per_day: f64,
    pub(super) outage: f64,
    /// The share of instances that are restarted during the outage, and whether they keep their key
    /// set over it.
    pub(super) restarted: f64,
    pub(super) kept_keys: bool,
    /// The standard deviation of the instances' clocks.
    pub(super) clock_skew: f64,
    pub(super) costs: Costs,
    /// Cores that the issuer has.
    pub(super) issuer_cores: f64,
}

/// The settings of the instances.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Verifier {
    /// The setting, which bounds how long a withdrawn key is accepted.
    pub(super) jwks_ttl: f64,
    /// For how long a key set is used: less than that, if the issuer's `max-age` is less.
    pub(super) used_ttl: f64,
    pub(super) refresh_ahead: f64,
    pub(super) leeway: f64,
    pub(super) fetch_timeout: f64,
    pub(super) max_stale: f64,
}

impl Verifier {
    /// The same with another TTL, and what follows from it by default.
    pub(super) fn with_ttl(self, jwks_ttl: f64, max_age: Option<f64>) -> Self {
        let is_default = self.refresh_ahead == default_ahead(self.jwks_ttl);
        let refresh_ahead =
            if is_default { default_ahead(jwks_ttl) } else { self.refresh_ahead.min(jwks_ttl) };
        Self { jwks_ttl, used_ttl: used_ttl(jwks_ttl, max_age), refresh_ahead, ..self }
    }
}

/// What `refresh_ahead` is unless it is set.
pub(super) fn default_ahead(jwks_ttl: f64) -> f64 {
    (jwks_ttl / 10.0).min(30.0)
}

/// For how long a key set is used whose server says `max-age`: that shortens the TTL, down to
/// `min_ttl`, and nothing lengthens it. Zero forbids caching, which does not count.
pub(super) fn used_ttl(jwks_ttl: f64, max_age: Option<f64>) -> f64 {
    const MIN_TTL: f64 = 10.0;
    max_age
        .filter(|age| *age > 0.0)
        .map_or(jwks_ttl, |age| age.clamp(MIN_TTL.min(jwks_ttl), jwks_ttl))
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
    /// As the token expires, or `--refresh-early` before, if it is active then; or else when it
    /// becomes active.
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
    pub(super) lookup: f64,
    pub(super) login: f64,
}

impl Scenario {
    /// How long a token is accepted, with clocks that agree.
    pub(super) fn accepted_for(&self) -> f64 {
        self.access_expiry + self.verifier.leeway
    }

    /// How old a token gets before its client wants another.
    pub(super) fn used_for(&self) -> f64 {
        match self.habit {
            Habit::Timer => (self.access_expiry - self.refresh_early).max(self.access_expiry / 2.0),
            Habit::Lazy => self.accepted_for(),
        }
    }

    /// How long an active session goes on with a token that it wants to replace: until a request is
    /// rejected, which a lazy client then repeats with its new token.
    pub(super) fn waits_for(&self) -> f64 {
        match self.habit {
            Habit::Timer => 0.0,
            Habit::Lazy => self.activity.request_every,
        }
    }

    /// Key rotations in a second.
    pub(super) fn rotations(&self) -> f64 {
        self.rotations_per_day / 86_400.0
    }

    /// The mean time between two validations of an active session's token.
    pub(super) fn validation_every(&self) -> f64 {
        self.activity.request_every / self.fan_out as f64
    }

    /// The share of instances that lose their keys in an outage because they are restarted.
    pub(super) fn keys_forgotten(&self) -> f64 {
        if self.kept_keys { 0.0 } else { self.restarted }
    }

    /// The same with sessions that are never at rest.
    pub(super) fn always_active(self) -> Self {
        Self { activity: Activity { pause: 0.0, ..self.activity }, ..self }
    }
}

#[cfg(test)]
impl Scenario {
    /// As without options.
    pub(super) fn for_test() -> Self {
        Self {
            access_expiry: 900.0,
            verifier: Verifier {
                jwks_ttl: 300.0,
                used_ttl: 300.0,
                refresh_ahead: 30.0,
                leeway: 10.0,
                fetch_timeout: 5.0,
                max_stale: 3600.0,
            },
            sessions: 10_000,
            instances: 10,
            fan_out: 1,
            activity: Activity { request_every: 10.0, burst: 300.0, pause: 1500.0 },
            habit: Habit::Timer,
            refresh_early: 0.0,
            session_idle: None,
            revocations_per_day: 100.0,
            rotations_per_day: 0.0,
            outage: 300.0,
            restarted: 0.0,
            kept_keys: false,
            clock_skew: 2.0,
            costs: Costs {
                verify: 4e-5,
                hit: 2e-6,
                refresh: 1e-3,
                fetch: 1e-4,
                lookup: 1e-3,
                login: 0.05,
            },
            issuer_cores: 2.0,
        }
    }
}
