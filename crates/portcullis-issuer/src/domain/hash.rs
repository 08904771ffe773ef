//! The hash that the store keeps in place of a secret or a long name.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of a refresh token, of a client's secret, or of what names a JWT.
pub(crate) type TokenHash = [u8; 32];

/// A plain hash will do: there is nothing to guess in 256 random bits.
pub(crate) fn hash_of(token: &str) -> TokenHash {
    let mut hash = TokenHash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
