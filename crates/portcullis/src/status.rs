//! The status of each issuer's keys and status lists, for status pages, alerts and readiness probes.
//!
//! [`Authenticator::status`](crate::Authenticator::status) returns it for each issuer, without a
//! fetch.
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

pub use crate::issuer::{FeedStatus, IssuerStatus};
pub use crate::key_source::{Freshness, KeySetStatus};
pub use crate::revocation::StatusListStatus;
