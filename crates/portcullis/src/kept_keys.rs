//! Where the last good key sets are kept, for a start while the issuer cannot be reached.

mod file;

use std::error::Error;
use std::fmt;
use std::pin::Pin;

use bytes::Bytes;

pub(crate) use file::KeptInFile;

/// Keeps the key sets of a service's issuers for its next start: in a file
/// ([`kept_keys_file`](crate::AuthenticatorBuilder::kept_keys_file)) or, by an implementation of
/// yours, elsewhere.
///
/// What is kept is one text, with the keys of every configured issuer. It holds no secret. But
/// whoever can write it chooses the keys that a service trusts after a start without its issuer:
/// protect it like the service's configuration.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use bytes::Bytes;
/// use portcullis::keys::{Keeping, KeptKeys};
///
/// /// In memory: for a test of what a second start does.
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
    /// Returns what was kept last; `None` if nothing was. Called once, at the start.
    ///
    /// # Errors
    ///
    /// Why it cannot be read. The start goes on without it.
    fn read(&self) -> Keeping<'_, Option<Bytes>>;

    /// Keeps `kept` in the place of what was kept before: all of it or nothing. Called after each
    /// successful fetch, never twice at the same time.
    ///
    /// # Errors
    ///
    /// Why it cannot be kept. It is logged, and harms no request.
    fn write(&self, kept: Bytes) -> Keeping<'_, ()>;
}

/// An outcome that is on its way.
pub type Keeping<'k, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send + 'k>>;
