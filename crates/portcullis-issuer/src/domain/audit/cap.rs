//! A cap on events that a machine client causes by working as it should.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many tokens of a client are recorded in an hour, by each process. The metrics count all.
const PER_HOUR: u32 = 60;

const HOUR: i64 = 60 * 60;

/// How many events each client has had in its current hour. Clients are registered, so they are few.
#[derive(Debug, Default)]
pub(super) struct Cap(Mutex<HashMap<String, (i64, u32)>>);

impl Cap {
    /// Takes one event of a client. Returns whether it is to be recorded.
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
    fn client_has_so_many_events_an_hour() {
        let cap = Cap::default();
        let taken = |client, now| (0..100).filter(|_| cap.take(client, now)).count();
        assert_eq!(taken("a", HOUR), 60);
        assert_eq!(taken("b", HOUR), 60);
        assert_eq!(taken("a", 2 * HOUR - 1), 0);
        assert_eq!(taken("a", 2 * HOUR), 60);
    }
}
