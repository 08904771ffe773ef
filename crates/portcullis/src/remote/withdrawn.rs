//! The `kid`s of keys that the issuer has withdrawn.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::key::KeySet;

/// The number of withdrawn keys that are remembered.
const CAPACITY: usize = 64;

/// The withdrawn `kid`s, latest last. Readers take no lock.
#[derive(Default)]
pub(super) struct WithdrawnKeys(ArcSwap<Vec<String>>);

impl WithdrawnKeys {
    pub(super) fn contains(&self, key_id: &str) -> bool {
        self.0.load().iter().any(|withdrawn| withdrawn == key_id)
    }

    /// Adds the keys of `before` that are missing in `after`, and removes keys that are back.
    pub(super) fn note(&self, before: &KeySet, after: &KeySet) {
        let ids = |keys: &KeySet| {
            keys.iter().filter_map(|key| key.id().map(str::to_owned)).collect::<Vec<_>>()
        };
        let present = ids(after);
        let mut withdrawn = Vec::clone(&self.0.load());
        withdrawn.extend(ids(before));
        withdrawn.retain(|id| !present.contains(id));
        let superfluous = withdrawn.len().saturating_sub(CAPACITY);
        withdrawn.drain(..superfluous);
        self.0.store(Arc::new(withdrawn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::testing::TestKey;

    fn keys(ids: &[&str]) -> KeySet {
        let keys: Vec<_> = ids.iter().map(|id| TestKey::generate(id, Algorithm::Es256)).collect();
        TestKey::key_set(&keys)
    }

    #[test]
    fn withdrawn_keys_are_remembered_until_republished() {
        let withdrawn = WithdrawnKeys::default();
        withdrawn.note(&keys(&["a", "b"]), &keys(&["b", "c"]));
        assert!(withdrawn.contains("a"));
        assert!(!withdrawn.contains("b") && !withdrawn.contains("c"));
        withdrawn.note(&keys(&["b", "c"]), &keys(&["a"]));
        assert!(!withdrawn.contains("a"));
        assert!(withdrawn.contains("b") && withdrawn.contains("c"));
    }

    #[test]
    fn only_the_last_64_withdrawn_keys_are_remembered() {
        let withdrawn = WithdrawnKeys::default();
        for number in 0..100 {
            withdrawn.note(&keys(&[&number.to_string()]), &keys(&[]));
        }
        let remembered = (0..100).filter(|number| withdrawn.contains(&number.to_string()));
        assert_eq!(remembered.collect::<Vec<_>>(), (36..100).collect::<Vec<_>>());
    }
}
