//! The attempts in progress, and the number of further attempts that a client may have.

use std::collections::{HashMap, HashSet};

/// The maximum number of concurrent attempts.
const IN_PROGRESS: usize = 8;

/// The maximum number of concurrent attempts at one client.
const PER_CLIENT: usize = 4;

/// The maximum number of concurrent attempts at all clients whose last attempt has failed. Such an
/// attempt may last until the timeout, and must not delay the messages to other clients.
const AT_FAILING: usize = 4;

/// The attempts in progress.
#[derive(Debug, Default)]
pub(super) struct Slots {
    in_progress: HashMap<String, usize>,
    failing: HashSet<String>,
}

impl Slots {
    /// Returns how many more attempts a client may have now. A client whose last attempt has failed
    /// has one at a time.
    pub(super) fn free(&self, client_id: &str) -> usize {
        let is_failing = self.failing.contains(client_id);
        let own = self.in_progress.get(client_id).copied().unwrap_or(0);
        let all: usize = self.in_progress.values().sum();
        let at_failing: usize =
            self.failing.iter().filter_map(|failing| self.in_progress.get(failing)).sum();
        let of_client = if is_failing { 1 } else { PER_CLIENT };
        let mut free = of_client.saturating_sub(own).min(IN_PROGRESS.saturating_sub(all));
        if is_failing {
            free = free.min(AT_FAILING.saturating_sub(at_failing));
        }
        free
    }

    pub(super) fn begin(&mut self, client_id: &str) {
        *self.in_progress.entry(client_id.to_owned()).or_default() += 1;
    }

    /// Ends an attempt. Returns whether the client started or stopped failing with this attempt.
    pub(super) fn end(&mut self, client_id: &str, has_failed: bool) -> bool {
        if let Some(count) = self.in_progress.get_mut(client_id) {
            *count -= 1;
            if *count == 0 {
                self.in_progress.remove(client_id);
            }
        }
        if has_failed {
            self.failing.insert(client_id.to_owned())
        } else {
            self.failing.remove(client_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_clients_leave_slots_to_others() {
        let mut slots = Slots::default();
        assert_eq!(slots.free("a"), 4);
        for _ in 0..4 {
            slots.begin("a");
        }
        assert_eq!((slots.free("a"), slots.free("b")), (0, 4));
        assert!(slots.end("a", true), "it begins to fail");
        assert!(!slots.end("a", true));
        assert!(!slots.end("a", true));
        assert_eq!(slots.free("a"), 0, "one of its attempts is in progress");
        assert!(!slots.end("a", true));
        assert_eq!(slots.free("a"), 1);
        for failing in ["a", "b", "c", "d", "e"] {
            slots.begin(failing);
            slots.end(failing, true);
        }
        for failing in ["a", "b", "c", "d"] {
            slots.begin(failing);
        }
        assert_eq!((slots.free("e"), slots.free("f")), (0, 4));
        assert!(slots.end("a", false), "it stops failing");
        assert_eq!(slots.free("a"), 4);
    }

    #[test]
    fn at_most_8_attempts_are_in_progress() {
        let mut slots = Slots::default();
        for client in ["a", "b"] {
            for _ in 0..4 {
                slots.begin(client);
            }
        }
        assert_eq!(slots.free("c"), 0);
        slots.end("a", false);
        assert_eq!((slots.free("a"), slots.free("c")), (1, 1));
    }
}
