//! A cache of parsed headers. All tokens that are signed with one key have the same header, byte
//! for byte, so each header is parsed once and then found by its text.

use super::JoseHeader;
use crate::error::TokenError;
use crate::token_cache::{HasToken, Recalled, TokenCache};

/// The size of the cache, in bytes. It has room for several hundred headers; issuers have only a
/// few.
const BYTES: usize = 64 * 1024;

/// Parsed headers of accepted tokens. Other headers are not cached, so invalid tokens cannot evict
/// an entry.
pub(crate) struct KnownHeaders(Option<TokenCache<KnownHeader>>);

struct KnownHeader {
    encoded: Box<[u8]>,
    header: JoseHeader,
}

impl HasToken for KnownHeader {
    fn token(&self) -> &[u8] {
        &self.encoded
    }
}

impl KnownHeaders {
    pub(crate) fn new() -> Self {
        Self(TokenCache::new(BYTES))
    }

    /// Returns the parsed header, and whether it was cached.
    pub(super) fn read(&self, encoded: &[u8]) -> Result<(JoseHeader, bool), TokenError> {
        let known = self
            .0
            .as_ref()
            .and_then(|known| known.recall(encoded, |it| Recalled::Holds(it.header.clone())));
        known.map_or_else(|| Ok((JoseHeader::parse(encoded)?, false)), |header| Ok((header, true)))
    }

    /// Caches a parsed header.
    pub(super) fn keep(&self, encoded: &[u8], header: &JoseHeader) {
        if let Some(known) = &self.0 {
            let bytes = encoded.len() + header.key_id.as_ref().map_or(0, |key_id| key_id.len());
            known.insert(bytes, KnownHeader { encoded: encoded.into(), header: header.clone() });
        }
    }
}

#[cfg(test)]
impl KnownHeaders {
    /// Returns the number of cached headers.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, TokenCache::len)
    }
}
