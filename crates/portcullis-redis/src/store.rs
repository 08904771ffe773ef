//! The store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use portcullis::feed::{Appended, Changes, Cursor, Entry, RevocationStore, StoreError, Storing};

use crate::append::{self, Durability};
use crate::check;
use crate::listener::Listener;
use crate::pool::{Patience, Pool};
use crate::position::Position;
use crate::problem::Problem;
use crate::scripts;
use crate::server::{Server, UrlError};

/// The deadline of each operation. It is shorter than the 5 seconds after which `portcullis` gives
/// up.
const DEADLINE: Duration = Duration::from_secs(4);

/// The pause after a failed append.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// The maximum number of elements of the stream in a response.
const PAGE: usize = 1000;

/// The maximum number of connections that append.
const WRITERS: usize = 4;

/// A [`RevocationStore`] in Redis 7.0 or newer, or in Valkey.
///
/// ```no_run
/// use portcullis_redis::RedisRevocations;
/// use portcullis_redis::portcullis::feed::Revocations;
///
/// let store = RedisRevocations::new("rediss://app:secret@redis.example")?;
/// let revocations = Revocations::new(store);
/// # Ok::<(), portcullis_redis::UrlError>(())
/// ```
///
/// # Durability
///
/// At start, the store checks these settings of the server. If one is wrong, the service does not
/// start. The error contains the setting's value and the required one.
///
/// | setting | right value |
/// |---|---|
/// | `appendonly` | `yes` |
/// | `appendfsync` | `always` |
/// | `no-appendfsync-on-rewrite` | `no` |
/// | `maxmemory-policy` | not `allkeys-…` |
///
/// Replication is asynchronous, so a failover can lose acknowledged entries. With
/// [`replicas`](RedisRevocationsBuilder::replicas), an append is acknowledged when WAITAOF confirms
/// that as many replicas have the entry on their disks. By default, that is one replica while at
/// least one is connected, and none otherwise. WAITAOF needs Redis 7.2, or Valkey.
///
/// A former primary that runs on after a failover answers reads, too. Stop it before another server
/// is promoted.
///
/// # Connections
///
/// Up to six: one reads, one waits for new entries, and up to four append. They are opened when they
/// are needed. After a failure they are opened again: at first immediately, then after pauses of up to
/// 1 second. An append is retried for 4 seconds, so a restart of the server within this time loses no
/// logout.
///
/// # Keys and permissions
///
/// The keys are `{portcullis:revocations}:entries`, a hash, and `{portcullis:revocations}:log`, a
/// stream. The user needs `+eval +info +config|get +waitaof +time +hset +hsetnx +hget +hdel +hscan
/// +xadd +xrange +xrevrange +xread +xtrim +xinfo` on them.
pub struct RedisRevocations {
    server: Server,
    readers: Pool,
    writers: Pool,
    listener: Listener,
    durability: Durability,
}

impl RedisRevocations {
    /// Creates the store for a URL: `rediss://user:password@host:6379/0` with TLS, which verifies the
    /// certificate against the platform's CAs, or `redis://…` without. It connects when it is used.
    ///
    /// If the process has no default crypto provider of rustls, a URL with TLS installs that of
    /// aws-lc-rs.
    ///
    /// # Errors
    ///
    /// [`UrlError`] for an invalid URL, or one that accepts any certificate.
    ///
    /// ```
    /// use portcullis_redis::RedisRevocations;
    ///
    /// let store = RedisRevocations::new("redis://app:secret@127.0.0.1")?;
    /// assert_eq!(format!("{store:?}"), "RedisRevocations(redis://127.0.0.1:6379/0)");
    /// assert!(RedisRevocations::new("rediss://redis.example#insecure").is_err());
    /// # Ok::<(), portcullis_redis::UrlError>(())
    /// ```
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Self::builder(url).build()
    }

    /// Creates a builder, for other settings than those of [`new`](Self::new).
    pub fn builder(url: &str) -> RedisRevocationsBuilder {
        RedisRevocationsBuilder {
            url: url.to_owned(),
            root_certificates: None,
            durability: Durability { replicas: 0, trusts_unreadable_config: false },
        }
    }

    async fn read(&self, after: Option<&Cursor>) -> Result<Changes, StoreError> {
        let position = match after {
            None => None,
            Some(cursor) => Some(Position::parse(cursor).ok_or_else(StoreError::cursor_lost)?),
        };
        // Counted before the read, because the read may not see an entry whose notification arrives
        // during it.
        let wakes = self.listener.count();
        let read = async || {
            let read = self.readers.run(Patience::Fail, async |connection| {
                match position.as_ref().map(|position| (position, &position.scan)) {
                    None => scripts::scan(connection, "0").await,
                    Some((_, Some(scan))) => scripts::scan(connection, scan).await,
                    Some((position, None)) => scripts::after(connection, &position.log, PAGE).await,
                }
            });
            in_time(read).await
        };
        let (info, found) = match read().await {
            // The server may have closed the connection while it was idle.
            Err(Problem::Client(_)) => read().await?,
            read => read?,
        };
        if !info.is_primary {
            return Err(Problem::Replica.into());
        }
        let limit = u64::try_from(PAGE).unwrap_or(u64::MAX);
        let (mut next, has_more) = match &position {
            None => Position::of_scan(info, &found, wakes),
            Some(position) => {
                position.next(&info, &found, limit).ok_or_else(StoreError::cursor_lost)?
            }
        };
        next.wakes = wakes;
        let entries = found.entries.iter().map(|json| serde_json::from_str(json));
        let entries = entries.collect::<Result<_, _>>().map_err(|_error| Problem::Entry)?;
        Ok(Changes { entries, cursor: next.to_cursor(), has_more })
    }
}

/// Waits within the deadline.
async fn in_time<T>(operation: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let result = tokio::time::timeout(DEADLINE, operation).await;
    result.unwrap_or(Err(Problem::Timeout(DEADLINE)))
}

impl RevocationStore for RedisRevocations {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        Box::pin(async move {
            let json = serde_json::to_string(entry).map_err(StoreError::unavailable)?;
            let mut last = None;
            let attempts = async {
                let mut was_sent = false;
                loop {
                    let was_sent_before = was_sent;
                    let appended = self.writers.run(Patience::Wait, async |connection| {
                        was_sent = true;
                        append::durably(connection, &entry.id, &json, &self.durability).await
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
                self.listener.differ_from(position.wakes).await;
            }
        })
    }

    fn prune(&self, before: u64) -> Storing<'_, ()> {
        Box::pin(async move {
            let prune = self
                .writers
                .run(Patience::Fail, async |connection| scripts::prune(connection, before).await);
            Ok(in_time(prune).await?)
        })
    }

    fn check(&self) -> Storing<'_, ()> {
        Box::pin(async move {
            let found =
                self.readers.run(Patience::Fail, async |connection| check::find(connection).await);
            in_time(found).await?.check(&self.durability)
        })
    }
}

/// Shows the address of the server.
impl fmt::Debug for RedisRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisRevocations").field(&self.server).finish()
    }
}

/// Builds a [`RedisRevocations`] with other settings than the defaults.
///
/// ```
/// use portcullis_redis::RedisRevocations;
///
/// let url = "redis://127.0.0.1";
/// assert!(RedisRevocations::builder(url).replicas(1).build().is_ok());
/// assert!(RedisRevocations::builder(url).root_certificates("not PEM").build().is_err());
/// ```
#[must_use = "nothing happens before `build`"]
pub struct RedisRevocationsBuilder {
    url: String,
    root_certificates: Option<Vec<u8>>,
    durability: Durability,
}

impl RedisRevocationsBuilder {
    /// Sets how many replicas must have an entry on their disk before it is acknowledged. The default
    /// is one while the server has connected replicas, and otherwise none: set it if there are
    /// replicas. If fewer replicas are connected, appends fail.
    ///
    /// A failover keeps an acknowledged entry if it promotes a replica that has the entry. Sentinel
    /// chooses the replica with the most data. If your failover may promote any replica, set the number
    /// of all replicas.
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.durability.replicas = replicas.into();
        self
    }

    /// Trusts these CA certificates, in PEM, instead of the platform's. For a URL with TLS.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// Starts even if the server does not permit `CONFIG GET`, as with many managed services. Verify
    /// yourself that `appendonly` is `yes` and `appendfsync` is `always`.
    ///
    /// If the server supports WAITAOF (Redis 7.2, Valkey), each append still waits for the confirmation
    /// that the entry is on the disk. Settings that can be read are still checked.
    pub fn trust_unreadable_config(mut self) -> Self {
        self.durability.trusts_unreadable_config = true;
        self
    }

    /// Creates the store. It connects when it is used.
    ///
    /// # Errors
    ///
    /// The errors of [`RedisRevocations::new`], and one for unusable certificates.
    pub fn build(self) -> Result<RedisRevocations, UrlError> {
        let server = Server::parse(&self.url, self.root_certificates)?;
        Ok(RedisRevocations {
            readers: Pool::new(server.clone(), DEADLINE, 1),
            writers: Pool::new(server.clone(), DEADLINE, WRITERS),
            listener: Listener::new(server.clone()),
            durability: self.durability,
            server,
        })
    }
}

/// Does not show the URL, because it can contain a password.
impl fmt::Debug for RedisRevocationsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRevocationsBuilder")
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
