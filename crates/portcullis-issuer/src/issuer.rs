//! The issuer itself: what the parts have in common, and the way in for an app or the binary.

#[cfg(test)]
mod full;
mod keys;
mod readiness;
#[cfg(feature = "testing")]
mod testing;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis::{Authenticator, SharedKeySet};
use tokio::net::TcpListener;

pub use self::keys::KeyInfo;
use self::keys::key_encryption_key;
use crate::clock::now_secs;
use crate::config::IssuerConfig;
use crate::domain::audit::{Audit, Event};
use crate::domain::keys::{Custody, Keeper, KeyRing, KeyRingOptions};
use crate::domain::limits::Limits;
use crate::domain::second_factor::SecondFactors;
use crate::domain::sessions::refresh_token::RefreshTokens;
use crate::domain::tokens::status_lists::StatusLists;
use crate::domain::users::password::Passwords;
use crate::error::Error;
use crate::http;
use crate::http::serve;
use crate::metrics;
use crate::store::Store;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;

/// An issuer. Cloning it is cheap and gives another handle to the same one.
#[derive(Clone)]
pub struct Issuer {
    inner: Arc<Inner>,
}

struct Inner {
    config: IssuerConfig,
    store: Arc<dyn Store>,
    ring: Arc<KeyRing>,
    keeper: Keeper,
    passwords: Passwords,
    refresh_tokens: RefreshTokens,
    second_factors: SecondFactors,
    limits: Limits,
    audit: Arc<Audit>,
    authenticator: Authenticator,
    status_lists: StatusLists,
    stopping: AtomicBool,
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
        metrics::leads(store.leads());
        let (key_encryption_key, origin) = key_encryption_key(&config, &*store).await?;
        let refresh_tokens = RefreshTokens::new(&key_encryption_key)?;
        let second_factors = SecondFactors::new(&key_encryption_key)?;
        let options = KeyRingOptions {
            custody: Custody { key_encryption_key, origin, signer: config.signer.clone() },
            algorithm: config.signing_algorithm,
            schedule: config.schedule(),
        };
        let ring =
            KeyRing::open(Arc::clone(&store) as _, Arc::clone(&config.clock), options).await?;
        let ring = Arc::new(ring);
        let passwords = Passwords::new(config.password_cost).await?;
        let authenticator = http::authenticator(&config, ring.shared()).await?;
        let keeper = ring.keep();
        let clock = Arc::clone(&config.clock);
        let audit = Arc::new(Audit::new(
            Arc::clone(&store) as _,
            Arc::clone(&clock),
            config.audit_retention,
        ));
        drop(tokio::spawn(Audit::keep_tidy(Arc::downgrade(&audit))));
        let (per_account, per_network) = (config.attempts_per_account, config.attempts_per_address);
        let inner = Inner {
            limits: Limits::new(per_account, per_network, &clock, Arc::clone(&audit)),
            audit,
            config,
            store,
            ring,
            keeper,
            passwords,
            refresh_tokens,
            second_factors,
            authenticator,
            status_lists: StatusLists::default(),
            stopping: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The routes, to be served or merged into an app's own.
    ///
    /// It has no fallback of its own, so that it can be merged; [`serve`](Self::serve) adds one.
    pub fn router(&self) -> axum::Router {
        http::router(self)
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
        http::protect(self, routes)
    }

    /// Serves the routes over HTTP/1 until `shutdown` is ready. From then on it says that it is not
    /// ready, accepts no more when
    /// [`shutdown_delay`](IssuerConfig::shutdown_delay) has passed, and finishes what is under way.
    /// Clients that need more than 5 seconds for that are cut off; so is, at any time, one
    /// that keeps the issuer waiting for its request.
    ///
    /// # Errors
    ///
    /// The listener's.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let inner = &self.inner;
        let active = inner.ring.last_known().active.algorithm();
        if let Some(configured) = inner.config.signing_algorithm
            && configured != active
        {
            tracing::warn!(
                configured = configured.as_str(),
                active = active.as_str(),
                "the stored key signs with another algorithm than the configured one, which \
                 takes effect at the next `portcullis-issuer keys rotate`"
            );
        }
        let stopping = self.clone();
        let shutdown = async move {
            shutdown.await;
            stopping.inner.stopping.store(true, Ordering::Release);
            tokio::time::sleep(stopping.config().shutdown_delay).await;
        };
        serve(listener, self.router().fallback(http::no_such_page), shutdown).await
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Acquire)
    }

    /// Closes the store, after which this issuer and its clones answer no more. All data is in
    /// SQLite's one file then, and its side files are gone, unless another process has it open.
    pub async fn close(&self) {
        self.inner.keeper.stop();
        self.inner.passwords.close();
        self.inner.store.close().await;
    }

    /// The published keys as an in-process key source, for an app that has the issuer inside.
    ///
    /// It follows a rotation by this issuer at once, and one by another process as soon as this
    /// issuer's own routes are used.
    pub fn key_source(&self) -> SharedKeySet {
        self.ring().shared()
    }

    /// The settings that it was opened with.
    #[must_use]
    pub fn config(&self) -> &IssuerConfig {
        &self.inner.config
    }

    /// Works on the issuer now and then, for as long as there is one.
    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Self> + Send + 'static {
        let inner = Arc::downgrade(&self.inner);
        move || inner.upgrade().map(|inner| Self { inner })
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    pub(crate) fn ring(&self) -> &KeyRing {
        &self.inner.ring
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.inner.passwords
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
        self.audit().events(after, limit).await
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    pub(crate) fn refresh_tokens(&self) -> &RefreshTokens {
        &self.inner.refresh_tokens
    }

    pub(crate) fn second_factors(&self) -> &SecondFactors {
        &self.inner.second_factors
    }

    pub(crate) fn status_lists(&self) -> &StatusLists {
        &self.inner.status_lists
    }

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.inner.authenticator
    }

    pub(crate) fn now(&self) -> i64 {
        now_secs(&*self.inner.config.clock)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("config", &self.inner.config)
            .field("ring", &self.inner.ring)
            .finish_non_exhaustive()
    }
}
