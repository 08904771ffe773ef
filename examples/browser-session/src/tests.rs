//! Runs a browser on the three hosts, on two hostile ones, and on a bad network.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use portcullis_issuer::{EventKind, Issuer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::certificates::Authority;
use crate::edge::{self, Hosts};
use crate::shop::Shop;

/// Hostile hosts: on the shop's site, and on another site.
const STRANGERS: [&str; 2] = ["blog.shop.test", "evil.test"];

/// The folder of this example.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// `cargo xtask` sets variables for the installed programs and the folder for pictures.
fn named(name: &str, default: &str) -> OsString {
    std::env::var_os(name).unwrap_or_else(|| default.into())
}

/// A script of `browser`, with the address of the hosts.
struct Script {
    command: Command,
    server: JoinHandle<()>,
}

impl Script {
    async fn new(name: &str, authority: Authority, hosts: Hosts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let trusted = BASE64_STANDARD.encode(digest(&SHA256, &authority.public_key()));
        let server =
            tokio::spawn(async move { edge::serve(listener, &authority, hosts).await.unwrap() });
        let mut command = Command::new(named("PORTCULLIS_NODE", "node"));
        command
            .arg(name)
            .current_dir(Path::new(HERE).join("browser"))
            .env("PORT", port.to_string())
            .env("AUTHORITY", trusted)
            .env("CHROMIUM", named("PORTCULLIS_CHROMIUM", "/usr/bin/chromium"))
            .kill_on_drop(true);
        Self { command, server }
    }

    /// Runs the script, which prints a line for each of its steps.
    async fn run(mut self, steps: usize) {
        let output = self.command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{said}");
        let failure = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{failure}");
        assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), steps, "{said}");
        self.server.abort();
    }
}

/// Where the scripts put pictures: the folder of `cargo xtask screenshots`, or one that is deleted.
struct Pictures {
    named: Option<PathBuf>,
    temporary: TempDir,
}

impl Pictures {
    fn new() -> Self {
        let named = std::env::var_os("PORTCULLIS_PICTURES").map(PathBuf::from);
        Self { named, temporary: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> &Path {
        self.named.as_deref().unwrap_or_else(|| self.temporary.path())
    }
}

/// The hostile hosts.
fn strangers() -> Hosts {
    let page = Router::new().route("/", get(async || Html("<title>hostile</title><body>")));
    STRANGERS.map(|host| (host.to_owned(), page.clone())).into()
}

async fn assert_no_event(issuer: &Issuer, kinds: &[EventKind]) {
    for event in issuer.events(0, 1000).await.unwrap() {
        assert!(kinds.iter().all(|kind| kind.as_str() != event.kind), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium, Node 20 and npm packages: run `cargo xtask test`"]
async fn session_works_across_hosts_and_is_safe_from_hostile_pages() {
    let authority = Authority::new().unwrap();
    let shop = Shop::open("shop.test", "", Duration::from_secs(600)).await.unwrap();
    let brief = Shop::open("brief.test", "", Duration::from_secs(5)).await.unwrap();
    let mut hosts = shop.hosts();
    hosts.extend(brief.hosts());
    hosts.extend(strangers());
    let pictures = Pictures::new();
    let mut script = Script::new("page.mjs", authority, hosts).await;
    script.command.env("PICTURES", pictures.folder());
    script.run(15).await;
    for picture in ["orders", "orders-dark", "orders-phone", "orders-phone-dark"] {
        let picture = pictures.folder().join(format!("browser-session-{picture}.png"));
        assert!(picture.metadata().unwrap().len() > 5_000, "{}", picture.display());
    }

    // The issuer's audit log has no concurrent refreshes.
    for issuer in [&shop.issuer, &brief.issuer] {
        assert_no_event(issuer, &[EventKind::RefreshRepeated, EventKind::RefreshReused]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium, Node 20 and npm packages: run `cargo xtask test`"]
async fn passkeys_log_in_across_hosts_and_stolen_ones_are_refused() {
    let authority = Authority::new().unwrap();
    let shop = Shop::open("shop.test", "", Duration::from_secs(600)).await.unwrap();
    let mut hosts = shop.hosts();
    hosts.extend(strangers());
    let pictures = Pictures::new();
    let mut script = Script::new("passkeys.mjs", authority, hosts).await;
    script.command.env("PICTURES", pictures.folder()).env("ISSUER", shop.inside.to_string());
    script.run(10).await;

    let events = shop.issuer.events(0, 1000).await.unwrap();
    let count = |kind: EventKind| events.iter().filter(|event| event.kind == kind.as_str()).count();
    // Refused: the removed passkey, and the answer from another origin.
    for (kind, expected) in [
        (EventKind::PasskeyRegistered, 2),
        (EventKind::PasskeyRemoved, 1),
        (EventKind::PasskeyCloned, 2),
        (EventKind::PasskeyRefused, 2),
    ] {
        assert_eq!(count(kind), expected, "{}", kind.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium, Node 20 and npm packages: run `cargo xtask test`"]
async fn tabs_and_a_service_worker_refresh_once_on_a_bad_network() {
    let authority = Authority::new().unwrap();
    let shop = Shop::open("shop.test", "", Duration::from_secs(600)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.pem_of(vec!["auth.shop.test".to_owned()]).unwrap();
    let files = [("certificate.pem", certificate), ("key.pem", key)];
    let [certificate, key] = files.map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    });

    let mut hosts = shop.hosts();
    let app = hosts.remove("app.shop.test").unwrap();
    hosts.insert("app.shop.test".to_owned(), app.route("/lab/{*path}", get(lab)));
    let mut script = Script::new("rounds.mjs", authority, hosts).await;
    script
        .command
        .env("ISSUER", shop.inside.to_string())
        .env("CERTIFICATE", certificate)
        .env("KEY", key);
    script.run(3).await;
    // Lost requests were repeated at once, and no token was used by two contexts.
    assert_no_event(
        &shop.issuer,
        &[EventKind::RefreshRepeated, EventKind::RefreshReused, EventKind::RefreshDiverged],
    )
    .await;
}

/// Serves the pages of `browser/lab`, and the built package.
async fn lab(extract::Path(path): extract::Path<String>) -> Response {
    let folder = Path::new(HERE);
    let file = match path.strip_prefix("portcullis/") {
        Some(module) => folder.join("../../packages/browser/dist").join(module),
        None => folder.join("browser/lab").join(&path),
    };
    let kind = if path.ends_with(".js") { "text/javascript" } else { "text/html" };
    match std::fs::read(&file) {
        Ok(text) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => {
            (StatusCode::NOT_FOUND, format!("{}: {error}", file.display())).into_response()
        }
    }
}
