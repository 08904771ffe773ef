//! Verification keys: a single key, a key set, and the sources that provide one.
//!
//! By default an [`Authenticator`](crate::Authenticator) fetches its issuer's keys itself.
//!
//! | source of the keys | type |
//! |---|---|
//! | a remote key set shared by several rule sets, or for signatures only | [`RemoteKeySet`] |
//! | keys that the process already has | [`SharedKeySet`] |
//! | keys parsed with a chosen crypto provider | [`KeyParser`] |
//! | public keys and certificates in PEM or DER | [`KeySet::from_pem`], [`VerificationKey::from_pem`], [`from_der`](VerificationKey::from_der) |
//! | any other source | a custom [`KeySource`] |
//!
//! ```
//! use portcullis::keys::{KeySet, SharedKeySet};
//!
//! let published = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"a",
//!     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, {"kty":"oct","k":"AAAA"}]}"#;
//! let keys = KeySet::from_json(published)?;
//! assert_eq!(keys.len(), 1);
//! // A published symmetric key is public, so it is skipped; the reason is recorded.
//! assert_eq!(keys.skipped()[0].reason.to_string(), "a symmetric key");
//! let source = SharedKeySet::new(keys);
//! # let _ = source;
//! # Ok::<(), portcullis::keys::KeySetError>(())
//! ```

pub use crate::algorithm::UnknownAlgorithm;
pub use crate::authenticator::RemoteKeySetBuilder;
pub use crate::kept_keys::{Keeping, KeptKeys};
pub use crate::key::{
    CandidateKeys, KeyError, KeyParser, KeyRequest, KeySet, KeySetError, SkippedKey,
    VerificationKey,
};
pub use crate::key_source::{KeySource, Refreshing, ResolveError, SharedKeySet};
pub use crate::remote::RemoteKeySet;
