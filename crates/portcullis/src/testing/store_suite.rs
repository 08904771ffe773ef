//! Tests that an implementation of [`RevocationStore`] keeps its guarantees.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::rand;

use crate::feed::{Appended, Cursor, Entry, RevocationStore, Target};

/// The maximum time that an operation may take in this suite.
const PATIENCE: Duration = Duration::from_secs(20);

/// The `until` of entries that the suite does not prune.
const LATER: u64 = 4_000_000_000;

/// Tests the guarantees of [`RevocationStore`]. Panics at the first guarantee that the store does not keep,
/// and names it.
///
/// Each call of `open` must return another handle to the same storage, like another instance of a service.
/// The storage may contain entries of other tests, because the suite uses issuers of its own. Call it on a
/// multi-thread runtime, so that the appends interleave.
///
/// ```
/// use portcullis::feed::MemoryStore;
/// use portcullis::testing::store_suite;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let shared = MemoryStore::new();
/// store_suite(async || shared.clone()).await;
/// # }
/// ```
///
/// The suite cannot test durability. Test it separately: kill the server after `append` has returned, start
/// the server again, and check that the entry is there.
pub async fn store_suite<S: RevocationStore>(open: impl AsyncFn() -> S) {
    let (one, other) = (open().await, open().await);
    one.check().await.expect("`check` must accept the settings of the storage");
    entries_are_returned_unchanged(&one, &other).await;
    an_id_is_stored_once(&one, &other).await;
    a_cursor_returns_what_came_later(&one, &other).await;
    many_entries_are_returned_in_pages(&one, &other).await;
    prune_keeps_what_still_matters(&one, &other).await;
    a_foreign_cursor_is_lost_or_harmless(&one).await;
    let writers = [open().await, open().await, open().await, open().await];
    concurrent_appends_are_never_skipped(writers, &other).await;
}

/// Returns an issuer that no other run uses.
fn new_issuer() -> String {
    static RUN: LazyLock<u64> = LazyLock::new(|| {
        let mut bytes = [0; 8];
        rand::fill(&mut bytes).unwrap();
        u64::from_ne_bytes(bytes)
    });
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("https://{:016x}-{number}.example/tenant?a=b&c='\"", *RUN)
}

fn session(issuer: &str, value: impl ToString) -> Entry {
    Entry::new(issuer, Target::Session(value.to_string()), 1_800_000_000, LATER)
}

async fn append(store: &impl RevocationStore, entry: &Entry) -> Appended {
    let appended = tokio::time::timeout(PATIENCE, store.append(entry)).await;
    appended.expect("`append` must return in time").expect("`append` must succeed")
}

/// Reads all pages. Returns the entries of an issuer, and the last cursor.
async fn read(
    store: &impl RevocationStore,
    after: Option<Cursor>,
    issuer: &str,
) -> (Vec<Entry>, Cursor) {
    let (mut found, mut cursor) = (Vec::new(), after);
    loop {
        let changes = tokio::time::timeout(PATIENCE, store.changes(cursor.as_ref())).await;
        let changes =
            changes.expect("`changes` must return in time").expect("`changes` must succeed");
        found.extend(changes.entries.into_iter().filter(|entry| entry.issuer == issuer));
        if !changes.has_more {
            return (found, changes.cursor);
        }
        assert_ne!(Some(&changes.cursor), cursor.as_ref(), "a cursor with more must advance");
        cursor = Some(changes.cursor);
    }
}

async fn entries_are_returned_unchanged(one: &impl RevocationStore, other: &impl RevocationStore) {
    let issuer = new_issuer();
    let long = "\u{e9}".repeat(1024);
    let texts = ["s-1", "", " ", "'; --", "\u{1f511}\n\t\"\\", "a:b|c,d", "%00", long.as_str()];
    let kinds = ["session", "token", "subject", "client"];
    let targets = kinds.iter().flat_map(|kind| texts.map(|text| (*kind, text)));
    let mut expected: Vec<_> = targets
        .map(|(kind, text)| Target::from_parts(kind, text).unwrap())
        .map(|target| Entry::new(&issuer, target, 1_800_000_000, LATER))
        .collect();
    expected.push(Entry::new(&issuer, Target::All, 0, 253_402_300_799));
    for entry in &expected {
        assert_eq!(append(one, entry).await, Appended::New);
    }
    let (found, _) = read(other, None, &issuer).await;
    for entry in &expected {
        assert!(found.contains(entry), "an appended entry must be returned unchanged: {entry:?}");
    }
    assert_eq!(found.len(), expected.len(), "no other entry may be returned");
}

async fn an_id_is_stored_once(one: &impl RevocationStore, other: &impl RevocationStore) {
    let issuer = new_issuer();
    let first = session(&issuer, "first");
    let mut second = session(&issuer, "second");
    second.id.clone_from(&first.id);
    assert_eq!(append(one, &first).await, Appended::New);
    for store in [one as &dyn RevocationStore, other] {
        let appended = store.append(&second).await.expect("`append` succeeds");
        assert_eq!(appended, Appended::Known, "an `id` must be stored once, whatever the content");
    }
    let (found, _) = read(other, None, &issuer).await;
    assert_eq!(found, [first], "an `id` must be stored once");
}

async fn a_cursor_returns_what_came_later(
    one: &impl RevocationStore,
    other: &impl RevocationStore,
) {
    let issuer = new_issuer();
    let (_, mut cursor) = read(other, None, &issuer).await;
    for number in 0..20 {
        let entry = session(&issuer, number);
        append(one, &entry).await;
        let (found, next) = read(other, Some(cursor), &issuer).await;
        assert!(
            found.contains(&entry),
            "an entry must be returned by the next call after its append"
        );
        cursor = next;
    }
}

async fn many_entries_are_returned_in_pages(
    one: &impl RevocationStore,
    other: &impl RevocationStore,
) {
    const MANY: usize = 2500;
    let issuer = new_issuer();
    let (_, start) = read(other, None, &issuer).await;
    for number in 0..MANY {
        append(one, &session(&issuer, number)).await;
    }
    for after in [None, Some(start)] {
        let (found, _) = read(other, after, &issuer).await;
        let ids: BTreeSet<_> = found.into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), MANY, "every page must be returned");
    }
}

async fn prune_keeps_what_still_matters(one: &impl RevocationStore, other: &impl RevocationStore) {
    let issuer = new_issuer();
    let ending =
        |until| Entry::new(&issuer, Target::Session(format!("until {until}")), 1_000, until);
    let (over, last, later) = (ending(1_999), ending(2_000), ending(LATER));
    for entry in [&over, &last, &later] {
        append(one, entry).await;
    }
    one.prune(2_000).await.expect("`prune` succeeds");
    let (found, cursor) = read(other, None, &issuer).await;
    assert!(
        found.contains(&last) && found.contains(&later),
        "`prune` must keep entries until `until`"
    );
    let added = session(&issuer, "added");
    append(one, &added).await;
    one.prune(2_000).await.expect("`prune` succeeds again");
    let (found, _) = read(other, Some(cursor), &issuer).await;
    assert!(found.contains(&added), "`prune` must not invalidate a cursor");
}

async fn a_foreign_cursor_is_lost_or_harmless(store: &impl RevocationStore) {
    let issuer = new_issuer();
    let entry = session(&issuer, "s");
    append(store, &entry).await;
    match store.changes(Some(&Cursor::new("of another store"))).await {
        Err(error) => assert!(error.is_cursor_lost(), "a foreign cursor must be lost: {error:?}"),
        Ok(changes) => {
            let mut found = changes.entries;
            if changes.has_more {
                found.extend(read(store, Some(changes.cursor), &issuer).await.0);
            }
            assert!(found.contains(&entry), "a foreign cursor must not skip entries");
        }
    }
}

/// An entry that commits late must not be skipped because a later number was already read.
async fn concurrent_appends_are_never_skipped<S: RevocationStore>(
    writers: [S; 4],
    reader: &impl RevocationStore,
) {
    const EACH: usize = 250;
    let issuer: Arc<str> = new_issuer().into();
    let (_, mut cursor) = read(reader, None, &issuer).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (writer, store) in writers.into_iter().enumerate() {
        let issuer = issuer.clone();
        tasks.spawn(async move {
            for number in 0..EACH {
                append(&store, &session(&issuer, format!("{writer}-{number}"))).await;
                tokio::task::yield_now().await;
            }
        });
    }
    let mut seen = BTreeSet::new();
    loop {
        let are_done = tasks.is_empty();
        let (found, next) = read(reader, Some(cursor), &issuer).await;
        seen.extend(found.into_iter().map(|entry| entry.id));
        cursor = next;
        if are_done {
            break;
        }
        while let Some(ended) = tasks.try_join_next() {
            ended.expect("a writer succeeds");
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(seen.len(), 4 * EACH, "a reader that follows the cursor must not skip entries");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Changes, MemoryStore, Storing};

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_store_keeps_the_guarantees() {
        let shared = MemoryStore::new();
        store_suite(async || shared.clone()).await;
    }

    /// A store that breaks one guarantee.
    #[derive(Debug, Clone)]
    struct Faulty(MemoryStore, Fault);

    #[derive(Debug, Clone, Copy)]
    enum Fault {
        SkipsByTime,
        LosesPages,
        PrunesAll,
        ChangesIds,
    }

    impl RevocationStore for Faulty {
        fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
            let Self(store, Fault::ChangesIds) = self else { return self.0.append(entry) };
            let mut other = entry.clone();
            other.id.push_str(entry.target.value());
            Box::pin(async move { store.append(&other).await })
        }

        fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
            Box::pin(async move {
                let mut changes = self.0.changes(after).await?;
                match self.1 {
                    Fault::LosesPages => changes.has_more = false,
                    Fault::SkipsByTime if after.is_some() => changes.entries.clear(),
                    _ => {}
                }
                Ok(changes)
            })
        }

        fn prune(&self, _: u64) -> Storing<'_, ()> {
            let before = if let Fault::PrunesAll = self.1 { u64::MAX } else { 0 };
            self.0.prune(before)
        }
    }

    #[test]
    fn faulty_stores_fail_the_suite() {
        for (fault, guarantee) in [
            (Fault::SkipsByTime, "by the next call after its append"),
            (Fault::LosesPages, "every page must be returned"),
            (Fault::PrunesAll, "must keep entries until `until`"),
            (Fault::ChangesIds, "must be returned unchanged"),
        ] {
            let store = Faulty(MemoryStore::new(), fault);
            let suite = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.unwrap().block_on(store_suite(async || store.clone()));
            });
            let panic = suite.join().unwrap_err();
            let text = panic.downcast_ref::<String>().map_or("", String::as_str);
            let text = panic.downcast_ref::<&str>().map_or(text, |text| *text);
            assert!(text.contains(guarantee), "{fault:?}: {text}");
        }
    }
}
