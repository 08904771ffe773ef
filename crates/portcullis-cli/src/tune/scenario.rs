//! The inputs of the model: the services, their clients and the issuer. All times are in seconds.

use clap::ValueEnum;
use serde::Serialize;

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Scenario {
    pub(super) access_expiry: f64,
    pub(super) verifier: Verifier,
    pub(super) sessions: u64,
    /// The number of instances of all services together.
    pub(super) instances: u64,
    /// The number of services that each user request passes through.
    pub(super) fan_out: u64,
    pub(super) activity: Activity,
    pub(super) habit: Habit,
    /// The time before the expiry at which a timer refreshes, at most half of the expiry.
    pub(super) refresh_early: f64,
    /// The time without a new token after which the issuer ends a session; `None` if it never does.
    pub(super) session_idle: Option<f64>,
    pub(super) revocations_per_day: f64,
    pub(super) rotations_per_day: f64,
    pub(super) outage: f64,
    /// The share of instances that are restarted during the outage, and whether they keep their key
    /// sets.
    pub(super) restarted: f64,
    pub(super) kept_keys: bool,
    /// The standard deviation of the instances' clocks.
    pub(super) clock_skew: f64,
    pub(super) costs: Costs,
    /// Cores of the issuer.
    pub(super) issuer_cores: f64,
    /// Whether the issuer computes password hashes on at most half of its cores.
    pub(super) hashes_on_half: bool,
}

/// The settings of the instances.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Verifier {
    /// The TTL as set (`--jwks-ttl`). It bounds the lag of a withdrawn key.
    pub(super) jwks_ttl: f64,
    /// The TTL in effect: shorter if the issuer's `max-age` is.
    pub(super) used_ttl: f64,
    pub(super) refresh_ahead: f64,
    pub(super) leeway: f64,
    pub(super) fetch_timeout: f64,
    pub(super) max_stale: f64,
}

impl Verifier {
    /// Sets another TTL. A `refresh_ahead` that has its default value gets the new default.
    pub(super) fn with_ttl(self, jwks_ttl: f64, max_age: Option<f64>) -> Self {
        let is_default = self.refresh_ahead == default_ahead(self.jwks_ttl);
        let refresh_ahead =
            if is_default { default_ahead(jwks_ttl) } else { self.refresh_ahead.min(jwks_ttl) };
        Self { jwks_ttl, used_ttl: used_ttl(jwks_ttl, max_age), refresh_ahead, ..self }
    }
}

/// The default of `refresh_ahead`.
pub(super) fn default_ahead(jwks_ttl: f64) -> f64 {
    (jwks_ttl / 10.0).min(30.0)
}

/// The TTL in effect. A `max-age` shortens the TTL, to `min_ttl` at the least, and never lengthens it. A
/// `max-age` of 0 forbids caching and is ignored.
pub(super) fn used_ttl(jwks_ttl: f64, max_age: Option<f64>) -> f64 {
    const MIN_TTL: f64 = 10.0;
    max_age
        .filter(|age| *age > 0.0)
        .map_or(jwks_ttl, |age| age.clamp(MIN_TTL.min(jwks_ttl), jwks_ttl))
}

/// Bursts and pauses of exponentially distributed lengths, with requests at random moments of a burst.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Activity {
    pub(super) request_every: f64,
    pub(super) burst: f64,
    /// Zero: sessions are always active.
    pub(super) pause: f64,
}

/// When a client refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Habit {
    /// When the token expires, or earlier by --refresh-early, if the session is active; otherwise when
    /// the session becomes active.
    Timer,
    /// When a request is rejected with 401; the client then repeats the request.
    Lazy,
}

/// CPU times in seconds.
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
    /// The time from a token's issue for which it is accepted, if clocks agree.
    pub(super) fn accepted_for(&self) -> f64 {
        self.access_expiry + self.verifier.leeway
    }

    /// The age of a token at which its client needs the next one.
    pub(super) fn used_for(&self) -> f64 {
        match self.habit {
            Habit::Timer => (self.access_expiry - self.refresh_early).max(self.access_expiry / 2.0),
            Habit::Lazy => self.accepted_for(),
        }
    }

    /// The mean time for which an active session keeps a token that is due. A lazy client keeps it until
    /// a request is rejected, which it then repeats with its new token.
    pub(super) fn waits_for(&self) -> f64 {
        match self.habit {
            Habit::Timer => 0.0,
            Habit::Lazy => self.activity.request_every,
        }
    }

    /// Key rotations per second.
    pub(super) fn rotations(&self) -> f64 {
        self.rotations_per_day / 86_400.0
    }

    /// The mean time between two validations of an active session's token.
    pub(super) fn validation_every(&self) -> f64 {
        self.activity.request_every / self.fan_out as f64
    }

    /// The share of instances that lose their keys because they restart during the outage.
    pub(super) fn keys_forgotten(&self) -> f64 {
        if self.kept_keys { 0.0 } else { self.restarted }
    }

    /// The same scenario without pauses.
    pub(super) fn always_active(self) -> Self {
        Self { activity: Activity { pause: 0.0, ..self.activity }, ..self }
    }
}

#[cfg(test)]
impl Scenario {
    /// The defaults of the command.
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
            hashes_on_half: true,
        }
    }
}
