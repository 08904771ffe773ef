//! Tests which entries remain after the server was killed.

use std::time::{Duration, Instant};

use portcullis::feed::RevocationStore as _;
use portcullis_test_support::redis_server::{DURABLE, Program, RedisServer};
use tokio::time::timeout;

use crate::{open, read, session};

async fn survives_a_kill(program: Program) {
    let mut server = RedisServer::start(program, &DURABLE);
    let store = open(&server);
    for number in 0..5 {
        let value = number.to_string();
        store.append(&session(&value)).await.unwrap();
        server.kill();
        server.start_again();
        let (found, _) = read(&open(&server), None).await;
        assert!(found.contains(&value), "{found:?}");
    }
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn acknowledged_entry_survives_a_kill_of_redis() {
    survives_a_kill(Program::Redis).await;
}

#[tokio::test]
#[ignore = "needs Valkey: run cargo xtask test"]
async fn acknowledged_entry_survives_a_kill_of_valkey() {
    survives_a_kill(Program::Valkey).await;
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn restarted_server_is_used_again_and_its_old_cursor_is_lost() {
    let mut server = RedisServer::start(Program::Redis, &DURABLE);
    let store = open(&server);
    store.append(&session("before")).await.unwrap();
    let (_, cursor) = read(&store, None).await;
    timeout(Duration::from_secs(10), store.changed(&cursor)).await.unwrap();
    let (_, cursor) = read(&store, Some(cursor)).await;
    server.kill();
    let waiting = timeout(Duration::from_secs(10), store.changed(&cursor));
    assert!(waiting.await.is_ok(), "the end of the connection wakes the reader");
    let start = Instant::now();
    let error = store.changes(Some(&cursor)).await.unwrap_err();
    assert!(!error.is_cursor_lost() && start.elapsed() < Duration::from_secs(1), "{error:?}");
    assert!(store.append(&session("meanwhile")).await.is_err());
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());

    server.start_again();
    store.append(&session("after")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = store.changes(Some(&cursor)).await.unwrap_err();
    assert!(error.is_cursor_lost(), "{error:?}");
    assert_eq!(read(&store, None).await.0, ["after", "before"]);
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn append_outlasts_a_restart() {
    let mut server = RedisServer::start(Program::Redis, &DURABLE);
    let store = open(&server);
    store.append(&session("a")).await.unwrap();
    server.kill();
    let restart = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(500));
        server.start_again();
        server
    });
    store.append(&session("b")).await.unwrap();
    let server = restart.await.unwrap();
    assert_eq!(read(&open(&server), None).await.0, ["a", "b"]);
}
