//! The candidate keys for a token.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Payload, VerificationKey};
use crate::crypto::Provider;
use crate::error::TokenError;
use crate::jws::CompactJws;

/// The maximum number of keys that are tried for a token without `kid`. It bounds the cost of a
/// forged token.
pub(crate) const MAX_CANDIDATES: usize = 4;

/// The candidates of one set, in the order of the set.
pub(crate) type Candidates<'s> = SmallVec<[&'s Arc<VerificationKey>; MAX_CANDIDATES]>;

/// The keys that may have signed a token: one if the token names it, otherwise up to four.
#[derive(Debug, Clone)]
pub struct CandidateKeys(SmallVec<[Arc<VerificationKey>; 1]>);

impl CandidateKeys {
    /// Returns the keys, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<VerificationKey>> {
        self.0.iter()
    }

    /// Returns the payload of `jws` and the key that verified its signature. `None` stands for the
    /// provider that parsed a key.
    pub(crate) fn verify(
        &self,
        jws: &CompactJws<'_>,
        provider: Option<Provider>,
    ) -> Result<(Payload, &Arc<VerificationKey>), TokenError> {
        let Some((last, others)) = self.0.split_last() else {
            return Err(TokenError::UnknownKey);
        };
        for key in others {
            if let Ok(payload) = key.verify(jws, provider) {
                return Ok((payload, key));
            }
        }
        last.verify(jws, provider).map(|payload| (payload, last))
    }

    /// Returns whether `key` is one of the candidates.
    pub(crate) fn contains(&self, key: &VerificationKey) -> bool {
        self.iter().any(|candidate| candidate.is_same(key))
    }
}

impl PartialEq for CandidateKeys {
    /// Compares the keys themselves, in order.
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
    /// Returns `None` if there are no candidates: a newer set may have the key.
    pub(crate) fn of(candidates: &Candidates<'_>) -> Option<Self> {
        let keys = || candidates.iter().map(|&key| key.clone()).collect();
        (!candidates.is_empty()).then(|| Self(keys()))
    }
}
