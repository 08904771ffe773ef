//! The counts of the simulation. They are whole numbers, so their sums do not depend on the order.

mod counts;
mod histogram;

use crate::tune::scenario::{Habit, Scenario};
pub(crate) use counts::{Counts, Misses, Share};
pub(crate) use histogram::Histogram;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tally {
    pub(crate) lags: Histogram,
    /// Sessions whose token was accepted when they were revoked.
    pub(crate) accepted: Share,
    /// Of the sessions that are active at the end of the outage: those with an expired token, those
    /// whose request reaches an instance without keys, those with either, and those that request a
    /// token.
    pub(crate) tokens_ended: Share,
    pub(crate) keys_ended: Share,
    pub(crate) locked_out: Share,
    pub(crate) waiting: Share,
    /// The sessions in `waiting` that must log in.
    pub(crate) logging_in: Share,
    pub(crate) skewed: Share,
    /// The refreshes of each session, within the window.
    pub(crate) refreshes: Counts,
    /// The refreshes that are logins of sessions that ended while idle.
    pub(crate) idle_logins: Counts,
    /// Refreshes in each second of the window.
    by_second: Vec<u64>,
    /// The cache misses of those tokens that are replaced within the window.
    pub(crate) misses: Misses,
    window: f64,
    instances: f64,
    validation_every: f64,
    /// The validations of a request that a client repeats with a new token: one in each service.
    repeated: f64,
    /// The refreshes of the current session, and the logins among them.
    refreshed: u64,
    logged_in: u64,
}

impl Tally {
    pub(super) fn new(scenario: &Scenario, window: f64) -> Self {
        Self {
            lags: Histogram::new(scenario.accepted_for()),
            accepted: Share::default(),
            tokens_ended: Share::default(),
            keys_ended: Share::default(),
            locked_out: Share::default(),
            waiting: Share::default(),
            logging_in: Share::default(),
            skewed: Share::default(),
            refreshes: Counts::default(),
            idle_logins: Counts::default(),
            by_second: vec![0; window.ceil() as usize],
            misses: Misses::default(),
            window,
            instances: scenario.instances as f64,
            validation_every: scenario.validation_every(),
            repeated: match scenario.habit {
                Habit::Timer => 0.0,
                Habit::Lazy => scenario.fan_out as f64,
            },
            refreshed: 0,
            logged_in: 0,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.lags.add(&other.lags);
        self.accepted.add(other.accepted);
        self.tokens_ended.add(other.tokens_ended);
        self.keys_ended.add(other.keys_ended);
        self.locked_out.add(other.locked_out);
        self.waiting.add(other.waiting);
        self.logging_in.add(other.logging_in);
        self.skewed.add(other.skewed);
        self.refreshes.add(&other.refreshes);
        self.idle_logins.add(&other.idle_logins);
        for (count, more) in self.by_second.iter_mut().zip(&other.by_second) {
            *count += more;
        }
        self.misses.add(&other.misses);
    }

    pub(super) fn refresh(&mut self, now: f64, active_for: f64, logs_in: bool) {
        if !(0.0..self.window).contains(&now) {
            return;
        }
        self.refreshed += 1;
        self.logged_in += u64::from(logs_in);
        if let Some(count) = self.by_second.get_mut(now as usize) {
            *count += 1;
        }
        // The expected value if requests come at random moments and go to random instances.
        let requests = active_for / self.validation_every;
        let others = self.instances - self.repeated;
        let misses = self.repeated - others * (-requests / self.instances).exp_m1();
        self.misses.count(self.repeated + requests, misses);
    }

    pub(super) fn session_ends(&mut self) {
        self.refreshes.count(self.refreshed);
        self.idle_logins.count(self.logged_in);
        (self.refreshed, self.logged_in) = (0, 0);
        self.misses.session_ends();
    }

    pub(super) fn lag(&mut self, lag: f64) {
        self.accepted.count(lag > 0.0);
        if lag > 0.0 {
            self.lags.record(lag);
        }
    }

    pub(super) fn outage(
        &mut self,
        token_ended: bool,
        keys_ended: bool,
        waits: bool,
        logs_in: bool,
    ) {
        self.tokens_ended.count(token_ended);
        self.keys_ended.count(keys_ended);
        self.locked_out.count(token_ended || keys_ended);
        self.waiting.count(waits);
        self.logging_in.count(waits && logs_in);
    }

    pub(super) fn skewed(&mut self, refused: bool) {
        self.skewed.count(refused);
    }

    pub(crate) fn busiest_second(&self) -> u64 {
        self.by_second.iter().copied().max().unwrap_or_default()
    }
}
