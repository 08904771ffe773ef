//! The issuer: puts the services together, and is the API for an app and the binary.

mod accounts;
mod clients;
#[cfg(test)]
mod full;
mod keys;
mod open;
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
pub use self::restored::Restored;
use crate::config::IssuerConfig;
use crate::domain::Domain;
use crate::domain::audit::Event;
use crate::error::Error;
use crate::http::{self, Api};
use crate::store::Store;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;

/// An issuer. Cloning it is cheap and gives another handle to the same one.
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
    /// As [`open`](Self::open).
    pub async fn from_env() -> Result<Self, Error> {
        Self::open(IssuerConfig::from_env()?).await
    }

    /// Opens the issuer: its database, its key-encryption key and its signing key, each of which
    /// is made at the first start.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a setting is wrong, [`Error::Database`] if the database cannot be used,
    /// [`Error::KeyFileMissing`], [`Error::KeyFile`] or [`Error::WrongKeyEncryptionKey`] if the
    /// stored signing key cannot be decrypted. Nothing is overwritten then.
    pub async fn open(config: IssuerConfig) -> Result<Self, Error> {
        config.check()?;
        let store: Arc<dyn Store> = match &config.database_url {
            Some(url) => Arc::new(PostgresStore::open(url).await?),
            None => Arc::new(SqliteStore::open(&config.database).await?),
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

    /// The routes, to be served or merged into an app's own.
    ///
    /// It has no fallback of its own, so that it can be merged; [`serve`](Self::serve) adds one.
    pub fn router(&self) -> axum::Router {
        http::router(&self.api)
    }

    /// Puts an app's own routes behind the issuer: a token is validated as by
    /// [`portcullis_axum::protect`], and its session is looked up in the store at each request. So a
    /// session that was ended is refused at the next one, for the price of that look.
    ///
    /// Handlers may ask for the [`LiveSession`](crate::LiveSession), and for all that
    /// [`portcullis_axum`] offers; policies stand on routes as always. What is added to the router
    /// that this gives is not protected.
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
    /// # let nobody = Request::get("/orders").body(Body::empty())?;
    /// # assert_eq!(app(&issuer).oneshot(nobody).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn protect<S>(&self, routes: axum::Router<S>) -> axum::Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        http::protect(&self.api, routes)
    }

    /// Serves the routes over HTTP/1 until `shutdown` is ready. Then `/readyz` fails. When
    /// [`shutdown_delay`](IssuerConfig::shutdown_delay) has passed, it accepts no more connections,
    /// answers requests that wait for a status list to change, and finishes the requests in
    /// progress. Connections that need more than 5 s for that are closed; so is, at any time, one
    /// whose client does not send its request.
    ///
    /// # Errors
    ///
    /// The listener's.
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
            api.stopping.store(true, Ordering::Release);
            tokio::time::sleep(api.config.shutdown_delay).await;
            api.domain.status_lists.stop_waiting();
        };
        let router = self.router().fallback(http::no_such_page);
        http::serve(self.config(), listener, router, shutdown).await;
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

    /// Closes the store, after which this issuer and its clones answer no more. All data is in
    /// SQLite's one file then, and its side files are gone, unless another process has it open.
    pub async fn close(&self) {
        self.domain().keeper.stop();
        self.domain().housekeeper.stop();
        self.domain().users.close();
        self.store.close().await;
    }

    /// The published keys as an in-process key source, for an app that has the issuer inside.
    ///
    /// It follows a rotation by this issuer at once, and one by another process as soon as this
    /// issuer's own routes are used.
    pub fn key_source(&self) -> SharedKeySet {
        self.domain().keys.shared()
    }

    /// The settings that it was opened with.
    #[must_use]
    pub fn config(&self) -> &IssuerConfig {
        &self.api.config
    }

    /// Up to `limit` events of the audit log, 1000 at most, after the one of this serial number:
    /// 0 begins with the first.
    ///
    /// Several processes on one PostgreSQL write at once: of events that are a few seconds apart
    /// the one with the lower number may appear later.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn events(&self, after: i64, limit: u16) -> Result<Vec<Event>, Error> {
        self.domain().audit.events(after, limit).await
    }

    /// Deletes what is no longer needed: expired sessions, old events. A task does so every 30
    /// seconds, in the process that leads. Nothing is deleted, and no key rotated, while the clock
    /// is more than 7 days ahead of the last time; see [`accept_clock`](Self::accept_clock).
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn tidy(&self) -> Result<(), Error> {
        self.domain().housekeeping.run().await
    }

    /// Takes the clock as right, however long the issuer was not running. Returns when
    /// [`tidy`](Self::tidy) ran last, in seconds since 1970.
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
