//! Refresh tokens: 256 bits that tell nothing, each the successor of the one before.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::domain::keys::KeyEncryptionKey;
use crate::error::Error;

/// The name that the family had when the first of these keys was derived. Another label derives
/// another key: a client that asks again for a lost answer would get a token that is not its own.
const LABEL: &str = "tollgate-issuer: the successor of a refresh token";

/// Makes successors.
pub(crate) struct RefreshTokens(hmac::Key);

impl RefreshTokens {
    pub(crate) fn new(key: &KeyEncryptionKey) -> Result<Self, Error> {
        let key = key.derive(LABEL)?;
        Ok(Self(key.as_hmac_key()))
    }

    /// What this token is exchanged for: always the same, so that a client that never got the
    /// answer can be given it again, though only its hash is kept. Nobody without the key can tell
    /// it from the token.
    pub(crate) fn successor_of(&self, token: &str) -> Zeroizing<String> {
        let tag = hmac::sign(&self.0, token.as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(tag))
    }
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshTokens(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_known_by_token_and_key_together() {
        let key = |byte: u8| {
            let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
            RefreshTokens::new(&KeyEncryptionKey::from_base64(&text).unwrap()).unwrap()
        };
        let successor = key(1).successor_of("token");
        assert_eq!(successor.len(), 43);
        assert_eq!(successor, key(1).successor_of("token"));
        assert_ne!(successor, key(2).successor_of("token"));
        assert_ne!(successor, key(1).successor_of("other"));
        assert_eq!(format!("{:?}", key(1)), "RefreshTokens(redacted)");
    }
}
