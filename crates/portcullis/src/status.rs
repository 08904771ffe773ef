//! How an issuer's keys and status lists are: for a status page, an alarm, a readiness probe.
//!
//! [`Authenticator::status`](crate::Authenticator::status) tells it of each issuer, without fetching
//! anything.
//!
//! ```
//! use portcullis::Authenticator;
//! use portcullis::status::Freshness;
//!
//! fn is_degraded(auth: &Authenticator) -> bool {
//!     let statuses = auth.status();
//!     let mut keys = statuses.iter().filter_map(|issuer| issuer.keys.as_ref());
//!     keys.any(|keys| keys.freshness == Freshness::Stale)
//! }
//! ```

pub use crate::issuer::IssuerStatus;
pub use crate::key_source::{Freshness, KeySetStatus};
pub use crate::revocation::StatusListStatus;
