//! One service, protected by each pattern.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use portcullis::{Authenticator, AuthenticatorBuilder, Gate, Revocation};
use portcullis_axum::AuthLayer;
use portcullis_bench_issuer::{self as issuer, CLIENT, PASSWORD, Server};
use portcullis_benches::scenario::AUDIENCE;
use portcullis_issuer::{DatabaseUrl, Issuer, KeyEncryptionKey, NewUser};
use sqlx::Connection as _;
use tokio::net::TcpListener;

/// A key of 32 zero bytes in base64, which protects nothing.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The address of a service, and the issuer of its tokens.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) at: SocketAddr,
    /// The issuer's address; `None` for the service without authentication.
    pub(crate) issuer: Option<String>,
    /// Whether an ended session is accepted until its token expires.
    pub(crate) by_token: bool,
}

/// Starts the service without protection, and then once with each pattern.
pub(crate) async fn all(issuer: &Server, postgres: Option<&str>) -> Vec<Service> {
    let url = &issuer.url;
    let at = |name, at, by_token| Service { name, at, issuer: Some(url.clone()), by_token };
    let builder = || Authenticator::builder(url, AUDIENCE);
    let asking = || {
        builder()
            .introspection_url(format!("{url}/oauth/introspect"))
            .introspection_client_id(CLIENT)
            .introspection_secret_file(issuer.folder.path().join("secret"))
    };
    let list = Revocation::status_list(std::time::Duration::from_secs(10));
    let mut all = vec![Service {
        name: "no protection",
        at: serve(service()).await,
        issuer: None,
        by_token: true,
    }];
    all.push(in_process("1, in process, SQLite", None).await);
    if let Some(postgres) = postgres {
        all.push(in_process("1, in process, PostgreSQL", Some(postgres)).await);
    }
    all.push(at("1, sidecar", sidecar(issuer, asking(), Revocation::live()).await, false));
    let cold = protected(builder().token_cache_bytes(0), Revocation::expiry()).await;
    all.push(at("2, the token alone, cold", cold, true));
    all.push(at("2, the token alone", protected(builder(), Revocation::expiry()).await, true));
    all.push(at("2, sidecar", sidecar(issuer, builder(), Revocation::expiry()).await, true));
    all.push(local_keys("2, in process, the token alone").await);
    all.push(at("2, with a status list, pushed", protected(builder(), list).await, false));
    all.push(at("2, live", protected(asking(), Revocation::live()).await, false));
    all
}

fn service() -> Router {
    Router::new().route("/", get(async || "fine"))
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    at
}

async fn protected(builder: AuthenticatorBuilder, revocation: Revocation) -> SocketAddr {
    let gate = Gate::new(builder.build().await.unwrap()).revocation(revocation).unwrap();
    serve(service().layer(AuthLayer::new(gate))).await
}

async fn sidecar(
    issuer: &Server,
    builder: AuthenticatorBuilder,
    revocation: Revocation,
) -> SocketAddr {
    let gate = Gate::new(builder.build().await.unwrap()).revocation(revocation).unwrap();
    let app = serve(service()).await.to_string().parse().unwrap();
    let issuer = issuer.url.trim_start_matches("http://").parse().unwrap();
    let sidecar = example_sidecar::sidecar(gate, &issuer, &app).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { sidecar.serve(listener, std::future::pending()).await });
    at
}

/// Starts a service that embeds the issuer; each request to its route checks the issuer's store.
async fn in_process(name: &'static str, postgres: Option<&str>) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let url = format!("http://{at}");
    let issuer = open(&url, postgres).await;
    let app = Router::new().merge(issuer.protect(service())).merge(issuer.router());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Service { name, at, issuer: Some(url), by_token: false }
}

/// Starts a service that embeds the issuer, and validates tokens with its keys in memory.
async fn local_keys(name: &'static str) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let url = format!("http://{at}");
    let issuer = open(&url, None).await;
    let auth = Authenticator::builder(&url, AUDIENCE).key_source(issuer.key_source());
    let gate = Gate::new(auth.build().await.unwrap());
    let app = service().layer(AuthLayer::new(gate)).merge(issuer.router());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Service { name, at, issuer: Some(url), by_token: true }
}

/// Opens an issuer with a user, in this process.
pub(crate) async fn open(url: &str, postgres: Option<&str>) -> Issuer {
    // The folder is kept, because the issuer has files open in it for as long as this process runs.
    let folder = tempfile::tempdir().unwrap().keep();
    let mut config = issuer::config(url, &folder, 60);
    if let Some(postgres) = postgres {
        config.database_url = Some(DatabaseUrl::new(postgres).unwrap());
        config.key_encryption_key = KeyEncryptionKey::from_base64(KEY);
    }
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    issuer
}

/// Creates a schema for the next issuer on the same server.
pub(crate) async fn make_schema(postgres: &str, name: &str) {
    let mut connection = sqlx::PgConnection::connect(postgres).await.unwrap();
    let statement = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"));
    sqlx::query(statement).execute(&mut connection).await.unwrap();
}
