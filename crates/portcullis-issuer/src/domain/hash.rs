//! The hash that the store keeps instead of a secret or a long name.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of a refresh token, of a client's secret, or of the name of a JWT.
pub(crate) type TokenHash = [u8; 32];

/// Returns the hash of a token. A plain hash is enough: 256 random bits cannot be guessed.
pub(crate) fn hash_of(token: &str) -> TokenHash {
    let mut hash = TokenHash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
