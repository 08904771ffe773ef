//! The store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use portcullis::feed::{
    Appended, Changes, Cursor, Entry, RevocationStore, StoreError, Storing, Target,
};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::check;
use crate::connection::{Purpose, Wakes};
use crate::pool::{Patience, Pool};
use crate::position::{Place, Position};
use crate::problem::Problem;
use crate::schema::SCHEMA;
use crate::server::{Server, UrlError};

/// The deadline of each operation. The crate's own is 5 seconds.
const DEADLINE: Duration = Duration::from_secs(4);

/// The maximum number of entries in a response.
const PAGE: usize = 1000;

/// The maximum number of connections that append: commits of several share one write to the disk.
const WRITERS: usize = 4;

/// The pause after a failed append.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// The entries of one deletion, so that it is short.
const PRUNED_AT_ONCE: u64 = 5000;

/// An entry that is stored already is updated to its own values, so that this commit, too, waits
/// for the disk and for the standbys: the first one may have ended without.
const APPEND: &str = "WITH stored AS ( \
        INSERT INTO portcullis_revocations AS entry (id, issuer, kind, value, at, until) \
        VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (id) DO UPDATE SET id = entry.id \
        RETURNING xid = pg_current_xact_id() AS is_new \
    ) \
    SELECT is_new, (SELECT pg_notify('portcullis_revocations', '') WHERE is_new)::text FROM stored";

/// Rows of transactions that the snapshot `$1` did not see, after the row (`$2`, `$3`). The first
/// two columns are those of the read itself, so there is at least one row.
const CHANGES: &str = "SELECT pg_current_snapshot()::text, \
        concat_ws('.', extract(epoch FROM pg_postmaster_start_time()), \
            (SELECT oid FROM pg_database WHERE datname = current_database()), \
            'portcullis_revocations'::regclass::oid), \
        pg_is_in_recovery(), \
        entry.* \
    FROM (VALUES (1)) AS once LEFT JOIN ( \
        SELECT xid::text, id, issuer, kind, value, at, until FROM portcullis_revocations \
        WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) \
            AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
            AND (xid, id) > ($2::text::xid8, $3::text) \
        ORDER BY portcullis_revocations.xid, id LIMIT $4 \
    ) AS entry ON true";

const PRUNE: &str = "DELETE FROM portcullis_revocations WHERE id IN ( \
        SELECT id FROM portcullis_revocations WHERE until < $1 \
        ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)";

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
/// Up to five: one reads and listens, and up to four append. They are opened when they are needed,
/// and again after a failure: at once, then after pauses from 50 milliseconds to 1 second. An append
/// tries again for 4 seconds, so a restart of the server within this time fails no logout. Use the
/// server or a pooler in session mode: `LISTEN` does not work in transaction mode.
///
/// # Durability
///
/// Each connection sets `synchronous_commit` to `on`, unless it is `remote_apply`. With
/// `synchronous_standby_names`, an append is acknowledged when the standbys have it, so a failover
/// to one of them keeps it. A failover to an asynchronous standby can lose entries.
///
/// # Privileges
///
/// `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the table, and `CREATE` in the schema unless
/// [the table is created otherwise](PostgresRevocationsBuilder::without_schema_creation).
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
        // Before the read: a notification during it may be of an entry that it does not see.
        let wakes = self.wakes.count();
        let read = async |patience| {
            let read = self
                .readers
                .run(patience, async |connection| rows_after(&connection.client, &position).await);
            in_time(read).await
        };
        let rows = match read(Patience::Fail).await {
            // The server closed the connection while it was idle.
            Err(Problem::Connection(_) | Problem::Database { .. }) => read(Patience::Fail).await?,
            read => read?,
        };
        changes_of(rows, &position, wakes)
    }
}

/// Waits within the deadline.
async fn in_time<T>(operation: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let result = tokio::time::timeout(DEADLINE, operation).await;
    result.unwrap_or(Err(Problem::Timeout(DEADLINE)))
}

async fn rows_after(client: &Client, position: &Position) -> Result<Vec<Row>, Problem> {
    let (xid, id) = match &position.page {
        Some(page) => (page.xid.to_string(), &*page.id),
        None => ("0".to_owned(), ""),
    };
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&position.base, Type::TEXT), (&xid, Type::TEXT), (&id, Type::TEXT), (&limit, Type::INT8)];
    Ok(client.query_typed(CHANGES, &parameters).await?)
}

fn changes_of(mut rows: Vec<Row>, position: &Position, wakes: u64) -> Result<Changes, StoreError> {
    let Some(row) = rows.first() else { return Err(Problem::Row.into()) };
    let get = |column| row.try_get::<_, String>(column).map_err(Problem::from);
    let (snapshot, origin) = (get(0)?, get(1)?);
    if row.try_get(2).map_err(Problem::from)? {
        return Err(Problem::Standby.into());
    }
    // Another server or table, or the same one after a restart: its numbers may be given again.
    if !position.origin.is_empty() && position.origin != origin {
        return Err(StoreError::cursor_lost());
    }
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let mut entries = Vec::with_capacity(rows.len());
    let (mut largest, mut last) = (None, None);
    for row in &rows {
        // The one row of a read without entries.
        let Some(xid) = row.try_get::<_, Option<&str>>(3).map_err(Problem::from)? else { break };
        let xid: u64 = xid.parse().map_err(|_| Problem::Row)?;
        largest = largest.max(Some(xid));
        let entry = entry_of(row)?;
        last = Some(Place { xid, id: entry.id.clone() });
        entries.push(entry);
    }
    let next = position.next(&snapshot, largest, last.filter(|_| has_more));
    let (mut next, has_more) = next.ok_or(Problem::Row)?;
    (next.origin, next.wakes) = (origin, wakes);
    Ok(Changes { entries, cursor: next.to_cursor(), has_more })
}

fn entry_of(row: &Row) -> Result<Entry, Problem> {
    let target = Target::from_parts(row.try_get(6)?, row.try_get(7)?).ok_or(Problem::Row)?;
    let seconds = |column| -> Result<u64, Problem> {
        u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| Problem::Row)
    };
    let mut entry = Entry::new(row.try_get::<_, String>(5)?, target, seconds(8)?, seconds(9)?);
    entry.id = row.try_get(4)?;
    Ok(entry)
}

async fn append(client: &Client, entry: &Entry) -> Result<Appended, Problem> {
    let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let (at, until) = (seconds(entry.at), seconds(entry.until));
    let (kind, value) = (entry.target.kind(), entry.target.value());
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&entry.id, Type::TEXT),
        (&entry.issuer, Type::TEXT),
        (&kind, Type::TEXT),
        (&value, Type::TEXT),
        (&at, Type::INT8),
        (&until, Type::INT8),
    ];
    let row = client.query_typed_one(APPEND, &parameters).await?;
    Ok(if row.try_get(0)? { Appended::New } else { Appended::Known })
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
                        let appended = append(&connection.client, entry).await?;
                        connection.is_confirmed()?;
                        Ok(appended)
                    });
                    match appended.await {
                        // An attempt without a response may have stored it, and a sender whose report is
                        // stored must not be told that it was a replay.
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
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let limit = i64::try_from(PRUNED_AT_ONCE).unwrap_or(i64::MAX);
        Box::pin(async move {
            let prune = self.writers.run(Patience::Fail, async |connection| {
                let parameters: [(&(dyn ToSql + Sync), Type); 2] =
                    [(&before, Type::INT8), (&limit, Type::INT8)];
                while connection.client.execute_typed(PRUNE, &parameters).await? >= PRUNED_AT_ONCE {
                }
                Ok(())
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

/// Shows where the server is.
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
    /// Creates no table: migrations run [`PostgresRevocations::SCHEMA`]. By default, the first
    /// connection creates the table if it is missing.
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
