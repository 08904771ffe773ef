//! Tests which entries remain after the server was killed.

use std::time::{Duration, Instant};

use portcullis::feed::RevocationStore as _;
use portcullis_test_support::postgres_server::PostgresServer;
use tokio::time::timeout;

use crate::{client, open, read, session};

/// The server is configured to acknowledge commits that are only in memory, and to write them late.
/// Only the store's own setting makes an append wait for the disk.
#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn acknowledged_entry_survives_a_kill_of_a_server_with_synchronous_commit_off() {
    let settings = ["synchronous_commit=off", "wal_writer_delay=10s"];
    let mut server = PostgresServer::start(&settings);
    let store = open(&server);
    for number in 0..5 {
        let value = number.to_string();
        store.append(&session(&value)).await.unwrap();
        // A transaction of another program, which is lost.
        let other = client(&server).await;
        other.batch_execute("CREATE TABLE IF NOT EXISTS other ()").await.unwrap();
        server.kill();
        server.start_again();
        let (found, _) = read(&open(&server), None).await;
        assert!(found.contains(&value), "{found:?}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn restarted_server_is_used_again_and_its_old_cursor_is_lost() {
    let mut server = PostgresServer::start(&[]);
    let store = open(&server);
    store.append(&session("before")).await.unwrap();
    let (_, cursor) = read(&store, None).await;
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
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn append_outlasts_a_restart() {
    let mut server = PostgresServer::start(&[]);
    let store = open(&server);
    store.check().await.unwrap();
    server.stop();
    let restart = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(500));
        server.start_again();
        server
    });
    store.append(&session("a")).await.unwrap();
    let server = restart.await.unwrap();
    assert_eq!(read(&open(&server), None).await.0, ["a"]);
}

/// A commit that no standby has confirmed exists only on this server, and a failover would lose it.
#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn commit_that_a_synchronous_standby_does_not_confirm_is_an_error() {
    let server = PostgresServer::start(&[]);
    let store = open(&server);
    store.append(&session("before")).await.unwrap();
    let client = client(&server).await;
    let demand = "ALTER SYSTEM SET synchronous_standby_names = 'absent'";
    client.batch_execute(demand).await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let entry = session("a");
    let cancel = async {
        // An administrator ends the wait: the server then reports success, with a warning.
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let cancel =
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            client.batch_execute(cancel).await.unwrap();
        }
    };
    tokio::select! {
        appended = store.append(&entry) => {
            let error = format!("{:?}", appended.unwrap_err());
            assert!(error.contains("not confirmed by the standbys"), "{error}");
        }
        () = cancel => {}
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn table_that_was_restored_from_another_server_is_read_once() {
    let server = PostgresServer::start(&[]);
    let store = open(&server);
    store.append(&session("a")).await.unwrap();
    let foreign = "UPDATE portcullis_revocations SET xid = '123456789012'";
    client(&server).await.batch_execute(foreign).await.unwrap();
    let restored = open(&server);
    let (found, cursor) = read(&restored, None).await;
    assert_eq!(found, ["a"]);
    assert_eq!(read(&restored, Some(cursor.clone())).await.0, [""; 0]);
    store.append(&session("b")).await.unwrap();
    assert_eq!(read(&restored, Some(cursor)).await.0, ["b"]);
}
