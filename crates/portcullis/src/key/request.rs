//! What a token says of its key.

use std::fmt;

use crate::algorithm::Algorithm;

/// What a token says of the key that it was signed with.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KeyRequest<'a> {
    /// `kid`, which is whatever the sender wrote.
    pub key_id: Option<&'a str>,
    /// `alg`.
    pub algorithm: Algorithm,
}

impl<'a> KeyRequest<'a> {
    /// What a token with this `kid` and `alg` asks for.
    #[must_use]
    pub fn new(key_id: Option<&'a str>, algorithm: Algorithm) -> Self {
        Self { key_id, algorithm }
    }
}

/// Shows the algorithm and whether there is a `kid`, which is unverified text out of a token.
impl fmt::Debug for KeyRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest")
            .field("has_key_id", &self.key_id.is_some())
            .field("algorithm", &self.algorithm)
            .finish()
    }
}
