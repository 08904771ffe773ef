//! Headers that were read before. All tokens of one key have the same header, letter for letter;
//! so what one says is read once, and then found again by its text.

use super::JoseHeader;
use crate::error::TokenError;
use crate::token_cache::{HasToken, Recalled, TokenCache};

/// Room for some hundred, and issuers have a handful.
const BYTES: usize = 64 * 1024;

/// What the headers of tokens say that were accepted. Of others nothing is kept: who has no valid
/// token can not push one out.
pub(crate) struct KnownHeaders(Option<TokenCache<KnownHeader>>);

struct KnownHeader {
    encoded: Box<str>,
    header: JoseHeader,
}

impl HasToken for KnownHeader {
    fn token(&self) -> &[u8] {
        self.encoded.as_bytes()
    }
}

impl KnownHeaders {
    pub(crate) fn new() -> Self {
        Self(TokenCache::new(BYTES))
    }

    /// What `encoded` says, and whether that was known.
    pub(super) fn read(&self, encoded: &str) -> Result<(JoseHeader, bool), TokenError> {
        let known = self.0.as_ref().and_then(|known| {
            known.recall(encoded.as_bytes(), |it| Recalled::Holds(it.header.clone()))
        });
        known.map_or_else(|| Ok((JoseHeader::parse(encoded)?, false)), |header| Ok((header, true)))
    }

    /// Keeps what `encoded` says.
    pub(super) fn keep(&self, encoded: &str, header: &JoseHeader) {
        if let Some(known) = &self.0 {
            let bytes = encoded.len() + header.key_id.as_ref().map_or(0, |key_id| key_id.len());
            known.insert(bytes, KnownHeader { encoded: encoded.into(), header: header.clone() });
        }
    }
}

#[cfg(test)]
impl KnownHeaders {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, TokenCache::len)
    }
}
