//! The age of this instance's knowledge of the store, and what a request may do with it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::remote::freshness::Ages;

/// The time after a failed read during which requests do not repeat it.
const BACK_OFF: Duration = Duration::from_secs(1);

/// The history of this instance's reads of the store.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The start of the last complete read. All entries that were stored before it are known.
    pub(super) at: Option<Timestamp>,
    /// The time of the last read and its error, if it failed.
    pub(super) failure: Option<(Timestamp, String)>,
}

/// What a request may do with the knowledge of this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Apply it.
    Apply,
    /// Read the store first.
    Read,
    /// Reject the request: the knowledge is too old, and the store cannot be read now.
    Unavailable,
}

impl Known {
    pub(super) fn age(&self, now: Timestamp) -> Option<Duration> {
        self.at.map(|at| now.since(at))
    }

    /// Decides by the age of the knowledge. In an outage, that is after a failed read, older knowledge
    /// may be recent enough. `is_retried` states whether another task is already reading again;
    /// requests then need not wait to find out whether the outage is over.
    pub(super) fn usable(&self, ages: Ages, now: Timestamp, is_retried: bool) -> Use {
        let within = |max: Duration| self.age(now).is_some_and(|age| age <= max);
        if within(ages.usual) {
            return Use::Apply;
        }
        let Some((failed_at, _)) = &self.failure else { return Use::Read };
        let is_recent = now.since(*failed_at) < BACK_OFF;
        match within(ages.in_outage) {
            true if is_recent || is_retried => Use::Apply,
            false if is_recent => Use::Unavailable,
            _ => Use::Read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock as _;
    use crate::testing::{ManualClock, NOW};

    #[test]
    fn knowledge_is_used_within_its_age_and_in_an_outage_for_longer() {
        let clock = ManualClock::at(NOW);
        let start = Timestamp::now(&clock);
        let ages = Ages { usual: Duration::from_secs(10), in_outage: Duration::from_secs(60) };
        let read = Known { at: Some(start), failure: None };
        let mut used = Vec::new();
        for secs in [0, 10, 11, 60, 61] {
            let clock = ManualClock::at(NOW);
            clock.advance(Duration::from_secs(secs));
            let now = Timestamp::now(&clock);
            let failed = |ago| {
                let before = ManualClock::at(NOW);
                before.advance(Duration::from_secs(secs).saturating_sub(ago));
                Some((Timestamp::now(&before), String::new()))
            };
            let just = Known { failure: failed(Duration::ZERO), ..read.clone() };
            let before = Known { failure: failed(BACK_OFF), ..read.clone() };
            let retried = before.clone();
            let [read, just, before] =
                [&read, &just, &before].map(|known| known.usable(ages, now, false));
            used.push([read, just, before, retried.usable(ages, now, true)]);
        }
        use Use::{Apply, Read, Unavailable};
        let expected = [
            [Apply, Apply, Apply, Apply],
            [Apply, Apply, Apply, Apply],
            [Read, Apply, Read, Apply],
            [Read, Apply, Read, Apply],
            [Read, Unavailable, Read, Read],
        ];
        assert_eq!(used, expected);
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }

    #[test]
    fn without_any_read_nothing_is_applied() {
        let now = Timestamp::now(&ManualClock::at(NOW));
        let ages = Ages { usual: Duration::MAX, in_outage: Duration::MAX };
        assert_eq!(Known::default().usable(ages, now, true), Use::Read);
        let failed = Known { at: None, failure: Some((now, String::new())) };
        assert_eq!(failed.usable(ages, now, true), Use::Unavailable);
    }
}
