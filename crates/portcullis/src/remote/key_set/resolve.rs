//! Queries for the key of a token against an issuer's key set.

use super::super::freshness::Lifetime;
use super::super::wait::Question;
use super::super::{Remote, Snapshot};
use super::Keys;
use crate::algorithm::Algorithm;
use crate::clock::Timestamp;
use crate::error::TokenError;
use crate::key::{CandidateKeys, KeyRequest, KeySet, VerificationKey};

impl Question<Keys> for KeyRequest<'_> {
    type Answer = CandidateKeys;

    fn lifetime(&self, _: &Remote<Keys>, snapshot: &Snapshot<KeySet>) -> Option<Lifetime> {
        Some(snapshot.lifetime)
    }

    fn ask(&self, keys: &KeySet, _: Timestamp) -> Option<Result<Self::Answer, TokenError>> {
        match keys.candidates(self) {
            Ok(candidates) => CandidateKeys::of(&candidates).map(Ok),
            Err(error) => Some(Err(error)),
        }
    }

    /// If the key was withdrawn, or is present but unusable, a retry cannot help: the client needs a new
    /// token.
    fn refusal(&self, remote: &Remote<Keys>) -> Option<TokenError> {
        let withdrawn = &remote.document.withdrawn;
        if self.key_id.is_some_and(|id| withdrawn.contains(id)) {
            return Some(TokenError::UnknownKey);
        }
        let (snapshot, now) = (remote.snapshot.load(), Timestamp::now(&*remote.clock));
        let usable = snapshot.as_deref().filter(|set| set.age(now) < set.lifetime.end)?;
        let absence = usable.kept.absence(self.key_id);
        matches!(absence, TokenError::UnusableKey { .. }).then_some(absence)
    }
}

/// The question whether a cached token's key is still the key that its header selects.
pub(super) struct IsCurrent<'k> {
    pub(super) wanted: KeyRequest<'k>,
    pub(super) key: &'k VerificationKey,
}

impl Question<Keys> for IsCurrent<'_> {
    type Answer = bool;

    fn lifetime(&self, _: &Remote<Keys>, snapshot: &Snapshot<KeySet>) -> Option<Lifetime> {
        Some(snapshot.lifetime)
    }

    fn ask(&self, keys: &KeySet, _: Timestamp) -> Option<Result<bool, TokenError>> {
        keys.has(&self.wanted, self.key).transpose()
    }
}

/// An owned [`KeyRequest`], for waits that outlive the borrowed one.
pub(super) struct OwnedRequest {
    key_id: Option<String>,
    algorithm: Algorithm,
}

impl From<&KeyRequest<'_>> for OwnedRequest {
    fn from(wanted: &KeyRequest<'_>) -> Self {
        Self { key_id: wanted.key_id.map(str::to_owned), algorithm: wanted.algorithm }
    }
}

impl OwnedRequest {
    pub(super) fn borrow(&self) -> KeyRequest<'_> {
        KeyRequest { key_id: self.key_id.as_deref(), algorithm: self.algorithm }
    }
}

impl Question<Keys> for OwnedRequest {
    type Answer = CandidateKeys;

    fn lifetime(&self, remote: &Remote<Keys>, snapshot: &Snapshot<KeySet>) -> Option<Lifetime> {
        self.borrow().lifetime(remote, snapshot)
    }

    fn ask(&self, keys: &KeySet, now: Timestamp) -> Option<Result<Self::Answer, TokenError>> {
        self.borrow().ask(keys, now)
    }

    fn refusal(&self, remote: &Remote<Keys>) -> Option<TokenError> {
        self.borrow().refusal(remote)
    }
}
