//! Models of the token cache in every interleaving of two or three threads. The cache has one set of slots.

use super::*;
use crate::sync::model::{explore, spawn};

struct Kept {
    token: &'static str,
    /// The caller of the token.
    caller: &'static str,
    /// Counts the entries of a token.
    version: u8,
}

impl HasToken for Kept {
    fn token(&self) -> &[u8] {
        self.token.as_bytes()
    }
}

const ALICE: (&str, &str) = ("token of alice", "alice");
const BOB: (&str, &str) = ("token of bob", "bob");
const CAROL: (&str, &str) = ("token of carol", "carol");

/// A cache with room for this number of entries.
fn cache(entries: usize) -> Arc<TokenCache<Kept>> {
    Arc::new(TokenCache::new(entries * size_of::<Entry<Kept>>()).unwrap())
}

fn insert(cache: &TokenCache<Kept>, (token, caller): (&'static str, &'static str), version: u8) {
    cache.insert(0, Kept { token, caller, version });
}

fn recall(cache: &TokenCache<Kept>, (token, caller): (&str, &str)) -> Option<u8> {
    cache.recall(token.as_bytes(), |kept| {
        assert_eq!(kept.caller, caller, "the identity of another caller");
        Recalled::Holds(kept.version)
    })
}

fn versions(cache: &TokenCache<Kept>, (token, _): (&str, &str)) -> Vec<u8> {
    let entries = cache.sets.iter().flatten().filter_map(|slot| slot.entry.load_full());
    entries.filter(|entry| entry.value.token == token).map(|entry| entry.value.version).collect()
}

/// The sum of all entries is counted exactly, and within the limit.
fn assert_counted(cache: &TokenCache<Kept>) {
    let entries = cache.sets.iter().flatten().filter_map(|slot| slot.entry.load_full());
    let bytes: usize = entries.map(|entry| entry.bytes).sum();
    assert_eq!(cache.bytes.load(Ordering::Relaxed), bytes, "the count of the bytes");
    assert!(bytes <= cache.limit, "{bytes} bytes over the limit of {}", cache.limit);
}

#[test]
fn slot_that_changes_hands_never_returns_another_callers_entry() {
    explore("token cache: recall and insert", || {
        let cache = cache(8);
        insert(&cache, ALICE, 1);
        insert(&cache, BOB, 1);
        let other = cache.clone();
        let inserting = spawn(move || {
            insert(&other, CAROL, 1);
            assert_eq!(recall(&other, CAROL), Some(1), "an entry of one's own");
        });
        recall(&cache, ALICE);
        recall(&cache, BOB);
        inserting.join().unwrap();
        assert_counted(&cache);
    });
}

#[test]
fn wiped_entry_is_gone_and_its_replacement_stays() {
    explore("token cache: wipe and replace", || {
        let cache = cache(8);
        insert(&cache, ALICE, 1);
        let other = cache.clone();
        let inserting = spawn(move || insert(&other, ALICE, 2));
        let ended = |kept: &Kept| match kept.version {
            1 => Recalled::Ended,
            version => Recalled::Holds(version),
        };
        let first = cache.recall(ALICE.0.as_bytes(), ended);
        assert!(first.is_none_or(|version| version == 2), "{first:?}");
        assert_eq!(
            cache.recall(ALICE.0.as_bytes(), |kept| match kept.version {
                1 => Recalled::Holds(()),
                _ => Recalled::Elsewhere,
            }),
            None,
            "an ended entry"
        );
        inserting.join().unwrap();
        assert_eq!(versions(&cache, ALICE), [2]);
        assert_counted(&cache);
    });
}

#[test]
fn two_threads_wipe_one_entry_once() {
    explore("token cache: wipe twice and insert", || {
        let cache = cache(8);
        insert(&cache, ALICE, 1);
        let other = cache.clone();
        let wipe = |cache: &TokenCache<Kept>| {
            cache.recall(ALICE.0.as_bytes(), |_| Recalled::Ended::<()>);
        };
        let wiping = spawn(move || {
            wipe(&other);
            insert(&other, BOB, 1);
        });
        wipe(&cache);
        wiping.join().unwrap();
        assert!(versions(&cache, ALICE).is_empty());
        assert_counted(&cache);
    });
}

#[test]
fn eviction_keeps_the_limit_while_two_threads_insert() {
    explore("token cache: insert and evict", || {
        let cache = cache(1);
        insert(&cache, ALICE, 1);
        let other = cache.clone();
        let inserting = spawn(move || insert(&other, BOB, 1));
        insert(&cache, CAROL, 1);
        recall(&cache, BOB);
        inserting.join().unwrap();
        assert_counted(&cache);
    });
}
