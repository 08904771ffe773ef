//! The store on a PostgreSQL server of its own, which tests kill and start again.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod durability;
mod guarantees;
mod late_commit;
mod settings;
mod several_instances;

use portcullis::feed::{Cursor, Entry, RevocationStore, Target};
use portcullis_postgres::PostgresRevocations;
use portcullis_test_support::postgres_server::PostgresServer;

fn open(server: &PostgresServer) -> PostgresRevocations {
    PostgresRevocations::new(&server.url()).unwrap()
}

fn session(value: &str) -> Entry {
    let target = Target::Session(value.to_owned());
    Entry::new("https://auth.example", target, 1_800_000_000, 4_000_000_000)
}

/// Reads all pages. Returns the sessions, and the last cursor.
async fn read(store: &impl RevocationStore, after: Option<Cursor>) -> (Vec<String>, Cursor) {
    let (mut sessions, mut after) = (Vec::new(), after);
    loop {
        let changes = store.changes(after.as_ref()).await.unwrap();
        sessions.extend(changes.entries.iter().map(|entry| entry.target.value().to_owned()));
        if !changes.has_more {
            sessions.sort_unstable();
            return (sessions, changes.cursor);
        }
        after = Some(changes.cursor);
    }
}

/// Opens a connection that is independent of the store.
async fn client(server: &PostgresServer) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    client
}
