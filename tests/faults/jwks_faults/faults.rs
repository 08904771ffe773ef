//! Each fault while there are no keys, while there are some, and once it is over.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use portcullis::testing::TestKey;
use portcullis::{Algorithm, Authenticator, status::Freshness};
use portcullis_test_support::faults::{
    ELSEWHERE, GZIPPED_KEYS, Row, documents, interim_responses, padded, redirects, statuses,
    transport,
};
use portcullis_test_support::key_server::{Answer, Server, response};
use portcullis_test_support::service::{
    AT_ONCE, FETCH_TIMEOUT, JWKS, MAX_BODY, SLACK, ask, builder, jwks, last_error, status, token,
    until_fresh, until_next_attempt, until_stale,
};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_other_than_200_costs_one_request_at_a_time_and_no_caller() {
    check_all(statuses()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_or_an_endless_answer_costs_a_bounded_wait_and_no_caller() {
    check_all(transport()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_responses_without_end_cost_a_bounded_wait_and_no_caller() {
    check_all(vec![interim_responses()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_no_key_set_replaces_nothing() {
    check_all(documents()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redirect_is_followed() {
    let other = Server::start();
    other.set(ELSEWHERE, Answer::Document(jwks([])));
    check_all(redirects(&other.url(ELSEWHERE))).await;
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_read() {
    let server = Server::start();
    server.set(JWKS, Answer::Document(String::from_utf8(padded(MAX_BODY)).unwrap()));
    let auth = builder(&server).build().await.unwrap();
    assert_eq!(status(&auth).freshness, Freshness::Fresh);
}

/// Whether it was asked for or not.
#[tokio::test]
async fn compressed_keys_are_read() {
    let server = Server::start();
    let coded = response("200 OK", "content-encoding: gzip\r\n", GZIPPED_KEYS);
    server.set(JWKS, Answer::Bytes(coded));
    let auth = builder(&server).build().await.unwrap();
    assert_eq!((status(&auth).freshness, status(&auth).keys), (Freshness::Fresh, 1));
}

#[tokio::test]
async fn http_server_behind_an_https_url_is_named() {
    // As web servers do with what is no request.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/jwks", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(&response("400 Bad Request", "", ""));
        }
    });
    let server = Server::start();
    // To set up TLS takes a while on a busy machine.
    let builder = builder(&server).jwks_url(&url).fetch_timeout(Duration::from_secs(10));
    let auth = builder.start_without_keys().build().await.unwrap();
    let told = last_error(&auth).unwrap();
    assert!(told.contains(&format!("{url}: the server speaks http there, not https")), "{told}");
}

/// All at the same time: most of it is waiting.
async fn check_all(rows: Vec<Row>) {
    // One after another, since to set up an HTTP client keeps a processor busy for a while.
    let mut services = Vec::new();
    for row in rows {
        services.push(Service::start(row).await);
    }
    let mut tasks = JoinSet::new();
    for service in services {
        tasks.spawn(service.check());
    }
    let mut failed = 0;
    while let Some(outcome) = tasks.join_next().await {
        failed += usize::from(outcome.is_err());
    }
    assert_eq!(failed, 0, "rows have failed, see above");
}

/// A service, its key server, and the fault of the latter.
struct Service {
    row: Row,
    server: Server,
    auth: Authenticator,
    key: TestKey,
}

impl Service {
    /// Starts a service that has no keys yet.
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

        // Without keys nobody can say; and nobody waits to hear it.
        let asked = ask(auth, &token).await;
        assert_eq!(asked.status, 503, "{name}: {asked:?}");
        assert!(asked.retry_after >= Some(Duration::from_secs(1)), "{name}: {asked:?}");
        assert!(asked.waited < AT_ONCE, "{name}: {asked:?}");
        assert!(!auth.ready(), "{name}");
        server.until_idle().await;
        self.recovers(&token, 3).await;

        // With keys, within the TTL: nobody notices.
        server.set(JWKS, row.fault.clone());
        let asked = ask(auth, &token).await;
        assert_eq!((asked.status, server.requests(JWKS).len()), (200, 3), "{name}: {asked:?}");

        // Past it one fetch is waited for, for a bounded time, by all who come.
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

        // While failures back off nobody waits, and the server is left alone.
        let asked = ask(auth, &token).await;
        assert_eq!(asked.status, 200, "{name}: {asked:?}");
        assert!(asked.waited < AT_ONCE, "{name}: {asked:?}");
        let asked = ask(auth, &unknown).await;
        assert_eq!(asked.status, 429, "{name}: {asked:?}");
        assert!(asked.waited < AT_ONCE, "{name}: {asked:?}");
        assert_eq!(server.requests(JWKS).len(), 4, "{name}");

        // Whatever was on offer, little more than the limit was taken.
        let taken = server.sent() - sent;
        assert!(taken < row.taken, "{name}: {taken} bytes");
        assert_eq!(server.peak(), 1, "{name}");
        server.until_idle().await;
        assert_eq!(server.requests(ELSEWHERE).len(), 0, "{name}");

        self.recovers(&token, 5).await;
    }

    /// A fetch has just failed, and the operator can see of what.
    fn failed(&self, freshness: Freshness) {
        let Self { row, auth, .. } = self;
        let (name, status) = (row.name, status(auth));
        assert_eq!(status.freshness, freshness, "{name}: {status:?}");
        let told = last_error(auth).unwrap_or_default();
        assert!(told.contains(row.told), "{name}: {told}");
        assert!(told.len() < 300, "{name}: {told}");
    }

    /// The fault ends; the next attempt brings the keys, and is request number `requests`.
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
