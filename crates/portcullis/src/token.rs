//! What can be wrong with a token, and with the place where it stands.
//!
//! Each names a rule, the setting that decides it and a remedy, for the operator; what the client is
//! told is in [`refusal`](crate::refusal). No error holds a value out of a token.
//!
//! ```
//! use portcullis::token::TokenError;
//!
//! let error = TokenError::MissingClaim { name: "aud" };
//! assert_eq!(error.rule(), "aud");
//! ```

pub use crate::credentials::{ACCESS_COOKIE, CredentialsError};
pub use crate::error::TokenError;
