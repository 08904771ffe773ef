//! Runs the programs of the guide's chapter on other languages as printed: against tokens of our
//! own issuer, and against tokens that each of them must reject.

use std::path::PathBuf;
use std::process::Stdio;

use aws_lc_rs::hmac;
use axum::routing::get;
use axum::{Json, Router};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use portcullis::Algorithm;
use portcullis::testing::TestKey;
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser, SigningAlgorithm};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::app::http_client;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/other-languages");
const API: &str = "https://api.example";
const OTHER_API: &str = "https://other.example";
const PASSWORD: &str = "correct horse battery staple";

/// A program that validates tokens, and the algorithms that it supports.
struct Verifier {
    program: PathBuf,
    file: &'static str,
    knows_ed25519: bool,
}

fn verifiers() -> [Verifier; 4] {
    let verifier = |program, file, knows_ed25519| Verifier { program, file, knows_ed25519 };
    [
        verifier(python(), "python/with_pyjwt.py", true),
        verifier(python(), "python/with_joserfc.py", true),
        verifier(node(), "node/with-jose.mjs", true),
        verifier("ruby".into(), "ruby/with_jwt.rb", false),
    ]
}

/// The program that `cargo xtask test` built.
fn python() -> PathBuf {
    std::env::var_os("PORTCULLIS_PYTHON").expect("run `cargo xtask test`").into()
}

pub(crate) fn node() -> PathBuf {
    std::env::var_os("PORTCULLIS_NODE").unwrap_or_else(|| "node".into()).into()
}

fn command(program: impl Into<PathBuf>, file: &str) -> Command {
    let mut command = Command::new(program.into());
    command.arg(format!("{DIRECTORY}/{file}")).env("no_proxy", "*").kill_on_drop(true);
    command
}

impl Verifier {
    /// The program's output for each token.
    async fn judge<'t>(&self, issuer: &str, tokens: impl Iterator<Item = &'t str>) -> Vec<String> {
        let mut command = command(&self.program, self.file);
        command.env("ISSUER", issuer).env("AUDIENCE", API);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let lines: String = tokens.map(|token| format!("{token}\n")).collect();
        input.write_all(lines.as_bytes()).await.unwrap();
        drop(input);
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}: {}", self.file, output.status);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().count(), lines.lines().count(), "{}: {said}", self.file);
        said.lines().map(str::to_owned).collect()
    }
}

/// Our own issuer on its own port.
pub(crate) struct Ours {
    url: String,
    issuer: Issuer,
    config: IssuerConfig,
    _directory: TempDir,
}

impl Ours {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let directory = tempfile::tempdir().unwrap();
        let mut config = IssuerConfig::new(&url, directory.path().join("identsphere.db"));
        config.audiences = vec![API.to_owned()];
        let issuer = Issuer::open(config.clone()).await.unwrap();
        let alice = NewUser::new("alice", PASSWORD).scopes(["orders:read"]);
        issuer.add_user(alice).await.unwrap();
        let serving = issuer.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        Self { url, issuer, config, _directory: directory }
    }

    /// Rotates the key in another process, as `keys rotate --now --algorithm` does.
    async fn sign_with(&self, algorithm: SigningAlgorithm) {
        let mut config = self.config.clone();
        config.signing_algorithm = Some(algorithm);
        let other = Issuer::open(config).await.unwrap();
        other.rotate_keys_now().await.unwrap();
        other.close().await;
    }

    async fn add_client(&self, client: NewClient) -> String {
        let client = client.scopes(["orders:read", "orders:write"]).audiences([API, OTHER_API]);
        self.issuer.add_client(client).await.unwrap().unwrap_or_default()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn login(&self) -> String {
        self.session().await.0
    }

    /// Logs in, and returns an access token and the session's name.
    pub(crate) async fn session(&self) -> (String, String) {
        let body = json!({ "username": "alice", "password": PASSWORD });
        let request = http_client().post(format!("{}/v1/auth/login", self.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = answer(request).await;
        let text =
            |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("access_token"), text("session_id"))
    }

    /// Ends the session.
    pub(crate) async fn end(&self, token: &str, session: &str) {
        let request = http_client().delete(format!("{}/v1/auth/sessions/{session}", self.url));
        let response = request.bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), 204);
    }

    async fn token_for(&self, resource: &str, id: &str, secret: &str) -> String {
        let body = format!("grant_type=client_credentials&resource={resource}");
        let request = http_client().post(format!("{}/oauth/token", self.url));
        let kind = "application/x-www-form-urlencoded";
        let request = request.basic_auth(id, Some(secret)).header("content-type", kind);
        access_token(request.body(body)).await
    }
}

async fn access_token(request: reqwest::RequestBuilder) -> String {
    let answer = answer(request).await;
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python, Node, Ruby and their JWT libraries: run `cargo xtask test`"]
async fn our_tokens_validate_in_other_languages_for_their_audience_only() {
    let (ours, another) = (Ours::start().await, Ours::start().await);
    let secret = ours.add_client(NewClient::new("billing")).await;
    // After the loop, the keys of all three algorithms are published.
    let mut tokens = Vec::new();
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        ours.sign_with(algorithm).await;
        let accepts: fn(&Verifier) -> bool = match algorithm {
            SigningAlgorithm::EdDsa => |verifier| verifier.knows_ed25519,
            _ => |_| true,
        };
        tokens.push((algorithm.as_str(), ours.login().await, accepts));
        let own = ours.token_for(API, "billing", &secret).await;
        let (signed, _) = own.rsplit_once('.').unwrap();
        let elsewhere = ours.token_for(OTHER_API, "billing", &secret).await;
        let (_, signature) = elsewhere.rsplit_once('.').unwrap();
        tokens.push(("a signature of another token", format!("{signed}.{signature}"), |_| false));
        tokens.push((algorithm.as_str(), own, accepts));
        tokens.push(("another audience", elsewhere, |_| false));
    }
    tokens.push(("another issuer", another.login().await, |_| false));
    for verifier in verifiers() {
        let said = verifier.judge(&ours.url, tokens.iter().map(|(_, token, _)| token.as_str()));
        for ((what, _, accepts), said) in tokens.iter().zip(said.await) {
            let verdict = if accepts(&verifier) { "accepted " } else { "refused " };
            assert!(said.starts_with(verdict), "{}: {what}: {said}", verifier.file);
        }
    }
}

/// Serves the keys of an attacker's issuer.
async fn serve_keys(keys: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/.well-known/jwks.json", get(async move || Json(keys)));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Tokens of an attacker that a program copied from the page must reject.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python, Node, Ruby and their JWT libraries: run `cargo xtask test`"]
async fn invalid_tokens_are_rejected_in_other_languages() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let mallory = TestKey::generate("k", Algorithm::Es256);
    let issuer = serve_keys(TestKey::jwks([&key])).await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({
        "iss": issuer, "sub": "alice", "aud": API, "exp": now + 900, "iat": now, "jti": "1",
        "client_id": "app",
    });
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" });
    let changed = |object: &Value, name: &str, value: Value| {
        let mut object = object.clone();
        match value {
            Value::Null => {
                object.as_object_mut().unwrap().remove(name).map(drop).unwrap_or_default()
            }
            value => object[name] = value,
        }
        object
    };
    let sign = |header: &Value, claims: &Value| key.sign(&header.to_string(), &claims.to_string());
    let mut tokens = vec![
        ("a good one".to_owned(), sign(&header, &claims)),
        (
            "one of several audiences".to_owned(),
            sign(&header, &changed(&claims, "aud", json!([OTHER_API, API]))),
        ),
    ];
    let good = tokens.len();
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("typ", json!("logout+jwt")),
        ("kid", json!("unknown")),
        ("alg", json!("ES384")),
    ] {
        let what = format!("header {name} {value}");
        tokens.push((what, sign(&changed(&header, name, value), &claims)));
    }
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("aud", json!(OTHER_API)),
        ("aud", json!([OTHER_API])),
        ("aud", json!(format!("{API}/"))),
        ("aud", Value::Null),
        ("exp", json!(now - 60)),
        ("exp", Value::Null),
        ("nbf", json!(now + 900)),
        ("sub", Value::Null),
        ("jti", Value::Null),
        ("client_id", Value::Null),
    ] {
        let what = format!("claim {name} {value}");
        tokens.push((what, sign(&header, &changed(&claims, name, value))));
    }
    let signed = |header: &Value| {
        let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}", encode(header), encode(&claims))
    };
    let none = signed(&changed(&header, "alg", json!("none")));
    tokens.push(("alg none".to_owned(), format!("{none}.")));
    let symmetric = signed(&changed(&header, "alg", json!("HS256")));
    let public = hmac::Key::new(hmac::HMAC_SHA256, key.jwk().to_string().as_bytes());
    let tag = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&public, symmetric.as_bytes()));
    tokens.push(("alg HS256".to_owned(), format!("{symmetric}.{tag}")));
    let embedded = changed(&header, "jwk", mallory.jwk());
    let forged = mallory.sign(&embedded.to_string(), &claims.to_string());
    tokens.push(("a key of the token's own".to_owned(), forged));
    for text in ["", "rubbish", "a.b.c", "..", "e30.e30.e30"] {
        tokens.push((format!("{text:?}"), text.to_owned()));
    }
    for verifier in verifiers() {
        let said = verifier.judge(&issuer, tokens.iter().map(|(_, token)| token.as_str())).await;
        for (n, ((what, _), said)) in tokens.iter().zip(said).enumerate() {
            let verdict = if n < good { "accepted alice" } else { "refused " };
            assert!(said.starts_with(verdict), "{}: {what}: {said}", verifier.file);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node 20 and the npm package openid-client: run `cargo xtask test`"]
async fn openid_client_discovers_our_issuer_and_gets_a_token() {
    let ours = Ours::start().await;
    let secret = ours.add_client(NewClient::new("billing")).await;
    let directory = tempfile::tempdir().unwrap();
    let made = command(node(), "node/make-keys.mjs").current_dir(&directory).status().await;
    assert!(made.unwrap().success());
    let jwks = std::fs::read_to_string(directory.path().join("jwks.json")).unwrap();
    ours.add_client(NewClient::new("keyed").keys(jwks)).await;
    let key_file = directory.path().join("key.json");
    for (id, name, value) in [
        ("billing", "CLIENT_SECRET", secret.into()),
        ("keyed", "CLIENT_KEY_FILE", key_file.into_os_string()),
    ] {
        // Each request has a new client assertion.
        for (scope, resource, audience) in
            [("", "", json!([API, OTHER_API])), ("orders:read", OTHER_API, json!([OTHER_API]))]
        {
            let mut program = command(node(), "node/get-token.mjs");
            program.env("ISSUER", &ours.url).env("CLIENT_ID", id).env(name, &value);
            let output = program.env("RESOURCE", resource).env("SCOPE", scope).output().await;
            let output = output.unwrap();
            assert!(output.status.success(), "{id}: {output:?}");
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            let claims = crate::issuer::claims(answer["access_token"].as_str().unwrap());
            assert_eq!((&claims["sub"], &claims["aud"]), (&json!(id), &audience));
            let expected = if scope.is_empty() { "orders:read orders:write" } else { scope };
            assert_eq!(answer["scope"], expected);
        }
    }
}
