//! Failed starts on PostgreSQL: the error is explained, and nothing is changed.

use portcullis_issuer::{DatabaseUrl, Error, Issuer, IssuerConfig, KeyEncryptionKey};

use crate::common::Home;

async fn refused(config: IssuerConfig) -> String {
    let error = Issuer::open(config).await.unwrap_err();
    assert!(matches!(error, Error::Database { .. }), "{error:?}");
    let told = error.to_string();
    assert!(!format!("{told} {error:?}").contains("hunter2"), "{error:?}");
    told
}

fn url_of(home: &Home, change: impl Fn(&str) -> String) -> IssuerConfig {
    let mut config = home.config();
    config.database_url = Some(DatabaseUrl::new(change(home.postgres().unwrap())).unwrap());
    config
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn connection_errors_are_explained() {
    let home = Home::on_postgres().await;
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (config, expected) in [
        (
            url_of(&home, |url| {
                let (_, host) = url.split_once('@').unwrap();
                format!("postgres://portcullis:hunter2@{host}")
            }),
            "the server denied access to this user",
        ),
        (url_of(&home, |url| url.replace("/postgres?", "/nowhere?")), "there is no such database"),
        (
            url_of(&home, |_| format!("postgres://portcullis:hunter2@{unused}/postgres")),
            "the server cannot be reached",
        ),
        (
            url_of(&home, |url| format!("{url}&sslmode=verify-full")),
            "there is no TLS connection that satisfies sslmode",
        ),
    ] {
        let told = refused(config).await;
        assert!(told.starts_with("the database postgres://portcullis@127.0.0.1:"), "{told}");
        assert!(told.contains(expected) && told.contains("IDENTSPHERE_DATABASE_URL"), "{told}");
    }
}

/// The server's certificate is for its IP address. Only the tests use the CA that signed it.
#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn password_is_sent_only_to_a_server_with_a_trusted_certificate() {
    let authority = std::env::var("PORTCULLIS_POSTGRES_CA").expect("run `cargo xtask test`");
    let home = Home::on_postgres().await;
    let trusting = |authority: &str| {
        url_of(&home, |url| format!("{url}&sslmode=verify-full&sslrootcert={authority}"))
    };
    let issuer = Issuer::open(trusting(&authority)).await.unwrap();
    let encrypted = home
        .count(
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE ssl AND application_name = 'portcullis-issuer'",
        )
        .await;
    assert!(encrypted > 0, "the connection is not encrypted");
    issuer.close().await;

    let another = home.path().join("another.crt");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    std::fs::write(&another, certificate.pem()).unwrap();
    let missing = home.path().join("missing.crt");
    for (config, cause) in [
        (trusting(another.to_str().unwrap()), "UnknownIssuer"),
        (trusting(missing.to_str().unwrap()), "No such file"),
        (url_of(&home, |url| format!("{url}&sslmode=verify-full")), "UnknownIssuer"),
        (
            url_of(&home, |url| {
                let url = url.replace("127.0.0.1", "localhost");
                format!("{url}&sslmode=verify-full&sslrootcert={authority}")
            }),
            "not valid for name",
        ),
    ] {
        let error = Issuer::open(config).await.unwrap_err();
        let told = error.to_string();
        assert!(told.contains("there is no TLS connection that satisfies sslmode"), "{told}");
        assert!(told.contains("sslrootcert"), "{told}");
        let mut causes = String::new();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            causes += &format!("{error}\n");
            source = error.source();
        }
        assert!(causes.contains(cause), "no {cause} in {causes}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn foreign_or_newer_schema_is_not_changed() {
    const TABLES: &str = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
    let home = Home::on_postgres().await;
    home.on_server(&["CREATE TABLE theirs (x INT)"]).await;
    let told = refused(home.config()).await;
    assert!(told.contains("it belongs to another program"), "{told}");
    assert_eq!(home.count(TABLES).await, 1);

    let home = Home::on_postgres().await;
    home.open().await.close().await;
    home.on_server(&[
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of tomorrow', true, '', 0)",
    ])
    .await;
    let told = refused(home.config()).await;
    assert!(told.contains("its schema is unknown to this version"), "{told}");
    home.on_server(&["DELETE FROM _sqlx_migrations WHERE version = 9999"]).await;
    home.open().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn process_with_another_key_encryption_key_changes_nothing() {
    let home = Home::on_postgres().await;
    let issuer = home.open().await;
    issuer.rotate_keys_now().await.unwrap();
    // The old key is due to be withdrawn.
    home.advance(100_000);
    let before = issuer.keys().await.unwrap();
    let mut config = home.config();
    config.key_encryption_key =
        KeyEncryptionKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let error = Issuer::open(config).await.unwrap_err();
    assert!(matches!(error, Error::WrongKeyEncryptionKey { .. }), "{error:?}");
    let mut config = home.config();
    config.key_encryption_key = None;
    let missing = home.path().join("missing.key");
    config.key_encryption_key_file = Some(missing.clone());
    let error = Issuer::open(config).await.unwrap_err();
    assert!(matches!(error, Error::KeyFileMissing { .. }), "{error:?}");
    assert!(!missing.exists(), "each process would create its own key");
    assert_eq!(issuer.keys().await.unwrap(), before);
}
