//! Passkeys in Chromium, with virtual authenticators: the options and the answers are the browser's
//! own JSON, and the browser signs the origin.

use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use portcullis_issuer::{Issuer, NewUser};
use tokio::net::TcpListener;

use crate::common::{Home, PASSWORD};
use crate::passkeys::kinds;

/// A page of the issuer's origin, and of another one.
fn page() -> Router {
    Router::new().route("/", get(async || Html("<!doctype html><title>login</title>")))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and Node: run cargo xtask test"]
async fn browser_registers_a_passkey_and_logs_in_without_a_name() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = |listener: &TcpListener| {
        format!("http://localhost:{}", listener.local_addr().unwrap().port())
    };
    let (here, there) = (origin(&listener), origin(&other));
    let mut config = home.config();
    config.issuer.clone_from(&here);
    config.audiences = Vec::new();
    config.passkey_rp_id = Some("localhost".to_owned());
    // The other origin may call the issuer, but its pages may not use passkeys.
    config.trusted_origins = vec![there.clone()];
    config.passkey_origins = vec![here.clone()];
    config.clock = std::sync::Arc::new(portcullis::clock::SystemClock::new());
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    let routes = page().merge(issuer.router());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    tokio::spawn(async move { axum::serve(other, page()).await });

    // `cargo xtask test` sets the variable to the program that it found or installed.
    let named = |name, default: &str| std::env::var_os(name).unwrap_or_else(|| default.into());
    let profile = home.path().join("profile");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/passkeys.mjs");
    let mut node = Command::new(named("PORTCULLIS_NODE", "node"));
    node.arg(script)
        .env("CHROMIUM", named("PORTCULLIS_CHROMIUM", "/usr/bin/chromium"))
        .env("PROFILE", &profile)
        .env("HERE", &here)
        .env("THERE", &there)
        .env("PASSWORD", PASSWORD);
    let output = tokio::task::spawn_blocking(move || node.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 7, "{said}");
    let kinds = kinds(&issuer).await;
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!(["passkey_registered", "passkey_cloned"].map(counted), [2, 1]);
}
