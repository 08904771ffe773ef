//! Status lists: their content, their updates, and how soon verifiers see a revocation.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use portcullis::testing::verdict;
use portcullis::{Authenticator, Gate, Revocation, clock::SystemClock};
use portcullis_issuer::{Issuer, NewClient, NewUser};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::common::{
    API, Answer, Home, ISSUER, PASSWORD, call, login, on_every_store, part, post, refresh,
    with_token,
};

on_every_store!(
    status_bit_is_set_when_the_session_ends,
    waiting_request_is_answered_at_a_revocation,
    gzipped_list_has_its_own_etag,
    all_processes_publish_the_same_list,
    revocation_is_pushed_to_verifiers,
    live_gate_rejects_the_next_request_after_a_revocation,
);

/// Returns the path of the token's status list, and the token's index in it.
fn place(token: &str) -> (String, usize) {
    let status = &part(token, 1)["status"]["status_list"];
    let uri = status["uri"].as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned();
    (uri, usize::try_from(status["idx"].as_u64().unwrap()).unwrap())
}

/// Returns the body of the response.
async fn text(issuer: &Issuer, path: &str) -> String {
    let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
    let answer = issuer.router().oneshot(request).await.unwrap();
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Returns whether the token is revoked in its status list.
pub(crate) async fn revoked(issuer: &Issuer, token: &str) -> bool {
    let (path, _) = place(token);
    bit(issuer, &path, token).await
}

/// Returns the token's bit in the list at `path`.
pub(crate) async fn bit(issuer: &Issuer, path: &str, token: &str) -> bool {
    let index = part(token, 1)["status"]["status_list"]["idx"].as_u64().unwrap();
    let index = usize::try_from(index).unwrap();
    let list = text(issuer, path).await;
    let packed = part(&list, 1)["status_list"]["lst"].as_str().unwrap().to_owned();
    let packed = URL_SAFE_NO_PAD.decode(packed).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&*packed), &mut bytes).unwrap();
    bytes[index / 8] >> (index % 8) & 1 == 1
}

async fn status_bit_is_set_when_the_session_ends(home: Home) {
    let issuer = home.open_with_alice().await;
    let (one, other) = (login(&issuer).await.expect(200), login(&issuer).await.expect(200));
    let (token, kept) = (one.text("access_token"), other.text("access_token"));
    assert_ne!(place(&token), place(&kept));
    assert!(!revoked(&issuer, &token).await && !revoked(&issuer, &kept).await);
    let refreshed = refresh(&issuer, &one.text("refresh_token")).await.expect(200);
    assert_eq!(place(&refreshed.text("access_token")), place(&token), "the session's place");

    let (path, _) = place(&token);
    let list = text(&issuer, &path).await;
    assert_eq!(part(&list, 0)["typ"], "statuslist+jwt");
    let claims = part(&list, 1);
    assert_eq!(claims["sub"], format!("{ISSUER}{path}"));
    assert_eq!((claims["iss"].as_str(), claims["ttl"].as_u64()), (Some(ISSUER), Some(60)));
    let (iat, exp) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    assert!(iat <= home.now() && home.now() < iat + 60 && exp == iat + 600, "{claims}");
    assert!(list.len() < 1000, "an empty list of a million places: {} bytes", list.len());

    let line = format!("DELETE /v1/auth/sessions/{}", one.text("session_id"));
    with_token(&issuer, &line, &kept).await.expect(204);
    assert!(revoked(&issuer, &token).await && !revoked(&issuer, &kept).await);
    post(
        &issuer,
        "/v1/auth/logout",
        &serde_json::json!({"refresh_token": other.text("refresh_token")}),
    )
    .await
    .expect(204);
    assert!(revoked(&issuer, &kept).await);

    for path in ["/v1/status-lists/1", "/v1/status-lists/-1", "/v1/status-lists/x%00"] {
        call(&issuer, &format!("GET {path}"), &[]).await.expect(404);
    }
}

async fn list_at(issuer: &Issuer, path: &str, etag: &str, wait: &str) -> Answer {
    call(issuer, &format!("GET {path}"), &[("if-none-match", etag), ("prefer", wait)]).await
}

async fn waiting_request_is_answered_at_a_revocation(home: Home) {
    let issuer = home.open_with_alice().await;
    let session = login(&issuer).await.expect(200);
    let (path, _) = place(&session.text("access_token"));
    let first = call(&issuer, &format!("GET {path}"), &[]).await.expect(200);
    assert_eq!(first.header("content-type"), "application/statuslist+jwt");
    assert_eq!(first.header("cache-control"), "no-cache");
    let etag = first.header("etag").to_owned();
    let unchanged = list_at(&issuer, &path, &etag, "respond-async").await.expect(304);
    assert_eq!((unchanged.header("etag"), unchanged.header("preference-applied")), (&*etag, ""));

    let begun = Instant::now();
    let unchanged = list_at(&issuer, &path, &etag, "wait=1").await.expect(304);
    assert_eq!(unchanged.header("preference-applied"), "wait=1");
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());

    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let (issuer, path, etag) = (issuer.clone(), path.clone(), etag.clone());
            tokio::spawn(async move { list_at(&issuer, &path, &etag, "wait=60").await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let logout = serde_json::json!({"refresh_token": session.text("refresh_token")});
    post(&issuer, "/v1/auth/logout", &logout).await.expect(204);
    for answer in waiting {
        let answer = answer.await.unwrap().expect(200);
        assert_ne!(answer.header("etag"), etag);
        assert_eq!(answer.header("preference-applied"), "wait=60");
    }
}

async fn gzipped_list_has_its_own_etag(home: Home) {
    let issuer = home.open_with_alice().await;
    let session = login(&issuer).await.expect(200);
    let (path, _) = place(&session.text("access_token"));
    let (line, gzip) = (format!("GET {path}"), ("accept-encoding", "br, gzip"));
    let plain = call(&issuer, &line, &[]).await.expect(200);
    let request = axum::http::Request::get(&path).header(gzip.0, gzip.1);
    let request = request.body(axum::body::Body::empty()).unwrap();
    let (head, body) = issuer.router().oneshot(request).await.unwrap().into_parts();
    assert_eq!(
        (&head.headers["content-encoding"], &head.headers["content-type"]),
        (
            &HeaderValue::from_static("gzip"),
            &HeaderValue::from_static("application/statuslist+jwt"),
        )
    );
    assert_eq!(head.headers["vary"], "accept-encoding, prefer");
    let body = body.collect().await.unwrap().to_bytes();
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*body), &mut unpacked)
        .unwrap();
    assert_eq!(unpacked, text(&issuer, &path).await);
    assert!(body.len() < unpacked.len());

    let etag = head.headers["etag"].to_str().unwrap();
    assert_ne!(etag, plain.header("etag"));
    for (known, accepted, status) in [
        (etag, gzip, 304),
        (plain.header("etag"), gzip, 200),
        (plain.header("etag"), ("accept-encoding", "identity"), 304),
        (etag, ("accept-encoding", "identity"), 200),
    ] {
        let answer = call(&issuer, &line, &[("if-none-match", known), accepted]).await;
        let encoding = if (status, accepted) == (200, gzip) { "gzip" } else { "" };
        assert_eq!(answer.expect(status).header("content-encoding"), encoding);
    }
}

async fn all_processes_publish_the_same_list(home: Home) {
    let issuer = home.open_with_alice().await;
    let other = home.open().await;
    let session = login(&issuer).await.expect(200);
    let token = session.text("access_token");
    let (path, _) = place(&token);
    let etag = async |issuer| {
        call(issuer, &format!("GET {path}"), &[]).await.expect(200).header("etag").to_owned()
    };
    assert_eq!(etag(&issuer).await, etag(&other).await);
    assert!(!revoked(&other, &token).await);
    let waiting = {
        let (other, path, etag) = (other.clone(), path.clone(), etag(&other).await);
        tokio::spawn(async move { list_at(&other, &path, &etag, "wait=60").await })
    };
    let line = format!("DELETE /v1/auth/sessions/{}", session.text("session_id"));
    with_token(&issuer, &line, &token).await.expect(204);
    assert!(revoked(&other, &token).await);
    waiting.await.unwrap().expect(200);
    assert_eq!(etag(&issuer).await, etag(&other).await);
}

/// Serves an issuer with alice on a real socket, with the system's clock. Returns the issuer, its
/// URL and the task that serves.
pub(crate) async fn serving(home: &Home) -> (Issuer, String, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = home.config();
    config.issuer = format!("http://{}", listener.local_addr().unwrap());
    config.clock = Arc::new(SystemClock::new());
    let url = config.issuer.clone();
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    let serving = issuer.clone();
    let server = tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    (issuer, url, server)
}

pub(crate) fn bearer(session: &Answer) -> HeaderMap {
    let mut request = HeaderMap::new();
    let bearer = format!("Bearer {}", session.text("access_token"));
    request.insert("authorization", HeaderValue::try_from(bearer).unwrap());
    request
}

async fn log_out(issuer: &Issuer, session: &Answer) {
    let logout = serde_json::json!({"refresh_token": session.text("refresh_token")});
    post(issuer, "/v1/auth/logout", &logout).await.expect(204);
}

async fn live_gate_rejects_the_next_request_after_a_revocation(home: Home) {
    let (issuer, url, server) = serving(&home).await;
    let secret = issuer.add_client(NewClient::new("api~1").resource_servers([API])).await.unwrap();
    let secret_file = home.path().join("secret");
    std::fs::write(&secret_file, secret.unwrap()).unwrap();
    let introspecting = |file: &Path| {
        Authenticator::builder(&url, API)
            .introspection_url(format!("{url}/oauth/introspect"))
            .introspection_client_id("api~1")
            .introspection_secret_file(file)
            .build()
    };
    let mut gates = Vec::new();
    for _ in 0..4 {
        let auth = introspecting(&secret_file).await.unwrap();
        gates.push(Gate::new(auth).revocation(Revocation::live()).unwrap());
    }
    for _ in 0..5 {
        let session = login(&issuer).await.expect(200);
        let request = bearer(&session);
        for gate in &gates {
            assert_eq!(ask(gate, &request).await, "passes");
        }
        log_out(&issuer, &session).await;
        for gate in &gates {
            assert_eq!(ask(gate, &request).await, "inactive");
        }
    }
    // If the issuer rejects the introspection, the status is unavailable and the gate rejects the
    // request.
    std::fs::write(home.path().join("wrong"), "wrong").unwrap();
    let stranger = introspecting(&home.path().join("wrong")).await.unwrap();
    let gate = Gate::new(stranger).revocation(Revocation::live()).unwrap();
    let request = bearer(&login(&issuer).await.expect(200));
    assert_eq!(ask(&gate, &request).await, "status");
    server.abort();
}

/// Four services follow the status list while sessions are ended at the issuer.
async fn revocation_is_pushed_to_verifiers(home: Home) {
    let (issuer, url, server) = serving(&home).await;
    let mut gates = Vec::new();
    for _ in 0..4 {
        let auth = Authenticator::builder(&url, API).build().await.unwrap();
        let bound = Duration::from_secs(30);
        gates.push(Gate::new(auth).revocation(Revocation::status_list(bound)).unwrap());
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let session = login(&issuer).await.expect(200);
        let request = bearer(&session);
        for gate in &gates {
            assert_eq!(ask(gate, &request).await, "passes");
        }
        log_out(&issuer, &session).await;
        let acknowledged = Instant::now();
        for gate in &gates {
            // The bound is 30 s, so an earlier rejection is due to the issuer's push.
            while ask(gate, &request).await == "passes" {
                assert!(acknowledged.elapsed() < Duration::from_secs(20), "no push arrived");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(ask(gate, &request).await, "revoked");
        }
        slowest = slowest.max(acknowledged.elapsed());
    }
    println!("known at all four services after {slowest:?} at most, of 5 revocations");
    server.abort();
}

pub(crate) async fn ask(gate: &Gate, request: &HeaderMap) -> &'static str {
    verdict(gate, request).await.map_or_else(|refusal| refusal.rule(), |_| "passes")
}

/// A client with an old list must not be told that its list is current.
#[tokio::test(flavor = "multi_thread")]
async fn status_list_without_a_store_is_503() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let token = login(&issuer).await.expect(200).text("access_token");
    let (path, _) = place(&token);
    let etag = call(&issuer, &format!("GET {path}"), &[]).await.expect(200);
    let etag = etag.header("etag").to_owned();
    issuer.close().await;
    let answer = list_at(&issuer, &path, &etag, "wait=1").await.expect(503);
    assert_ne!(answer.header("retry-after"), "");
}
