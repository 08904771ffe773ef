//! What is counted. Whole numbers only, whose sum does not depend on their order.

use crate::tune::model;
use crate::tune::scenario::Scenario;

/// How many of the counted were such.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) such: u64,
    pub(crate) all: u64,
}

impl Share {
    fn count(&mut self, such: bool) {
        self.such += u64::from(such);
        self.all += 1;
    }

    fn add(&mut self, other: Self) {
        self.such += other.such;
        self.all += other.all;
    }

    pub(crate) fn value(self) -> f64 {
        if self.all == 0 { 0.0 } else { self.such as f64 / self.all as f64 }
    }
}

/// Values from zero to a bound, in steps of a ten-thousandth of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    bound: f64,
    all: u64,
    max: f64,
}

const STEPS: usize = 10_000;

impl Histogram {
    pub(crate) fn new(bound: f64) -> Self {
        Self { counts: vec![0; STEPS], bound, all: 0, max: 0.0 }
    }

    pub(crate) fn record(&mut self, value: f64) {
        let step = (value / self.bound * STEPS as f64) as usize;
        if let Some(count) = self.counts.get_mut(step.min(STEPS - 1)) {
            *count += 1;
        }
        self.all += 1;
        self.max = self.max.max(value);
    }

    fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.all += other.all;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn max(&self) -> f64 {
        self.max
    }

    /// The middle of the step that holds the quantile.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let rank = (quantile * self.all as f64).ceil() as u64;
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return (step as f64 + 0.5) / STEPS as f64 * self.bound;
            }
        }
        self.max
    }

    /// Half the width of the interval that holds the true quantile with 95 % probability: what
    /// chance does to so many values.
    pub(crate) fn quantile_error(&self, quantile: f64) -> f64 {
        if self.all == 0 {
            return 0.0;
        }
        let deviation = 1.96 * (quantile * (1.0 - quantile) / self.all as f64).sqrt();
        let above = self.quantile((quantile + deviation).min(1.0));
        let below = self.quantile((quantile - deviation).max(0.0));
        (above - below) / 2.0
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tally {
    pub(crate) lags: Histogram,
    /// Sessions whose token was accepted when they were revoked.
    pub(crate) accepted: Share,
    pub(crate) locked_out: Share,
    pub(crate) skewed: Share,
    pub(crate) refreshes: u64,
    /// Refreshes in each second of the window.
    pub(crate) by_second: Vec<u64>,
    window: f64,
    instances: f64,
    request_every: f64,
    /// Of the tokens that a refresh in the window has replaced: requests, and instances that saw
    /// them, both in expectation and in millionths.
    requests: u64,
    misses: u64,
}

impl Tally {
    pub(super) fn new(scenario: &Scenario, window: f64) -> Self {
        Self {
            lags: Histogram::new(scenario.lag_bound()),
            accepted: Share::default(),
            locked_out: Share::default(),
            skewed: Share::default(),
            refreshes: 0,
            by_second: vec![0; window.ceil() as usize],
            window,
            instances: scenario.instances as f64,
            request_every: scenario.activity.request_every,
            requests: 0,
            misses: 0,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.lags.add(&other.lags);
        self.accepted.add(other.accepted);
        self.locked_out.add(other.locked_out);
        self.skewed.add(other.skewed);
        self.refreshes += other.refreshes;
        for (count, more) in self.by_second.iter_mut().zip(&other.by_second) {
            *count += more;
        }
        self.requests += other.requests;
        self.misses += other.misses;
    }

    pub(super) fn refresh(&mut self, now: f64, active_for: f64) {
        if !(0.0..self.window).contains(&now) {
            return;
        }
        self.refreshes += 1;
        if let Some(count) = self.by_second.get_mut(now as usize) {
            *count += 1;
        }
        let requests = active_for / self.request_every;
        self.requests += (requests * 1e6) as u64;
        self.misses += (model::misses(requests, self.instances) * 1e6) as u64;
    }

    pub(super) fn lag(&mut self, lag: f64) {
        self.accepted.count(lag > 0.0);
        if lag > 0.0 {
            self.lags.record(lag);
        }
    }

    pub(super) fn outage(&mut self, locked_out: bool) {
        self.locked_out.count(locked_out);
    }

    pub(super) fn skewed(&mut self, refused: bool) {
        self.skewed.count(refused);
    }

    /// Refreshes in a second.
    pub(crate) fn refresh_rate(&self) -> f64 {
        self.refreshes as f64 / self.window
    }

    pub(crate) fn busiest_second(&self) -> u64 {
        self.by_second.iter().copied().max().unwrap_or_default()
    }

    pub(crate) fn cache_hits(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { 1.0 - self.misses as f64 / self.requests as f64 }
    }
}
