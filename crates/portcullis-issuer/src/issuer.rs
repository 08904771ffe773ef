//! The issuer, which is the API for an app and for the binary.

mod accounts;
mod clients;
#[cfg(test)]
mod full;
mod keys;
mod open;
mod passkeys;
mod restored;
#[cfg(feature = "testing")]
mod testing;
mod users;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use portcullis::keys::SharedKeySet;
use tokio::net::TcpListener;

pub use self::keys::KeyInfo;
pub use self::passkeys::PasskeyInfo;
pub use self::restored::Restored;
use crate::config::IssuerConfig;
use crate::domain::Domain;
use crate::domain::audit::Event;
use crate::error::Error;
use crate::http::{self, Api};
use crate::store::Store;
#[cfg(feature = "postgres")]
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;

/// An issuer. A clone is cheap, and is another handle to the same issuer.
#[derive(Clone)]
pub struct Issuer {
    api: Arc<Api>,
    store: Arc<dyn Store>,
}

impl Issuer {
    /// Opens the issuer that the environment describes; see [`SETTINGS`](crate::SETTINGS).
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
    pub async fn from_env() -> Result<Self, Error> {
        Self::open(IssuerConfig::from_env()?).await
    }

    /// Opens the issuer: its database, its key-encryption key and its signing key. Each of these is
    /// created at the first start.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a setting is wrong, [`Error::Database`] if the database cannot be used,
    /// [`Error::KeyFileMissing`], [`Error::KeyFile`] or [`Error::WrongKeyEncryptionKey`] if the
    /// stored signing key cannot be decrypted. Nothing is overwritten then.
    pub async fn open(config: IssuerConfig) -> Result<Self, Error> {
        config.check()?;
        let store: Arc<dyn Store> = match &config.database_url {
            #[cfg(feature = "postgres")]
            Some(url) => Arc::new(PostgresStore::open(url).await?),
            // Without the feature `postgres`, there is no URL after the check.
            _ => Arc::new(SqliteStore::open(&config.database).await?),
        };
        let opened = Self::open_on(Arc::clone(&store), config).await;
        if opened.is_err() {
            store.close().await;
        }
        opened
    }

    async fn open_on(store: Arc<dyn Store>, config: IssuerConfig) -> Result<Self, Error> {
        let api = Arc::new(open::open(&store, config).await?);
        Ok(Self { api, store })
    }

    /// Returns the routes, to be served or merged into an app's router.
    ///
    /// The router has no fallback, so that it can be merged; [`serve`](Self::serve) adds one. From the
    /// first call on, this process also sends logout tokens to clients, if it is the leader. Without a
    /// call it begins 10 s after [`open`](Self::open).
    pub fn router(&self) -> axum::Router {
        self.domain().logouts.start();
        http::router(&self.api)
    }

    /// Protects an app's own routes. Tokens are validated as by [`portcullis_axum::protect`], and
    /// the session is looked up in the store at each request. So the token of an ended session is
    /// rejected at the next request, at the cost of one query.
    ///
    /// Handlers may extract the [`LiveSession`](crate::LiveSession) and all types of
    /// [`portcullis_axum`], and policies are set on routes as usual. Routes that are added to the
    /// returned router are not protected.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use portcullis_issuer::{Issuer, LiveSession};
    ///
    /// async fn list(live: LiveSession) -> String {
    ///     format!("the orders of {}", live.user().name)
    /// }
    ///
    /// fn app(issuer: &Issuer) -> Router {
    ///     let own = Router::new().route("/orders", get(list));
    ///     issuer.router().merge(issuer.protect(own))
    /// }
    /// # use axum::{body::Body, http::Request};
    /// # use tower::ServiceExt as _;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let database = directory.path().join("identsphere.db");
    /// # let config = portcullis_issuer::IssuerConfig::new("http://127.0.0.1:8080", database);
    /// # let issuer = Issuer::open(config).await?;
    /// # let without_token = Request::get("/orders").body(Body::empty())?;
    /// # assert_eq!(app(&issuer).oneshot(without_token).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn protect<S>(&self, routes: axum::Router<S>) -> axum::Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        http::protect(&self.api, routes)
    }

    /// Serves the routes over HTTP/1 until `shutdown` is ready. Then `/readyz` fails. After
    /// [`shutdown_delay`](IssuerConfig::shutdown_delay) the issuer accepts no more connections,
    /// answers requests that wait for a change of a status list, and finishes the requests in
    /// progress. Connections that take more than 5 s for this are closed. At any time, a connection
    /// whose client does not send its request is closed.
    ///
    /// # Errors
    ///
    /// Errors of the listener.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let active = self.domain().keys.last_known().active.algorithm();
        if let Some(configured) = self.config().signing_algorithm
            && configured != active
        {
            tracing::warn!(
                configured = configured.as_str(),
                active = active.as_str(),
                "the stored key signs with another algorithm than the configured one, which \
                 takes effect at the next `portcullis-issuer keys rotate`"
            );
        }
        for warning in self.config().warnings() {
            tracing::warn!("{warning}");
        }
        let api = Arc::clone(&self.api);
        let shutdown = async move {
            shutdown.await;
            tracing::info!("stopping: finishing the requests in progress");
            api.stopping.store(true, Ordering::Release);
            tokio::time::sleep(api.config.shutdown_delay).await;
            api.domain.status_lists.stop_waiting();
        };
        let router = self.router().fallback(http::no_such_page);
        http::serve(self.config(), listener, router, shutdown).await;
        tracing::info!("stopped serving");
        Ok(())
    }

    /// Serves `/healthz` and `/readyz` alone until `shutdown` is ready, on a listener of their own,
    /// so that probes do not compete with clients for connections.
    pub async fn serve_probes(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        http::serve_probes(listener, http::probes(&self.api), shutdown).await;
    }

    /// Closes the store. This issuer and its clones cannot be used afterwards. With SQLite all data
    /// is then in the database file, and its side files are removed, unless another process has the
    /// file open.
    pub async fn close(&self) {
        self.domain().keeper.stop();
        self.domain().housekeeper.stop();
        self.domain().logouts.stop();
        self.domain().users.close();
        self.store.close().await;
    }

    /// Returns the published keys as an in-process key source, for an app that embeds the issuer.
    ///
    /// It follows a rotation by this issuer at once, and a rotation by another process at the next
    /// request to this issuer's own routes.
    pub fn key_source(&self) -> SharedKeySet {
        self.domain().keys.shared()
    }

    /// Returns the settings with which the issuer was opened.
    #[must_use]
    pub fn config(&self) -> &IssuerConfig {
        &self.api.config
    }

    /// Returns up to `limit` events of the audit log, at most 1000, after the event with the serial
    /// number `after`; 0 begins with the first event.
    ///
    /// Several processes on one PostgreSQL write concurrently, so an event may appear up to a few
    /// seconds after an event with a higher serial number.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn events(&self, after: i64, limit: u16) -> Result<Vec<Event>, Error> {
        self.domain().audit.events(after, limit).await
    }

    /// Deletes data that is no longer needed, such as expired sessions and old events. In the
    /// process that leads, a task does this every 30 seconds. Nothing is deleted, and no key
    /// rotated, while the clock is more than 7 days ahead of the last run; see
    /// [`accept_clock`](Self::accept_clock).
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn tidy(&self) -> Result<(), Error> {
        self.domain().housekeeping.run().await
    }

    /// Accepts the clock as right, however long the issuer was not running. Returns the time of the
    /// last run of [`tidy`](Self::tidy), in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn accept_clock(&self) -> Result<Option<i64>, Error> {
        self.domain().housekeeping.accept_clock().await
    }

    fn domain(&self) -> &Domain {
        &self.api.domain
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("config", &self.api.config)
            .field("ring", &self.domain().keys)
            .finish_non_exhaustive()
    }
}
