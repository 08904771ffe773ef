//! A framework without an adapter, here warp: pass the headers to a gate, and convert a rejection into
//! the response.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use portcullis::{Authenticator, Gate, Policy, Refusal};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use warp::http::HeaderMap;
use warp::reply::{Reply, Response, json};
use warp::{Filter, header, path};

#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

async fn list(gate: Gate, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = gate.authenticate(&headers).await?; // rejects a missing token, too
    who.require(&Policy::scopes(["orders:read"]))?;
    let User { sub } = who.claims()?;
    Ok(json(&Orders { owner: sub, orders: vec![17, 4] }).into_response())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let gate = Gate::new(Authenticator::from_env().await?);

    let orders = warp::get().and(path!("orders")).and(header::headers_cloned());
    let orders = orders.then(move |headers| {
        let listed = list(gate.clone(), headers);
        async {
            listed.await.unwrap_or_else(|refusal| refusal.into_response::<String>().into_response())
        }
    });
    let health = path!("health").map(|| "fine");

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    warp::serve(health.or(orders)).incoming(listener).run().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let ansi = stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
