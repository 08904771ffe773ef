//! The list of all settings by name, and the trait for issuers that are known only at run time.
//!
//! ```
//! use portcullis::config::Setting;
//!
//! let ttl = Setting::ALL.iter().find(|setting| setting.method == "jwks_ttl").unwrap();
//! assert_eq!(ttl.variable, "PORTCULLIS_JWKS_TTL_SECS");
//! assert_eq!(ttl.default, "300");
//! ```

pub use crate::authenticator::IssuerResolver;
pub use crate::profile::{AccessTokenMark, UnknownProfile};
pub use crate::settings::Setting;
