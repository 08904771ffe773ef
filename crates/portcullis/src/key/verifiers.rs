//! A key as crypto providers parsed it.

use std::sync::OnceLock;

use smallvec::SmallVec;

use super::{Identity, KeyError};
use crate::algorithm::Algorithm;
use crate::crypto::{Provider, RejectedKey, Verifier};

/// The key for each of its algorithms, parsed by the provider that it was imported with. It is
/// parsed again when another provider needs it.
pub(super) struct Verifiers {
    provider: Provider,
    parsed: SmallVec<[(Algorithm, Parsed); 1]>,
    /// The key as the next provider parsed it. A process has one provider, or few.
    next: OnceLock<Box<Self>>,
}

/// The key for one algorithm, or why the provider cannot use it.
type Parsed = Result<Box<dyn Verifier>, KeyError>;

impl Verifiers {
    pub(super) fn new(
        provider: Provider,
        algorithms: impl Iterator<Item = Algorithm>,
        identity: &Identity,
    ) -> Self {
        let parse = |algorithm| {
            if !provider.supports(algorithm) {
                return Err(unsupported(provider));
            }
            let verifier = provider.verifier(algorithm, identity.material());
            verifier.map_err(|error| match error {
                RejectedKey::Invalid => KeyError::Invalid,
                RejectedKey::Unsupported => unsupported(provider),
            })
        };
        let parsed = algorithms.map(|algorithm| (algorithm, parse(algorithm))).collect();
        Self { provider, parsed, next: OnceLock::new() }
    }

    /// Drops the algorithms that the provider cannot use the key with. Returns the reason if no
    /// algorithm is left.
    pub(super) fn usable(mut self) -> Result<Self, KeyError> {
        let reason = self.parsed.iter().find_map(|(_, parsed)| parsed.as_ref().err().cloned());
        self.parsed.retain(|(_, parsed)| parsed.is_ok());
        match reason {
            Some(reason) if self.parsed.is_empty() => Err(reason),
            _ => Ok(self),
        }
    }

    pub(super) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.parsed.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Returns the verifier for `algorithm`; `None` if it is not one of the key's algorithms.
    pub(super) fn get(&self, algorithm: Algorithm) -> Option<Result<&dyn Verifier, &KeyError>> {
        let (_, parsed) = self.parsed.iter().find(|(own, _)| *own == algorithm)?;
        Some(parsed.as_ref().map(AsRef::as_ref))
    }

    /// Returns the verifiers of `provider`.
    pub(super) fn of(&self, provider: Provider, identity: &Identity) -> &Self {
        let mut at = self;
        while at.provider != provider {
            at = at.next.get_or_init(|| Box::new(Self::new(provider, self.algorithms(), identity)));
        }
        at
    }
}

fn unsupported(provider: Provider) -> KeyError {
    KeyError::UnsupportedByProvider { provider: provider.name() }
}
