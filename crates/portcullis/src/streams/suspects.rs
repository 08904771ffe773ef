//! Checks the streams that new entries of the feed may revoke.

use std::sync::{Arc, Weak};

use super::ended::Ended;
use super::entry::Ending;
use super::group::Group;
use super::names::NameHash;
use super::registry::SessionsUnderWay;

/// The number of streams that are checked in one step. The table is locked during a step.
const AT_ONCE: usize = 256;

/// Streams of a group that have not been checked under the current generation of the feed, and that the new
/// entries may name.
pub(super) struct Suspects {
    group: Arc<Group>,
    generation: u64,
    places: Vec<u32>,
}

impl SessionsUnderWay {
    /// Returns `None` if nothing was revoked since the last check of the group.
    pub(super) fn suspects(&self, group: &Arc<Group>) -> Option<Suspects> {
        let feed = group.feed()?;
        // A stream that is added from here on is checked when it is added.
        let (before, generation) = (group.fed(), feed.entries.generation());
        if before == generation {
            return None;
        }
        let targets = feed.entries.since(before);
        let names: Option<Vec<NameHash>> = targets
            .and_then(|targets| targets.iter().map(|name| self.hasher.of_target(name)).collect());
        let table = self.table();
        let places = match names {
            Some(names) => table.named(&names),
            None => table.members(group),
        };
        drop(table);
        Some(Suspects { group: group.clone(), generation, places })
    }

    /// Checks some suspects. Returns whether any are left.
    fn check_some(&self, suspects: &mut Suspects) -> bool {
        let Suspects { group, generation, places } = suspects;
        let mut ending = Ending::new();
        let mut checked = Vec::new();
        // The lock is held during the check, because a renewal could otherwise replace the stream's token.
        let mut table = self.table();
        for at in places.drain(places.len().saturating_sub(AT_ONCE)..) {
            let Some(entry) = table.member(group, at) else { continue };
            match entry.caller().check_feed() {
                // Dropping the entry here would lock the table.
                Ok(()) => checked.push(entry),
                Err(_) => table.end(entry, Ended::SessionRevoked, &mut ending),
            }
        }
        drop(table);
        Self::end(ending);
        if places.is_empty() {
            group.is_fed(*generation);
        }
        !places.is_empty()
    }
}

/// Checks all suspects, and lets other tasks run between the steps.
pub(super) async fn check(registry: &Weak<SessionsUnderWay>, mut suspects: Suspects) {
    let check_some = |suspects: &mut Suspects| {
        registry.upgrade().is_some_and(|registry| registry.check_some(suspects))
    };
    while check_some(&mut suspects) {
        tokio::task::yield_now().await;
    }
}
