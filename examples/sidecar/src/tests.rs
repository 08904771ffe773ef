//! The proxy over sockets, with a real issuer and an app that echoes its requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use axum::Router;
use axum::extract::Request;
use http::HeaderName;
use http::uri::Authority;
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser};
use portcullis_sidecar::portcullis::{Authenticator, Gate, Revocation};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::ACCESS;

const PASSWORD: &str = "correct horse battery staple";

struct World {
    folder: tempfile::TempDir,
    issuer: Issuer,
    issuer_at: Authority,
    serving: JoinHandle<()>,
    at: Authority,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [public, issuer_at, app_at] = [(); 3].map(|()| free());
        let (public, issuer_at, app_at) = (public.await, issuer_at.await, app_at.await);
        let (at, app) = (authority(&public), authority(&app_at));
        let (issuer, issuer_at, serving) =
            serve_issuer(folder.path(), &format!("http://{at}"), issuer_at).await;
        issuer.add_user(NewUser::new("alice", PASSWORD).scopes(["a:read"])).await.unwrap();
        let client = NewClient::new("sidecar").resource_servers(["https://api.example"]);
        let secret = issuer.add_client(client).await.unwrap().unwrap();
        std::fs::write(folder.path().join("secret"), secret).unwrap();
        let auth = Authenticator::builder(format!("http://{at}"), "https://api.example")
            .jwks_url(format!("http://{issuer_at}/.well-known/jwks.json"))
            .introspection_url(format!("http://{issuer_at}/oauth/introspect"))
            .introspection_client_id("sidecar")
            .introspection_secret_file(folder.path().join("secret"))
            .cookie(ACCESS)
            .build()
            .await
            .unwrap();
        let gate = Gate::new(auth).revocation(Revocation::live()).unwrap();
        tokio::spawn(async move { axum::serve(app_at, Router::new().fallback(echo)).await });
        let sidecar = example_sidecar::sidecar(gate, &issuer_at, &app).unwrap();
        tokio::spawn(async move { sidecar.serve(public, std::future::pending()).await });
        Self { folder, issuer, issuer_at, serving, at }
    }

    /// Sends a request through the proxy. `head` is the request line without its version, and headers.
    async fn ask(&self, head: &str) -> Answer {
        ask(&self.at, head, "").await
    }

    async fn log_in(&self) -> (Answer, String, String) {
        let body = json!({"username": "alice", "password": PASSWORD}).to_string();
        let head = "POST /v1/auth/login\r\nContent-Type: application/json";
        let answer = ask(&self.at, head, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        let (token, session) = (text("access_token"), text("session_id"));
        (answer, token, session)
    }
}

async fn free() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn authority(listener: &TcpListener) -> Authority {
    listener.local_addr().unwrap().to_string().parse().unwrap()
}

async fn serve_issuer(
    folder: &Path,
    url: &str,
    listener: TcpListener,
) -> (Issuer, Authority, JoinHandle<()>) {
    let mut config = IssuerConfig::new(url, folder.join("issuer.db"));
    config.audiences = vec!["https://api.example".to_owned()];
    config.client_address_header = Some(HeaderName::from_static("x-forwarded-for"));
    config.registration = true;
    let issuer = Issuer::open(config).await.unwrap();
    let (serving, at) = (issuer.clone(), authority(&listener));
    let task = tokio::spawn(async move {
        serving.serve(listener, std::future::pending()).await.unwrap();
    });
    (issuer, at, task)
}

/// Echoes the request's head and body.
async fn echo(request: Request) -> ([(&'static str, &'static str); 3], String) {
    let (head, body) = request.into_parts();
    let mut told = format!("{} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        told += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    told += &format!("\n{}", String::from_utf8(body.to_vec()).unwrap());
    let secret = [("connection", "x-for-this-hop"), ("x-for-this-hop", "1"), ("keep-alive", "1")];
    (secret, told)
}

async fn ask(at: &Authority, head: &str, body: &str) -> Answer {
    let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let text = format!(
        "{line} HTTP/1.0\r\nHost: {at}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let at = at.to_string();
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = exchange.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_session_is_401_at_the_next_request() {
    let world = World::start().await;
    for _ in 0..5 {
        let (_, token, session) = world.log_in().await;
        let orders = format!("GET /orders\r\nAuthorization: Bearer {token}");
        assert_eq!(world.ask(&orders).await.status, 200);
        let end = format!("DELETE /v1/auth/sessions/{session}\r\nAuthorization: Bearer {token}");
        assert_eq!(world.ask(&end).await.status, 204);
        let refused = world.ask(&orders).await;
        assert_eq!(refused.status, 401);
        assert!(refused.head.contains(r#"www-authenticate: bearer realm="api", error="#));
    }
    assert_eq!(world.ask("GET /orders").await.status, 401);
    assert_eq!(world.ask("GET /orders\r\nAuthorization: Bearer x").await.status, 401);
}

/// The response must come from the issuer, as without the proxy, and not from the gate.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_openapi_document_is_reachable_through_the_proxy() {
    let world = World::start().await;
    let document = world.ask("GET /openapi.json").await.json();
    let mut reached = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{id}", "1").replace("{list}", "0");
            // The sidecar forwards no probe but `/readyz`.
            if path == "/healthz" {
                continue;
            }
            let line = format!("{} {path}", method.to_uppercase());
            // The proxy does not publish the administration: its gate rejects the request.
            if path.starts_with("/v1/admin/") {
                let through = world.ask(&line).await;
                assert_eq!(through.status, 401, "{line}");
                assert!(!through.head.contains("application/problem+json"), "{line}: the issuer's");
                continue;
            }
            let direct = ask(&world.issuer_at, &line, "").await;
            let through = world.ask(&line).await;
            let what = |answer: &Answer| {
                let kind = answer.head.lines().find(|line| line.starts_with("content-type"));
                (answer.status, kind.map(str::to_owned))
            };
            assert_eq!(what(&through), what(&direct), "{line}");
            assert!(!through.body.starts_with(&method.to_uppercase()), "{line} is the app's");
            reached += 1;
        }
    }
    assert!(reached >= 15, "{reached} operations");
}

#[tokio::test(flavor = "multi_thread")]
async fn issuers_cookies_are_passed_on_unchanged_and_authenticate_requests_to_the_app() {
    let world = World::start().await;
    let (answer, token, _) = world.log_in().await;
    let cookies: Vec<&str> =
        answer.head.lines().filter(|line| line.starts_with("set-cookie: ")).collect();
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    assert!(cookies.iter().all(|cookie| cookie.contains("httponly")), "{cookies:?}");
    // Name and value, as a browser stores them.
    let set = format!("set-cookie: __host-portcullis-access={}; ", token.to_ascii_lowercase());
    assert!(cookies.iter().any(|cookie| cookie.starts_with(&set)), "{cookies:?}");
    let cookie = format!(
        "Cookie: theme=dark; __Host-portcullis-access={token}; a=b; portcullis-access={token}; \
         __Secure-portcullis-access={token}; __Secure-portcullis-refresh=r"
    );
    let told = world.ask(&format!("GET /orders\r\n{cookie}")).await;
    assert_eq!(told.status, 200);
    assert!(told.body.contains("\ncookie: theme=dark; a=b\n"), "{}", told.body);
    // Unsafe requests of another origin, or without an `Origin`, are rejected.
    let order = |origin: &str| format!("POST /orders\r\n{cookie}{origin}");
    let at = &world.at;
    assert_eq!(world.ask(&order("\r\nOrigin: http://evil.example")).await.status, 403);
    assert_eq!(world.ask(&order("")).await.status, 403);
    // Browsers send the cookie over https only, so an http origin is cross-site.
    assert_eq!(world.ask(&order(&format!("\r\nOrigin: http://{at}"))).await.status, 403);
    assert_eq!(world.ask(&order(&format!("\r\nOrigin: https://{at}"))).await.status, 200);
}

/// Each header is a known way to smuggle an identity through a proxy.
#[tokio::test(flavor = "multi_thread")]
async fn identity_and_forwarding_headers_of_a_client_do_not_reach_the_app() {
    let world = World::start().await;
    let (_, token, _) = world.log_in().await;
    let told = world
        .ask(&format!(
            "POST /orders?x=1\r\nAuthorization: Bearer {token}\r\nX-Sidecar-Subject: root\r\n\
             x_sidecar_subject: root\r\nX-Sidecar_Scope: all\r\n\
             X-Forwarded-For: 1.2.3.4\r\nX_Forwarded_For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\
             Forwarded: for=1.2.3.4\r\nConnection: X-Sidecar-Subject, X-Forwarded-For, X-Hop\r\n\
             X-Hop: 1\r\nTE: trailers\r\nUpgrade: websocket\r\nProxy-Authorization: Basic eA==\r\n\
             Keep-Alive: 5\r\nX-Own: stays\r\nOrigin: http://{}",
            world.at
        ))
        .await;
    assert_eq!(told.status, 200);
    let mut lines: Vec<&str> = told.body.lines().filter(|line| !line.is_empty()).collect();
    let subject = lines.iter().find_map(|line| line.strip_prefix("x-sidecar-subject: ")).unwrap();
    assert!(!subject.is_empty() && subject != "root", "{subject}");
    lines.sort_unstable();
    let (at, subject) = (world.at.as_str(), format!("x-sidecar-subject: {subject}"));
    let mut expected = vec![
        "POST /orders?x=1".to_owned(),
        "content-length: 0".to_owned(),
        format!("host: {at}"),
        format!("origin: http://{at}"),
        "x-forwarded-for: 127.0.0.1".to_owned(),
        format!("x-forwarded-host: {at}"),
        "x-forwarded-proto: http".to_owned(),
        "x-own: stays".to_owned(),
        "x-sidecar-scope: a:read".to_owned(),
        subject,
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
    for hop in ["keep-alive: 1", "x-for-this-hop"] {
        assert!(!told.head.contains(hop), "{}", told.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_gets_the_clients_address_and_not_the_address_in_its_headers() {
    let world = World::start().await;
    let body = json!({"username": "alice", "password": "wrong"}).to_string();
    let head = "POST /v1/auth/login\r\nContent-Type: application/json\r\nX-Forwarded-For: 1.2.3.4";
    assert_eq!(ask(&world.at, head, &body).await.status, 401);
    let (_, token, session) = world.log_in().await;
    let sessions = format!("GET /v1/auth/sessions\r\nAuthorization: Bearer {token}");
    assert!(world.ask(&sessions).await.body.contains(&session));
    let events = world.issuer.events(0, 100).await.unwrap();
    assert!(events.len() >= 2);
    for event in events {
        assert!(event.address.as_deref().is_none_or(|address| address == "127.0.0.1"), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn app_is_503_while_the_issuer_is_unavailable_and_recovers() {
    let world = World::start().await;
    let (_, token, _) = world.log_in().await;
    let orders = format!("GET /orders\r\nAuthorization: Bearer {token}");
    assert_eq!(world.ask(&orders).await.status, 200);
    world.serving.abort();
    let _ = world.serving.await;
    world.issuer.close().await;
    let mut answer = ask(&world.at, &orders, "").await;
    // A kept-alive connection may outlive the server for a moment.
    while answer.status == 200 {
        answer = ask(&world.at, &orders, "").await;
    }
    assert_eq!(answer.status, 503, "{}", answer.head);
    assert!(answer.head.contains("retry-after:"), "{}", answer.head);
    assert!(matches!(ask(&world.at, "GET /readyz", "").await.status, 502 | 503));
    let listener = TcpListener::bind(world.issuer_at.as_str()).await.unwrap();
    let url = format!("http://{}", world.at);
    let _again = serve_issuer(world.folder.path(), &url, listener).await;
    while ask(&world.at, &orders, "").await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
