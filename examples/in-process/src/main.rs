//! An axum app that is also its own issuer: one process, and one SQLite file.
//!
//! `/orders` looks the caller's session up in the database for each request. `/catalogue` validates
//! the token with the issuer's keys in memory, and needs neither the database nor HTTP.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use axum::routing::get;
use axum::{Json, Router};
use portcullis_axum::portcullis::{Authenticator, Policy};
use portcullis_axum::{Claims, RequireLayer, protect};
use portcullis_issuer::{Error as IssuerError, Issuer, IssuerConfig, LiveSession, NewUser};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// The audience of the routes that validate tokens without the database.
const API: &str = "https://api.example";

#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

/// Knows the user's current name, roles and scopes, since the session was read from the database.
async fn orders(live: LiveSession) -> Json<Orders> {
    Json(Orders { owner: live.user().name.clone(), orders: vec![17, 4] })
}

/// Knows the token's claims only. The token of an ended session is accepted until it expires.
async fn catalogue(Claims(user): Claims<User>) -> String {
    format!("the catalogue for {}\n", user.sub)
}

async fn open(folder: PathBuf, url: &str) -> Result<Issuer, IssuerError> {
    let mut config = IssuerConfig::new(url, folder.join("issuer.db"));
    config.audiences = vec![API.to_owned()];
    let issuer = Issuer::open(config).await?;
    let alice = NewUser::new("alice", "correct horse battery staple").scopes(["orders:read"]);
    match issuer.add_user(alice).await {
        // The database is from an earlier run.
        Ok(_) | Err(IssuerError::UserExists { .. }) => Ok(issuer),
        Err(error) => Err(error),
    }
}

async fn app(issuer: &Issuer, url: &str) -> Result<Router, Box<dyn Error>> {
    let read = RequireLayer::new(Policy::scopes(["orders:read"]));
    let live = Router::new().route("/orders", get(orders).route_layer(read));
    // The keys are the issuer's own: a rotation is effective at once.
    let keys = issuer.key_source();
    let auth = Authenticator::builder(url, API).key_source(keys).build().await?;
    let local = Router::new().route("/catalogue", get(catalogue));
    Ok(issuer.router().merge(issuer.protect(live)).merge(protect(auth, local)))
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("missing argument: a folder for the database")?;
    std::fs::create_dir_all(&folder)?;
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen).await;
    let listener = listener.map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);

    let issuer = open(folder, &url).await?;
    // The issuer limits login attempts by the client's address.
    let app = app(&issuer, &url).await?.into_make_service_with_connect_info::<SocketAddr>();
    println!("listening on {url}");
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    issuer.close().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let (filter, tty) = (tracing_subscriber::EnvFilter::from_default_env(), stderr().is_terminal());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(tty).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
