//! The client with a running issuer, and with other servers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use http::{HeaderMap, StatusCode};
use portcullis_issuer::{Issuer, IssuerConfig, NewUser};
use portcullis_issuer_client::{CallerToken, ClientError, IssuerClient};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const COOKIE: &str = "__Host-portcullis-access";

async fn login(url: &str) -> (String, String) {
    let body = json!({"username": "alice", "password": "correct horse battery staple"});
    let answer = reqwest::Client::new()
        .post(format!("{url}/v1/auth/login"))
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = answer.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("session_id"))
}

/// The token of a request to the app.
fn in_header(token: &str) -> CallerToken {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    CallerToken::from_headers(&headers).unwrap()
}

fn in_cookie(token: &str) -> CallerToken {
    let mut headers = HeaderMap::new();
    headers.insert("cookie", format!("theme=dark; {COOKIE}={token}").parse().unwrap());
    CallerToken::from_headers_or_cookie(&headers, COOKIE).unwrap()
}

#[tokio::test]
async fn caller_is_known_until_the_session_ends() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Issuer::open(IssuerConfig::new(&url, folder.path().join("db"))).await.unwrap();
    let alice = NewUser::new("alice", "correct horse battery staple").roles(["clerk"]);
    issuer.add_user(alice).await.unwrap();
    let server = issuer.clone();
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });

    let client = IssuerClient::new(&url).unwrap();
    let (phone, phone_session) = login(&url).await;
    let (laptop, laptop_session) = login(&url).await;
    // The result is the same for a token in the header and for a token in the cookie.
    for phone in [in_header(&phone), in_cookie(&phone)] {
        let me = client.me(&phone).await.unwrap();
        assert_eq!((me.name.as_str(), me.roles), ("alice", vec!["clerk".to_owned()]));
    }
    let (phone, laptop) = (in_header(&phone), in_cookie(&laptop));

    for unknown in ["", ".", "..", "../../users/me", "?", "not-a-session"] {
        let outcome = client.end_session(&laptop, unknown).await;
        assert!(matches!(outcome, Err(ClientError::NoSuchSession)), "{unknown}: {outcome:?}");
    }
    client.end_session(&laptop, &phone_session).await.unwrap();
    assert!(matches!(client.me(&phone).await, Err(ClientError::Rejected)));
    let outcome = client.end_session(&phone, &laptop_session).await;
    assert!(matches!(outcome, Err(ClientError::Rejected)), "{outcome:?}");
    assert_eq!(client.me(&laptop).await.unwrap().name, "alice");
    let forged = CallerToken::new("forged").unwrap();
    assert_eq!(client.me(&forged).await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn unreachable_issuer_is_503() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = IssuerClient::new(&url).unwrap();
    let error = client.me(&CallerToken::new("a").unwrap()).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// Responds to one request with this text, and returns the request's head.
async fn exchange(answer: &'static str) -> (Result<String, ClientError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = IssuerClient::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    };
    let caller = in_cookie("a.b.c");
    let (outcome, head) = tokio::join!(client.me(&caller), server);
    (outcome.map(|me| me.name), head)
}

#[tokio::test]
async fn cookie_token_is_sent_as_a_bearer_token() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
                  {\"id\":\"1\",\"name\":\"alice\",\"roles\":[],\"scopes\":[]}";
    let (name, head) = exchange(answer).await;
    assert_eq!(name.unwrap(), "alice");
    assert!(head.starts_with("get /v1/users/me http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer a.b.c\r\n"), "{head}");
    assert!(!head.contains("cookie"), "{head}");
}

#[tokio::test]
async fn unexpected_response_is_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>",
        "HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example\r\nconnection: close\r\n\
         content-length: 0\r\n\r\n",
    ] {
        let (outcome, _) = exchange(answer).await;
        assert_eq!(outcome.unwrap_err().status(), StatusCode::BAD_GATEWAY, "{answer}");
    }
}
