//! A cap on events that a machine client can cause in any number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const HOUR: i64 = 60 * 60;

/// The number of events of each client in its current hour. Only registered clients are counted, so
/// the table is small.
#[derive(Debug)]
pub(crate) struct Cap {
    per_hour: u32,
    clients: Mutex<HashMap<String, (i64, u32)>>,
}

impl Cap {
    /// Creates a cap of `per_hour` events of each client.
    pub(crate) fn new(per_hour: u32) -> Self {
        Self { per_hour, clients: Mutex::default() }
    }

    /// Counts an event of a client, and returns whether to record it.
    pub(crate) fn take(&self, client_id: &str, now: i64) -> bool {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now.div_euclid(HOUR);
        let (counted, events) = clients.entry(client_id.to_owned()).or_insert((hour, 0));
        if *counted != hour {
            (*counted, *events) = (hour, 0);
        }
        *events = events.saturating_add(1);
        *events <= self.per_hour
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_events_over_the_cap_are_not_recorded_in_the_same_hour() {
        let cap = Cap::new(60);
        let taken = |client, now| (0..100).filter(|_| cap.take(client, now)).count();
        assert_eq!(taken("a", HOUR), 60);
        assert_eq!(taken("b", HOUR), 60);
        assert_eq!(taken("a", 2 * HOUR - 1), 0);
        assert_eq!(taken("a", 2 * HOUR), 60);
    }
}
