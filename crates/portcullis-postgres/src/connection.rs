//! Connections, with the settings that the store needs.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::problem::Problem;
use crate::schema;
use crate::server::Server;

/// The settings of each connection. They override the role's defaults.
///
/// A commit waits for the disk, and for the synchronous standbys if there are any. A statement that this
/// side no longer waits for also ends on the server. The server must send a warning if a commit was not
/// replicated.
const SETTINGS: &str = "SET statement_timeout = '4s'; \
    SET client_min_messages = warning; \
    SET default_transaction_isolation = 'read committed'; \
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') <> 'remote_apply'";

/// The channel of notifications. The notifications have no content.
pub(crate) const CHANNEL: &str = "portcullis_revocations";

/// Counts notifications. Also counts the ends of connections, during which notifications may have been
/// lost.
#[derive(Debug, Clone)]
pub(crate) struct Wakes(Arc<watch::Sender<u64>>);

impl Wakes {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn count(&self) -> u64 {
        *self.0.borrow()
    }

    fn wake(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Completes when the count differs from `known`.
    pub(crate) async fn differ_from(&self, known: u64) {
        let mut count = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = count.wait_for(|count| *count != known).await;
    }
}

/// The purpose of a connection.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    Write,
    /// For reads. The connection also listens for notifications.
    Read(Wakes),
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) client: Client,
    warning: Arc<Mutex<Option<String>>>,
}

impl Connection {
    pub(crate) async fn open(
        server: &Server,
        purpose: &Purpose,
        creates_schema: bool,
    ) -> Result<Self, Problem> {
        let warning = Arc::default();
        let client = match &server.tls {
            Some(tls) => {
                let (client, connection) = server.config.connect(tls.clone()).await?;
                tokio::spawn(drive(connection, purpose.clone(), Arc::clone(&warning)));
                client
            }
            None => {
                let (client, connection) = server.config.connect(NoTls).await?;
                tokio::spawn(drive(connection, purpose.clone(), Arc::clone(&warning)));
                client
            }
        };
        client.batch_execute(SETTINGS).await?;
        if creates_schema {
            schema::create(&client).await?;
        }
        if let Purpose::Read(_) = purpose {
            client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
            schema::renumber(&client).await?;
        }
        Ok(Self { client, warning })
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// Returns an error if the server sent a warning on this connection. The only warning that a commit
    /// can cause is that a synchronous standby did not confirm it.
    pub(crate) fn is_confirmed(&self) -> Result<(), Problem> {
        let warning = self.warning.lock().unwrap_or_else(PoisonError::into_inner).take();
        warning.map_or(Ok(()), |warning| Err(Problem::Unconfirmed(warning)))
    }
}

/// Runs a connection until it ends. A warning is recorded before the response that follows it.
async fn drive<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    purpose: Purpose,
    warning: Arc<Mutex<Option<String>>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let wake = || {
        if let Purpose::Read(wakes) = &purpose {
            wakes.wake();
        }
    };
    while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            AsyncMessage::Notification(_) => wake(),
            AsyncMessage::Notice(notice) if notice.parsed_severity() == Some(Severity::Warning) => {
                let text = notice.message().to_owned();
                *warning.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
            _ => {}
        }
    }
    wake();
}
