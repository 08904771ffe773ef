//! The listening connection, of which each process has one. The connection receives changes of the
//! keys, and holds the leader's lock unless another process does.
//!
//! `NOTIFY` reports a change of the keys at once. A notification is lost if the connection is lost,
//! so the version of the keys is also read periodically. A version is used for [`BELIEVED`] after
//! it was read; then each request queries the version itself. So no process is further behind than
//! [`BELIEVED`].
//!
//! PostgreSQL releases the lock when the connection ends, even if the process crashes. The next process
//! that requests the lock is then the leader. For a moment there may be two leaders: a process whose
//! connection PostgreSQL has given up, and its successor. Two concurrent leaders are safe, because each
//! step of a rotation is a transaction that checks the current state of the keys.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::timeout;

use crate::metrics;

/// The channel that a trigger of the first migration notifies, with the project's former name. An
/// applied migration must not change, and processes of older versions listen on this channel.
const CHANNEL: &str = "tollgate_keys";

/// Requests the leader's lock of a schema. It has the project's former name, so that a process of
/// an older version and this process are never leaders at the same time.
const LEAD: &str = "SELECT pg_try_advisory_lock(hashtextextended('tollgate ' || $1, 0))";

/// How long the version of the keys is used after it was read, and the timeout of reading it.
const BELIEVED: Duration = Duration::from_secs(1);

/// How long the connection waits for a notification before it reads the version.
const POLL: Duration = Duration::from_millis(400);

/// The delay before the next attempt to connect.
const RECONNECT: Duration = Duration::from_millis(500);

/// The version of the keys and whether this process is the leader, as last seen by the listening
/// connection.
#[derive(Debug)]
pub(super) struct Watch {
    pool: PgPool,
    start: Instant,
    version: AtomicI64,
    /// When the version was last read, in milliseconds after `start`; 0 is never.
    confirmed: AtomicU64,
    leads: AtomicBool,
}

impl Watch {
    /// Connects, listens, and requests the leader's lock. The connection comes from a separate
    /// pool: a connection that returns to the store's pool would keep the lock without acting as
    /// leader.
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

    /// Returns the version of the keys, if it was read within [`BELIEVED`].
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

    /// Listens, and reconnects after an error, until the task is aborted.
    pub(super) async fn keep(self: Arc<Self>, first: Listening) {
        let mut listening = Some(first);
        loop {
            let lost = match listening.take() {
                Some(listening) => Err(self.follow(listening).await),
                None => self.listen().await,
            };
            match lost {
                Ok(again) => {
                    tracing::info!("the connection to PostgreSQL is back");
                    listening = Some(again);
                }
                Err(error) => {
                    self.lose(&error);
                    tokio::time::sleep(RECONNECT).await;
                }
            }
        }
    }

    fn lose(&self, error: &(dyn std::error::Error + 'static)) {
        tracing::warn!(error, "the connection to PostgreSQL is lost; reconnecting");
        self.confirmed.store(0, Ordering::Release);
        if self.leads.swap(false, Ordering::AcqRel) {
            metrics::leads(false);
            tracing::info!("this process is no longer the leader");
        }
    }

    async fn listen(&self) -> Result<Listening, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        // The listener must not reconnect by itself: a new connection does not hold the lock, and
        // has missed notifications.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        let schema: String =
            sqlx::query_scalar("SELECT current_schema()").fetch_one(&mut listener).await?;
        Ok(Listening { listener, schema })
    }

    /// Receives notifications, and polls when there are none, until the connection is lost.
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

    /// Reads the version, and requests the leader's lock unless this process has it.
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
            tracing::info!("this process is now the leader: it rotates keys and deletes old rows");
        }
        Ok(())
    }
}

/// A connection that listens.
pub(super) struct Listening {
    listener: PgListener,
    schema: String,
}
