//! Finds the streams that an entry of the feed names.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;

use crate::revocation::feed::{Target, TokenNames};

/// The hash of a name. 32 bits are enough: a stream whose name has an equal hash is only checked, not
/// ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameHash(NonZeroU32);

/// The session, the `jti` and the subject of a stream's token.
pub(super) type StreamNames = [Option<NameHash>; 3];

/// Computes hashes with a random key of this process, so that clients cannot choose names with equal
/// hashes.
#[derive(Default)]
pub(super) struct Hasher(RandomState);

impl Hasher {
    fn hash(&self, kind: u8, name: &str) -> NameHash {
        let [.., a, b, c, d] = self.0.hash_one((kind, name)).to_be_bytes();
        NameHash(NonZeroU32::new(u32::from_be_bytes([a, b, c, d])).unwrap_or(NonZeroU32::MIN))
    }

    /// Returns `None` for a target that may name most streams.
    pub(super) fn of_target(&self, target: &Target) -> Option<NameHash> {
        match target {
            Target::Session(name) => Some(self.hash(0, name)),
            Target::Token(name) => Some(self.hash(1, name)),
            Target::Subject(name) => Some(self.hash(2, name)),
            Target::Client(_) | Target::All => None,
        }
    }

    pub(super) fn of_token(&self, names: &TokenNames<'_>) -> StreamNames {
        [(0, names.session), (1, names.token), (2, names.subject)]
            .map(|(kind, name)| name.map(|name| self.hash(kind, name)))
    }
}

/// The places of streams by the names in their tokens.
#[derive(Default)]
pub(super) struct Names(BTreeSet<(NameHash, u32)>);

impl Names {
    pub(super) fn insert(&mut self, names: &StreamNames, at: u32) {
        self.0.extend(names.iter().flatten().map(|name| (*name, at)));
    }

    pub(super) fn remove(&mut self, names: &StreamNames, at: u32) {
        for name in names.iter().flatten() {
            self.0.remove(&(*name, at));
        }
    }

    pub(super) fn places(&self, name: NameHash) -> impl Iterator<Item = u32> {
        self.0.range((name, 0)..=(name, u32::MAX)).map(|(_, at)| *at)
    }
}
