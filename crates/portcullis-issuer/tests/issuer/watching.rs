//! Observability: metrics, spans and readiness.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use metrics_util::debugging::DebuggingRecorder;
use portcullis_issuer::{Delivery, Error, Issuer, Message, NewClient, NewUser, Notifier};
use serde_json::json;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::clients::{active, basic};
use crate::common::{Home, PASSWORD, call, login, post, refresh, send, with_token};
use crate::process::{HttpClient, Running, program, request, run, wait_for};

const DOCUMENTATION: &str = include_str!("../../src/lib.rs");

/// A notifier that delivers nothing.
#[derive(Debug)]
struct Unreachable;

impl Notifier for Unreachable {
    fn deliver(&self, _: Message) -> Delivery<'_> {
        Box::pin(async { Err("unreachable".into()) })
    }
}

/// Returns `name{label=value,…}` of each metric that logins, refreshes and rejected requests
/// record.
fn recorded() -> BTreeSet<String> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::new();
            let mut config = home.config();
            config.notifier = Some(Arc::new(Unreachable));
            let issuer = Issuer::open(config).await.unwrap();
            issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
            let none: [&str; 0] = [];
            let invited = issuer.invite_user("bob", "bob@example.com", none, none).await;
            assert!(matches!(invited, Err(Error::NotDelivered { .. })), "{invited:?}");
            let other = NewClient::new("other").resource_servers(["https://other.example"]);
            let other = basic("other", &issuer.add_client(other).await.unwrap().unwrap());
            let grant = login(&issuer).await.expect(200);
            for token in [&*grant.text("access_token"), "a.b.c"] {
                let answer = active(&issuer, &other, token).await;
                assert_eq!(answer, json!({ "active": false }));
            }
            let wrong = json!({ "username": "alice", "password": "hunter2" });
            post(&issuer, "/v1/auth/login", &wrong).await.expect(401);
            let token = grant.text("refresh_token");
            for (wait, status) in [(0, 200), (0, 200), (60, 401)] {
                home.advance(wait);
                refresh(&issuer, &token).await.expect(status);
            }
            refresh(&issuer, "made up").await.expect(401);
            let request = Request::post("/oauth/token")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from("client_id=made-up&client_secret=hunter2"));
            assert_eq!(send(&issuer, request.unwrap()).await.status, 401);
            with_token(&issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(401);
        });
    });
    snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, ..)| {
            let labels = key.key().labels().map(|it| format!("{}={}", it.key(), it.value()));
            format!("{}{{{}}}", key.key().name(), labels.collect::<Vec<_>>().join(","))
        })
        .collect()
}

#[test]
fn recorded_metrics_are_documented_and_have_no_user_data() {
    let recorded = recorded();
    for expected in [
        "portcullis_issuer_events_total{kind=user_added}",
        "portcullis_issuer_events_total{kind=login}",
        "portcullis_issuer_events_total{kind=login_failed}",
        "portcullis_issuer_events_total{kind=refresh_reused}",
        "portcullis_issuer_refreshes_total{outcome=rotated}",
        "portcullis_issuer_refreshes_total{outcome=repeated}",
        "portcullis_issuer_refreshes_total{outcome=reused}",
        "portcullis_issuer_refreshes_total{outcome=refused}",
        "portcullis_issuer_tokens_issued_total{algorithm=ES256}",
        "portcullis_issuer_introspections_total{outcome=foreign}",
        "portcullis_issuer_introspections_total{outcome=inactive}",
        "portcullis_issuer_refusals_total{problem=wrong-credentials}",
        "portcullis_issuer_refusals_total{problem=session-over}",
        "portcullis_issuer_refusals_total{problem=invalid_client}",
        "portcullis_issuer_messages_total{outcome=failed}",
        "portcullis_issuer_keys{state=active}",
        "portcullis_issuer_store_seconds{operation=rotate_refresh,outcome=ok}",
    ] {
        assert!(recorded.contains(expected), "no {expected} in {recorded:#?}");
    }
    let all = format!("{recorded:?}");
    for secret in ["alice", "bob", "hunter2", "made up"] {
        assert!(!all.contains(secret), "{all}");
    }
    let names: BTreeSet<&str> = recorded
        .iter()
        .filter_map(|metric| metric.split('{').next())
        .filter(|name| name.starts_with("portcullis_issuer_"))
        .collect();
    let table: BTreeSet<&str> = DOCUMENTATION
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.split('`').next())
        .filter(|name| name.starts_with("portcullis_issuer_"))
        .collect();
    assert_eq!(names, table);
}

/// A writer that keeps the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn of_this_thread() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn request_span_has_the_route_and_the_status() {
    let (log, _kept) = Log::of_this_thread();
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    call(&issuer, "DELETE /v1/auth/sessions/hunter2", &[("traceparent", PARENT)]).await.expect(401);
    call(&issuer, "GET /healthz", &[("traceparent", "x\tinjected")]).await.expect(200);
    let told = log.text();
    for field in [
        "otel.name=DELETE /v1/auth/sessions/{id} otel.kind=\"server\"",
        "http.request.method=\"DELETE\" http.route=\"/v1/auth/sessions/{id}\"",
        "http.response.status_code=401",
        "http.response.status_code=200",
        &format!("traceparent=\"{PARENT}\""),
    ] {
        assert!(told.contains(field), "no {field} in {told}");
    }
    assert!(!told.contains("hunter2") && !told.contains("injected"), "{told}");
}

#[tokio::test]
async fn client_that_introspects_tokens_of_others_is_logged_once_an_hour() {
    let (log, _kept) = Log::of_this_thread();
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let other = NewClient::new("other").resource_servers(["https://other.example"]);
    let other = basic("other", &issuer.add_client(other).await.unwrap().unwrap());
    for expected in [1, 2] {
        let grant = login(&issuer).await.expect(200);
        for token in ["access_token", "refresh_token", "access_token"] {
            let answer = active(&issuer, &other, &grant.text(token)).await;
            assert_eq!(answer, json!({ "active": false }), "the answer gives no reason");
        }
        let told = log.text();
        let warning = "introspected token reported as inactive";
        assert_eq!(told.matches(warning).count(), expected, "{told}");
        assert!(
            told.contains("client_id=\"other\"") && told.contains("resource servers"),
            "{told}"
        );
        home.advance(3600);
    }
}

/// Clients that reach the issuer past its proxy must not fill the log.
#[tokio::test]
async fn an_unusable_client_address_is_logged_once() {
    let (log, _kept) = Log::of_this_thread();
    let home = Home::new();
    let mut config = home.config();
    config.client_address_header = Some("x-forwarded-for".parse().unwrap());
    let issuer = Issuer::open(config).await.unwrap();
    for _ in 0..3 {
        let body = json!({ "username": "unknown", "password": "wrong" });
        post(&issuer, "/v1/auth/login", &body).await.expect(401);
    }
    let told = log.text();
    assert_eq!(told.matches("no usable client address").count(), 1, "{told}");
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A process with the probes of a load balancer, a scrape by Prometheus and a stop by SIGTERM.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn stopping_process_is_not_ready_before_it_stops_listening() {
    let home = Home::new();
    let (address, metrics) = (free(), free());
    let url = format!("http://{address}");
    let settings = [
        ("IDENTSPHERE_ISSUER", url.as_str()),
        ("IDENTSPHERE_LISTEN", &address),
        ("IDENTSPHERE_METRICS_LISTEN", &metrics),
        ("IDENTSPHERE_SHUTDOWN_DELAY_SECS", "300"),
    ];
    let added = ["users", "add", "alice", "--password-stdin"];
    assert!(run(home.path(), &settings, &added, &format!("{PASSWORD}\n")).status.success());
    let mut command = program(home.path(), &settings, &["serve"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    wait_for(&address);
    let client = HttpClient::of(&url);
    assert_eq!(client.login().await.unwrap().0, 200);
    assert_eq!(client.get("/readyz").await.unwrap().0, 200);

    let scraped = request(&metrics, "GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    for line in [
        "portcullis_issuer_events_total{kind=\"login\"} 1\n",
        "portcullis_issuer_leader 1\n",
        "portcullis_issuer_keys{state=\"active\"} 1\n",
        "# TYPE portcullis_issuer_store_seconds histogram\n",
    ] {
        assert!(scraped.contains(line), "no {line} in {scraped}");
    }
    assert!(!scraped.contains("alice"), "{scraped}");
    assert_eq!(client.get("/metrics").await.unwrap().0, 404, "not on this listener");

    let told = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    let deadline = Instant::now() + Duration::from_secs(60);
    let refused = loop {
        match client.get("/readyz").await.unwrap() {
            (200, _) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => break other,
        }
    };
    assert_eq!((refused.0, &refused.1["detail"]), (503, &json!("The issuer is stopping.")));
    assert_eq!(client.get("/healthz").await.unwrap().0, 200);
    assert_eq!(client.login().await.unwrap().0, 200, "new clients are still served");
}
