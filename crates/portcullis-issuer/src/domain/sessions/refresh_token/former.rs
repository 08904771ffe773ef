//! Refresh tokens of the former format: 256 bits, each derived from its predecessor.
//!
//! Tokens of this format that exist at an upgrade stay valid, but no new ones are made. A client
//! whose response was lost during the upgrade still gets the same successor.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::domain::keys::KeyEncryptionKey;
use crate::error::Error;

/// The label has the project's former name. It must not change: another label derives another key, and lost
/// responses could then not be repeated.
const LABEL: &str = "tollgate-issuer: the successor of a refresh token";

/// The length of a token: 32 bytes in base64url.
const LENGTH: usize = 43;

pub(super) fn looks_like_one(token: &str) -> bool {
    let of_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    token.len() == LENGTH && token.bytes().all(of_base64url)
}

/// Derives successors.
pub(super) struct Successors(hmac::Key);

impl Successors {
    pub(super) fn new(key: &KeyEncryptionKey) -> Result<Self, Error> {
        Ok(Self(key.derive(LABEL)?.as_hmac_key()))
    }

    pub(super) fn of(&self, token: &str) -> Zeroizing<String> {
        let tag = hmac::sign(&self.0, token.as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successor_depends_on_token_and_key() {
        let successors = |byte: u8| {
            let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
            Successors::new(&KeyEncryptionKey::from_base64(&text).unwrap()).unwrap()
        };
        let successor = successors(1).of("token");
        assert!(looks_like_one(&successor));
        assert_eq!(successor, successors(1).of("token"));
        assert_ne!(successor, successors(2).of("token"));
        assert_ne!(successor, successors(1).of("other"));
        assert!(!looks_like_one("made up"));
    }
}
