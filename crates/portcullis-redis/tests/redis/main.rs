//! The store on Redis and Valkey servers of its own, which tests kill and start again.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod durability;
mod guarantees;
mod lost_cursor;
mod replicas;
mod settings;
mod several_instances;

use portcullis::feed::{Cursor, Entry, RevocationStore, Target};
use portcullis_redis::RedisRevocations;
use portcullis_test_support::redis_server::RedisServer;

const LOG: &str = "{portcullis:revocations}:log";

fn open(server: &RedisServer) -> RedisRevocations {
    RedisRevocations::new(&server.url()).unwrap()
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

/// Sends a command on a connection of its own, and returns the response as text.
async fn send(server: &RedisServer, command: &[&str]) -> String {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut sent = redis::cmd(command.first().unwrap());
    for argument in command.iter().skip(1) {
        sent.arg(*argument);
    }
    let response: redis::Value = sent.query_async(&mut connection).await.unwrap();
    format!("{response:?}")
}
