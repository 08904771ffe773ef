//! Logout tokens, and what survives a reload.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use portcullis_sidecar::portcullis::Algorithm;
use portcullis_sidecar::portcullis::clock::{Clock as _, SystemClock};
use portcullis_sidecar::portcullis::testing::{AUDIENCE, TestKey, TestToken};
use portcullis_sidecar::{Config, Sidecar};

use crate::app::{App, ask, send, serve};

const ISSUER: &str = "https://auth.example";

fn now() -> u64 {
    SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn reported_logout_is_applied_at_once_and_survives_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let (app, key) = (App::start().await, Arc::new(TestKey::generate("k", Algorithm::Es256)));
    let file = folder.path().join("keys.json");
    std::fs::write(&file, TestKey::jwks([&*key]).to_string()).unwrap();
    let settings = |more: &str| {
        let text = format!(
            "upstream = 'http://{}'\nlogout_path = '/logout'\n\
             revocation = {{ by = 'feed', max_age_secs = 5 }}\n{more}\n\
             [[issuer]]\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\njwks_file = '{}'\n\
             logout_clients = ['sidecar']\nmax_token_lifetime_secs = 900\n",
            app.at,
            file.display(),
        );
        Config::parse(&text).unwrap()
    };
    let sidecar = Sidecar::start(&settings("")).await.unwrap();
    let at = serve(sidecar.clone()).await;
    let token = |session: &str| {
        let token = TestToken::new(key.clone(), ISSUER, "alice", now()).claim("sid", session);
        format!("GET /\r\nAuthorization: {}", token.bearer())
    };
    let (ended, other) = (token("s-1"), token("s-2"));
    assert_eq!((ask(at, &ended).await.status, ask(at, &other).await.status), (200, 200));

    let logout =
        TestToken::logout(key.clone(), ISSUER, "sidecar", now()).claim("sid", "s-1").sign();
    let post = |body: &str| {
        format!(
            "POST /logout HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    assert_eq!(send(at, &post("logout_token=a.b.c")).await.status, 400);
    assert_eq!(send(at, &post(&"x".repeat(100_000))).await.status, 413);
    assert_eq!(send(at, &post(&format!("logout_token={logout}"))).await.status, 200);
    assert_eq!((ask(at, &ended).await.status, ask(at, &other).await.status), (401, 200));

    // The path needs no credential, so a body that never comes must not hold a connection.
    let began = tokio::time::Instant::now();
    let silent =
        "POST /logout HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\n\r\nlogout";
    assert_eq!(send(at, silent).await.status, 408);
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());

    sidecar.reload(&settings("response_timeout_secs = 7")).await.unwrap();
    assert_eq!((ask(at, &ended).await.status, ask(at, &other).await.status), (401, 200));
    // Without the feed, the revocations would be forgotten.
    let without = Config::parse(&format!("upstream = 'http://{}'", app.at)).unwrap();
    let error = sidecar.reload(&without).await.unwrap_err();
    assert_eq!(error.to_string(), "`logout_path` has changed, which needs a restart");
}

/// A file that was read first must not be applied last.
#[tokio::test]
async fn reloads_are_applied_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let key = TestKey::generate("k", Algorithm::Es256);
    std::fs::write(&file, TestKey::jwks([&key]).to_string()).unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = |keys: &str, token: &str| {
        let text = format!(
            "upstream = 'http://127.0.0.1:9'\n[[route]]\nprefix = '/'\ntoken = '{token}'\n\
             [[issuer]]\nissuer = 'http://127.0.0.1:1'\naudience = '{AUDIENCE}'\n{keys}\n"
        );
        Config::parse(&text).unwrap()
    };
    let from_file = format!("jwks_file = '{}'", file.display());
    let sidecar = Sidecar::start(&settings(&from_file, "required")).await.unwrap();
    let at = serve(sidecar.clone()).await;
    let url = silent.local_addr().unwrap();
    let first =
        settings(&format!("start_without_keys = true\njwks_url = 'http://{url}/keys'"), "required");
    let second = settings(&from_file, "none");
    let first = tokio::spawn({
        let sidecar = sidecar.clone();
        async move { sidecar.reload(&first).await }
    });
    let (fetch, _) = silent.accept().await.unwrap();
    let mut second = tokio::spawn(async move { sidecar.reload(&second).await });
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut second).await;
    assert!(early.is_err(), "the second reload ended before the first");
    drop((fetch, silent));
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    // The second one needs no token, and the app is away.
    assert_eq!(ask(at, "GET /").await.status, 502);
}
