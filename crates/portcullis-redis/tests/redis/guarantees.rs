//! Tests the guarantees that every store must give.

use std::time::Duration;

use portcullis::feed::{Appended, Entry, RevocationStore as _, Target};
use portcullis::testing::store_suite;
use portcullis_test_support::redis_server::{DURABLE, Program, RedisServer};
use tokio::time::timeout;

use crate::{LOG, open, read, send, session};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: run cargo xtask test"]
async fn store_keeps_the_guarantees_on_redis() {
    let server = RedisServer::start(Program::Redis, &DURABLE);
    store_suite(async || open(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey: run cargo xtask test"]
async fn store_keeps_the_guarantees_on_valkey() {
    let server = RedisServer::start(Program::Valkey, &DURABLE);
    store_suite(async || open(&server)).await;
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn append_wakes_a_reader_of_another_instance_before_and_after_it_waits() {
    let server = RedisServer::start(Program::Redis, &DURABLE);
    let (writer, reader) = (open(&server), open(&server));
    let (_, start) = read(&reader, None).await;
    // The first wait connects, and wakes once.
    timeout(Duration::from_secs(10), reader.changed(&start)).await.unwrap();
    let (_, start) = read(&reader, Some(start)).await;
    writer.append(&session("a")).await.unwrap();
    timeout(Duration::from_secs(10), reader.changed(&start)).await.unwrap();
    // The first entry gives the store its name.
    let error = reader.changes(Some(&start)).await.unwrap_err();
    assert!(error.is_cursor_lost(), "{error:?}");
    let (found, next) = read(&reader, None).await;
    assert_eq!(found, ["a"]);
    let quiet = timeout(Duration::from_millis(300), reader.changed(&next)).await;
    assert!(quiet.is_err(), "nothing changed");
    let entry = session("b");
    let (woken, appended) = tokio::join!(
        timeout(Duration::from_secs(10), reader.changed(&next)),
        writer.append(&entry),
    );
    assert_eq!((woken, appended.unwrap()), (Ok(()), Appended::New));
    assert_eq!(read(&reader, Some(next)).await.0, ["b"]);
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn prune_deletes_ended_entries_and_old_elements_of_the_stream() {
    let server = RedisServer::start(Program::Redis, &DURABLE);
    let store = open(&server);
    for number in 0..3000 {
        let until = if number % 2 == 0 { 1000 } else { 4_000_000_000 };
        let target = Target::Session(number.to_string());
        store.append(&Entry::new("i", target, 1, until)).await.unwrap();
    }
    store.prune(2000).await.unwrap();
    assert_eq!(read(&store, None).await.0.len(), 1500);
    // The hash contains the 1,500 entries, and one field with the name of the store.
    let entries = send(&server, &["HLEN", "{portcullis:revocations}:entries"]).await;
    assert_eq!(entries, "int(1501)");
    // Adds elements that are older than an hour.
    send(&server, &["DEL", LOG]).await;
    let add = "for i = 1, 3000 do redis.call('XADD', KEYS[1], i .. '-0', 'id', 'none') end";
    send(&server, &["EVAL", add, "1", LOG]).await;
    store.append(&session("new")).await.unwrap();
    store.prune(2000).await.unwrap();
    let elements = send(&server, &["XLEN", LOG]).await;
    let elements: u32 = elements.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    assert!((1..=100).contains(&elements), "{elements}");
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn entries_that_are_appended_while_the_hash_is_scanned_are_read_before_the_end() {
    let server = RedisServer::start(Program::Redis, &DURABLE);
    let store = open(&server);
    for number in 0..3000 {
        store.append(&session(&number.to_string())).await.unwrap();
    }
    let first = store.changes(None).await.unwrap();
    assert!(first.has_more);
    // Some of them are in a part of the hash that the scan has already visited.
    let late: Vec<_> = (0..50).map(|number| format!("late {number}")).collect();
    for value in &late {
        store.append(&session(value)).await.unwrap();
    }
    let (found, _) = read(&store, Some(first.cursor)).await;
    let missing: Vec<_> = late.iter().filter(|value| !found.contains(value)).collect();
    assert!(missing.is_empty(), "before `has_more` is false: {missing:?}");
}
