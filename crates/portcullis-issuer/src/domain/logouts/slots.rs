//! The attempts in progress, and how many more a client may have.
//!
//! An attempt may take until the timeout, and must not delay the messages to other clients. So a client
//! has one attempt at a time until it has answered quickly, and the attempts at slow and failing clients
//! do not count against the maximum for the others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The maximum number of concurrent attempts at all clients that are not slow.
const IN_PROGRESS: usize = 8;

/// The maximum number of concurrent attempts at one client that answers quickly.
const PER_CLIENT: usize = 4;

/// The maximum number of attempts that begin concurrently at all slow clients.
const AT_SLOW: usize = 4;

/// How long a quick answer takes.
const QUICK: Duration = Duration::from_secs(1);

/// The attempts in progress.
#[derive(Debug, Default)]
pub(super) struct Slots {
    clients: HashMap<String, Client>,
}

/// A client, and when its attempts in progress began.
#[derive(Debug, Default)]
struct Client {
    pace: Pace,
    is_failing: bool,
    began: Vec<Instant>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// The client has not answered yet.
    #[default]
    Unknown,
    /// Its last answer was quick.
    Quick,
    /// Its last answer was slow or a failure, or an attempt in progress has no quick answer.
    Slow,
}

impl Slots {
    /// Finds the clients that have not answered quickly. Must be called before
    /// [`free`](Self::free).
    pub(super) fn look_at_clock(&mut self, now: Instant) {
        for client in self.clients.values_mut() {
            if client.began.iter().any(|began| now.saturating_duration_since(*began) > QUICK) {
                client.pace = Pace::Slow;
            }
        }
    }

    /// Returns how many more attempts a client may have now.
    pub(super) fn free(&self, client_id: &str) -> usize {
        let client = self.clients.get(client_id);
        let own = client.map_or(0, |client| client.began.len());
        match client.map(|client| client.pace).unwrap_or_default() {
            Pace::Quick => PER_CLIENT.saturating_sub(own).min(self.left(IN_PROGRESS, false)),
            Pace::Unknown => 1_usize.saturating_sub(own).min(self.left(IN_PROGRESS, false)),
            Pace::Slow => 1_usize.saturating_sub(own).min(self.left(AT_SLOW, true)),
        }
    }

    /// Returns how many of `maximum` attempts are left to the clients that are slow, or are not.
    fn left(&self, maximum: usize, slow: bool) -> usize {
        let clients = self.clients.values().filter(|client| (client.pace == Pace::Slow) == slow);
        maximum.saturating_sub(clients.map(|client| client.began.len()).sum())
    }

    pub(super) fn begin(&mut self, client_id: &str, now: Instant) {
        self.clients.entry(client_id.to_owned()).or_default().began.push(now);
    }

    /// Ends an attempt. Returns whether the client has begun or stopped failing with it.
    pub(super) fn end(
        &mut self,
        client_id: &str,
        (began, now): (Instant, Instant),
        has_failed: bool,
    ) -> bool {
        let client = self.clients.entry(client_id.to_owned()).or_default();
        if let Some(index) = client.began.iter().position(|it| *it == began) {
            client.began.swap_remove(index);
        }
        let is_quick = !has_failed && now.saturating_duration_since(began) <= QUICK;
        client.pace = if is_quick { Pace::Quick } else { Pace::Slow };
        std::mem::replace(&mut client.is_failing, has_failed) != has_failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// Lets clients answer quickly.
    fn with_quick(clients: &[&str], start: Instant) -> Slots {
        let mut slots = Slots::default();
        for client in clients {
            slots.begin(client, start);
            slots.end(client, (start, start), false);
        }
        slots
    }

    #[test]
    fn client_has_one_attempt_until_it_has_answered_quickly() {
        let (mut slots, start) = (Slots::default(), Instant::now());
        assert_eq!(slots.free("a"), 1);
        slots.begin("a", start);
        assert_eq!((slots.free("a"), slots.free("b")), (0, 1));
        assert!(!slots.end("a", (start, after(start, 1000)), false));
        assert_eq!(slots.free("a"), 4);
        slots.begin("a", start);
        slots.end("a", (start, after(start, 1001)), false);
        assert_eq!(slots.free("a"), 1, "a late answer");
    }

    #[test]
    fn slow_clients_leave_slots_to_others() {
        let start = Instant::now();
        let mut slots = with_quick(&["a", "b", "c"], start);
        for client in ["a", "b"] {
            for _ in 0..4 {
                slots.begin(client, start);
            }
        }
        slots.look_at_clock(after(start, 1000));
        assert_eq!((slots.free("c"), slots.free("d")), (0, 0));
        slots.look_at_clock(after(start, 1001));
        assert_eq!((slots.free("a"), slots.free("c"), slots.free("d")), (0, 4, 1));
        // The answer comes in the end.
        for _ in 0..4 {
            slots.end("a", (start, after(start, 4900)), false);
        }
        assert_eq!(slots.free("a"), 0, "the attempts at b are as many as slow clients may have");
        for _ in 0..4 {
            slots.end("b", (start, after(start, 4900)), false);
        }
        assert_eq!((slots.free("a"), slots.free("c")), (1, 4));
    }

    #[test]
    fn failing_clients_leave_slots_to_others() {
        let (mut slots, start) = (Slots::default(), Instant::now());
        for client in ["a", "b", "c", "d", "e"] {
            slots.begin(client, start);
            assert!(slots.end(client, (start, start), true), "it begins to fail");
            slots.begin(client, start);
            assert!(!slots.end(client, (start, start), true));
        }
        for client in ["a", "b", "c", "d"] {
            assert_eq!(slots.free(client), 1);
            slots.begin(client, start);
        }
        assert_eq!((slots.free("a"), slots.free("e"), slots.free("f")), (0, 0, 1));
        assert!(slots.end("a", (start, start), false), "it stops failing");
        assert_eq!(slots.free("a"), 4);
    }

    #[test]
    fn at_most_8_attempts_at_quick_clients_are_in_progress() {
        let start = Instant::now();
        let mut slots = with_quick(&["a", "b", "c"], start);
        for client in ["a", "b"] {
            assert_eq!(slots.free(client), 4);
            for _ in 0..4 {
                slots.begin(client, start);
            }
        }
        assert_eq!(slots.free("c"), 0);
        slots.end("a", (start, start), false);
        assert_eq!((slots.free("a"), slots.free("c")), (1, 1));
    }
}
