//! The schedule of the keys: when a key is published, signs, retires and is withdrawn.

use super::store::{KeyState, Promises, StoredKey};

/// The times from which the rotation contract follows, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// How long a key signs; `None` if only an operator rotates.
    pub(crate) period: Option<i64>,
    /// How long a key set may be cached.
    pub(crate) max_age: i64,
    /// The tolerated clock skew.
    pub(crate) skew: i64,
    /// The lifetime of the tokens that this process signs.
    pub(crate) token_lifetime: i64,
}

impl Schedule {
    /// Returns the token lifetime and the `max-age` that this process promises for the active key.
    pub(super) fn promises(&self) -> Promises {
        Promises { token_secs: self.token_lifetime, max_age_secs: self.max_age }
    }

    /// Returns how long a key is published before it signs: until every cached key set without it
    /// has expired. A set may have been cached under a longer setting while `active` signed.
    pub(crate) fn lead(&self, active: &StoredKey) -> i64 {
        self.max_age.max(active.longest_max_age_secs).saturating_add(self.skew)
    }

    /// Returns how long a retired key stays published after its last token has expired. A
    /// verifier's clock may be late, and a token may be signed while the rotation commits.
    pub(crate) fn margin(&self) -> i64 {
        self.skew.saturating_mul(2)
    }

    /// Returns the minimum time between two rotations, with which at most three keys are published
    /// at once. Also returns a text for messages that shows how this time is calculated.
    pub(crate) fn least_period(&self) -> (i64, String) {
        let Self { max_age, skew, token_lifetime, .. } = *self;
        let margin = self.margin();
        let least = max_age + skew + token_lifetime + margin;
        let sum = format!(
            "{max_age} (a cached key set) + {skew} (clock skew) + {token_lifetime} (the last \
             token) + {margin} (twice the skew) = {least} s"
        );
        (least, sum)
    }

    /// Returns when the successor of `active` is published, if keys are rotated on schedule.
    pub(crate) fn publishes_next_at(&self, active: &StoredKey) -> Option<i64> {
        let period = self.period?;
        Some(active.signs_from.saturating_add(period).saturating_sub(self.lead(active)))
    }

    /// Returns the time of the next change that is due for these keys, which may be in the past.
    pub(crate) fn next_change(&self, keys: &[StoredKey]) -> Option<i64> {
        let has_next = keys.iter().any(|key| key.state == KeyState::Next);
        keys.iter()
            .filter_map(|key| match key.state {
                KeyState::Next => Some(key.signs_from),
                KeyState::Active if has_next => None,
                KeyState::Active => self.publishes_next_at(key),
                KeyState::Retired => key.published_until,
                KeyState::Withdrawn => None,
            })
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keys::SigningAlgorithm;

    fn key(state: KeyState, signs_from: i64) -> StoredKey {
        StoredKey {
            kid: "kid".to_owned(),
            algorithm: SigningAlgorithm::Es256,
            state,
            public_jwk: "{}".to_owned(),
            sealed: None,
            created_at: 0,
            signs_from,
            longest_max_age_secs: 300,
            published_until: (state == KeyState::Retired).then_some(5_000),
        }
    }

    const SCHEDULE: Schedule =
        Schedule { period: Some(10_000), max_age: 300, skew: 60, token_lifetime: 900 };

    #[test]
    fn next_key_is_published_one_lead_before_the_period_ends() {
        let active = key(KeyState::Active, 1_000);
        assert_eq!(SCHEDULE.publishes_next_at(&active), Some(1_000 + 10_000 - 360));
        let by_hand = Schedule { period: None, ..SCHEDULE };
        assert_eq!(by_hand.publishes_next_at(&active), None);
    }

    #[test]
    fn lead_includes_the_longest_max_age_that_was_sent() {
        let active = StoredKey { longest_max_age_secs: 3_600, ..key(KeyState::Active, 0) };
        assert_eq!(SCHEDULE.lead(&active), 3_660);
        assert_eq!(Schedule { max_age: 7_200, ..SCHEDULE }.lead(&active), 7_260);
    }

    #[test]
    fn next_change_is_the_earliest_due_time() {
        let (active, retired) = (key(KeyState::Active, 1_000), key(KeyState::Retired, 0));
        let change = |keys: &[StoredKey]| SCHEDULE.next_change(keys);
        assert_eq!(change(&[active]), Some(10_640));
        let next = || key(KeyState::Next, 4_000);
        assert_eq!(change(&[next(), key(KeyState::Active, 1_000)]), Some(4_000));
        assert_eq!(change(&[key(KeyState::Active, 1_000), retired]), Some(5_000));
        assert_eq!(change(&[key(KeyState::Withdrawn, 0)]), None);
    }

    #[test]
    fn the_sum_is_shown() {
        let (least, sum) = SCHEDULE.least_period();
        assert_eq!(least, 1_380);
        assert!(sum.ends_with("+ 120 (twice the skew) = 1380 s"), "{sum}");
    }
}
