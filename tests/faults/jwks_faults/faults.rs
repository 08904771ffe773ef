//! Each fault while the service has no keys, while it has keys, and after the fault has ended.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use portcullis::testing::TestKey;
use portcullis::{Algorithm, Authenticator, status::Freshness};
use portcullis_test_support::faults::{
    ELSEWHERE, GZIPPED_KEYS, Row, documents, interim_responses, padded, redirects, statuses,
    transport,
};
use portcullis_test_support::key_server::{Answer, Server, response};
use portcullis_test_support::rows::check_all;
use portcullis_test_support::service::{
    AT_ONCE, FETCH_TIMEOUT, JWKS, MAX_BODY, SLACK, ask, builder, jwks, last_error, status, token,
    until_fresh, until_next_attempt, until_stale,
};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_other_than_200_causes_single_fetches_and_callers_are_accepted() {
    check_all(statuses(), Service::start, Service::check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connection_or_endless_response_costs_a_bounded_wait() {
    check_all(transport(), Service::start, Service::check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_interim_responses_cost_a_bounded_wait() {
    check_all(vec![interim_responses()], Service::start, Service::check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn document_that_is_not_a_key_set_does_not_replace_keys() {
    check_all(documents(), Service::start, Service::check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redirect_is_followed() {
    let other = Server::start();
    other.set(ELSEWHERE, Answer::Document(jwks([])));
    check_all(redirects(&other.url(ELSEWHERE)), Service::start, Service::check).await;
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn body_of_exactly_the_limit_is_read() {
    let server = Server::start();
    server.set(JWKS, Answer::Document(String::from_utf8(padded(MAX_BODY)).unwrap()));
    let auth = builder(&server).build().await.unwrap();
    assert_eq!(status(&auth).freshness, Freshness::Fresh);
}

/// Compressed responses are accepted although they are not requested.
#[tokio::test]
async fn compressed_keys_are_read() {
    let server = Server::start();
    let coded = response("200 OK", "content-encoding: gzip\r\n", GZIPPED_KEYS);
    server.set(JWKS, Answer::Bytes(coded));
    let auth = builder(&server).build().await.unwrap();
    assert_eq!((status(&auth).freshness, status(&auth).keys), (Freshness::Fresh, 1));
}

#[tokio::test]
async fn plain_http_server_at_an_https_url_is_reported() {
    // Web servers respond like this to a request that they cannot parse.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/jwks", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(&response("400 Bad Request", "", ""));
        }
    });
    let server = Server::start();
    // TLS setup takes a while on a busy machine.
    let builder = builder(&server).jwks_url(&url).fetch_timeout(Duration::from_secs(10));
    let auth = builder.start_without_keys().build().await.unwrap();
    let told = last_error(&auth).unwrap();
    assert!(
        told.contains(&format!("{url}: the server speaks http on this port, not https")),
        "{told}"
    );
}

/// A service, its key server, and the fault of that server.
struct Service {
    row: Row,
    server: Server,
    auth: Authenticator,
    key: TestKey,
}

impl Service {
    /// Starts a service without keys.
    async fn start(row: Row) -> Self {
        let server = Server::start();
        server.set(JWKS, Answer::Reset);
        let key = TestKey::generate("a", Algorithm::Es256);
        server.set(ELSEWHERE, Answer::Document(jwks([&key])));
        let auth = builder(&server).start_without_keys().build().await.unwrap();
        Self { row, server, auth, key }
    }

    async fn check(self) {
        let Self { row, server, auth, key } = &self;
        let name = row.name;
        let (token, unknown) = (token(key), token(&TestKey::generate("b", Algorithm::Es256)));

        server.set(JWKS, row.fault.clone());
        let begun = Instant::now();
        auth.refresh().await.unwrap_err();
        assert!(begun.elapsed() < FETCH_TIMEOUT + SLACK, "{name}: {:?}", begun.elapsed());
        assert_eq!(server.requests(JWKS).len(), 2, "{name}");
        self.failed(Freshness::Unavailable);

        // Without keys the result is unknown, and further requests do not wait.
        let asked = ask(auth, &token).await;
        assert_eq!(asked.status, 503, "{name}: {asked:?}");
        assert!(asked.retry_after >= Some(Duration::from_secs(1)), "{name}: {asked:?}");
        assert!(asked.waited < AT_ONCE, "{name}: {asked:?}");
        assert!(!auth.ready(), "{name}");
        server.until_idle().await;
        self.recovers(&token, 3).await;

        // With keys within the TTL, the fault has no effect.
        server.set(JWKS, row.fault.clone());
        let asked = ask(auth, &token).await;
        assert_eq!((asked.status, server.requests(JWKS).len()), (200, 3), "{name}: {asked:?}");

        // Past the TTL, all requests wait for one fetch, for a bounded time.
        until_stale(auth).await;
        let (sent, connections) = (server.sent(), server.connections());
        let mut requests = JoinSet::new();
        for _ in 0..20 {
            let (auth, token) = (auth.clone(), token.clone());
            requests.spawn(async move { ask(&auth, &token).await });
        }
        for asked in requests.join_all().await {
            assert_eq!(asked.status, 200, "{name}: {asked:?}");
            assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{name}: {asked:?}");
        }
        assert_eq!(server.requests(JWKS).len(), 4, "{name}");
        assert_eq!(server.connections(), connections + 1, "{name}");
        self.failed(Freshness::Stale);
        let (from, to) = row.next_attempt;
        let next = status(auth).next_attempt.unwrap_or_default();
        assert!(from <= next && next <= to, "{name}: next attempt in {next:?}");

        // During back-off no request waits, and the server receives none.
        let asked = ask(auth, &token).await;
        assert_eq!(asked.status, 200, "{name}: {asked:?}");
        assert!(asked.waited < AT_ONCE, "{name}: {asked:?}");
        let asked = ask(auth, &unknown).await;
        assert_eq!(asked.status, 429, "{name}: {asked:?}");
        assert!(asked.waited < AT_ONCE, "{name}: {asked:?}");
        assert_eq!(server.requests(JWKS).len(), 4, "{name}");

        // However much the server offered, little more than the limit was read.
        let taken = server.sent() - sent;
        assert!(taken < row.taken, "{name}: {taken} bytes");
        assert_eq!(server.peak(), 1, "{name}");
        server.until_idle().await;
        assert_eq!(server.requests(ELSEWHERE).len(), 0, "{name}");

        self.recovers(&token, 5).await;
    }

    /// Asserts that a fetch has failed, and that its error names the cause.
    fn failed(&self, freshness: Freshness) {
        let Self { row, auth, .. } = self;
        let (name, status) = (row.name, status(auth));
        assert_eq!(status.freshness, freshness, "{name}: {status:?}");
        let told = last_error(auth).unwrap_or_default();
        assert!(told.contains(row.told), "{name}: {told}");
        assert!(told.len() < 300, "{name}: {told}");
    }

    /// Ends the fault, and asserts that the next attempt, request number `requests`, fetches the
    /// keys.
    async fn recovers(&self, token: &str, requests: usize) {
        let Self { row, server, auth, key } = self;
        let name = row.name;
        server.set(JWKS, Answer::Document(jwks([key])));
        until_next_attempt(auth).await;
        let asked = ask(auth, token).await;
        assert_eq!(asked.status, 200, "{name}: {asked:?}");
        assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{name}: {asked:?}");
        let status = until_fresh(auth).await;
        assert_eq!((status.freshness, status.keys), (Freshness::Fresh, 1), "{name}");
        assert!(status.last_error.is_none(), "{name}: {status:?}");
        assert_eq!(server.requests(JWKS).len(), requests, "{name}");
    }
}
