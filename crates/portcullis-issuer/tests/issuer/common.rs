//! Helpers of the tests: an issuer with its own database and a manual clock, and requests to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use portcullis::clock::Clock;
use portcullis::testing::{ManualClock, NOW};
use portcullis_issuer::{DatabaseUrl, Issuer, IssuerConfig, KeyEncryptionKey, NewUser};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const API: &str = "https://api.example.com";
/// The key-encryption key of tests that must set one.
pub(crate) const KEY: &str = "a2V5LWVuY3J5cHRpb24ta2V5LWZvci10ZXN0cy0hISE=";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Defines a test per store for each named function. The functions take a [`Home`].
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(crate::common::Home::new()).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs PostgreSQL: run cargo xtask test"]
                async fn $name() {
                    super::$name(crate::common::Home::on_postgres().await).await;
                }
            )*
        }
    };
}
pub(crate) use on_every_store;

/// A directory and a database, which outlive the issuers that are opened on them.
pub(crate) struct Home {
    directory: TempDir,
    postgres: Option<String>,
    clock: ManualClock,
}

impl Home {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(NOW);
        Self { directory: tempfile::tempdir().unwrap(), postgres: None, clock }
    }

    /// Creates a home with a new schema on the server that `cargo xtask test` has started.
    pub(crate) async fn on_postgres() -> Self {
        let server = std::env::var("PORTCULLIS_POSTGRES").expect("run `cargo xtask test`");
        let mut home = Self::new();
        let directory = home.path().file_name().unwrap().to_str().unwrap().to_lowercase();
        let name = format!("home_{}_{}", std::process::id(), directory.trim_start_matches('.'));
        let mut connection = PgConnection::connect(&server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        home.postgres = Some(format!("{server}?options=-c%20search_path={name}"));
        home
    }

    pub(crate) fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    pub(crate) fn clock(&self) -> ManualClock {
        self.clock.clone()
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("identsphere.db")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.path().join("identsphere.db.key")
    }

    pub(crate) fn config(&self) -> IssuerConfig {
        let mut config = IssuerConfig::new(ISSUER, self.database());
        config.audiences = vec![API.to_owned()];
        config.clock = Arc::new(self.clock.clone());
        if let Some(url) = &self.postgres {
            config.database_url = Some(DatabaseUrl::new(url).unwrap());
            config.key_encryption_key = KeyEncryptionKey::from_base64(KEY);
        }
        config
    }

    /// Runs statements on the PostgreSQL database directly, without the issuer.
    pub(crate) async fn on_server(&self, statements: &[&'static str]) {
        let url = self.postgres().unwrap();
        let mut connection = PgConnection::connect(url).await.unwrap();
        for statement in statements.iter().copied() {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    }

    /// Loads a dump into the empty database of this home, and sets the clock.
    pub(crate) async fn restore(&mut self, dump: &'static str, now: u64) {
        self.clock = ManualClock::at(now);
        match &self.postgres {
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql(dump).execute(&mut connection).await.unwrap();
            }
            None => {
                let mut connection = stranger(self).await;
                sqlx::raw_sql(dump).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Makes the issuers of this home connect to `address`, and returns the PostgreSQL server's own
    /// address.
    pub(crate) fn reroute(&mut self, address: &str) -> String {
        let url = self.postgres.take().unwrap();
        let (_, host) = url.split_once('@').unwrap();
        let server = host.split('/').next().unwrap().to_owned();
        self.postgres = Some(url.replace(&server, address));
        server
    }

    pub(crate) fn postgres(&self) -> Option<&str> {
        self.postgres.as_deref()
    }

    /// Returns the settings of an issuer process on this database.
    pub(crate) fn settings(&self, issuer: &str, listen: &str) -> Vec<(String, String)> {
        let mut settings = vec![
            ("IDENTSPHERE_ISSUER".to_owned(), issuer.to_owned()),
            ("IDENTSPHERE_LISTEN".to_owned(), listen.to_owned()),
            ("IDENTSPHERE_AUDIENCES".to_owned(), API.to_owned()),
        ];
        if let Some(url) = &self.postgres {
            settings.push(("IDENTSPHERE_DATABASE_URL".to_owned(), url.clone()));
            settings.push(("IDENTSPHERE_KEY_ENCRYPTION_KEY".to_owned(), KEY.to_owned()));
        }
        settings
    }

    /// Runs a statement on the database directly, and returns its single number.
    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        match &self.postgres {
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
            }
            None => {
                sqlx::query_scalar(statement).fetch_one(&mut stranger(self).await).await.unwrap()
            }
        }
    }

    pub(crate) async fn open(&self) -> Issuer {
        Issuer::open(self.config()).await.unwrap()
    }

    pub(crate) async fn open_with_alice(&self) -> Issuer {
        let issuer = self.open().await;
        let alice = NewUser::new("alice", PASSWORD).roles(["admin"]).scopes(["a:read", "a:write"]);
        issuer.add_user(alice).await.unwrap();
        issuer
    }
}

/// Opens a connection to the SQLite database of `home`, as another program would.
pub(crate) async fn stranger(home: &Home) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(home.database()).create_if_missing(true);
    options.connect().await.unwrap()
}

/// Runs one statement on the connection.
pub(crate) async fn execute(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::query(statement).execute(connection).await.unwrap();
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        if self.status.is_client_error() || self.status.is_server_error() {
            assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
            assert_eq!(self.json["status"], status, "{self:?}");
        }
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn text(&self, field: &str) -> String {
        self.json[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }

    /// Returns the value of a cookie that the response sets.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.headers.get_all("set-cookie").iter().find_map(|cookie| {
            let value = cookie.to_str().unwrap().strip_prefix(name)?.strip_prefix('=')?;
            Some(value.split(';').next().unwrap().to_owned())
        })
    }
}

pub(crate) async fn send(issuer: &Issuer, request: Request<Body>) -> Answer {
    let response = issuer.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, json }
}

pub(crate) async fn post(issuer: &Issuer, path: &str, body: &Value) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    send(issuer, request).await
}

/// Sends a request without a body. `line` is the method and the path.
pub(crate) async fn call(issuer: &Issuer, line: &str, headers: &[(&str, &str)]) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(issuer, request.body(Body::empty()).unwrap()).await
}

pub(crate) async fn with_token(issuer: &Issuer, line: &str, token: &str) -> Answer {
    call(issuer, line, &[("authorization", &format!("Bearer {token}"))]).await
}

pub(crate) async fn login(issuer: &Issuer) -> Answer {
    post(issuer, "/v1/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await
}

/// Logs in with the issuer as the only audience, so that no API receives the token.
pub(crate) async fn login_own(issuer: &Issuer) -> Answer {
    let body = json!({ "username": "alice", "password": PASSWORD, "resource": [ISSUER] });
    post(issuer, "/v1/auth/login", &body).await
}

pub(crate) async fn refresh(issuer: &Issuer, token: &str) -> Answer {
    post(issuer, "/v1/auth/refresh", &json!({ "refresh_token": token })).await
}

/// Decodes the header (`index` 0) or the claims (`index` 1) of a JWT.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
