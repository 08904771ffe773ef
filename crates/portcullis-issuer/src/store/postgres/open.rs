//! Connecting to the server. A schema of another program is rejected before anything is written.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Notify;

use super::PostgresStore;
use super::problem::{Problem, explain, explain_migration, problem};
use super::refresh::Batches;
use super::watch::Watch;
use crate::config::DatabaseUrl;
use crate::error::Error;
use crate::store::migrations;

/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum number of connections for statements. With one more connection each that listens,
/// ten processes stay below PostgreSQL's default limit of 100.
const CONNECTIONS: u32 = 8;

/// Limits on a wait for a lock, on a statement and on an abandoned transaction. No statement of the
/// issuer takes this long, unless it waits for a lock.
const TIMEOUTS: [(&str, &str); 3] = [
    ("lock_timeout", "5s"),
    ("statement_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "15s"),
];

impl PostgresStore {
    /// Connects, and brings the schema up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the server cannot be used, or if the schema is newer than this
    /// program or belongs to another program. The schema is not changed then.
    pub(crate) async fn open(url: &DatabaseUrl) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url.reveal())
            .map_err(|error| explain(url, error))?
            .application_name("portcullis-issuer")
            .options(TIMEOUTS);
        let mut connection = options.connect().await.map_err(|error| explain(url, error))?;
        let migrated = migrate(url, &mut connection).await;
        connection.close().await.map_err(|error| explain(url, error))?;
        migrated?;
        let (watch, listening) =
            Watch::start(options.clone()).await.map_err(|error| explain(url, error))?;
        let watcher = tokio::spawn(Arc::clone(&watch).keep(listening)).abort_handle();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        let refreshes = Batches::start(&pool);
        Ok(Self { refreshes, pool, watch, watcher, ended_sessions: Notify::new() })
    }
}

/// Brings the schema up to date under a lock that is released with the connection. If two processes
/// start at the same time, the second waits, and finds the schema up to date. The lock has the
/// project's former name, so that processes of older versions take the same lock.
async fn migrate(url: &DatabaseUrl, connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "SELECT pg_advisory_lock(hashtextextended('tollgate schema ' || current_schema(), 0))",
    )
    .execute(&mut *connection)
    .await
    .map_err(|error| explain(url, error))?;
    let foreign: bool = sqlx::query_scalar(
        "SELECT count(*) > 0 AND 2 <> count(*) FILTER \
         (WHERE tablename IN ('_sqlx_migrations', 'key_ring')) \
         FROM pg_tables WHERE schemaname = current_schema()",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|error| explain(url, error))?;
    if foreign {
        return Err(problem(url, Problem::Foreign, None));
    }
    migrations::migrator(migrations::POSTGRES)
        .run_direct(None, connection, false)
        .await
        .map_err(|error| explain_migration(url, error))
}
