//! A store in the memory of one process.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Appended, Changes, Cursor, Entry, RevocationStore, StoreError, Storing, Target};

/// The maximum number of entries in one response of `changes`.
const PAGE: usize = 1000;

/// The maximum number of entries.
const MAX_ENTRIES: usize = 200_000;

/// A store in the memory of this process, shared by its clones. Its entries are lost with the process.
///
/// [`Revocations::in_memory`](super::Revocations::in_memory) uses one. Tests of several instances
/// can share one.
///
/// ```
/// use portcullis::feed::{Appended, Entry, MemoryStore, RevocationStore, Target};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let target = Target::Session("s-1".to_owned());
/// let entry = Entry::new("https://auth.example", target, 1_800_000_000, 1_800_000_920);
/// assert_eq!(store.append(&entry).await?, Appended::New);
/// assert_eq!(store.append(&entry).await?, Appended::Known);
///
/// let changes = store.changes(None).await?;
/// assert_eq!(changes.entries, [entry]);
/// assert!(store.changes(Some(&changes.cursor)).await?.entries.is_empty());
/// let foreign = portcullis::feed::Cursor::new("of another store");
/// assert!(store.changes(Some(&foreign)).await.unwrap_err().is_cursor_lost());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    kept: Mutex<Kept>,
    /// The number of the last entry. Waiting readers watch it.
    last: watch::Sender<u64>,
    max_entries: usize,
}

#[derive(Default)]
struct Kept {
    /// The entries by their numbers, which begin at 1.
    entries: BTreeMap<u64, Entry>,
    numbers: HashMap<String, u64>,
    last: u64,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_entries(MAX_ENTRIES)
    }

    pub(crate) fn with_max_entries(max_entries: usize) -> Self {
        let (kept, last) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Shared { kept, last, max_entries }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    fn append(&mut self, entry: &Entry, max_entries: usize) -> Appended {
        if self.numbers.contains_key(&entry.id) {
            return Appended::Known;
        }
        self.push(entry.clone());
        while self.entries.len() > max_entries.max(2) {
            let before = self.entries.len();
            self.condense();
            // Only the watermarks of many issuers are left.
            if self.entries.len() >= before {
                break;
            }
        }
        Appended::New
    }

    fn push(&mut self, entry: Entry) {
        self.last += 1;
        if let Some(before) = self.numbers.insert(entry.id.clone(), self.last) {
            self.entries.remove(&before);
        }
        self.entries.insert(self.last, entry);
    }

    /// Replaces the older half of the entries by one watermark for each of their issuers. A later
    /// reader then rejects too many tokens rather than too few.
    fn condense(&mut self) {
        let mut watermarks = BTreeMap::<String, (u64, u64)>::new();
        for _ in 0..self.entries.len().div_ceil(2) {
            let Some((_, entry)) = self.entries.pop_first() else { break };
            self.numbers.remove(&entry.id);
            let (at, until) = watermarks.entry(entry.issuer).or_default();
            *at = entry.at.max(*at);
            *until = entry.until.max(*until);
        }
        for (issuer, (at, until)) in watermarks {
            self.push(Entry::new(issuer, Target::All, at, until));
        }
    }

    fn after(&self, number: u64) -> Changes {
        let mut entries: Vec<_> = self.entries.range(number + 1..).take(PAGE + 1).collect();
        let has_more = entries.len() > PAGE;
        entries.truncate(PAGE);
        let last = if has_more {
            entries.last().map_or(number, |(number, _)| **number)
        } else {
            self.last
        };
        Changes {
            entries: entries.into_iter().map(|(_, entry)| entry.clone()).collect(),
            cursor: Cursor::new(last.to_string()),
            has_more,
        }
    }
}

impl RevocationStore for MemoryStore {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        let mut kept = self.kept();
        let appended = kept.append(entry, self.0.max_entries);
        self.0.last.send_replace(kept.last);
        Box::pin(ready(Ok(appended)))
    }

    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
        let kept = self.kept();
        let number = match after {
            None => Some(0),
            Some(cursor) => cursor.as_str().parse().ok().filter(|number| *number <= kept.last),
        };
        let changes = number.map(|number| kept.after(number)).ok_or_else(StoreError::cursor_lost);
        Box::pin(ready(changes))
    }

    fn changed<'s>(&'s self, after: &'s Cursor) -> Pin<Box<dyn Future<Output = ()> + Send + 's>> {
        Box::pin(async move {
            let known = after.as_str().parse().unwrap_or(0);
            let mut last = self.0.last.subscribe();
            // The sender lives as long as `self`.
            let _ = last.wait_for(|last| *last > known).await;
        })
    }

    fn prune(&self, before: u64) -> Storing<'_, ()> {
        let mut kept = self.kept();
        let Kept { entries, numbers, .. } = &mut *kept;
        entries.retain(|_, entry| {
            let stays = entry.until >= before;
            if !stays {
                numbers.remove(&entry.id);
            }
            stays
        });
        Box::pin(ready(Ok(())))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.kept().entries.len();
        f.debug_struct("MemoryStore").field("entries", &entries).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(issuer: &str, number: u64) -> Entry {
        Entry::new(issuer, Target::Session(format!("s{number}")), number, 1000 + number)
    }

    #[tokio::test]
    async fn full_store_keeps_a_watermark_for_what_it_drops() {
        let store = MemoryStore::with_max_entries(10);
        let cursor = store.changes(None).await.unwrap().cursor;
        for number in 1..=11 {
            let issuer = if number == 3 { "b" } else { "a" };
            store.append(&session(issuer, number)).await.unwrap();
        }
        // A reader that missed the dropped entries must learn of them through the watermark.
        for after in [None, Some(&cursor)] {
            let entries = store.changes(after).await.unwrap().entries;
            assert!(entries.len() <= 10, "{entries:?}");
            for (issuer, number) in [("a", 6), ("b", 3)] {
                let watermark = Entry::new(issuer, Target::All, number, 1000 + number);
                assert!(entries.contains(&watermark), "{entries:?}");
            }
            for number in 7..=11 {
                assert!(entries.contains(&session("a", number)), "{entries:?}");
            }
        }
    }

    #[tokio::test]
    async fn full_store_accepts_entries_of_more_issuers_than_it_has_places() {
        let store = MemoryStore::with_max_entries(4);
        for number in 1..=9 {
            store.append(&session(&format!("i{number}"), number)).await.unwrap();
        }
        let entries = store.changes(None).await.unwrap().entries;
        let issuers: std::collections::BTreeSet<_> =
            entries.iter().map(|entry| entry.issuer.clone()).collect();
        assert_eq!(issuers.len(), 9, "{entries:?}");
    }

    #[tokio::test]
    async fn append_wakes_a_reader_before_and_after_it_waits() {
        let store = MemoryStore::new();
        let start = store.changes(None).await.unwrap().cursor;
        store.append(&session("a", 1)).await.unwrap();
        store.changed(&start).await;
        let next = store.changes(Some(&start)).await.unwrap().cursor;
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { store.changed(&next).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        store.append(&session("a", 2)).await.unwrap();
        waiting.await.unwrap();
    }
}
