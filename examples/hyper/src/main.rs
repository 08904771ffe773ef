//! A hyper API that validates tokens locally, on HTTP/1.1 and HTTP/2.
//!
//! ```sh
//! export PORTCULLIS_ISSUER=https://auth.example PORTCULLIS_AUDIENCE=https://api.example
//! cargo run -p example-hyper
//! ```
//!
//! Every other `PORTCULLIS_*` setting applies, too. `LISTEN` sets the address to listen on, and
//! `RUST_LOG=portcullis=debug` logs why a token is rejected.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portcullis_hyper::portcullis::{Authenticator, Policy, Refusal};
use portcullis_hyper::{AuthService, RequireService, caller};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

type Answer = Response<Full<Bytes>>;

/// The claims that this API needs, as a type of its own.
#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

fn list<B>(request: &Request<B>) -> Result<Answer, Refusal> {
    let User { sub } = caller(request)?.claims()?;
    let orders = Orders { owner: sub, orders: vec![17, 4] };
    Ok(match serde_json::to_vec(&orders) {
        Ok(json) => {
            let mut answer = Response::new(Full::from(json));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    })
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let auth = Authenticator::from_env().await?;

    let orders = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(list(&request).unwrap_or_else(Refusal::into_response))
    });
    let read = RequireService::new(Policy::scopes(["orders:read"]), orders);
    let api = AuthService::new(auth, read);
    let app = service_fn(move |request: Request<Incoming>| {
        let api = api.clone();
        async move {
            match (request.method(), request.uri().path()) {
                (&Method::GET, "/orders") => api.call(request).await,
                (&Method::GET, "/health") => Ok(Response::new(Full::from("fine"))),
                _ => Ok(status(StatusCode::NOT_FOUND)),
            }
        }
    });

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("error: {error}");
                // The error may be too many open files: wait until connections close.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let app = app.clone();
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = builder.serve_connection(TokioIo::new(stream), app).await {
                eprintln!("error: {error}");
            }
        });
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let (filter, tty) = (tracing_subscriber::EnvFilter::from_default_env(), stderr().is_terminal());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(tty).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}
