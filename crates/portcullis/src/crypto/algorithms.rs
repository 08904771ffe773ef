//! The accepted algorithms of an issuer.

use std::fmt;
use std::sync::Arc;

use super::Provider;
use crate::algorithm::Algorithm;

/// The accepted algorithms of an issuer, and the provider that verifies them. Clones share the list.
#[derive(Clone, PartialEq)]
pub(crate) struct Algorithms {
    provider: Provider,
    list: Arc<[Algorithm]>,
}

impl Algorithms {
    /// Returns the `chosen` algorithms or, with `None`, every asymmetric one that the provider
    /// supports.
    ///
    /// # Errors
    ///
    /// Returns a chosen algorithm that the provider does not support.
    pub(crate) fn new(provider: Provider, chosen: Option<&[Algorithm]>) -> Result<Self, Algorithm> {
        let list = match chosen {
            Some(chosen) => match chosen.iter().find(|&&it| !provider.supports(it)) {
                Some(&unsupported) => return Err(unsupported),
                None => chosen.into(),
            },
            None => provider.algorithms().collect(),
        };
        Ok(Self { provider, list })
    }

    pub(crate) fn provider(&self) -> Provider {
        self.provider
    }

    pub(crate) fn list(&self) -> &[Algorithm] {
        &self.list
    }

    pub(crate) fn contains(&self, algorithm: Algorithm) -> bool {
        self.list.contains(&algorithm)
    }
}

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}
