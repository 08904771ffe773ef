//! Starting on PostgreSQL: what is refused, in which words, and with nothing changed.

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
async fn a_server_that_does_not_let_us_in_is_explained() {
    let home = Home::on_postgres().await;
    let nobody_there = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (config, expected) in [
        (
            url_of(&home, |url| {
                let (_, host) = url.split_once('@').unwrap();
                format!("postgres://portcullis:hunter2@{host}")
            }),
            "does not let this user in",
        ),
        (url_of(&home, |url| url.replace("/postgres?", "/nowhere?")), "there is no such database"),
        (
            url_of(&home, |_| format!("postgres://portcullis:hunter2@{nobody_there}/postgres")),
            "the server cannot be reached",
        ),
        (
            url_of(&home, |url| format!("{url}&sslmode=verify-full")),
            "no TLS connection came about that sslmode is content with",
        ),
    ] {
        let told = refused(config).await;
        assert!(told.starts_with("the database postgres://portcullis@127.0.0.1:"), "{told}");
        assert!(told.contains(expected) && told.contains("IDENTSPHERE_DATABASE_URL"), "{told}");
    }
}

/// The certificate is for the address, and the authority nobody else's.
#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn only_the_server_that_the_authority_vouches_for_sees_the_password() {
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
    assert!(encrypted > 0, "it went in the clear");
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
        assert!(told.contains("no TLS connection came about that sslmode is content"), "{told}");
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
async fn a_schema_that_is_not_ours_or_newer_is_left_alone() {
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
    assert!(told.contains("its schema is not one that this version"), "{told}");
    home.on_server(&["DELETE FROM _sqlx_migrations WHERE version = 9999"]).await;
    home.open().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn a_process_with_another_key_changes_nothing() {
    let home = Home::on_postgres().await;
    let issuer = home.open().await;
    issuer.rotate_keys_now().await.unwrap();
    // The old one is due to be withdrawn.
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
    assert!(!missing.exists(), "processes that share a database each made a key");
    assert_eq!(issuer.keys().await.unwrap(), before);
}
