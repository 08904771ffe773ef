//! The token cache: a bounded table of verified tokens. Only exactly the same bytes find an entry.
//!
//! A seeded hash selects only *where* to look. An entry matches only if its whole token is equal to the
//! presented token, byte for byte. So a client cannot get another caller's identity, regardless of the
//! tokens that it has and of what it knows about the hash. A hash collision costs one verification. The
//! guide's chapter on the token cache has the whole argument.
//!
//! A reader takes no lock. On a hit, it writes to the reference count of the returned pointer, and
//! to the entry's `used` flag only if that is not set.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, OnceLock};

use constant_time_eq::constant_time_eq;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::sync::ArcSwapOption;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// The default limit: about 11,000 tokens of a typical length.
pub(crate) const DEFAULT_BYTES: usize = 32 * 1024 * 1024;

/// The minimum and the maximum limit.
pub(crate) const BOUNDS: (usize, usize) = (64 * 1024, 1 << 40);

/// The maximum size of one entry. Tokens of typical issuers are far smaller.
const MAX_ENTRY_BYTES: usize = 16 * 1024;

/// The number of slots that a token may be in. The models have two, because the number of interleavings
/// grows with it.
const WAYS: usize = if cfg!(portcullis_loom) { 2 } else { 8 };

/// The cache has one slot for this number of bytes of its limit. It then has about twice as many
/// slots as entries of a typical size, so that tokens rarely compete for a slot.
const BYTES_PER_SLOT: usize = 1024;

/// A cached value, found by its token.
pub(crate) trait HasToken {
    /// The whole token.
    fn token(&self) -> &[u8];

    /// Whether `other`, a value for the same token, replaces this value. Otherwise, both are
    /// cached.
    fn is_replaced_by(&self, other: &Self) -> bool {
        let _ = other;
        true
    }
}

/// The result of checking an entry of the token.
pub(crate) enum Recalled<T> {
    /// A hit.
    Holds(T),
    /// A miss, but another entry of the same token may be a hit.
    Elsewhere,
    /// A miss, and the entry is no longer valid.
    Ended,
}

pub(crate) struct TokenCache<V> {
    /// The sets of slots. Their number is a power of two.
    sets: Box<[[Slot<V>; WAYS]]>,
    hasher: SeedableRandomState,
    /// The size of all entries, including those that are being inserted.
    bytes: AtomicUsize,
    limit: usize,
    /// The slot where the eviction last stopped.
    hand: AtomicUsize,
}

struct Slot<V> {
    /// The hash of the entry, to skip other entries quickly; 0 in an empty slot. It is only a hint, and
    /// may be out of date: the entry has its own hash.
    hint: AtomicU64,
    entry: ArcSwapOption<Entry<V>>,
}

struct Entry<V> {
    hash: u64,
    value: V,
    bytes: usize,
    /// Whether the entry was hit since the eviction last looked at it.
    used: AtomicBool,
}

impl<V: HasToken> TokenCache<V> {
    /// Creates a cache of at most about `limit` bytes, including overhead. `None` for a limit of 0,
    /// or if the machine provides no random numbers.
    pub(crate) fn new(limit: usize) -> Option<Self> {
        if limit == 0 {
            return None;
        }
        let sets = (limit / BYTES_PER_SLOT / WAYS).max(1).next_power_of_two();
        Some(Self {
            sets: (0..sets).map(|_| std::array::from_fn(|_| Slot::default())).collect(),
            hasher: SeedableRandomState::with_seed(random()?, process_seed()?),
            bytes: AtomicUsize::new(0),
            limit,
            hand: AtomicUsize::new(0),
        })
    }

    /// Applies `answer` to the entries of exactly this token. Removes an entry that has ended.
    pub(crate) fn recall<T>(&self, token: &[u8], answer: impl Fn(&V) -> Recalled<T>) -> Option<T> {
        let hash = self.hash(token);
        for slot in self.set(hash) {
            if slot.hint.load(Ordering::Relaxed) != hash {
                continue;
            }
            let guard = slot.entry.load();
            let Some(entry) = guard.as_ref().filter(|entry| entry.is_of(hash, token)) else {
                continue;
            };
            match answer(&entry.value) {
                Recalled::Elsewhere => continue,
                Recalled::Ended => self.drop_entry(slot, entry),
                Recalled::Holds(answered) => {
                    if !entry.used.load(Ordering::Relaxed) {
                        entry.used.store(true, Ordering::Relaxed);
                    }
                    return Some(answered);
                }
            }
            return None;
        }
        None
    }

    /// Caches `value`, unless it is too large. `bytes` is its size.
    pub(crate) fn insert(&self, bytes: usize, value: V) {
        let bytes = bytes + size_of::<Entry<V>>();
        if bytes > MAX_ENTRY_BYTES.min(self.limit) || !self.make_room(bytes) {
            return;
        }
        let hash = self.hash(value.token());
        let entry = Entry { hash, value, bytes, used: AtomicBool::new(false) };
        let Some(slot) = self.place_for(hash, &entry.value) else { return self.released(bytes) };
        slot.hint.store(hash, Ordering::Relaxed);
        if let Some(old) = slot.entry.swap(Some(Arc::new(entry))) {
            self.released(old.bytes);
        }
    }

    /// Returns a slot for `value`: the one whose entry it replaces, or an empty one, or one whose entry
    /// was not used recently.
    fn place_for(&self, hash: u64, value: &V) -> Option<&Slot<V>> {
        let set = self.set(hash);
        let hinted =
            |wanted| set.iter().filter(move |slot| slot.hint.load(Ordering::Relaxed) == wanted);
        let is_replaced = |slot: &&Slot<V>| {
            slot.entry.load().as_ref().is_none_or(|entry| entry.value.is_replaced_by(value))
        };
        hinted(hash).find(is_replaced).or_else(|| hinted(0).next()).or_else(|| {
            let idle = set.iter().find(|slot| slot.is_idle());
            idle.or(set.first())
        })
    }

    /// Reserves `bytes` of the limit, and evicts entries that were not used recently until they
    /// fit.
    fn make_room(&self, bytes: usize) -> bool {
        let mut taken = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // Two rounds, because the first one may only find entries in use.
        let mut steps = self.sets.len() * WAYS * 2;
        while taken > self.limit {
            if steps == 0 {
                self.released(bytes);
                return false;
            }
            steps -= 1;
            let at = self.hand.fetch_add(1, Ordering::Relaxed);
            let set = self.sets.get(at / WAYS % self.sets.len());
            if let Some(slot) = set.and_then(|set| set.get(at % WAYS))
                && slot.is_idle()
            {
                slot.hint.store(0, Ordering::Relaxed);
                if let Some(old) = slot.entry.swap(None) {
                    self.released(old.bytes);
                }
            }
            taken = self.bytes.load(Ordering::Relaxed);
        }
        true
    }

    fn drop_entry(&self, slot: &Slot<V>, entry: &Arc<Entry<V>>) {
        // Another thread may have replaced the entry meanwhile. The new entry stays.
        let before = slot.entry.compare_and_swap(entry, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, entry)) {
            slot.hint.store(0, Ordering::Relaxed);
            self.released(entry.bytes);
        }
    }

    fn released(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns the hash of a token. It is never 0, which marks an empty slot.
    fn hash(&self, token: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(token);
        hasher.finish().max(1)
    }

    fn set(&self, hash: u64) -> &[Slot<V>] {
        #[expect(clippy::cast_possible_truncation, reason = "any bits are suitable")]
        let at = hash as usize & (self.sets.len() - 1);
        self.sets.get(at).map(<[_; WAYS]>::as_slice).unwrap_or_default()
    }
}

impl<V> Slot<V> {
    /// Whether the slot has an entry that was not used since the last call.
    fn is_idle(&self) -> bool {
        self.entry.load().as_ref().is_some_and(|entry| !entry.used.swap(false, Ordering::Relaxed))
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { hint: AtomicU64::new(0), entry: ArcSwapOption::empty() }
    }
}

impl<V: HasToken> Entry<V> {
    /// Compares the hash first. For a client that cannot match all bits of the hash, the time of the
    /// comparison reveals nothing, because it does not depend on where the tokens differ.
    fn is_of(&self, hash: u64, token: &[u8]) -> bool {
        self.hash == hash && constant_time_eq(self.value.token(), token)
    }
}

/// The part of the seed that all caches of this process share.
fn process_seed() -> Option<&'static SharedSeed> {
    static SEED: OnceLock<Option<SharedSeed>> = OnceLock::new();
    SEED.get_or_init(|| random().map(SharedSeed::from_u64)).as_ref()
}

fn random() -> Option<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
impl<V> TokenCache<V> {
    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.sets.iter().flatten().filter(|slot| slot.entry.load().is_some()).count()
    }
}

#[cfg(all(test, portcullis_loom))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept(String, u32);

    impl HasToken for Kept {
        fn token(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    fn cache(limit: usize) -> TokenCache<Kept> {
        TokenCache::new(limit).unwrap()
    }

    fn insert(cache: &TokenCache<Kept>, token: &str, bytes: usize, value: u32) {
        cache.insert(bytes + token.len(), Kept(token.to_owned(), value));
    }

    fn recall(cache: &TokenCache<Kept>, token: &str) -> Option<u32> {
        cache.recall(token.as_bytes(), |Kept(_, value)| Recalled::Holds(*value))
    }

    fn entries(cache: &TokenCache<Kept>) -> Vec<usize> {
        let slots = cache.sets.iter().flatten();
        slots.filter_map(|slot| Some(slot.entry.load().as_ref()?.bytes)).collect()
    }

    #[test]
    fn only_the_same_token_is_a_cache_hit() {
        let cache = cache(1 << 20);
        insert(&cache, "abcdef.ghijkl.mnopqr", 0, 1);
        assert_eq!(recall(&cache, "abcdef.ghijkl.mnopqr"), Some(1));
        for other in
            ["", "a", "abcdef.ghijkl.mnopq", "abcdef.ghijkl.mnopqrs", "abcdef.ghijkl.mnopqR"]
        {
            assert_eq!(recall(&cache, other), None, "{other}");
        }
    }

    /// The security of the cache depends on distinguishing tokens with the same hash.
    #[test]
    fn hash_collision_is_a_cache_miss() {
        let (value, used) = (Kept("alice".to_owned(), 1), AtomicBool::new(false));
        let entry = Entry { hash: 7, value, bytes: 0, used };
        assert!(entry.is_of(7, b"alice"));
        for (hash, token) in [(7, "malet"), (7, "alic"), (7, "alice "), (7, ""), (8, "alice")] {
            assert!(!entry.is_of(hash, token.as_bytes()), "{hash} {token}");
        }
    }

    #[test]
    fn two_caches_hash_differently() {
        let hash = |cache: TokenCache<Kept>| cache.hash(b"a token");
        assert_ne!(hash(cache(1 << 16)), hash(cache(1 << 16)));
    }

    #[test]
    fn ended_cache_entry_is_dropped() {
        let cache = cache(1 << 20);
        insert(&cache, "a", 100, 1);
        assert_eq!(cache.recall(b"a", |_| Recalled::Ended::<u32>), None);
        assert_eq!(recall(&cache, "a"), None);
        assert_eq!((entries(&cache).len(), cache.bytes.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn cache_bound_holds_in_a_flood_and_used_entries_stay() {
        let limit = 1 << 18;
        let cache = cache(limit);
        insert(&cache, "hot", 0, 7);
        for number in 0..20_000 {
            let token = format!("{number:0>900}");
            insert(&cache, &token, 500, number);
            assert_eq!(recall(&cache, "hot"), Some(7), "after {number}");
            let bytes = cache.bytes.load(Ordering::Relaxed);
            assert!(bytes <= limit, "{bytes} after {number}");
        }
        let sizes = entries(&cache);
        assert_eq!(sizes.iter().sum::<usize>(), cache.bytes.load(Ordering::Relaxed));
        assert!(sizes.len() > limit / 4096, "{} entries are kept", sizes.len());
    }

    #[test]
    fn cache_bound_holds_with_many_threads() {
        let limit = 1 << 18;
        let cache = cache(limit);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let cache = &cache;
                scope.spawn(move || {
                    for number in 0..3_000 {
                        let token = format!("{thread}{:0>600}", number % 700);
                        match recall(cache, &token) {
                            Some(found) => assert_eq!(found, number % 700),
                            None => insert(cache, &token, 0, number % 700),
                        }
                    }
                });
            }
        });
        let bytes = cache.bytes.load(Ordering::Relaxed);
        assert!(bytes <= limit && bytes == entries(&cache).iter().sum::<usize>(), "{bytes}");
    }

    #[test]
    fn oversized_entry_is_not_cached() {
        let cache = cache(1 << 20);
        insert(&cache, &"x".repeat(MAX_ENTRY_BYTES), 0, 1);
        insert(&cache, "x", MAX_ENTRY_BYTES, 1);
        assert_eq!((entries(&cache).len(), cache.bytes.load(Ordering::Relaxed)), (0, 0));
        assert!(TokenCache::<Kept>::new(0).is_none());
    }
}
