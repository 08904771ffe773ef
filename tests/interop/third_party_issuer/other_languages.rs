//! Runs the programs of the guide's chapter on other languages as printed: against tokens of our
//! own issuer, and against tokens that each of them must reject.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::routing::get;
use axum::{Json, Router};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use portcullis::Algorithm;
use portcullis::clock::{Clock, SystemClock};
use portcullis::testing::{ManualClock, TestKey};
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser, SigningAlgorithm};
use portcullis_test_support::process::Process;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;

use crate::app::http_client;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/other-languages");
const API: &str = "https://api.example";
const OTHER_API: &str = "https://other.example";
const PASSWORD: &str = "correct horse battery staple";

const GOLANG_JWT: &str = "golang-jwt";
const JWX: &str = "jwx";
const GO_OIDC: &str = "go-oidc";
const WITHOUT_METADATA: &str = "go-oidc without metadata";
const SPRING: &str = "spring";

/// A program that validates tokens, and the algorithms that it supports.
#[derive(Clone)]
struct Verifier {
    name: &'static str,
    kind: Kind,
    knows_ed25519: bool,
}

#[derive(Clone)]
enum Kind {
    /// Reads one token per line, with this interpreter.
    Script(PathBuf),
    /// Reads one token per line, built into this folder.
    Built(PathBuf),
    /// The program of `third_party/defaults` in this folder, with the library that the verifier
    /// names.
    Defaults(PathBuf),
    /// A service that Spring Boot serves from this jar.
    Jar(PathBuf),
}

/// The scripts, or the programs that `cargo xtask interop` has built.
fn verifiers() -> Vec<Verifier> {
    let verifier = |name, kind, knows_ed25519| Verifier { name, kind, knows_ed25519 };
    let built = |name| std::env::var_os(name).map(PathBuf::from);
    let (go, java) = (built("PORTCULLIS_GO"), built("PORTCULLIS_JAVA"));
    if go.is_none() && java.is_none() {
        return vec![
            verifier("python/with_pyjwt.py", Kind::Script(python()), true),
            verifier("python/with_joserfc.py", Kind::Script(python()), true),
            verifier("node/with-jose.mjs", Kind::Script(node()), true),
            verifier("ruby/with_jwt.rb", Kind::Script("ruby".into()), false),
        ];
    }
    let go = go.into_iter().flat_map(|folder| {
        [GOLANG_JWT, JWX, GO_OIDC].map(|name| verifier(name, Kind::Built(folder.clone()), true))
    });
    // Nimbus needs another library for Ed25519.
    go.chain(java.map(|jar| verifier(SPRING, Kind::Jar(jar), false))).collect()
}

/// The same libraries with their defaults: what the guide's chapter says of them is tested here.
fn defaults() -> Vec<Verifier> {
    let verifier = |name, kind| Verifier { name, kind, knows_ed25519: true };
    let built = |name| std::env::var_os(name).map(PathBuf::from);
    let go = built("PORTCULLIS_GO").into_iter().flat_map(|folder| {
        [GOLANG_JWT, JWX, GO_OIDC, WITHOUT_METADATA]
            .map(|name| verifier(name, Kind::Defaults(folder.clone())))
    });
    let java = built("PORTCULLIS_JAVA_DEFAULTS").map(|jar| verifier(SPRING, Kind::Jar(jar)));
    go.chain(java).collect()
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
    async fn start(&self, issuer: &str) -> Running {
        let mut command = match &self.kind {
            Kind::Script(interpreter) => command(interpreter, self.name),
            Kind::Built(folder) => Command::new(folder.join(self.name)),
            Kind::Defaults(folder) => {
                let mut command = Command::new(folder.join("defaults"));
                command.arg(self.name);
                command
            }
            Kind::Jar(jar) => {
                let mut command = Command::new("java");
                command
                    .arg("-jar")
                    .arg(jar)
                    .args(["--server.port=0", "--server.address=127.0.0.1"]);
                command
            }
        };
        command.env("ISSUER", issuer).env("AUDIENCE", API).env("PYTHONUNBUFFERED", "1");
        if let Kind::Jar(_) = self.kind {
            let (_process, url) = Process::start(self.name, &mut command, |line| {
                let (_, port) = line.split_once("started on port ")?;
                Some(format!("http://127.0.0.1:{}/orders", port.split(' ').next()?))
            })
            .await;
            return Running::Service { url, client: http_client(), _process };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running::Lines { input, lines, _child: child }
    }

    /// The program's output for each token.
    async fn judge<'t>(&self, issuer: &str, tokens: impl Iterator<Item = &'t str>) -> Vec<String> {
        let mut running = self.start(issuer).await;
        let mut said = Vec::new();
        for token in tokens {
            said.push(running.judge(token).await);
        }
        said
    }
}

/// A verifier that is running.
enum Running {
    Lines { input: ChildStdin, lines: Lines<BufReader<ChildStdout>>, _child: Child },
    Service { url: String, client: reqwest::Client, _process: Process },
}

impl Running {
    /// What it says about the token: `accepted` and the subject, or `refused` and the reason.
    async fn judge(&mut self, token: &str) -> String {
        match self {
            Self::Lines { input, lines, .. } => {
                input.write_all(format!("{token}\n").as_bytes()).await.unwrap();
                lines.next_line().await.unwrap().expect("a line for each token")
            }
            Self::Service { url, client, .. } => {
                let response = client.get(&*url).bearer_auth(token).send().await.unwrap();
                let status = response.status();
                let challenge = response.headers().get("www-authenticate");
                let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
                match (status.as_u16(), challenge) {
                    (200, None) => format!("accepted {}", response.text().await.unwrap()),
                    (401, Some(challenge)) => format!("refused {challenge}"),
                    other => format!("failed {other:?}"),
                }
            }
        }
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
        Self::start_with(Arc::new(SystemClock::new())).await
    }

    async fn start_with(clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let directory = tempfile::tempdir().unwrap();
        let mut config = IssuerConfig::new(&url, directory.path().join("identsphere.db"));
        config.audiences = vec![API.to_owned()];
        config.clock = clock;
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
            assert!(said.starts_with(verdict), "{}: {what}: {said}", verifier.name);
        }
    }
}

/// The longest time until a program fetches the keys again for an unknown `kid`: its cooldown of
/// 30 s, and a fetch on a busy machine.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python, Node, Ruby and their JWT libraries: run `cargo xtask test`"]
async fn rotation_is_followed_and_expired_tokens_are_rejected_in_other_languages() {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let clock = ManualClock::at(now - 3600);
    let ours = Ours::start_with(Arc::new(clock.clone())).await;
    let expired = ours.login().await;
    clock.advance(Duration::from_secs(3600));
    let before = ours.login().await;
    let mut running = Vec::new();
    for verifier in verifiers() {
        let (mut program, name) = (verifier.start(&ours.url).await, verifier.name);
        let said = program.judge(&before).await;
        assert!(said.starts_with("accepted "), "{name}: {said}");
        let said = program.judge(&expired).await;
        assert!(said.starts_with("refused "), "{name}: {said}");
        running.push((name, program));
    }
    let kid = crate::issuer::header(&before)["kid"].clone();
    ours.issuer.rotate_keys_now().await.unwrap();
    let after = ours.login().await;
    assert_ne!(crate::issuer::header(&after)["kid"], kid);
    let mut following = JoinSet::new();
    for (name, mut program) in running {
        let (before, after) = (before.clone(), after.clone());
        following.spawn(async move {
            let rotated = Instant::now();
            while !program.judge(&after).await.starts_with("accepted ") {
                assert!(rotated.elapsed() < FOLLOWS_WITHIN, "{name} does not follow the rotation");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            println!("{name}: follows {:?} after the rotation", rotated.elapsed());
            let said = program.judge(&before).await;
            assert!(said.starts_with("accepted "), "{name}: {said}");
        });
    }
    while let Some(outcome) = following.join_next().await {
        outcome.unwrap();
    }
}

/// Serves the keys of an attacker's issuer, and counts the fetches.
async fn serve_keys(keys: Value) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetches);
    let answer = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Json(keys)
    };
    let metadata = json!({
        "issuer": url, "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    let app = Router::new()
        .route("/.well-known/jwks.json", get(answer))
        .route("/.well-known/openid-configuration", get(async move || Json(metadata)));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, fetches)
}

/// Tokens of an attacker that a program copied from the page must reject.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python, Node, Ruby and their JWT libraries: run `cargo xtask test`"]
async fn invalid_tokens_are_rejected_in_other_languages() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let mallory = TestKey::generate("k", Algorithm::Es256);
    let (issuer, _) = serve_keys(TestKey::jwks([&key])).await;
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
            assert!(said.starts_with(verdict), "{}: {what}: {said}", verifier.name);
        }
    }
}

/// The number of tokens with an unknown `kid`.
const UNKNOWN: usize = 20;

/// The page names the defaults of each library, and each program replaces them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go, Java and Maven: run `cargo xtask interop go java`"]
async fn defaults_are_as_described_in_other_languages() {
    let ours = Ours::start().await;
    let token = ours.login().await;
    let key = TestKey::generate("k", Algorithm::Es256);
    let (issuer, fetches) = serve_keys(TestKey::jwks([&key])).await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let sign = |kid: &str, name: &str, value: Value| {
        let mut claims = json!({ "iss": issuer, "sub": "alice", "aud": API, "exp": now + 900 });
        claims[name] = value;
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": kid });
        key.sign(&header.to_string(), &claims.to_string())
    };
    if defaults().is_empty() {
        println!("NOT CHECKED: the defaults; run `cargo xtask interop go java`");
    }
    for verifier in defaults() {
        let name = verifier.name;
        let mut program = verifier.start(&ours.url).await;
        let said = program.judge(&token).await;
        let accepts = matches!(name, GOLANG_JWT | JWX | GO_OIDC);
        assert_eq!(said.starts_with("accepted"), accepts, "{name}: our token: {said}");
        let why = match name {
            SPRING => "at+jwt not allowed",
            WITHOUT_METADATA => "expected [\\\"RS256\\\"]",
            _ => "accepted",
        };
        assert!(said.contains(why), "{name}: {said}");
        if name == WITHOUT_METADATA {
            continue;
        }
        let mut program = verifier.start(&issuer).await;
        let (never, audience, other) = match name {
            GO_OIDC => (false, false, false),
            SPRING => (true, false, true),
            _ => (true, true, true),
        };
        for (claim, value, accepts) in [
            ("sub", json!("an ID token's"), true),
            ("exp", Value::Null, never),
            ("aud", json!(OTHER_API), audience),
            ("iss", json!("https://evil.example"), other),
        ] {
            let said = program.judge(&sign("k", claim, value)).await;
            assert_eq!(said.starts_with("accepted"), accepts, "{name}: {claim}: {said}");
        }
        fetches.store(0, Ordering::Relaxed);
        for number in 0..UNKNOWN {
            let said = program.judge(&sign(&format!("unknown-{number}"), "sub", json!("a"))).await;
            assert!(!said.starts_with("accepted"), "{name}: {said}");
        }
        let expected = match name {
            GOLANG_JWT => 1,
            JWX => 0,
            _ => UNKNOWN,
        };
        assert_eq!(fetches.load(Ordering::Relaxed), expected, "{name}: fetches for unknown keys");
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
