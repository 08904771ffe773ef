//! An axum API that validates tokens locally, and asks the issuer where the answer must be the
//! latest: who the caller is now, and to end a session. It asks with the caller's own token.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is how a program speaks")]

use std::error::Error;
use std::process::ExitCode;

use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tollgate_axum::tollgate::{Authenticator, Policy};
use tollgate_axum::{Claims, RequireLayer, protect};
use tollgate_issuer::{ClientError, IssuerClient};

#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

#[derive(Serialize)]
struct Profile {
    name: String,
    scopes: Vec<String>,
}

/// No call to the issuer.
async fn list(Claims(user): Claims<User>) -> Json<Orders> {
    Json(Orders { owner: user.sub, orders: vec![17, 4] })
}

/// One call: a session that is over is over here at once.
async fn me(
    State(issuer): State<IssuerClient>,
    headers: HeaderMap,
) -> Result<Json<Profile>, Failed> {
    let me = issuer.me(caller(&headers)?).await?;
    Ok(Json(Profile { name: me.name, scopes: me.scopes }))
}

/// One call: the session's refresh token is dead at once, its access token when it expires.
async fn log_out(
    State(issuer): State<IssuerClient>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Failed> {
    issuer.end_session(caller(&headers)?, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the layer has accepted; the header is the only place for a token here.
fn caller(headers: &HeaderMap) -> Result<&HeaderValue, ClientError> {
    headers.get(AUTHORIZATION).ok_or(ClientError::Refused)
}

/// Why the issuer did not do it, as an answer.
struct Failed(ClientError);

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let challenge = matches!(self.0, ClientError::Refused)
            .then_some([(WWW_AUTHENTICATE, r#"Bearer realm="api", error="invalid_token""#)]);
        (self.0.status(), challenge, self.0.to_string()).into_response()
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let auth = Authenticator::from_env().await?;
    let issuer = std::env::var("TOLLGATE_ISSUER").map_err(|_| "TOLLGATE_ISSUER must be set")?;

    let read = RequireLayer::new(Policy::scopes(["orders:read"]));
    let api = Router::new()
        .route("/orders", get(list).route_layer(read))
        .route("/me", get(me))
        .route("/sessions/{id}", delete(log_out));
    let app = protect(auth, api).into_router().with_state(IssuerClient::new(&issuer)?);

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
