//! Checks which data about the caller reaches the app, the authorization service and the logs.

use http::HeaderMap;
use portcullis_testing::TestIssuer;

use crate::authority::authority;
use crate::behind_each_proxy;
use crate::client::ask;
use crate::proxy::{Kind, Proxy};
use crate::servers::{Recorder, serve, unused_address};

behind_each_proxy!(
    subject_at_the_app_is_the_one_of_the_authority,
    subject_that_is_no_plain_text_is_refused,
    open_route_is_one_path_without_identity,
    authority_receives_method_and_path_without_cookie_or_body,
    token_in_a_cookie_is_not_accepted,
    token_is_not_in_a_log,
);

/// Names under which a client may send a forged subject: many frameworks treat `_` as `-`, and all
/// of them ignore case.
const PLANTED: [&str; 5] =
    ["x-auth-subject", "X-AUTH-SUBJECT", "x_auth_subject", "X-Auth_Subject", "x_auth-subject"];

/// The header lines that an app could read the subject from.
fn subjects(headers: &HeaderMap) -> Vec<&str> {
    let alike = |name: &str| name.replace('_', "-").eq_ignore_ascii_case("x-auth-subject");
    let lines = headers.iter().filter(|(name, _)| alike(name.as_str()));
    lines.map(|(_, value)| value.to_str().unwrap()).collect()
}

struct Setup {
    issuer: TestIssuer,
    app: Recorder,
    proxy: Proxy,
}

/// Starts the guide's authority behind its proxy.
async fn set_up(kind: Kind) -> Setup {
    let issuer = TestIssuer::start().await;
    // The authority would accept a token in this cookie, which the proxy must not forward.
    let auth = issuer.authenticator().cookie("__Host-portcullis-access").build().await.unwrap();
    let (authority, app) = (serve(authority(auth)).await, Recorder::app().await);
    let proxy = Proxy::start(kind, authority, "/authorize", app.address);
    Setup { issuer, app, proxy }
}

impl Setup {
    fn bearer(&self, subject: &str) -> String {
        self.issuer.token(subject).scopes(["orders:read"]).bearer()
    }

    /// Sends a request, and returns its status and the subjects that reached the app. Asserts that
    /// the token did not reach the app.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, Vec<String>) {
        let answer = ask(self.proxy.address, method, path, headers).await;
        let seen = self.app.take();
        let has_token =
            seen.iter().any(|(request, _)| request.headers.contains_key("authorization"));
        assert!(!has_token, "{path}: the token reached the app");
        let told = seen.iter().map(|(request, _)| subjects(&request.headers).join(" | "));
        (answer.status, told.collect())
    }
}

async fn subject_at_the_app_is_the_one_of_the_authority(kind: Kind) {
    let setup = set_up(kind).await;
    let bearer = setup.bearer("alice");
    for method in ["GET", "POST"] {
        for planted in PLANTED {
            let headers = [("authorization", bearer.as_str()), (planted, "root")];
            let passed = setup.ask(method, "/orders", &headers).await;
            assert_eq!(passed, (200, vec!["alice".to_owned()]), "{planted}");
        }
        // A header that `Connection` names applies to the next hop only (RFC 9110 section 7.6.1).
        for connection in ["x-auth-subject", "close, X-Auth-Subject"] {
            let headers = [("authorization", bearer.as_str()), ("connection", connection)];
            let passed = setup.ask(method, "/orders", &headers).await;
            assert_eq!(passed, (200, vec!["alice".to_owned()]), "{connection}");
        }
    }
}

async fn subject_that_is_no_plain_text_is_refused(kind: Kind) {
    let setup = set_up(kind).await;
    for subject in ["", " ", "alice ", "alice\r\nx-role: admin", "älice", "alice\u{7f}", "a b"] {
        let bearer = setup.bearer(subject);
        let answer = setup.ask("GET", "/orders", &[("authorization", &bearer)]).await;
        assert_eq!(answer, (403, vec![]), "{subject:?}");
    }
    // A subject that looks like Caddy's placeholder for a missing header is removed.
    let braced = setup.bearer("{http.reverse_proxy.header.X-Auth-Subject}");
    let (status, told) = setup.ask("GET", "/orders", &[("authorization", &braced)]).await;
    let expected =
        if kind == Kind::Caddy { "" } else { "{http.reverse_proxy.header.X-Auth-Subject}" };
    assert_eq!((status, told), (200, vec![expected.to_owned()]));
}

async fn open_route_is_one_path_without_identity(kind: Kind) {
    let setup = set_up(kind).await;
    for planted in PLANTED {
        let headers = [(planted, "root"), ("authorization", "Bearer anything")];
        assert_eq!(setup.ask("GET", "/health", &headers).await, (200, vec![String::new()]));
    }
    for path in [
        "/health/",
        "/health/x",
        "/healthy",
        "/health/../orders",
        "/health%2f..%2forders",
        "/Health2",
        "/health/%2e%2e/orders",
        "/health;x",
        "//",
        "/_authorize",
        "/authorize",
    ] {
        let (status, reached) = setup.ask("GET", path, &[]).await;
        assert!(!(200..300).contains(&status) && reached.is_empty(), "{path}: {status}");
    }
    // Other spellings that the proxy accepts reach the app only as `/health`.
    for path in
        ["/orders/../health", "/orders/%2e%2e/health", "//health", "/%68ealth", "/x/..%2fhealth"]
    {
        let answer = ask(setup.proxy.address, "GET", path, &[]).await;
        for (request, _) in setup.app.take() {
            let asked = request.uri.path().replace("%68", "h");
            assert_eq!((answer.status, asked.as_str()), (200, "/health"), "{path}");
        }
    }
}

async fn authority_receives_method_and_path_without_cookie_or_body(kind: Kind) {
    let (authority, app) = (Recorder::authority().await, Recorder::app().await);
    let proxy = Proxy::start(kind, authority.address, "/authorize", app.address);
    let (method, uri) = match kind {
        Kind::Nginx | Kind::Envoy => ("x-original-method", "x-original-uri"),
        Kind::Caddy => ("x-forwarded-method", "x-forwarded-uri"),
    };
    let path = "/orders/..%2F17//?access_token=planted";
    let headers = [(method, "GET"), (uri, "/open"), ("cookie", "a=b"), ("x-own", "kept")];
    assert_eq!(ask(proxy.address, "POST", path, &headers).await.status, 200);
    let [(request, body)] = &authority.take()[..] else { panic!("more than one request") };
    // Envoy asks the authorization service with the client's method.
    let asks_with = if kind == Kind::Envoy { "POST" } else { "GET" };
    assert_eq!(
        (request.method.as_str(), request.uri.to_string()),
        (asks_with, "/authorize".to_owned())
    );
    assert_eq!(body, &b""[..]);
    let told = |name| {
        let lines = request.headers.get_all(name).iter();
        lines.map(|line| line.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
    };
    assert_eq!((told(method).as_str(), told(uri).as_str()), ("POST", path));
    assert_eq!((told("cookie").as_str(), told("x-own").as_str()), ("", "kept"));
    assert_eq!(told("host"), proxy.address.to_string());
    assert_eq!(app.take()[0].0.uri.to_string(), path);
}

async fn token_in_a_cookie_is_not_accepted(kind: Kind) {
    let setup = set_up(kind).await;
    let token = setup.issuer.token("alice").scopes(["orders:read"]).sign();
    let cookie = format!("__Host-portcullis-access={token}");
    for method in ["GET", "POST"] {
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
        assert_eq!(setup.ask(method, "/orders", &headers).await, (401, vec![]));
    }
}

async fn token_is_not_in_a_log(kind: Kind) {
    let setup = set_up(kind).await;
    let token = setup.issuer.token("alice").scopes(["orders:read"]).sign();
    let bearer = format!("Bearer {token}");
    let expired = setup.issuer.token("alice").expired().sign();
    let both = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    let cookie = format!("__Host-portcullis-access={token}");
    for (path, headers, status) in [
        ("/passed", &both[..1], 200),
        ("/twice", &both[..], 400),
        ("/expired", &[("authorization", format!("Bearer {expired}").as_str())], 401),
        ("/cookie", &[("cookie", cookie.as_str())], 401),
        ("/protocol", &[("sec-websocket-protocol", format!("bearer.{token}").as_str())], 401),
    ] {
        assert_eq!(setup.ask("GET", path, headers).await.0, status, "{path}");
    }
    // The query and the Referer are kept out of the access log, too.
    let query = format!("/query?access_token={token}");
    assert_eq!(setup.ask("GET", &query, &[]).await.0, 401);
    let referer = format!("https://app.example/#access_token={token}");
    assert_eq!(setup.ask("GET", "/referer", &[("referer", &referer)]).await.0, 401);

    let access = crate::client::eventually(|| {
        let log = setup.proxy.access_log();
        log.contains("/referer").then_some(log)
    })
    .await;
    // If the authorization service is unreachable, the error log has an entry with the request.
    // Envoy does not log requests in its error log.
    let away = Proxy::start(kind, unused_address(), "/authorize", setup.app.address);
    let headers = [("authorization", bearer.as_str()), ("cookie", cookie.as_str())];
    ask(away.address, "GET", "/away?x=secret", &headers).await;
    let away = crate::client::eventually(|| {
        let log = away.error_log();
        let log = if kind == Kind::Envoy { log + &away.access_log() } else { log };
        log.contains("/away").then_some(log)
    })
    .await;
    let logged = ["/passed", "/expired", "/query"].iter().all(|path| access.contains(path));
    assert!(logged, "{access}");
    for log in [access, setup.proxy.error_log(), away] {
        for token in [&token, &expired] {
            let parts = token.split('.').filter(|part| log.contains(part)).count();
            assert_eq!(parts, 0, "{log}");
        }
    }
}
