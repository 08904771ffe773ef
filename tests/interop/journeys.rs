//! Journeys through an example and an issuer, each in its own process or on its own socket, as the
//! examples' READMEs describe them.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test and its helpers fail by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portcullis::Authenticator;
use portcullis::clock::{Clock, SystemClock};
use portcullis::testing::ManualClock;
use portcullis_axum::protect;
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser};
use portcullis_test_support::example;
use portcullis_test_support::process::Process;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

const API: &str = "https://api.example";
const PASSWORD: &str = "correct horse battery staple";
const ACCESS: &str = "__Host-portcullis-access";
const HOST: &str = "__Host-portcullis-session";

/// A page that the app serves; browsers name it in `Origin`.
const PAGE: &str = "https://app.example";

struct Running {
    url: String,
    issuer: Issuer,
    secret_file: String,
    _folder: TempDir,
}

/// Starts an issuer whose tokens live for `expiry`, with the user `alice` and a client of the API.
async fn issuer(expiry: Duration, clock: Arc<dyn Clock>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut config = IssuerConfig::new(&url, folder.path().join("issuer.db"));
    config.audiences = vec![API.to_owned()];
    config.access_expiry = expiry;
    config.trusted_origins = vec![PAGE.to_owned()];
    config.clock = clock;
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD).scopes(["orders:read"])).await.unwrap();
    let client = NewClient::new("api").resource_servers([API]);
    let secret = issuer.add_client(client).await.unwrap().unwrap();
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, secret).unwrap();
    let serving = issuer.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    let secret_file = secret_file.to_str().unwrap().to_owned();
    Running { url, issuer, secret_file, _folder: folder }
}

impl Running {
    async fn start_example(&self, name: &'static str) -> (Process, String) {
        let introspection = format!("{}/oauth/introspect", self.url);
        let settings = [
            ("PORTCULLIS_ISSUER", &*self.url),
            ("PORTCULLIS_AUDIENCE", API),
            ("PORTCULLIS_LEEWAY_SECS", "0"),
            ("PORTCULLIS_COOKIE", ACCESS),
            ("PORTCULLIS_TRUSTED_ORIGINS", PAGE),
            ("PORTCULLIS_INTROSPECTION_URL", &introspection),
            ("PORTCULLIS_INTROSPECTION_CLIENT_ID", "api"),
            ("PORTCULLIS_INTROSPECTION_SECRET_FILE", &self.secret_file),
        ];
        example::start(name, &settings).await
    }

    /// Logs in, for the issuer and the API, or for these resources alone.
    async fn log_in(&self, resource: &[&str]) -> Answer {
        let body = json!({ "username": "alice", "password": PASSWORD, "resource": resource });
        post(&self.at("login"), body).sent().await.expect(200)
    }

    fn at(&self, path: &str) -> String {
        format!("{}/v1/auth/{path}", self.url)
    }
}

/// A response.
#[derive(Debug)]
struct Answer {
    status: u16,
    challenge: String,
    set_cookies: Vec<String>,
    body: String,
}

impl Answer {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// What a browser stores of these cookies and sends back to the host.
    fn cookie(&self, names: &[&str]) -> String {
        let pairs = self.set_cookies.iter().map(|cookie| cookie.split(';').next().unwrap());
        let wanted = |pair: &&str| names.iter().any(|name| pair.starts_with(&format!("{name}=")));
        let pairs: Vec<_> = pairs.filter(wanted).collect();
        assert_eq!(pairs.len(), names.len(), "{self:?}");
        pairs.join("; ")
    }
}

trait Sent {
    async fn sent(self) -> Answer;
}

impl Sent for RequestBuilder {
    async fn sent(self) -> Answer {
        let response = self.send().await.unwrap();
        let values = |name: &str| -> Vec<String> {
            let values = response.headers().get_all(name).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        Answer {
            status: response.status().as_u16(),
            challenge: values("www-authenticate").concat(),
            set_cookies: values("set-cookie"),
            body: response.text().await.unwrap(),
        }
    }
}

fn request(method: Method, url: &str) -> RequestBuilder {
    reqwest::Client::builder().no_proxy().build().unwrap().request(method, url)
}

fn post(url: &str, body: Value) -> RequestBuilder {
    let request = request(Method::POST, url).header("content-type", "application/json");
    request.body(body.to_string())
}

/// The code that an authenticator app shows, `steps` of 30 s from now.
fn code(secret: &str, steps: u64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    totp.generate(now + 30 * steps).to_string()
}

/// The text's third mix: the browser has the issuer's cookie, the app validates the token in it, and
/// calls the issuer for the user.
#[tokio::test(flavor = "multi_thread")]
async fn app_calls_the_issuer_for_the_user_with_the_browsers_cookie() {
    let issuer = issuer(Duration::from_secs(900), Arc::new(SystemClock::new())).await;
    let (_process, app) = issuer.start_example("example-mixed").await;
    let (browser, phone) = (issuer.log_in(&[]).await, issuer.log_in(&[]).await);
    let (cookie, phone_cookie) = (browser.cookie(&[ACCESS]), phone.cookie(&[ACCESS]));
    let ask = |method: Method, path: &str, cookie: &str| {
        request(method, &format!("{app}{path}")).header("cookie", cookie.to_owned())
    };

    let me = ask(Method::GET, "/me", &cookie).sent().await.expect(200);
    assert_eq!((me.text("name"), &me.json()["scopes"]), ("alice".into(), &json!(["orders:read"])));
    let sessions = ask(Method::GET, "/sessions", &cookie).sent().await.expect(200).json();
    let ids = |current: bool| {
        let listed = sessions.as_array().unwrap().iter();
        listed.filter(move |session| session["current"] == current).map(|session| &session["id"])
    };
    let session_of = |login: &Answer| json!(login.text("session_id"));
    assert_eq!(ids(true).collect::<Vec<_>>(), [&session_of(&browser)]);
    assert_eq!(ids(false).collect::<Vec<_>>(), [&session_of(&phone)]);

    // Another site's page cannot end the session with the cookie; a page of the app can.
    let end = format!("/sessions/{}", phone.text("session_id"));
    let cross_site = ask(Method::DELETE, &end, &cookie).header("origin", "https://evil.example");
    cross_site.sent().await.expect(403);
    ask(Method::GET, "/me", &phone_cookie).sent().await.expect(200);
    ask(Method::DELETE, &end, &cookie).header("origin", PAGE).sent().await.expect(204);
    ask(Method::GET, "/me", &phone_cookie).sent().await.expect(401);
    ask(Method::GET, "/me", &cookie).sent().await.expect(200);
}

/// A sensitive operation: the API's challenge, the step-up at the issuer, and the repeated request.
#[tokio::test(flavor = "multi_thread")]
async fn challenge_is_met_by_a_step_up_and_the_request_is_repeated() {
    let issuer = issuer(Duration::from_secs(900), Arc::new(SystemClock::new())).await;
    let (_process, app) = issuer.start_example("example-step-up").await;
    let pay = |token: String| post(&format!("{app}/payments"), Value::Null).bearer_auth(token);
    let (own, browser) = (issuer.log_in(&[&issuer.url]).await, issuer.log_in(&[]).await);
    let own_token = own.text("access_token");
    let enrol = post(&issuer.at("totp"), json!({ "password": PASSWORD })).bearer_auth(&own_token);
    let secret = enrol.sent().await.expect(201).text("secret");
    let refresh = async |refresh_token: String| {
        let body = json!({ "refresh_token": refresh_token, "resource": [API] });
        post(&issuer.at("refresh"), body).sent().await.expect(200)
    };
    let refreshed = refresh(own.text("refresh_token")).await;
    let token = refreshed.text("access_token");
    let list = request(Method::GET, &format!("{app}/orders")).bearer_auth(&token);
    list.sent().await.expect(200);

    let refused = pay(token.clone()).sent().await.expect(401);
    for part in ["insufficient_user_authentication", r#"acr_values="aal2""#] {
        assert!(refused.challenge.contains(part), "no {part}: {refused:?}");
    }
    // A token that the API has seen cannot be used to try codes.
    let step_up = |token: &str, code: &str| {
        post(&issuer.at("step-up"), json!({ "code": code })).bearer_auth(token).sent()
    };
    step_up(&browser.text("access_token"), &code(&secret, 0)).await.expect(403);
    step_up(&own_token, "000000x").await.expect(403);
    pay(token.clone()).sent().await.expect(401);
    step_up(&own_token, &code(&secret, 0)).await.expect(200);
    let raised = refresh(refreshed.text("refresh_token")).await.text("access_token");
    pay(raised).sent().await.expect(200);
    pay(token).sent().await.expect(401);

    // A browser steps up with its cookies, and needs no refresh: the response sets the new token.
    let pay = |cookie: &str| {
        let request = post(&format!("{app}/payments"), Value::Null).header("origin", PAGE);
        request.header("cookie", cookie.to_owned()).sent()
    };
    let refused = pay(&browser.cookie(&[ACCESS])).await.expect(401);
    assert!(refused.challenge.contains("insufficient_user_authentication"), "{refused:?}");
    let step_up = post(&issuer.at("step-up"), json!({ "code": code(&secret, 1) }));
    let step_up = step_up.header("origin", PAGE).header("cookie", browser.cookie(&[ACCESS, HOST]));
    let raised = step_up.sent().await.expect(200);
    pay(&raised.cookie(&[ACCESS])).await.expect(200);
    pay(&browser.cookie(&[ACCESS])).await.expect(401);
}

/// The app of `examples/in-process`: one process, the live route, and the route that validates with
/// the keys in memory.
#[tokio::test(flavor = "multi_thread")]
async fn app_with_the_issuer_inside_needs_no_other_process() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let mut command = Command::new(example::binary("example-in-process"));
        command.arg(folder.path()).env("LISTEN", "127.0.0.1:0");
        Process::start("example-in-process", &mut command, |line| {
            line.split_once("listening on ").map(|(_, url)| url.trim().to_owned())
        })
        .await
    };
    let (_process, app) = start().await;
    let at = |path: &str| format!("{app}{path}");
    let ask = |path: &str, token: &str| request(Method::GET, &at(path)).bearer_auth(token).sent();
    let body = json!({ "username": "alice", "password": PASSWORD });
    let login = post(&at("/v1/auth/login"), body).sent().await.expect(200);
    let token = login.text("access_token");
    assert_eq!(ask("/orders", &token).await.expect(200).text("owner"), "alice");
    ask("/catalogue", &token).await.expect(200);
    for path in ["/orders", "/catalogue"] {
        request(Method::GET, &at(path)).sent().await.expect(401);
        ask(path, &format!("{token}x")).await.expect(401);
    }
    ask("/v1/auth/sessions", &token).await.expect(200);
    request(Method::GET, &at("/.well-known/jwks.json")).sent().await.expect(200);

    let logout = request(Method::POST, &at("/v1/auth/logout-everywhere")).bearer_auth(&token);
    logout.sent().await.expect(204);
    ask("/orders", &token).await.expect(401);
    ask("/catalogue", &token).await.expect(200);

    // The second process opens the same file, in which the user exists.
    let (_second, second) = start().await;
    let body = json!({ "username": "alice", "password": PASSWORD });
    post(&format!("{second}/v1/auth/login"), body).sent().await.expect(200);
}

/// Validates tokens with this clock, and nothing else.
async fn validating_app(issuer: &Running, clock: &ManualClock) -> String {
    let auth = Authenticator::builder(&issuer.url, API)
        .key_source(issuer.issuer.key_source())
        .leeway(Duration::from_secs(10))
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let api = Router::new().route("/", get(async || "fine"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = protect(auth, api).into_router();
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// The lag of local validation: an ended session is accepted until its token expires, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn ended_session_is_accepted_until_its_token_expires() {
    for expiry in [900, 60] {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let clock = ManualClock::at(now);
        let issuer = issuer(Duration::from_secs(expiry), Arc::new(clock.clone())).await;
        let app = validating_app(&issuer, &clock).await;
        let token = issuer.log_in(&[]).await.text("access_token");
        let status = async || request(Method::GET, &app).bearer_auth(&token).sent().await.status;
        assert_eq!(status().await, 200);
        let logout = request(Method::POST, &issuer.at("logout-everywhere")).bearer_auth(&token);
        logout.sent().await.expect(204);
        assert_eq!(status().await, 200);
        // The API tolerates clocks that differ by 10 s.
        clock.advance(Duration::from_secs(expiry + 9));
        assert_eq!(status().await, 200, "{expiry}");
        clock.advance(Duration::from_secs(2));
        assert_eq!(status().await, 401, "{expiry}");
    }
}
