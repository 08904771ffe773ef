//! What a token says of its key, and the keys that may be it.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Candidates, Payload, VerificationKey};
use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::jws::CompactJws;

/// What a token says of the key that it was signed with.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KeyRequest<'a> {
    /// `kid`, which is whatever the sender wrote.
    pub key_id: Option<&'a str>,
    /// `alg`.
    pub algorithm: Algorithm,
}

impl<'a> KeyRequest<'a> {
    /// What a token with this `kid` and `alg` asks for.
    #[must_use]
    pub fn new(key_id: Option<&'a str>, algorithm: Algorithm) -> Self {
        Self { key_id, algorithm }
    }
}

/// Shows the algorithm and whether there is a `kid`, which is unverified text out of a token.
impl fmt::Debug for KeyRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest")
            .field("has_key_id", &self.key_id.is_some())
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

/// The keys that a token may have been signed with: one where it names it, or up to four.
#[derive(Debug, Clone)]
pub struct CandidateKeys(SmallVec<[Arc<VerificationKey>; 1]>);

impl CandidateKeys {
    /// The keys, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<VerificationKey>> {
        self.0.iter()
    }

    /// The payload of `jws` and the key that its signature holds under.
    pub(crate) fn verify(
        &self,
        jws: &CompactJws<'_>,
    ) -> Result<(Payload, &Arc<VerificationKey>), TokenError> {
        let mut refused = TokenError::UnknownKey;
        for key in &self.0 {
            match key.verify(jws) {
                Ok(payload) => return Ok((payload, key)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Whether `key` is one of them.
    pub(crate) fn contains(&self, key: &VerificationKey) -> bool {
        self.iter().any(|candidate| candidate.is_same(key))
    }
}

impl PartialEq for CandidateKeys {
    /// By the keys themselves, in the same order.
    fn eq(&self, other: &Self) -> bool {
        let pairs = || self.iter().zip(other.iter());
        self.0.len() == other.0.len() && pairs().all(|(one, other)| one.is_same(other))
    }
}

impl From<Arc<VerificationKey>> for CandidateKeys {
    fn from(key: Arc<VerificationKey>) -> Self {
        Self(SmallVec::from([key]))
    }
}

impl CandidateKeys {
    /// `None` if there is none: a newer set may have the key.
    pub(crate) fn of(candidates: &Candidates<'_>) -> Option<Self> {
        let keys = || candidates.iter().map(|&key| key.clone()).collect();
        (!candidates.is_empty()).then(|| Self(keys()))
    }
}
