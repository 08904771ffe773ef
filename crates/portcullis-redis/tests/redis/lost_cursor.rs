//! Changes of the data that a cursor cannot follow, such as a flush.

use portcullis::feed::RevocationStore as _;
use portcullis_test_support::redis_server::{DURABLE, Program, RedisServer};

use crate::{LOG, open, read, send, session};

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn trimmed_stream_loses_the_cursor_and_no_entry() {
    let server = RedisServer::start(Program::Redis, &DURABLE);
    let (store, behind) = (open(&server), open(&server));
    store.append(&session("a")).await.unwrap();
    let (_, cursor) = read(&behind, None).await;
    for value in ["b", "c"] {
        store.append(&session(value)).await.unwrap();
    }
    let (_, current) = read(&store, None).await;
    send(&server, &["XTRIM", LOG, "MAXLEN", "1"]).await;
    let error = behind.changes(Some(&cursor)).await.unwrap_err();
    assert!(error.is_cursor_lost(), "{error:?}");
    assert_eq!(read(&behind, None).await.0, ["a", "b", "c"]);
    // A reader that had already seen the trimmed elements can continue.
    store.append(&session("d")).await.unwrap();
    assert_eq!(read(&store, Some(current.clone())).await.0, ["d"]);

    send(&server, &["DEL", LOG]).await;
    store.append(&session("e")).await.unwrap();
    let error = store.changes(Some(&current)).await.unwrap_err();
    assert!(error.is_cursor_lost(), "{error:?}");
    assert_eq!(read(&store, None).await.0, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn flushed_server_loses_the_cursor() {
    let server = RedisServer::start(Program::Redis, &DURABLE);
    let store = open(&server);
    for value in ["a", "b"] {
        store.append(&session(value)).await.unwrap();
    }
    let (_, cursor) = read(&store, None).await;
    send(&server, &["FLUSHALL"]).await;
    let error = store.changes(Some(&cursor)).await.unwrap_err();
    assert!(error.is_cursor_lost(), "{error:?}");
    // The number of entries is the same as before.
    for value in ["c", "d"] {
        store.append(&session(value)).await.unwrap();
    }
    let error = store.changes(Some(&cursor)).await.unwrap_err();
    assert!(error.is_cursor_lost(), "{error:?}");
    assert_eq!(read(&store, None).await.0, ["c", "d"]);
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn restored_backup_loses_the_cursor() {
    let mut server = RedisServer::start(Program::Redis, &DURABLE);
    let store = open(&server);
    store.append(&session("in the backup")).await.unwrap();
    server.kill();
    let backup = server.copy_data();
    server.start_again();
    store.append(&session("later")).await.unwrap();
    let (_, cursor) = read(&open(&server), None).await;
    server.kill();
    server.replace_data(&backup);
    server.start_again();
    let restored = open(&server);
    restored.append(&session("new")).await.unwrap();
    let error = restored.changes(Some(&cursor)).await.unwrap_err();
    assert!(error.is_cursor_lost(), "{error:?}");
    assert_eq!(read(&restored, None).await.0, ["in the backup", "new"]);
}
