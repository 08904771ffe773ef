//! What can be wrong with a token, and with the place where it stands.
//!
//! Each names a rule, the setting that decides it and a remedy, for the operator; what the client is
//! told is in [`refusal`](crate::refusal). No error holds a value out of a token.
//!
//! ```
//! use portcullis::{Algorithm, keys::KeySet, signature, token::TokenError};
//!
//! let error = signature::verify("opaque", &KeySet::default(), Algorithm::ALL).unwrap_err();
//! assert_eq!((&error, error.rule()), (&TokenError::NotCompact, "compact_form"));
//! ```

pub use crate::credentials::{ACCESS_COOKIE, CredentialsError};
pub use crate::error::TokenError;
