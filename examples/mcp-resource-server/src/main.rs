//! An MCP server (Model Context Protocol, over HTTP) whose clients discover its issuer.
//! `protected_resource` publishes the metadata of RFC 9728 and adds its URL to every challenge, as
//! the protocol's authorization requires.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router, http::StatusCode};
use portcullis_axum::portcullis::{Authenticator, Policy};
use portcullis_axum::{Caller, Rejection, protect};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A JSON-RPC 2.0 message. A notification has no `id`.
#[derive(Deserialize)]
struct Message {
    id: Option<Value>,
    method: String,
    #[serde(default)]
    params: Value,
}

async fn mcp(
    Caller(who): Caller,
    Json(Message { id, method, params }): Json<Message>,
) -> Result<Response, Rejection> {
    let Some(id) = id else { return Ok(StatusCode::ACCEPTED.into_response()) };
    let result = match method.as_str() {
        "initialize" => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "orders", "version": env!("CARGO_PKG_VERSION")},
        }),
        "ping" => json!({}),
        "tools/list" => json!({"tools": [{
            "name": "list_orders",
            "description": "The caller's orders",
            "inputSchema": {"type": "object"},
        }]}),
        "tools/call" if params.get("name").is_some_and(|name| name == "list_orders") => {
            // The tool's own policy. The challenge of its rejection names the missing scope.
            who.require(&Policy::scopes(["orders:read"]))?;
            let text = format!("{}: 17, 4", who.subject().unwrap_or_default());
            json!({"content": [{"type": "text", "text": text}]})
        }
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            return Ok(Json(json!({"jsonrpc": "2.0", "id": id, "error": error})).into_response());
        }
    };
    Ok(Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    // This server's URL is the required audience of tokens (RFC 8707).
    let resource = format!("http://{}/mcp", listener.local_addr()?);

    let issuer = std::env::var("PORTCULLIS_ISSUER").map_err(|_| "PORTCULLIS_ISSUER must be set")?;
    let auth =
        Authenticator::builder(issuer, &resource).protected_resource(&resource).build().await?;

    let app: Router = protect(auth, Router::new().route("/mcp", post(mcp))).into();
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
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
