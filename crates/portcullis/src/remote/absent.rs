//! `kid`s that a fetch has just shown not to exist: bounded, and forgotten within one cool-down.
//!
//! A client that goes on sending an old token is told 401 at once, instead of 503 until the next
//! fetch may be made. Remembering is tied to the set that was looked into and to its time, so that
//! nobody can have a `kid` refused that is still to come.

use std::time::Duration;

use moka::sync::Cache;

/// How many are remembered.
const CAPACITY: u64 = 1024;

/// The longest `kid` that is remembered, in bytes.
const MAX_LENGTH: usize = 256;

pub(super) struct AbsentKeys {
    /// The `kid`, the set's generation, and when it was looked for, by the monotonic clock.
    seen: Cache<String, (u64, Duration)>,
    cooldown: Duration,
}

impl AbsentKeys {
    pub(super) fn new(cooldown: Duration) -> Self {
        // Freshness is judged by our own clock; moka's bounds the memory.
        Self { seen: Cache::new(CAPACITY), cooldown }
    }

    pub(super) fn insert(&self, key_id: Option<&str>, generation: u64, now: Duration) {
        if let Some(key_id) = key_id.filter(|key_id| key_id.len() <= MAX_LENGTH) {
            self.seen.insert(key_id.to_owned(), (generation, now));
        }
    }

    pub(super) fn contains(&self, key_id: Option<&str>, generation: u64, now: Duration) -> bool {
        let Some((seen_in, at)) = key_id.and_then(|key_id| self.seen.get(key_id)) else {
            return false;
        };
        seen_in == generation && now.saturating_sub(at) < self.cooldown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: Duration = Duration::from_secs(1);

    #[test]
    fn an_absent_kid_is_remembered_for_its_set_and_one_cooldown() {
        let absent = AbsentKeys::new(30 * SEC);
        absent.insert(Some("a"), 1, 100 * SEC);
        assert!(absent.contains(Some("a"), 1, 129 * SEC));
        assert!(!absent.contains(Some("a"), 1, 130 * SEC));
        assert!(!absent.contains(Some("a"), 2, 100 * SEC));
        assert!(!absent.contains(Some("b"), 1, 100 * SEC));
        assert!(!absent.contains(None, 1, 100 * SEC));
    }

    #[test]
    fn memory_is_bounded() {
        let absent = AbsentKeys::new(30 * SEC);
        for number in 0..100_000 {
            absent.insert(Some(&number.to_string()), 1, SEC);
        }
        absent.insert(Some(&"x".repeat(MAX_LENGTH + 1)), 1, SEC);
        absent.seen.run_pending_tasks();
        assert!(absent.seen.entry_count() <= CAPACITY, "{}", absent.seen.entry_count());
        assert!(!absent.contains(Some(&"x".repeat(MAX_LENGTH + 1)), 1, SEC));
    }
}
