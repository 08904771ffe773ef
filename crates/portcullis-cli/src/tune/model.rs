//! Applies the [closed forms](super::closed_forms) to a scenario.

use super::closed_forms::{self as forms, bisect};
use super::scenario::Scenario;

impl Scenario {
    /// The mean time between two refreshes of a session.
    pub(super) fn cycle(&self) -> f64 {
        let activity = &self.activity;
        forms::cycle(self.used_for(), self.waits_for(), activity.burst, activity.pause)
    }

    /// Refreshes per second at the issuer.
    pub(super) fn refreshes(&self) -> f64 {
        self.sessions as f64 / self.cycle()
    }

    /// The longest time for which a revoked session is accepted, with clocks that differ by the leeway.
    pub(super) fn lag_bound(&self) -> f64 {
        forms::lag_bound(self.access_expiry, self.verifier.leeway)
    }

    /// The probability that a session, revoked at a random moment, is accepted for longer than `lag`.
    pub(super) fn lag_exceeds(&self, lag: f64) -> f64 {
        let (accepted, used) = (self.accepted_for(), self.used_for());
        let activity = &self.activity;
        forms::lag_exceeds(lag, accepted, used, activity.burst, activity.pause, self.cycle())
    }

    /// A quantile of the lag, over the sessions whose token was still accepted when they were revoked.
    pub(super) fn lag_quantile(&self, quantile: f64) -> f64 {
        let accepted = self.lag_exceeds(0.0);
        bisect(self.accepted_for(), |lag| self.lag_exceeds(lag) <= (1.0 - quantile) * accepted)
    }

    /// The mean lag over all revocations, including those without a lag.
    pub(super) fn mean_lag(&self) -> f64 {
        forms::simpson(0.0, self.accepted_for(), |lag| self.lag_exceeds(lag))
    }

    /// The longest time for which a withdrawn key is accepted while the issuer is reachable.
    pub(super) fn key_lag_bound(&self) -> f64 {
        forms::key_lag_bound(self.verifier.jwks_ttl, self.verifier.fetch_timeout)
    }

    /// The same bound with the TTL in effect, which the issuer's `max-age` may have shortened. The
    /// issuer may change that header.
    pub(super) fn key_lag_bound_by_header(&self) -> f64 {
        forms::key_lag_bound(self.verifier.used_ttl, self.verifier.fetch_timeout)
    }

    /// The longest time for which a withdrawn key is accepted while the issuer is unavailable.
    pub(super) fn key_lag_bound_in_outage(&self) -> f64 {
        self.verifier.jwks_ttl + self.verifier.max_stale
    }

    /// The `refresh_ahead` in effect.
    pub(super) fn ahead(&self) -> f64 {
        forms::ahead(self.verifier.refresh_ahead, self.verifier.used_ttl)
    }

    /// JWKS fetches per second at the issuer, both before the end of the TTL and at each rotation.
    pub(super) fn fetches(&self) -> f64 {
        let cycle = forms::fetch_cycle(self.verifier.used_ttl, self.ahead(), self.rotations());
        self.instances as f64 / cycle
    }

    /// The probability that an instance accepts a withdrawn key for longer than `lag`.
    pub(super) fn key_lag_exceeds(&self, lag: f64) -> f64 {
        forms::key_age_exceeds(lag, self.verifier.used_ttl, self.ahead(), self.rotations())
    }

    /// A quantile of the time for which one instance accepts a withdrawn key.
    pub(super) fn key_lag_quantile(&self, quantile: f64) -> f64 {
        bisect(self.verifier.used_ttl, |lag| self.key_lag_exceeds(lag) <= 1.0 - quantile)
    }

    /// The share of requests that reach at least one instance without usable keys at the end of an outage.
    pub(super) fn keys_ended(&self, outage: f64) -> f64 {
        let verifier = &self.verifier;
        let (ttl, max_stale) = (verifier.used_ttl, verifier.max_stale);
        let (ahead, forgotten) = (self.ahead(), self.keys_forgotten());
        let ended = forms::keys_ended(outage, ttl, ahead, self.rotations(), max_stale, forgotten);
        forms::any(ended, self.fan_out as f64)
    }

    /// Of the sessions that are active at the end of an outage, the share whose token is older than
    /// `limit`.
    fn tokens_older(&self, limit: f64, outage: f64) -> f64 {
        let activity = &self.activity;
        let (due, cycle) = ([self.used_for(), self.waits_for()], self.cycle());
        forms::tokens_older(limit, outage, due, activity.burst, activity.pause, cycle)
    }

    /// Of the sessions that are active at the end of an outage, the share whose token has expired.
    pub(super) fn tokens_ended(&self, outage: f64) -> f64 {
        self.tokens_older(self.accepted_for(), outage)
    }

    /// Of the sessions that are active at the end of an outage, the share that is rejected because their
    /// token or the instance's keys have expired.
    pub(super) fn locked_out(&self, outage: f64) -> f64 {
        forms::either(self.tokens_ended(outage), self.keys_ended(outage))
    }

    /// The number of sessions that request a token right after an outage.
    pub(super) fn waiting(&self, outage: f64) -> f64 {
        self.active_sessions() * self.tokens_older(self.used_for(), outage)
    }

    /// The number of these waiting sessions that must log in, because they had no new token for
    /// `session_idle`.
    pub(super) fn logging_in(&self, outage: f64) -> f64 {
        let Some(idle) = self.session_idle else { return 0.0 };
        self.active_sessions() * self.tokens_older(idle.max(self.used_for()), outage)
    }

    pub(super) fn active_sessions(&self) -> f64 {
        let share = forms::active_share(self.activity.burst, self.activity.pause);
        self.sessions as f64 * share
    }

    /// The share of instances whose clock is slow by more than the leeway. The lag bound does not hold
    /// for these.
    pub(super) fn clocks_behind(&self) -> f64 {
        forms::clocks_beyond(self.verifier.leeway, self.clock_skew)
    }

    /// Of the requests with an unexpired token, the share that is rejected because an instance's clock is
    /// wrong by more than the leeway.
    pub(super) fn refused_by_skew(&self) -> f64 {
        let (expiry, leeway, activity) = (self.access_expiry, self.verifier.leeway, &self.activity);
        let (used, wait, skew) = (self.used_for(), self.waits_for(), self.clock_skew);
        forms::refused_by_skew(expiry, leeway, used, wait, skew, activity.burst, activity.pause)
    }

    /// The share of validations that hit the token cache. Requests go to random instances, and the cache
    /// is large enough for all tokens.
    pub(super) fn cache_hits(&self) -> f64 {
        let (used, activity) = (self.used_for(), &self.activity);
        let (burst, pause) = (activity.burst, activity.pause);
        let every = self.validation_every();
        let instances = self.instances as f64;
        // A repeated request has a new token, which no cache contains: it is one cache miss in each
        // service.
        let repeated = self.waits_for() / every;
        let others = 1.0 - repeated / instances;
        let misses =
            repeated + others * forms::instances_that_see(used, every, instances, burst, pause);
        1.0 - misses / (repeated + forms::active_time(burst, pause, 0.0, used) / every)
    }

    /// Validations per second at all instances.
    pub(super) fn validations(&self) -> f64 {
        self.active_sessions() / self.validation_every()
    }
}
