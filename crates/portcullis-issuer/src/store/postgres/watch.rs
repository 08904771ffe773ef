//! One connection of each process listens, and holds the leader's lock if nobody else does.
//!
//! `NOTIFY` tells of a change of the keys at once. It is lost with its connection, so the version
//! is read now and then as well; what was told counts for [`BELIEVED`] and no longer, after which
//! every request asks for itself. So no process is further behind than that.
//!
//! The lock goes with the connection: when a process dies, however suddenly, PostgreSQL frees it,
//! and the next to ask leads. For a moment two may believe that they lead, the one of whom
//! PostgreSQL has heard nothing more and its successor. That harms nothing: each step of a
//! rotation is a transaction that looks at the keys as they are.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::timeout;

use crate::metrics;

/// What the trigger of the first migration notifies; the family had this name then. An applied
/// migration never changes, and processes of older versions listen here.
const CHANNEL: &str = "tollgate_keys";

/// The leader's lock, of each schema its own. It has the family's former name, so that a process of
/// an older version and this one never lead at once.
const LEAD: &str = "SELECT pg_try_advisory_lock(hashtextextended('tollgate ' || $1, 0))";

/// How long the version that was read or told last counts.
const BELIEVED: Duration = Duration::from_secs(1);

/// How often it is read, and how long that may take.
const POLL: Duration = Duration::from_millis(400);

/// How long a lost connection is left alone before the next try.
const RECONNECT: Duration = Duration::from_millis(500);

/// What the listening connection has heard.
#[derive(Debug)]
pub(super) struct Watch {
    pool: PgPool,
    start: Instant,
    version: AtomicI64,
    /// Milliseconds after `start`; 0 is never.
    confirmed: AtomicU64,
    leads: AtomicBool,
}

impl Watch {
    /// Listens, and knows who leads. The connections are its own: the pool's would keep a lock
    /// that nobody knows of.
    pub(super) async fn start(
        options: PgConnectOptions,
    ) -> Result<(Arc<Self>, Listening), sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options);
        let watch = Arc::new(Self {
            pool,
            start: Instant::now(),
            version: AtomicI64::new(0),
            confirmed: AtomicU64::new(0),
            leads: AtomicBool::new(false),
        });
        let mut listening = watch.listen().await?;
        watch.poll(&mut listening).await?;
        Ok((watch, listening))
    }

    /// The version of the keys, if it was confirmed lately.
    pub(super) fn version(&self) -> Option<i64> {
        let confirmed = Duration::from_millis(self.confirmed.load(Ordering::Acquire));
        let lately = !confirmed.is_zero() && self.start.elapsed() < confirmed + BELIEVED;
        lately.then(|| self.version.load(Ordering::Acquire))
    }

    pub(super) fn learn(&self, version: i64) {
        self.version.fetch_max(version, Ordering::AcqRel);
    }

    pub(super) fn is_leader(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    pub(super) async fn close(&self) {
        self.leads.store(false, Ordering::Release);
        self.pool.close().await;
    }

    /// Listens until it is aborted.
    pub(super) async fn keep(self: Arc<Self>, first: Listening) {
        let mut listening = Some(first);
        loop {
            let lost = match listening.take() {
                Some(listening) => Err(self.follow(listening).await),
                None => self.listen().await,
            };
            match lost {
                Ok(again) => listening = Some(again),
                Err(error) => {
                    self.lose(&error);
                    tokio::time::sleep(RECONNECT).await;
                }
            }
        }
    }

    fn lose(&self, error: &(dyn std::error::Error + 'static)) {
        tracing::warn!(error, "PostgreSQL tells nothing; asking it each time");
        self.confirmed.store(0, Ordering::Release);
        if self.leads.swap(false, Ordering::AcqRel) {
            metrics::leads(false);
            tracing::info!("this process leads no more");
        }
    }

    async fn listen(&self) -> Result<Listening, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        // A new connection holds no lock, and has missed what was told meanwhile.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        let schema: String =
            sqlx::query_scalar("SELECT current_schema()").fetch_one(&mut listener).await?;
        Ok(Listening { listener, schema })
    }

    /// Follows what is told until the connection is lost.
    async fn follow(&self, mut listening: Listening) -> sqlx::Error {
        loop {
            let told = match timeout(POLL, listening.listener.try_recv()).await {
                Err(_) => match self.poll(&mut listening).await {
                    Ok(()) => continue,
                    Err(error) => return error,
                },
                Ok(Ok(Some(told))) => told,
                Ok(Ok(None)) => return sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()),
                Ok(Err(error)) => return error,
            };
            if let Some((schema, version)) = told.payload().rsplit_once(' ')
                && schema == listening.schema
                && let Ok(version) = version.parse()
            {
                self.learn(version);
            }
        }
    }

    /// Reads the version, and asks to lead unless this process leads already.
    async fn poll(&self, listening: &mut Listening) -> Result<(), sqlx::Error> {
        let asked = self.start.elapsed();
        let read = async {
            let listener = &mut listening.listener;
            let version = sqlx::query_scalar("SELECT version FROM key_ring")
                .fetch_one(&mut *listener)
                .await?;
            let leads = self.is_leader()
                || sqlx::query_scalar(LEAD).bind(&listening.schema).fetch_one(listener).await?;
            Ok::<_, sqlx::Error>((version, leads))
        };
        let (version, leads) =
            timeout(BELIEVED, read).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
        self.version.store(version, Ordering::Release);
        let asked = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
        self.confirmed.store(asked.max(1), Ordering::Release);
        if leads && !self.leads.swap(true, Ordering::AcqRel) {
            metrics::leads(true);
            tracing::info!("this process leads: it looks after the keys");
        }
        Ok(())
    }
}

/// A connection that listens.
pub(super) struct Listening {
    listener: PgListener,
    schema: String,
}
