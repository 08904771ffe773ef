//! CORS and cross-site checks: which pages may call the issuer with its cookies.
//! `examples/browser-session` tests this with a real browser.

use axum::body::Body;
use axum::http::Request;
use portcullis_issuer::{Issuer, NewUser};
use serde_json::json;

use crate::common::{Answer, Home, ISSUER, PASSWORD, call, login, send};

const APP: &str = "https://app.example.com";
/// An untrusted origin of the same site: browsers send the issuer's cookies with its requests.
const SIBLING: &str = "https://blog.example.com";
const EVIL: &str = "https://evil.example";

async fn issuer_for_the_app(home: &Home) -> Issuer {
    let mut config = home.config();
    config.trusted_origins = vec![APP.to_owned()];
    config.cookie_domain = Some("example.com".to_owned());
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    issuer
}

async fn login_from(issuer: &Issuer, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "username": "alice", "password": PASSWORD }).to_string();
    let mut request = Request::post("/v1/auth/login").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(issuer, request.body(Body::from(body)).unwrap()).await
}

/// Sends the preflight request of a page with this origin.
async fn preflight(issuer: &Issuer, origin: &str, method: &str, path: &str) -> Answer {
    let asked = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "content-type"),
    ];
    call(issuer, &format!("OPTIONS {path}"), &asked).await.expect(200)
}

#[tokio::test]
async fn preflight_is_allowed_for_trusted_origins_only() {
    let home = Home::new();
    let issuer = issuer_for_the_app(&home).await;
    for (method, path) in [
        ("POST", "/v1/auth/login"),
        ("POST", "/v1/auth/refresh"),
        ("GET", "/v1/users/me"),
        ("DELETE", "/v1/auth/sessions/1"),
    ] {
        let allowed = preflight(&issuer, APP, method, path).await;
        assert_eq!(allowed.header("access-control-allow-origin"), APP);
        assert_eq!(allowed.header("access-control-allow-credentials"), "true");
        assert!(allowed.header("access-control-allow-methods").contains(method), "{allowed:?}");
        assert!(allowed.header("access-control-allow-headers").contains("content-type"));
        for origin in
            [SIBLING, EVIL, "null", "http://app.example.com", "https://app.example.com:8443"]
        {
            let refused = preflight(&issuer, origin, method, path).await;
            assert!(!refused.headers.contains_key("access-control-allow-origin"), "{refused:?}");
            // A cache must not serve the response for one origin to another origin.
            let vary: Vec<_> = refused.headers.get_all("vary").iter().collect();
            assert!(format!("{vary:?}").contains("origin"), "{vary:?}");
        }
    }
}

#[tokio::test]
async fn no_origin_is_trusted_by_default() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let asked = [("origin", APP), ("access-control-request-method", "POST")];
    let refused = call(&issuer, "OPTIONS /v1/auth/refresh", &asked).await.expect(405);
    assert!(!refused.headers.contains_key("access-control-allow-origin"), "{refused:?}");
    let answer = call(&issuer, "GET /.well-known/jwks.json", &[("origin", APP)]).await.expect(200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
    login_from(&issuer, &[("origin", APP), ("sec-fetch-site", "same-site")]).await.expect(403);
}

#[tokio::test]
async fn only_trusted_pages_may_use_the_cookies() {
    let home = Home::new();
    let issuer = issuer_for_the_app(&home).await;
    let app = [("origin", APP), ("sec-fetch-site", "same-site")];
    let sibling = [("origin", SIBLING), ("sec-fetch-site", "same-site")];
    let evil = [("origin", EVIL), ("sec-fetch-site", "cross-site")];
    let sandbox = [("origin", "null"), ("sec-fetch-site", "cross-site")];

    for stranger in [sibling, evil, sandbox] {
        let refused = login_from(&issuer, &stranger).await.expect(403);
        assert!(!refused.headers.contains_key("set-cookie"), "{refused:?}");
    }
    let entered = login_from(&issuer, &app).await.expect(200);
    assert_eq!(entered.header("access-control-allow-origin"), APP);
    assert_eq!(entered.header("access-control-allow-credentials"), "true");
    let access = entered.cookie("__Secure-portcullis-access").unwrap();
    let refresh = entered.cookie("__Secure-portcullis-refresh").unwrap();
    let session = entered.text("session_id");
    let host = entered.cookie("__Host-portcullis-session").unwrap();
    let cookies = format!(
        "__Secure-portcullis-access={access}; __Secure-portcullis-refresh={refresh}; \
         __Host-portcullis-session={host}"
    );

    let mut with_cookies: Vec<(&str, &str)> = vec![("cookie", &cookies)];
    let end = format!("DELETE /v1/auth/sessions/{session}");
    for stranger in [sibling, evil, sandbox] {
        with_cookies.truncate(1);
        with_cookies.extend(stranger);
        for line in [
            "POST /v1/auth/refresh",
            "POST /v1/auth/logout",
            "POST /v1/auth/logout-everywhere",
            &end,
        ] {
            call(&issuer, line, &with_cookies).await.expect(403);
        }
        // The issuer answers, but the browser does not let the page read the response.
        let read = call(&issuer, "GET /v1/auth/sessions", &with_cookies).await.expect(200);
        assert!(!read.headers.contains_key("access-control-allow-origin"), "{read:?}");
    }
    with_cookies.truncate(1);
    with_cookies.extend(app);
    let read = call(&issuer, "GET /v1/auth/sessions", &with_cookies).await.expect(200);
    assert_eq!(read.header("access-control-allow-origin"), APP);
    call(&issuer, &end, &with_cookies).await.expect(204);
}

/// An injected script could steal every token that the page can read.
#[tokio::test]
async fn responses_to_pages_do_not_contain_the_refresh_token() {
    let home = Home::new();
    let issuer = issuer_for_the_app(&home).await;
    for origin in [APP, ISSUER] {
        let entered = login_from(&issuer, &[("origin", origin)]).await.expect(200);
        assert!(entered.json.get("refresh_token").is_none(), "{entered:?}");
        let refresh = entered.cookie("__Secure-portcullis-refresh").unwrap();
        let host = entered.cookie("__Host-portcullis-session").unwrap();
        let cookie =
            format!("__Secure-portcullis-refresh={refresh}; __Host-portcullis-session={host}");
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        let again = call(&issuer, "POST /v1/auth/refresh", &headers).await.expect(200);
        assert!(again.json.get("refresh_token").is_none(), "{again:?}");
        assert!(!again.json.to_string().contains(&refresh));
    }
    // A client that is not a browser gets the token in the body, and stores it itself.
    login(&issuer).await.expect(200).text("refresh_token");
}
