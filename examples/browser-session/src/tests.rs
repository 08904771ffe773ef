//! Runs a browser on the three hosts, and on two hostile ones.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use portcullis_issuer::EventKind;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::certificates::Authority;
use crate::edge;
use crate::shop::Shop;

/// Hostile hosts: on the shop's site, and on another site.
const STRANGERS: [&str; 2] = ["blog.shop.test", "evil.test"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium, Node 20 and the npm package playwright-core: run `cargo xtask test`"]
async fn session_works_across_hosts_and_is_safe_from_hostile_pages() {
    let authority = Authority::new().unwrap();
    let shop = Shop::open("shop.test", "", Duration::from_secs(600)).await.unwrap();
    let brief = Shop::open("brief.test", "", Duration::from_secs(5)).await.unwrap();
    let mut hosts = shop.hosts();
    hosts.extend(brief.hosts());
    let page = Router::new().route("/", get(async || Html("<title>hostile</title><body>")));
    hosts.extend(STRANGERS.map(|host| (host.to_owned(), page.clone())));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let trusted = BASE64_STANDARD.encode(digest(&SHA256, &authority.public_key()));
    let server =
        tokio::spawn(async move { edge::serve(listener, &authority, hosts).await.unwrap() });

    // `cargo xtask` sets variables for the installed programs and the folder for pictures.
    let named = |name, default: &str| std::env::var_os(name).unwrap_or_else(|| default.into());
    let folder = tempfile::tempdir().unwrap();
    let pictures = std::env::var_os("PORTCULLIS_PICTURES").map(PathBuf::from);
    let pictures = pictures.unwrap_or_else(|| folder.path().to_owned());
    let output = Command::new(named("PORTCULLIS_NODE", "node"))
        .arg("test.mjs")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser"))
        .env("PORT", port.to_string())
        .env("AUTHORITY", trusted)
        .env("CHROMIUM", named("PORTCULLIS_CHROMIUM", "/usr/bin/chromium"))
        .env("PICTURES", &pictures)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let failure = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failure}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 9, "{said}");
    for picture in ["browser-session.png", "browser-session-phone.png"] {
        assert!(pictures.join(picture).metadata().unwrap().len() > 5_000, "{picture}");
    }

    // The issuer's audit log has no concurrent refreshes.
    for issuer in [&shop.issuer, &brief.issuer] {
        for event in issuer.events(0, 1000).await.unwrap() {
            let collisions = [EventKind::RefreshRepeated, EventKind::RefreshReused];
            assert!(collisions.iter().all(|kind| kind.as_str() != event.kind), "{event:?}");
        }
    }
    server.abort();
}
