//! Tests the guarantees that every store must give.

use std::time::Duration;

use portcullis::feed::{Appended, RevocationStore as _};
use portcullis::testing::store_suite;
use portcullis_postgres::PostgresRevocations;
use portcullis_test_support::postgres_server::PostgresServer;
use tokio::time::timeout;

use crate::{client, open, read, session};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn store_keeps_the_guarantees() {
    let server = PostgresServer::start(&[]);
    store_suite(async || open(&server)).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn append_wakes_a_reader_of_another_instance_before_and_after_it_waits() {
    let server = PostgresServer::start(&[]);
    let (writer, reader) = (open(&server), open(&server));
    let (_, start) = read(&reader, None).await;
    writer.append(&session("a")).await.unwrap();
    timeout(Duration::from_secs(10), reader.changed(&start)).await.unwrap();
    let (found, next) = read(&reader, Some(start)).await;
    assert_eq!(found, ["a"]);
    let quiet = timeout(Duration::from_millis(300), reader.changed(&next)).await;
    assert!(quiet.is_err(), "nothing changed");
    // A known entry changes nothing.
    assert_eq!(writer.append(&session("a")).await.unwrap(), Appended::Known);
    let quiet = timeout(Duration::from_millis(300), reader.changed(&next)).await;
    assert!(quiet.is_err(), "a known entry wakes no reader");
    let entry = session("b");
    let (woken, appended) = tokio::join!(
        timeout(Duration::from_secs(10), reader.changed(&next)),
        writer.append(&entry),
    );
    assert_eq!((woken, appended.unwrap()), (Ok(()), Appended::New));
    assert_eq!(read(&reader, Some(next)).await.0, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn first_connections_of_several_instances_create_one_table() {
    let server = PostgresServer::start(&[]);
    let mut instances = tokio::task::JoinSet::new();
    for number in 0..6 {
        let store = open(&server);
        instances.spawn(async move { store.append(&session(&number.to_string())).await });
    }
    for appended in instances.join_all().await {
        assert_eq!(appended.unwrap(), Appended::New);
    }
    assert_eq!(read(&open(&server), None).await.0.len(), 6);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn table_of_migrations_is_used_without_the_right_to_create_one() {
    let server = PostgresServer::start(&[]);
    let client = client(&server).await;
    let url = server.url().replace("portcullis@", "app@");
    client.batch_execute("CREATE ROLE app LOGIN").await.unwrap();
    let without = PostgresRevocations::builder(&url).without_schema_creation().build().unwrap();
    let error = format!("{:?}", without.check().await.unwrap_err());
    assert!(error.contains("portcullis_revocations\" does not exist"), "{error}");
    let error = without.check().await.unwrap_err();
    assert!(!error.is_unsuitable(), "the service starts, and is ready after the migration");

    client.batch_execute(PostgresRevocations::SCHEMA).await.unwrap();
    client.batch_execute(PostgresRevocations::SCHEMA).await.unwrap();
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON portcullis_revocations TO app";
    client.batch_execute(grant).await.unwrap();
    // Waits until the back-off has ended.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for store in [without, PostgresRevocations::new(&url).unwrap()] {
        store.append(&session("a")).await.unwrap();
        store.check().await.unwrap();
        assert_eq!(read(&store, None).await.0, ["a"]);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn error_of_the_database_does_not_quote_the_entry() {
    let server = PostgresServer::start(&[]);
    let store = open(&server);
    store.append(&session("a")).await.unwrap();
    let refuse = "ALTER TABLE portcullis_revocations ADD CHECK (value <> 's3cret')";
    client(&server).await.batch_execute(refuse).await.unwrap();
    let error = store.append(&session("s3cret")).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("SQLSTATE 23514") && !shown.contains("s3cret"), "{shown}");
}
