//! The thin proxy in an axum app, in front of a recorded issuer.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use portcullis_sidecar::ThinProxy;
use tokio::net::TcpListener;

use crate::app::{App, ask, lines, send};

const LOGGED_IN: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\
                         Set-Cookie: __Host-portcullis-access=a; Path=/; Secure; HttpOnly\r\n\
                         Set-Cookie: __Secure-portcullis-refresh=r; Path=/v1/auth; Secure\r\n\r\n{}";

fn app(issuer: SocketAddr) -> Router {
    let auth = ThinProxy::new(&format!("http://{issuer}")).unwrap();
    let auth = auth.mount("/auth", "/v1/auth").unwrap().mount("/me/", "/v1/users").unwrap();
    Router::new().route("/", get(async || "the app")).merge(auth.into_router())
}

async fn serve(issuer: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let app = app(issuer).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    at
}

#[tokio::test]
async fn login_reaches_the_issuer_with_the_clients_address_and_cookies_come_back() {
    let issuer = App::answering(LOGGED_IN).await;
    let at = serve(issuer.at).await;
    let answer = send(
        at,
        "POST /auth/login?x=1 HTTP/1.1\r\nHost: app.example\r\nContent-Type: application/json\r\n\
         X-Forwarded-For: 1.2.3.4\r\nCookie: __Secure-portcullis-refresh=old\r\n\
         Authorization: Bearer t\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    )
    .await;
    assert_eq!((answer.status, &*answer.body), (200, "{}"));
    assert!(
        answer.head.contains("set-cookie: __secure-portcullis-refresh=r; path=/auth; secure"),
        "{answer:?}"
    );
    assert!(
        answer.head.contains("set-cookie: __host-portcullis-access=a; path=/; secure"),
        "{answer:?}"
    );
    let seen = issuer.take();
    assert!(seen[0].starts_with("POST /v1/auth/login?x=1 HTTP/1.1\r\n"), "{seen:?}");
    assert!(seen[0].ends_with("\r\n\r\n{}"), "{seen:?}");
    let expected = [
        "authorization: Bearer t",
        "content-length: 2",
        "content-type: application/json",
        "cookie: __Secure-portcullis-refresh=old",
        "host: app.example",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: app.example",
        "x-forwarded-proto: http",
    ];
    assert_eq!(lines(&seen[0]), expected);
    assert_eq!(ask(at, "GET /me/me").await.status, 200);
    assert!(issuer.take()[0].starts_with("GET /v1/users/me HTTP/1.1\r\n"));
}

#[tokio::test]
async fn only_mounted_paths_reach_the_issuer() {
    let issuer = App::answering(LOGGED_IN).await;
    let at = serve(issuer.at).await;
    for (path, status) in [
        ("/", 200),
        ("/auth", 404),
        ("/v1/auth/login", 404),
        ("/auth/../v1/admin/users", 400),
        ("/auth/%2e%2e/admin/users", 400),
        ("/auth/..%2fadmin/users", 400),
        ("/auth//admin", 400),
    ] {
        let answer = ask(at, &format!("GET {path}")).await;
        assert_eq!((answer.status, issuer.take().len()), (status, 0), "{path}");
    }
}

#[tokio::test]
async fn app_that_does_not_know_the_clients_address_is_500() {
    let issuer = App::answering(LOGGED_IN).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let app = app(issuer.at);
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(ask(at, "POST /auth/login").await.status, 500);
    assert!(issuer.take().is_empty());
}
