//! The requests, and the expected statuses of the apps before, during and after the migration.

use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, StatusCode};
use portcullis::testing::{AUDIENCE, ISSUER, TestKey, TestToken};
use portcullis::{Algorithm, Authenticator, keys::SharedKeySet};
use serde_json::json;

/// The issuer whose tokens the old code accepts.
pub const OLD_ISSUER: &str = "https://old.example";

pub static OLD_KEY: LazyLock<Arc<TestKey>> = LazyLock::new(|| key("old"));
pub static NEW_KEY: LazyLock<Arc<TestKey>> = LazyLock::new(|| key("new"));

fn key(id: &str) -> Arc<TestKey> {
    Arc::new(TestKey::generate(id, Algorithm::Es256))
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Creates the authenticator of the new code.
pub async fn authenticator() -> Authenticator {
    let keys = SharedKeySet::new(TestKey::key_set([&**NEW_KEY]));
    Authenticator::builder(ISSUER, AUDIENCE).key_source(keys).build().await.unwrap()
}

pub fn old_jwks() -> String {
    TestKey::jwks([&**OLD_KEY]).to_string()
}

/// A request, and the expected status of each of the three apps.
pub struct Row {
    pub name: &'static str,
    pub authorization: Option<String>,
    pub expected: [u16; 3],
}

pub fn row(name: &'static str, authorization: Option<String>, expected: [u16; 3]) -> Row {
    Row { name, authorization, expected }
}

pub fn bearer(token: impl std::fmt::Display) -> Option<String> {
    Some(format!("Bearer {token}"))
}

/// Returns a valid token of the new issuer.
pub fn new_token() -> TestToken {
    TestToken::new(NEW_KEY.clone(), ISSUER, "alice", now())
}

/// Returns a valid token of the old issuer, without the marks of an RFC 9068 access token.
pub fn old_token() -> TestToken {
    TestToken::new(OLD_KEY.clone(), OLD_ISSUER, "alice", now()).header("typ", "JWT")
}

/// Returns the rows. Statuses differ by design: tokens of the old issuer are rejected from step two, and tokens that
/// name the new issuer are validated by the new gate from step one.
pub fn rows() -> Vec<Row> {
    let old = |token: TestToken| bearer(token.sign());
    let id_token = json!({"nonce": "n"});
    vec![
        row("no token", None, [401, 401, 401]),
        row("not a JWT", bearer("opaque"), [401, 401, 401]),
        row("old", old(old_token()), [200, 200, 401]),
        row("old, expired", old(old_token().expired().claim("exp", now() - 600)), [401, 401, 401]),
        row("old, forged", old(old_token().signed_with(NEW_KEY.clone())), [401, 401, 401]),
        row("old ID token", old(old_token().claims(&id_token)), [200, 200, 401]),
        row("old, without `aud`", old(old_token().without("aud")), [200, 200, 401]),
        row("old, without `iss`", old(old_token().without("iss")), [200, 200, 401]),
        row("old, not valid yet", old(old_token().claim("nbf", now() + 600)), [200, 200, 401]),
        row("old, with `crit`", old(old_token().header("crit", json!(["x"]))), [200, 200, 401]),
        row("old, expired 30 s ago", old(old_token().claim("exp", now() - 30)), [200, 200, 401]),
        row("new, without `aud`", old(new_token().without("aud")), [401, 401, 401]),
        row("new, not valid yet", old(new_token().claim("nbf", now() + 600)), [401, 401, 401]),
        row("new, with `crit`", old(new_token().header("crit", json!(["x"]))), [401, 401, 401]),
        row("new, expired 30 s ago", old(new_token().claim("exp", now() - 30)), [401, 401, 401]),
        row("new", old(new_token()), [401, 200, 200]),
        row("new, expired", old(new_token().expired()), [401, 401, 401]),
        row("new, another audience", old(new_token().audience("other")), [401, 401, 401]),
        row(
            "new ID token",
            old(new_token().header("typ", "JWT").claims(&id_token)),
            [401, 401, 401],
        ),
        // The old code does not check `iss`.
        row(
            "new issuer named, old key",
            old(new_token().signed_with(OLD_KEY.clone())),
            [200, 401, 401],
        ),
    ]
}

/// Sends each request to each app, and compares the statuses.
pub async fn hold<F: Future<Output = StatusCode>>(
    rows: &[Row],
    apps: [&dyn Fn(Request<()>) -> F; 3],
) {
    let mut wrong = Vec::new();
    for Row { name, authorization, expected } in rows {
        for (at, app) in apps.iter().enumerate() {
            let mut request = Request::get("/");
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let status = app(request.body(()).unwrap()).await;
            if status != expected[at] {
                let step = ["before", "both", "after"][at];
                wrong.push(format!("{name}, {step}: {status} instead of {}", expected[at]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
