//! What the issuer does, without HTTP and SQL: a service for each subject, and the part of the store
//! that it needs, as a trait.

pub(crate) mod audit;
pub(crate) mod clients;
pub(crate) mod hash;
pub(crate) mod introspection;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod peer;
pub(crate) mod scope;
pub(crate) mod second_factor;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod users;

use std::pin::Pin;

use crate::error::StoreError;

/// What a method of a store returns: boxed, so that the store can be chosen at run time. Each is one
/// transaction, and what it changes is in the audit log when it commits.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// One of the processes on a store.
pub(crate) trait Member: Send + Sync {
    /// Whether this process is the one that does what is due: about the keys, and about old events.
    fn leads(&self) -> bool;
}
