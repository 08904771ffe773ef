//! Measures the issuer's cost of a refresh. The requests go to the issuer's router, without a
//! socket.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use portcullis_bench_issuer::{PASSWORD, cpu_of};
use portcullis_benches::measure::{Measured, note, report};
use portcullis_issuer::Issuer;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::services::open;

/// The group under which `cargo xtask bench` lists these figures.
const GROUP: &str = "issuer, one refresh";

const FOR: Duration = Duration::from_secs(8);
const SESSIONS: usize = 8;

pub(crate) async fn of_every_store(postgres: Option<&str>) {
    let mut measured = vec![one("SQLite", &open("http://127.0.0.1:1", None).await).await];
    if let Some(postgres) = postgres {
        let schema = format!("{postgres}?options=-c%20search_path=refreshes");
        super::services::make_schema(postgres, "refreshes").await;
        measured.push(one("PostgreSQL", &open("http://127.0.0.1:1", Some(&schema)).await).await);
    }
    report(GROUP, &measured);
}

/// Measures the refreshes of one session, one after another, and those of several sessions
/// concurrently.
async fn one(name: &str, issuer: &Issuer) -> Measured {
    let mut times = Measured::new(format!("{name}, one after another"));
    let mut token = log_in(issuer).await;
    let begun = Instant::now();
    while begun.elapsed() < FOR / 2 {
        let asked = Instant::now();
        token = refresh(issuer, &token).await;
        times.rounds.push(asked.elapsed().as_secs_f64() * 1e9);
    }
    // All sessions log in before the first refresh, because a login costs as much as many
    // refreshes.
    let mut tokens = Vec::new();
    for _ in 0..SESSIONS {
        tokens.push(log_in(issuer).await);
    }
    let (before, begun) = (cpu_of("self"), Instant::now());
    let mut tasks = JoinSet::new();
    for mut token in tokens {
        let issuer = issuer.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() < FOR {
                let asked = Instant::now();
                token = refresh(&issuer, &token).await;
                times.push(asked.elapsed().as_secs_f64() * 1e6);
            }
            times
        });
    }
    let mut at_once: Vec<f64> = tasks.join_all().await.concat();
    let (cpu, secs) = (cpu_of("self") - before, begun.elapsed().as_secs_f64());
    at_once.sort_by(f64::total_cmp);
    let of = |percent| at_once.get(at_once.len() * percent / 100).copied().unwrap_or_default();
    note(
        GROUP,
        &format!(
            "{name}: {:.0} refreshes a second by one process, of {SESSIONS} sessions at once, half of them within {:.0} µs and 99 of 100 within {:.0} µs; {:.0} µs of its processor time for each.",
            at_once.len() as f64 / secs,
            of(50),
            of(99),
            cpu / at_once.len() as f64 * 1e6,
        ),
    );
    times
}

async fn log_in(issuer: &Issuer) -> String {
    let body = json!({"username": "alice", "password": PASSWORD});
    next(&call(issuer, "/v1/auth/login", &body).await)
}

async fn refresh(issuer: &Issuer, token: &str) -> String {
    next(&call(issuer, "/v1/auth/refresh", &json!({"refresh_token": token})).await)
}

fn next(answer: &Value) -> String {
    answer["refresh_token"].as_str().unwrap().to_owned()
}

pub(crate) async fn call(issuer: &Issuer, path: &str, body: &Value) -> Value {
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let answer = issuer.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&answer).unwrap()
}
