//! A failover to a replica keeps acknowledged entries.

use portcullis::feed::{Appended, RevocationStore as _};
use portcullis_redis::RedisRevocations;
use portcullis_test_support::redis_server::{DURABLE, Program, RedisServer};

use crate::{open, read, send, session};

async fn primary_and_replica(program: Program) -> (RedisServer, RedisServer) {
    let primary = RedisServer::start(program, &DURABLE);
    let port = primary.port().to_string();
    let of = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
    let replica = RedisServer::start(program, &[&DURABLE[..], &of[..]].concat());
    while !send(&primary, &["INFO", "replication"]).await.contains("state=online") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    (primary, replica)
}

#[tokio::test]
#[ignore = "needs Valkey: run cargo xtask test"]
async fn acknowledged_entry_is_on_the_disk_of_the_replica() {
    let (mut primary, mut replica) = primary_and_replica(Program::Valkey).await;
    let store = open(&primary);
    store.check().await.unwrap();
    for value in ["a", "b", "c"] {
        assert_eq!(store.append(&session(value)).await.unwrap(), Appended::New);
    }
    primary.kill();
    replica.kill();
    replica.start_again();
    send(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(read(&open(&replica), None).await.0, ["a", "b", "c"]);
}

#[tokio::test]
#[ignore = "needs Valkey: run cargo xtask test"]
async fn append_that_no_replica_confirms_is_an_error() {
    let server = RedisServer::start(Program::Valkey, &DURABLE);
    let store = RedisRevocations::builder(&server.url()).replicas(1).build().unwrap();
    store.check().await.unwrap();
    let error = format!("{:?}", store.append(&session("a")).await.unwrap_err());
    assert!(error.contains("1 server and 0 replicas in time, and 1 replicas"), "{error}");
    // The entry is stored, but is acknowledged only when a replica has it.
    let port = server.port().to_string();
    let of = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
    let _replica = RedisServer::start(Program::Valkey, &[&DURABLE[..], &of[..]].concat());
    while !send(&server, &["INFO", "replication"]).await.contains("state=online") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(store.append(&session("a")).await.unwrap(), Appended::Known);
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn replica_without_waitaof_is_unsuitable_and_a_replica_itself_is_unavailable() {
    let (primary, replica) = primary_and_replica(Program::Redis).await;
    let error = open(&primary).check().await.unwrap_err();
    assert!(error.is_unsuitable() && error.to_string().contains("no WAITAOF"), "{error}");
    let error = open(&replica).changes(None).await.unwrap_err();
    assert!(format!("{error:?}").contains("must lead to the primary"), "{error:?}");
}
