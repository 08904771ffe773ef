//! Shares, counts and ratios, each with its variance.

/// The number of items that match, and the number of all items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) such: u64,
    pub(crate) all: u64,
}

impl Share {
    pub(in crate::tune) fn count(&mut self, such: bool) {
        self.such += u64::from(such);
        self.all += 1;
    }

    pub(in crate::tune) fn add(&mut self, other: Self) {
        self.such += other.such;
        self.all += other.all;
    }

    pub(crate) fn value(self) -> f64 {
        if self.all == 0 { 0.0 } else { self.such as f64 / self.all as f64 }
    }
}

/// A sum of independent numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) of: u64,
    pub(crate) sum: u64,
    squares: u128,
}

impl Counts {
    pub(in crate::tune) fn count(&mut self, number: u64) {
        self.of += 1;
        self.sum += number;
        self.squares += u128::from(number).pow(2);
    }

    pub(in crate::tune) fn add(&mut self, other: &Self) {
        self.of += other.of;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// The variance of their sum.
    pub(crate) fn variance(&self) -> f64 {
        let (of, sum) = (self.of.max(1) as f64, self.sum as f64);
        let each = (self.squares as f64 / of - (sum / of).powi(2)).max(0.0);
        // The minimum variance of an integer with this mean. The variance of a small sample may be lower.
        let part = (sum / of).fract();
        each.max(part * (1.0 - part)).max(0.25 / of) * of
    }
}

/// Requests and token cache misses. Both are expected values, in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Misses {
    requests: u128,
    misses: u128,
    requests_squared: u128,
    product: u128,
    misses_squared: u128,
    largest: u128,
    /// The requests and misses of the current session.
    session: (u128, u128),
}

const MILLIONTHS: f64 = 1e6;

impl Misses {
    pub(super) fn count(&mut self, requests: f64, misses: f64) {
        self.session.0 += (requests * MILLIONTHS) as u128;
        self.session.1 += (misses * MILLIONTHS) as u128;
    }

    pub(super) fn session_ends(&mut self) {
        let (requests, misses) = std::mem::take(&mut self.session);
        self.requests += requests;
        self.misses += misses;
        self.requests_squared += requests * requests;
        self.product += requests * misses;
        self.misses_squared += misses * misses;
        self.largest = self.largest.max(misses);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.misses += other.misses;
        self.requests_squared += other.requests_squared;
        self.product += other.product;
        self.misses_squared += other.misses_squared;
        self.largest = self.largest.max(other.largest);
    }

    pub(crate) fn requests(&self) -> f64 {
        self.requests as f64 / MILLIONTHS
    }

    /// The share of misses.
    pub(crate) fn share(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.misses as f64 / self.requests as f64 }
    }

    /// The standard deviation of the share of misses, if `share` is the true one.
    pub(crate) fn deviation(&self, share: f64) -> f64 {
        let squares = self.misses_squared as f64 - 2.0 * share * self.product as f64
            + share * share * self.requests_squared as f64;
        squares.max(0.0).sqrt() / (self.requests as f64).max(1.0)
    }

    /// The largest contribution of one session to the share of misses.
    pub(crate) fn largest(&self) -> f64 {
        self.largest as f64 / (self.requests as f64).max(1.0)
    }
}
