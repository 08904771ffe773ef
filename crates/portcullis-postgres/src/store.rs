//! The store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use portcullis::feed::{Appended, Changes, Cursor, Entry, RevocationStore, StoreError, Storing};

use crate::check;
use crate::connection::{Purpose, Wakes};
use crate::pool::{Patience, Pool};
use crate::position::Position;
use crate::problem::Problem;
use crate::queries;
use crate::schema::SCHEMA;
use crate::server::{Server, UrlError};

/// The deadline of each operation. It is shorter than the 5 seconds after which `portcullis` gives
/// up.
const DEADLINE: Duration = Duration::from_secs(4);

/// The maximum number of connections that append. Concurrent commits share one write to the disk.
const WRITERS: usize = 4;

/// The pause after a failed append.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// A [`RevocationStore`] in a table of PostgreSQL 13 or newer.
///
/// ```no_run
/// use portcullis_postgres::PostgresRevocations;
/// use portcullis_postgres::portcullis::feed::Revocations;
///
/// let store = PostgresRevocations::new("postgres://app@db.example/app")?;
/// let revocations = Revocations::new(store);
/// # Ok::<(), portcullis_postgres::UrlError>(())
/// ```
///
/// # Connections
///
/// Up to five: one reads and listens, and up to four append. They are opened when they are needed.
/// After a failure they are opened again: at first immediately, then after pauses from 50 milliseconds
/// to 1 second. An append is retried for 4 seconds, so a restart of the server within this time loses
/// no logout. Use the server itself or a pooler in session mode, because `LISTEN` does not work in
/// transaction mode.
///
/// # Durability
///
/// Each connection sets `synchronous_commit` to `on`, unless it is `remote_apply`. With
/// `synchronous_standby_names`, an append is acknowledged when as many standbys as it requires have
/// it on their disks, and fails if they do not confirm it within 4 seconds. A failover keeps it if
/// one of these standbys is promoted: with `FIRST 2 (a, b)`, each of the two. With `FIRST 1 (a, b)`
/// or `ANY 1 (a, b)`, only one of them confirms, and a failover to the other can lose entries, as
/// one to an asynchronous standby can.
///
/// A former primary that runs on after a failover answers reads, too. Stop it before another server
/// is promoted.
///
/// # Privileges
///
/// `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the table. Also `CREATE` in the schema, unless
/// [migrations create the table](PostgresRevocationsBuilder::without_schema_creation).
pub struct PostgresRevocations {
    server: Server,
    readers: Pool,
    writers: Pool,
    wakes: Wakes,
}

impl PostgresRevocations {
    /// The SQL that creates the table, for migrations. It can be run again.
    pub const SCHEMA: &'static str = SCHEMA;

    /// Creates the store for a URL: `postgres://user:password@host/database`. It connects when it is
    /// used.
    ///
    /// | parameter | effect |
    /// |---|---|
    /// | `sslmode=verify-full` | TLS with a verified certificate: the default, except for this machine; `require` and `verify-ca` mean the same |
    /// | `sslmode=disable` | no TLS: the default for this machine (`localhost`, loopback, a socket) |
    /// | `sslrootcert=FILE` | trusts the CAs in this PEM file instead of the platform's |
    /// | `options`, `connect_timeout`, `application_name`, … | as for [`tokio_postgres::Config`](https://docs.rs/tokio-postgres/0.7/tokio_postgres/config/struct.Config.html) |
    ///
    /// # Errors
    ///
    /// [`UrlError`] for an invalid URL, for a mode that would accept a connection without TLS, such
    /// as `prefer`, and for an unusable file.
    ///
    /// ```
    /// use portcullis_postgres::PostgresRevocations;
    ///
    /// let store = PostgresRevocations::new("postgres://app:secret@127.0.0.1/app")?;
    /// assert_eq!(format!("{store:?}"), "PostgresRevocations(postgres://127.0.0.1:5432/app)");
    /// assert!(PostgresRevocations::new("postgres://db.example/app?sslmode=prefer").is_err());
    /// # Ok::<(), portcullis_postgres::UrlError>(())
    /// ```
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Self::builder(url).build()
    }

    /// Creates a builder, for other settings than those of [`new`](Self::new).
    pub fn builder(url: &str) -> PostgresRevocationsBuilder {
        PostgresRevocationsBuilder { server: Server::parse(url), creates_schema: true }
    }

    async fn read(&self, after: Option<&Cursor>) -> Result<Changes, StoreError> {
        let position = match after {
            None => Position::start(),
            Some(cursor) => Position::parse(cursor).ok_or_else(StoreError::cursor_lost)?,
        };
        // Counted before the read, because the read may not see an entry whose notification arrives
        // during it.
        let wakes = self.wakes.count();
        let read = async |patience| {
            let read = self.readers.run(patience, async |connection| {
                queries::rows_after(&connection.client, &position).await
            });
            in_time(read).await
        };
        let rows = match read(Patience::Fail).await {
            // The server may have closed the connection while it was idle.
            Err(Problem::Connection(_) | Problem::Database { .. }) => read(Patience::Fail).await?,
            read => read?,
        };
        queries::changes_of(rows, &position, wakes)
    }
}

/// Waits within the deadline.
async fn in_time<T>(operation: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let result = tokio::time::timeout(DEADLINE, operation).await;
    result.unwrap_or(Err(Problem::Timeout(DEADLINE)))
}

impl RevocationStore for PostgresRevocations {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        Box::pin(async move {
            let mut last = None;
            let attempts = async {
                let mut was_sent = false;
                loop {
                    let was_sent_before = was_sent;
                    let appended = self.writers.run(Patience::Wait, async |connection| {
                        was_sent = true;
                        let appended = queries::append(&connection.client, entry).await?;
                        connection.is_confirmed()?;
                        Ok(appended)
                    });
                    match appended.await {
                        // An earlier attempt without a response may have stored the entry. The sender
                        // must not be told that its report was a replay.
                        Ok(Appended::Known) if was_sent_before => return Appended::New,
                        Ok(appended) => return appended,
                        Err(problem) => last = Some(problem),
                    }
                    tokio::time::sleep(BETWEEN_ATTEMPTS).await;
                }
            };
            let appended = tokio::time::timeout(DEADLINE, attempts).await;
            appended.map_err(|_elapsed| last.unwrap_or(Problem::Timeout(DEADLINE)).into())
        })
    }

    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
        Box::pin(self.read(after))
    }

    fn changed<'s>(&'s self, after: &'s Cursor) -> Pin<Box<dyn Future<Output = ()> + Send + 's>> {
        Box::pin(async move {
            if let Some(position) = Position::parse(after) {
                self.wakes.differ_from(position.wakes).await;
            }
        })
    }

    fn prune(&self, before: u64) -> Storing<'_, ()> {
        Box::pin(async move {
            let prune = self.writers.run(Patience::Fail, async |connection| {
                queries::prune(&connection.client, before).await
            });
            Ok(in_time(prune).await?)
        })
    }

    fn check(&self) -> Storing<'_, ()> {
        Box::pin(async move {
            let found = self
                .readers
                .run(Patience::Fail, async |connection| check::find(&connection.client).await);
            in_time(found).await?.check()
        })
    }
}

/// Shows the address of the server.
impl fmt::Debug for PostgresRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresRevocations").field(&self.server).finish()
    }
}

/// Builds a [`PostgresRevocations`] with other settings than the defaults.
///
/// ```
/// use portcullis_postgres::PostgresRevocations;
///
/// let url = "postgres://app@127.0.0.1/app";
/// assert!(PostgresRevocations::builder(url).without_schema_creation().build().is_ok());
/// assert!(PostgresRevocations::builder("http://127.0.0.1").build().is_err());
/// // For the migrations:
/// assert!(PostgresRevocations::SCHEMA.starts_with("CREATE TABLE IF NOT EXISTS"));
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before `build`"]
pub struct PostgresRevocationsBuilder {
    server: Result<Server, UrlError>,
    creates_schema: bool,
}

impl PostgresRevocationsBuilder {
    /// Does not create the table, because migrations run [`PostgresRevocations::SCHEMA`]. By default,
    /// the first connection creates the table if it is missing.
    pub fn without_schema_creation(mut self) -> Self {
        self.creates_schema = false;
        self
    }

    /// Creates the store. It connects when it is used.
    ///
    /// # Errors
    ///
    /// The errors of [`PostgresRevocations::new`].
    pub fn build(self) -> Result<PostgresRevocations, UrlError> {
        let server = self.server?;
        let wakes = Wakes::new();
        let pool = |purpose, connections| {
            Pool::new(server.clone(), purpose, self.creates_schema, connections)
        };
        Ok(PostgresRevocations {
            readers: pool(Purpose::Read(wakes.clone()), 1),
            writers: pool(Purpose::Write, WRITERS),
            wakes,
            server,
        })
    }
}
