//! The closed forms. A refresh happens to an active session only, so that each is a fresh start,
//! and renewal theory gives the rest. `simulate` knows none of this, and must agree.

use super::scenario::{Activity, Habit, Scenario};

impl Activity {
    /// The share of time, or of sessions, in bursts.
    pub(super) fn share(&self) -> f64 {
        self.burst / (self.burst + self.pause)
    }

    /// The probability that a session is active `after` it was.
    fn again(&self, after: f64) -> f64 {
        self.share() + (1.0 - self.share()) * (-self.mixing() * after).exp()
    }

    /// The expected time in bursts between two ages, of a session that was active at age 0.
    fn time_in_bursts(&self, from: f64, to: f64) -> f64 {
        let share = self.share();
        if self.pause == 0.0 {
            return to - from;
        }
        let mixing = self.mixing();
        share * (to - from)
            + (1.0 - share) / mixing * ((-mixing * from).exp() - (-mixing * to).exp())
    }

    /// How fast a session forgets whether it was active.
    fn mixing(&self) -> f64 {
        if self.pause == 0.0 { 0.0 } else { 1.0 / self.burst + 1.0 / self.pause }
    }
}

impl Scenario {
    /// The probability that a session rests when its token is due.
    fn rests_when_due(&self) -> f64 {
        1.0 - self.activity.again(self.used_for())
    }

    /// The mean time between two refreshes of a session.
    pub(super) fn cycle(&self) -> f64 {
        let Activity { request_every, burst, pause } = self.activity;
        let resting = self.rests_when_due() * pause;
        match self.habit {
            Habit::Timer => self.used_for() + resting,
            // The next request of a session that is active: pauses may come in between.
            Habit::Lazy => self.used_for() + resting + request_every * (1.0 + pause / burst),
        }
    }

    /// Refreshes at the issuer, in a second.
    pub(super) fn refreshes(&self) -> f64 {
        self.sessions as f64 / self.cycle()
    }

    /// The longest that a revoked session is accepted, with clocks that agree.
    pub(super) fn lag_bound(&self) -> f64 {
        self.accepted_for()
    }

    /// The probability that a session that is revoked at a random moment is accepted for longer.
    pub(super) fn lag_exceeds(&self, lag: f64) -> f64 {
        let rest = (self.lag_bound() - lag).max(0.0);
        let used = self.used_for();
        // Only a session that rests has a token that is older than that.
        let older = if rest > used && self.activity.pause > 0.0 {
            let pause = self.activity.pause;
            self.rests_when_due() * pause * (1.0 - (-(rest - used) / pause).exp())
        } else {
            0.0
        };
        (rest.min(used) + older) / self.cycle()
    }

    /// A quantile of the lag of those sessions whose token was still accepted.
    pub(super) fn lag_quantile(&self, quantile: f64) -> f64 {
        let accepted = self.lag_exceeds(0.0);
        bisect(self.lag_bound(), |lag| self.lag_exceeds(lag) <= (1.0 - quantile) * accepted)
    }

    /// The longest that a withdrawn key is accepted while the issuer can be reached.
    pub(super) fn key_lag_bound(&self) -> f64 {
        self.verifier.jwks_ttl + self.verifier.fetch_timeout
    }

    /// And while it can not.
    pub(super) fn key_lag_bound_in_outage(&self) -> f64 {
        self.verifier.jwks_ttl + self.verifier.max_stale
    }

    /// The mean time between two fetches of an instance.
    fn fetch_cycle(&self) -> f64 {
        self.verifier.jwks_ttl - 1.5 * self.verifier.refresh_ahead()
    }

    /// Fetches of the key set at the issuer, in a second: by time, and after each rotation.
    pub(super) fn fetches(&self) -> f64 {
        let instances = self.instances as f64;
        instances / self.fetch_cycle() + instances * self.rotations_per_day / 86_400.0
    }

    /// The probability that an instance accepts a withdrawn key for longer.
    pub(super) fn key_lag_exceeds(&self, lag: f64) -> f64 {
        let ahead = self.verifier.refresh_ahead();
        let latest = self.verifier.jwks_ttl - ahead;
        let earliest = latest - ahead;
        if lag < earliest {
            return (self.fetch_cycle() - lag) / self.fetch_cycle();
        }
        (latest - lag).max(0.0).powi(2) / (2.0 * ahead * self.fetch_cycle())
    }

    /// A quantile of one instance's lag.
    pub(super) fn key_lag_quantile(&self, quantile: f64) -> f64 {
        bisect(self.verifier.jwks_ttl, |lag| self.key_lag_exceeds(lag) <= 1.0 - quantile)
    }

    /// Of the active sessions, the share without an accepted token at the end of an outage.
    pub(super) fn locked_out(&self, outage: f64) -> f64 {
        if outage >= self.key_lag_bound_in_outage() {
            // The keys are gone as well.
            return 1.0;
        }
        if outage >= self.accepted_for() {
            return 1.0;
        }
        let active = self.activity.time_in_bursts(outage, self.accepted_for()) / self.cycle();
        (1.0 - active / self.activity.share()).max(0.0)
    }

    /// Of the requests with a token that is not expired, the share that an instance refuses since
    /// its clock is wrong by more than the leeway: too young a token, or too old a one.
    pub(super) fn refused_by_skew(&self) -> f64 {
        if self.clock_skew == 0.0 {
            return 0.0;
        }
        let z = self.verifier.leeway / self.clock_skew;
        let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let beyond = libm::erfc(z / std::f64::consts::SQRT_2) / 2.0;
        let secs = self.clock_skew * (density - z * beyond);
        let expiry = self.access_expiry;
        let edges = 1.0 + self.activity.again(expiry);
        (secs * edges / self.activity.time_in_bursts(0.0, expiry)).min(1.0)
    }

    /// The share of requests whose token their instance has seen before, where requests go to any
    /// instance and each remembers enough. Of always active sessions; of others an estimate.
    pub(super) fn cache_hits(&self) -> f64 {
        let time = self.activity.time_in_bursts(0.0, self.used_for());
        hits(time / self.activity.request_every, self.instances as f64)
    }

    /// Requests in a second at all instances.
    pub(super) fn requests(&self) -> f64 {
        self.sessions as f64 * self.activity.share() / self.activity.request_every
    }
}

/// The share of hits among requests of which each token has `requests` (a Poisson number).
pub(super) fn hits(requests: f64, instances: f64) -> f64 {
    1.0 - misses(requests, instances) / requests
}

/// How many instances see a token, of which there are `requests` (a Poisson number).
pub(super) fn misses(requests: f64, instances: f64) -> f64 {
    -instances * (-requests / instances).exp_m1()
}

/// Where a condition that holds from somewhere on begins to hold.
fn bisect(most: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, most);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
