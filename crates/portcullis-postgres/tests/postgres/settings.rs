//! Settings that could lose an acknowledged entry, and TLS.

use std::fs;

use portcullis::feed::RevocationStore as _;
use portcullis_postgres::PostgresRevocations;
use portcullis_test_support::postgres_server::PostgresServer;
use portcullis_test_support::private_ca;

use crate::{client, open, session};

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn server_without_fsync_is_unsuitable() {
    let server = PostgresServer::start(&["fsync=off"]);
    let error = open(&server).check().await.unwrap_err();
    assert!(error.is_unsuitable(), "{error:?}");
    assert!(error.to_string().contains("`fsync` is off; set it to on"), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn unlogged_table_is_unsuitable() {
    let server = PostgresServer::start(&[]);
    let store = open(&server);
    store.check().await.unwrap();
    let unlogged = "ALTER TABLE portcullis_revocations SET UNLOGGED";
    client(&server).await.batch_execute(unlogged).await.unwrap();
    let error = store.check().await.unwrap_err();
    assert!(error.is_unsuitable() && error.to_string().contains("SET LOGGED"), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn unreachable_server_is_unavailable_not_unsuitable() {
    let mut server = PostgresServer::start(&[]);
    server.kill();
    let error = open(&server).check().await.unwrap_err();
    assert!(!error.is_unsuitable(), "{error:?}");
}

/// A standby may lag behind, so a read from it could miss an acknowledged entry.
#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn standby_is_unavailable() {
    let mut server = PostgresServer::start(&[]);
    let store = open(&server);
    store.append(&session("a")).await.unwrap();
    server.become_standby();
    let store = open(&server);
    let error = store.changes(None).await.unwrap_err();
    assert!(format!("{error:?}").contains("does not allow writes"), "{error:?}");
    assert!(!error.is_unsuitable(), "it may be promoted");
    assert!(store.append(&session("b")).await.is_err());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn tls_accepts_only_a_certificate_of_the_ca_for_the_host() {
    let made = private_ca::certificate(&["localhost"]);
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("ca.pem");
    fs::write(&authority, &made.authority).unwrap();
    let server = PostgresServer::start_with_tls(&made);
    let url =
        |host: &str, query: &str| format!("{}?{query}", server.url().replace("127.0.0.1", host));
    let trusted = format!("sslrootcert={}", authority.display());
    let store = PostgresRevocations::new(&url("localhost", &trusted)).unwrap();
    store.append(&session("a")).await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'portcullis'";
    let client = client(&server).await;
    assert!(client.query_one_scalar::<bool, _>(encrypted, &[]).await.unwrap());

    for (host, query) in [
        // The certificate is for another name.
        ("127.0.0.1", &*trusted),
        // The platform does not know the CA.
        ("localhost", "sslmode=require"),
    ] {
        let store = PostgresRevocations::new(&url(host, query)).unwrap();
        let error = format!("{:?}", store.check().await.unwrap_err());
        assert!(error.contains("certificate"), "{host} {query}: {error}");
    }
}
