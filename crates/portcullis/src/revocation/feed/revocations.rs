//! The handle to a service's revocations.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::builder::RevocationsBuilder;
use super::shared::{Lifetimes, Shared};
use super::{IssuerFeed, MemoryStore, RevocationStore};
use crate::clock::Clock;
use crate::duration::InSeconds;

/// The revocations that a service knows, for
/// [`AuthenticatorBuilder::revocations`](crate::AuthenticatorBuilder::revocations).
///
/// They apply to all routes with [`Revocation::feed`](crate::Revocation::feed). This handle is cheap to
/// clone: keep a clone to report events, for example in the handler of a webhook or in an operation for
/// administrators. Authenticators that share it must have the same clock.
///
/// ```
/// use std::time::Duration;
/// use portcullis::feed::Revocations;
/// use portcullis::testing::{ISSUER, Scene, gate_rule};
/// use portcullis::{Gate, Revocation};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let revocations = Revocations::in_memory();
/// # let given = revocations.clone();
/// let scene = Scene::with(|builder| {
///     builder.revocations(given).max_token_lifetime(Duration::from_secs(900))
/// })
/// .await;
/// let gate = scene.gate().revocation(Revocation::feed(Duration::from_secs(5)))?;
/// let token = scene.token("alice").claim("sid", "s-1");
/// assert_eq!(gate_rule(&gate, &token.headers()).await, "accepted");
///
/// // Returns after the entry is stored. The next request of this session is rejected.
/// revocations.revoke_session(ISSUER, "s-1").await?;
/// assert_eq!(gate_rule(&gate, &token.headers()).await, "revoked");
/// let other = scene.token("alice").claim("sid", "s-2");
/// assert_eq!(gate_rule(&gate, &other.headers()).await, "accepted");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Revocations(pub(super) Arc<Shared>);

impl Revocations {
    /// Creates revocations that only this process knows. They are lost when the process ends.
    ///
    /// They are suitable for a service of one instance; the start log says so. A service with
    /// several instances needs a shared [store](Self::new), because a logout reaches only one of
    /// them. After a restart, tokens that were revoked before it are accepted until they expire.
    #[must_use]
    pub fn in_memory() -> Self {
        RevocationsBuilder::local(MemoryStore::new()).build()
    }

    /// Creates revocations that all instances of the service share through `store`.
    ///
    /// ```
    /// use portcullis::feed::{MemoryStore, Revocations};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Usually a store of `portcullis-postgres` or `portcullis-redis`.
    /// let store = MemoryStore::new();
    /// let revocations = Revocations::new(store);
    /// revocations.revoke_session("https://auth.example", "s-1").await?;
    /// // A value that no token can have is rejected.
    /// assert!(revocations.revoke_session("https://auth.example", "").await.is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(store: impl RevocationStore) -> Self {
        Self::builder(store).build()
    }

    /// Creates a builder, to change the default settings.
    pub fn builder(store: impl RevocationStore) -> RevocationsBuilder {
        RevocationsBuilder::new(store)
    }

    /// Returns the entries of an issuer. `lifetimes` are those of its tokens.
    pub(crate) fn of_issuer(&self, issuer: &str, lifetimes: Lifetimes) -> Arc<IssuerFeed> {
        let of_issuer = self.0.of(issuer);
        of_issuer.note(lifetimes);
        of_issuer.feed.clone()
    }

    /// Takes the clock of the first authenticator.
    pub(crate) fn adopt(&self, clock: &Arc<dyn Clock>) {
        self.0.clock.get_or_init(|| clock.clone());
    }

    pub(super) fn log_start(&self) {
        if self.0.has_started.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.0.is_local {
            tracing::info!(
                target: "portcullis::feed",
                "revocations are kept in the memory of this process: for a service of one instance; several \
                 need a shared store",
            );
        } else {
            tracing::info!(
                target: "portcullis::feed",
                store = ?self.0.store, poll_interval = %InSeconds(self.0.poll_interval),
                max_entries = self.0.max_entries,
                "revocation feed started",
            );
        }
    }
}

impl RevocationsBuilder {
    /// Creates the revocations. The store is not read until an authenticator is built with them.
    #[must_use]
    pub fn build(self) -> Revocations {
        Revocations(Arc::new(self.shared()))
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("store", &self.0.store)
            .field("entries", &self.0.entries)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, portcullis_loom))]
impl Revocations {
    /// Applies an entry as if it had been read from the store.
    pub(crate) fn apply(&self, entry: &super::Entry) {
        self.0.apply(entry);
    }
}
