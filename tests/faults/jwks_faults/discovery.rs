//! Issuer metadata that is absent, broken or that of another issuer.

use portcullis::testing::TestKey;
use portcullis::{Algorithm, Authenticator, status::Freshness};
use portcullis_test_support::bad_metadata::{METADATA, ROWS, Row, good};
use portcullis_test_support::key_server::{Answer, Server};
use portcullis_test_support::rows::check_all;
use portcullis_test_support::service::{
    FETCH_TIMEOUT, JWKS, SLACK, ask, discovering, jwks, last_error, status, token_of, until_fresh,
    until_next_attempt, until_stale,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_metadata_is_ignored_and_callers_are_accepted() {
    check_all(ROWS.iter().collect(), Service::start, check).await;
}

struct Service {
    row: &'static Row,
    server: Server,
    auth: Authenticator,
}

impl Service {
    /// Starts a service without keys.
    async fn start(row: &'static Row) -> Self {
        let server = Server::start();
        server.set(METADATA, Answer::Reset);
        let auth = discovering(&server).start_without_keys().build().await.unwrap();
        Self { row, server, auth }
    }
}

async fn check(Service { row, server, auth }: Service) {
    let Row { name, fault, .. } = row;
    let key = TestKey::generate("a", Algorithm::Es256);
    let token = token_of(&server.url(""), &key);

    // The service has no keys yet, and does not fetch the `jwks_uri` of faulty metadata.
    server.set(METADATA, fault(&server));
    server.set(JWKS, Answer::Document(jwks([&key])));
    server.set("/moved", good(&server));
    auth.refresh().await.unwrap_err();
    failed(row, &auth, Freshness::Unavailable);
    assert_eq!(ask(&auth, &token).await.status, 503, "{name}");
    assert!(server.requests(JWKS).is_empty(), "{name}");
    server.set(METADATA, good(&server));
    recovers(name, &auth, &token).await;

    // The metadata is read with each fetch; while it is bad, the current keys are used.
    server.set(METADATA, fault(&server));
    until_stale(&auth).await;
    let asked = ask(&auth, &token).await;
    assert_eq!(asked.status, 200, "{name}: {asked:?}");
    assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{name}: {asked:?}");
    failed(row, &auth, Freshness::Stale);
    assert_eq!(server.requests(JWKS).len(), 1, "{name}");
    assert!(server.requests("/moved").is_empty(), "{name}");

    server.set(METADATA, good(&server));
    recovers(name, &auth, &token).await;
}

fn failed(row: &Row, auth: &Authenticator, freshness: Freshness) {
    assert_eq!(status(auth).freshness, freshness, "{}", row.name);
    let told = last_error(auth).unwrap_or_default();
    assert!(told.contains(row.told), "{}: {told}", row.name);
}

async fn recovers(name: &str, auth: &Authenticator, token: &str) {
    until_next_attempt(auth).await;
    let asked = ask(auth, token).await;
    assert_eq!(asked.status, 200, "{name}: {asked:?}");
    let status = until_fresh(auth).await;
    assert_eq!(status.freshness, Freshness::Fresh, "{name}");
    assert!(status.last_error.is_none(), "{name}: {status:?}");
}
