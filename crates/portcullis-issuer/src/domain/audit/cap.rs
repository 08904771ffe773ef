//! A cap on the events that a machine client causes in normal operation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The number of tokens of a client that each process records per hour. The metrics count all
/// tokens.
const PER_HOUR: u32 = 60;

const HOUR: i64 = 60 * 60;

/// The number of events of each client in its current hour. Only registered clients are counted, so
/// the table is small.
#[derive(Debug, Default)]
pub(super) struct Cap(Mutex<HashMap<String, (i64, u32)>>);

impl Cap {
    /// Counts an event of a client, and returns whether to record it.
    pub(super) fn take(&self, client_id: &str, now: i64) -> bool {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now.div_euclid(HOUR);
        let (counted, events) = clients.entry(client_id.to_owned()).or_insert((hour, 0));
        if *counted != hour {
            (*counted, *events) = (hour, 0);
        }
        *events = events.saturating_add(1);
        *events <= PER_HOUR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_events_over_60_an_hour_are_not_recorded() {
        let cap = Cap::default();
        let taken = |client, now| (0..100).filter(|_| cap.take(client, now)).count();
        assert_eq!(taken("a", HOUR), 60);
        assert_eq!(taken("b", HOUR), 60);
        assert_eq!(taken("a", 2 * HOUR - 1), 0);
        assert_eq!(taken("a", 2 * HOUR), 60);
    }
}
