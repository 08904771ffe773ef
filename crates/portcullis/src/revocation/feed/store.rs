//! The requirements of the feed for the store that all instances of a service share.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Entry;
use crate::causes::debug_with_causes;

/// The future of a store's operation.
pub type Storing<'s, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 's>>;

/// The durable list of revocations that all instances of a service share.
///
/// `portcullis-postgres` and `portcullis-redis` implement this trait;
/// [`MemoryStore`](super::MemoryStore) is for one process and for tests. A store keeps
/// [entries](Entry) and returns them to readers. It does not interpret them: the crate decides which tokens
/// an entry revokes.
///
/// # What a store must guarantee
///
/// - Once [`append`](Self::append) has returned, the entry survives the loss of every process,
///   including the store's own. Each call of [`changes`](Self::changes) that begins later returns the
///   entry, on every instance, unless the entry is at or before the cursor of that call.
/// - A cursor never skips an entry. Entries may be returned again and in any order. But an entry whose
///   transaction commits late must not be skipped because a later number was already read.
/// - An entry is kept until [`prune`](Self::prune) is called with a later time than its
///   [`until`](Entry::until).
/// - An operation waits for a bounded time. [`changes`](Self::changes) and
///   [`changed`](Self::changed) may be dropped at any await.
///
/// `portcullis::testing::store_suite`, with the feature `test-util`, tests these guarantees.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store of revocations",
    label = "not a `RevocationStore`",
    note = "use `Revocations::in_memory()` for a service of one instance, or a store of \
            `portcullis-postgres` or `portcullis-redis`"
)]
pub trait RevocationStore: fmt::Debug + Send + Sync + 'static {
    /// Stores an entry durably, unless an entry with the same [`id`](Entry::id) is already stored.
    ///
    /// # Errors
    ///
    /// An error if the entry may not be stored. The caller then reports a failure, and may append
    /// the same entry again.
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended>;

    /// Returns the entries after a cursor, or all entries for `None`, without waiting for new ones.
    ///
    /// # Errors
    ///
    /// [`StoreError::cursor_lost`] if the store cannot determine which entries came after this cursor, for
    /// example after it was restored from a backup. The crate then reads all entries again.
    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes>;

    /// Completes when there may be entries after a cursor: for stores that notify. If such an entry was
    /// stored before the call, this completes immediately. The default never completes, and
    /// [`changes`](Self::changes) is then called at an interval.
    fn changed<'s>(&'s self, after: &'s Cursor) -> Pin<Box<dyn Future<Output = ()> + Send + 's>> {
        let _ = after;
        Box::pin(std::future::pending())
    }

    /// Deletes entries whose [`until`](Entry::until) is before `before`, in seconds since 1970.
    /// Called every few minutes, on every instance, with a time that allows for clock skew.
    ///
    /// # Errors
    ///
    /// An error if the store is unavailable. The next call tries again.
    fn prune(&self, before: u64) -> Storing<'_, ()>;

    /// Checks at start that the store keeps acknowledged entries. The default checks nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::unsuitable`] if the store's settings could lose an acknowledged entry. The
    /// service then does not start.
    fn check(&self) -> Storing<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl<S: RevocationStore + ?Sized> RevocationStore for Arc<S> {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        (**self).append(entry)
    }

    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
        (**self).changes(after)
    }

    fn changed<'s>(&'s self, after: &'s Cursor) -> Pin<Box<dyn Future<Output = ()> + Send + 's>> {
        (**self).changed(after)
    }

    fn prune(&self, before: u64) -> Storing<'_, ()> {
        (**self).prune(before)
    }

    fn check(&self) -> Storing<'_, ()> {
        (**self).check()
    }
}

/// Whether an appended entry is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The entry is now stored.
    New,
    /// An entry with the same [`id`](Entry::id) was stored before, so nothing was added.
    Known,
}

/// A position in a store's list, in a form that only the store reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// Creates a cursor from the store's own text.
    #[must_use]
    pub fn new(position: impl Into<Box<str>>) -> Self {
        Self(position.into())
    }

    /// Returns the store's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({:?})", self.0)
    }
}

/// What [`RevocationStore::changes`] returns.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The entries, in any order.
    pub entries: Vec<Entry>,
    /// The position for the next call.
    pub cursor: Cursor,
    /// Whether the next call would immediately return more entries, because the size of a response is
    /// limited. This instance's knowledge counts as current only after a call without more entries.
    pub has_more: bool,
}

/// The reason why an operation of a store failed.
#[derive(Clone, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(Reason);

#[derive(Clone, thiserror::Error)]
enum Reason {
    #[error("the revocation store is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    #[error("the revocation store does not know the cursor")]
    CursorLost,
    #[error("the revocation store could lose acknowledged entries: {0}")]
    Unsuitable(String),
}

debug_with_causes!(StoreError);
debug_with_causes!(Reason);

impl StoreError {
    /// The store could not be reached, timed out, or failed.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Reason::Unavailable(source.into().into()))
    }

    /// The store cannot determine which entries came after a cursor.
    #[must_use]
    pub fn cursor_lost() -> Self {
        Self(Reason::CursorLost)
    }

    /// A setting of the store could lose an acknowledged entry. `setting` contains its name, its value
    /// and the required value.
    pub fn unsuitable(setting: impl Into<String>) -> Self {
        Self(Reason::Unsuitable(setting.into()))
    }

    /// Whether this is [`cursor_lost`](Self::cursor_lost).
    #[must_use]
    pub fn is_cursor_lost(&self) -> bool {
        matches!(self.0, Reason::CursorLost)
    }

    /// Whether this is [`unsuitable`](Self::unsuitable).
    #[must_use]
    pub fn is_unsuitable(&self) -> bool {
        matches!(self.0, Reason::Unsuitable(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_errors_name_their_cause() {
        let error = StoreError::unavailable("connection refused");
        let shown = "the revocation store is unavailable: connection refused";
        assert_eq!(format!("{error:?}"), shown);
        assert!(!error.is_cursor_lost() && StoreError::cursor_lost().is_cursor_lost());
        let error = StoreError::unsuitable("appendfsync is everysec; set it to always");
        assert!(error.is_unsuitable() && error.to_string().ends_with("set it to always"));
    }
}
