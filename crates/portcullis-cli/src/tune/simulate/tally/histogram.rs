/// A histogram of values from 0 to a bound, in 10,000 steps.
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

    pub(in crate::tune) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.all += other.all;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn max(&self) -> f64 {
        self.max
    }

    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// The middle of the step that contains the quantile, but at most the largest value.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let rank = (quantile * self.all as f64).ceil() as u64;
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return ((step as f64 + 0.5) / STEPS as f64 * self.bound).min(self.max);
            }
        }
        self.max
    }

    /// Half the width of the 95 % interval of a quantile, plus half a step.
    pub(crate) fn quantile_error(&self, quantile: f64) -> f64 {
        if self.all == 0 {
            return 0.0;
        }
        let deviation = 1.96 * (quantile * (1.0 - quantile) / self.all as f64).sqrt();
        let above = self.quantile((quantile + deviation).min(1.0));
        let below = self.quantile((quantile - deviation).max(0.0));
        (above - below) / 2.0 + self.bound / STEPS as f64 / 2.0
    }

    /// The value at which the share of larger values differs most from `exceeds`, that share, and the
    /// expected share.
    pub(crate) fn furthest_from(&self, exceeds: impl Fn(f64) -> f64) -> (f64, f64, f64) {
        let mut left = self.all;
        let mut worst = (0.0, 1.0, 1.0);
        for (step, count) in self.counts.iter().enumerate() {
            let value = step as f64 / STEPS as f64 * self.bound;
            let share = left as f64 / self.all.max(1) as f64;
            let expected = exceeds(value);
            if (share - expected).abs() > f64::abs(worst.1 - worst.2) {
                worst = (value, share, expected);
            }
            left -= count;
        }
        worst
    }
}
