//! Storage for the last good key sets, for a start while the issuer is unreachable.

mod file;

use std::error::Error;
use std::fmt;
use std::pin::Pin;

use bytes::Bytes;

pub(crate) use file::KeptInFile;

/// Stores the key sets of a service's issuers for its next start: in a file
/// ([`kept_keys_file`](crate::AuthenticatorBuilder::kept_keys_file)) or in your own implementation.
///
/// The content is one text with the keys of every configured issuer. It has no secrets. But write
/// access to it decides which keys a service trusts after a start without its issuer: protect it
/// like the service's configuration.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use bytes::Bytes;
/// use portcullis::keys::{Keeping, KeptKeys};
///
/// /// In memory, to test a second start.
/// #[derive(Debug, Clone, Default)]
/// struct Memory(Arc<Mutex<Option<Bytes>>>);
///
/// impl KeptKeys for Memory {
///     fn read(&self) -> Keeping<'_, Option<Bytes>> {
///         let kept = self.0.lock().map(|kept| kept.clone());
///         Box::pin(std::future::ready(kept.map_err(|error| error.to_string().into())))
///     }
///
///     fn write(&self, kept: Bytes) -> Keeping<'_, ()> {
///         let stored = self.0.lock().map(|mut stored| *stored = Some(kept));
///         Box::pin(std::future::ready(stored.map_err(|error| error.to_string().into())))
///     }
/// }
/// ```
pub trait KeptKeys: fmt::Debug + Send + Sync + 'static {
    /// Returns the stored content; `None` if there is none. Called once, at the start.
    ///
    /// # Errors
    ///
    /// Returns the reason why the content cannot be read. The start continues without it.
    fn read(&self) -> Keeping<'_, Option<Bytes>>;

    /// Replaces the stored content with `kept`, atomically. Called after each successful fetch,
    /// never concurrently.
    ///
    /// # Errors
    ///
    /// Returns the reason why the content cannot be stored. The error is logged and fails no
    /// request.
    fn write(&self, kept: Bytes) -> Keeping<'_, ()>;
}

/// A future that completes with the result of a read or write.
pub type Keeping<'k, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send + 'k>>;
