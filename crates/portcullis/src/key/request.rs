//! The key that a token names.

use std::fmt;

use crate::algorithm::Algorithm;

/// The `kid` and `alg` of a token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KeyRequest<'a> {
    /// The `kid`, which is unverified text from the sender.
    pub key_id: Option<&'a str>,
    /// The `alg`.
    pub algorithm: Algorithm,
}

impl<'a> KeyRequest<'a> {
    /// Creates a request for a token with this `kid` and `alg`.
    #[must_use]
    pub fn new(key_id: Option<&'a str>, algorithm: Algorithm) -> Self {
        Self { key_id, algorithm }
    }
}

/// Shows the algorithm and whether there is a `kid`, but not the `kid`: it is unverified text from
/// a token.
impl fmt::Debug for KeyRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest")
            .field("has_key_id", &self.key_id.is_some())
            .field("algorithm", &self.algorithm)
            .finish()
    }
}
