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

    sidecar.reload(&settings("response_timeout_secs = 7")).await.unwrap();
    assert_eq!((ask(at, &ended).await.status, ask(at, &other).await.status), (401, 200));
    // Without the feed, the revocations would be forgotten.
    let without = Config::parse(&format!("upstream = 'http://{}'", app.at)).unwrap();
    let error = sidecar.reload(&without).await.unwrap_err();
    assert_eq!(error.to_string(), "`logout_path` has changed, which needs a restart");
}
