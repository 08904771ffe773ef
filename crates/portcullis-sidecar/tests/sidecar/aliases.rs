//! Requests that an app may take for another one, whose policy they must not evade.

use portcullis_testing::TestIssuer;

use crate::app::{App, World, ask, settings, start, with_issuer};

const PAYMENTS: &str = r#"
[[route]]
path = "/payments"
methods = ["POST"]
policy = { scopes = ["payments:write"] }

[[route]]
prefix = "/public"
token = "none"
"#;

/// Frameworks accept these for `/payments`: with a trailing slash, without regard to case, or with a
/// format as a suffix.
#[tokio::test]
async fn alias_of_a_path_does_not_evade_its_policy() {
    let by_default = World::start(PAYMENTS).await;
    let open = World::start(&format!("unmatched = 'token'\n{PAYMENTS}")).await;
    for (line, default, explicit) in [
        ("POST /payments", 403, 403),
        ("POST /payments/", 400, 400),
        ("POST /PAYMENTS", 400, 400),
        ("POST /Payments/", 400, 400),
        ("POST /PUBLIC/a", 400, 400),
        ("post /payments", 400, 400),
        ("Post /payments", 400, 400),
        ("POST /payments.json", 404, 200),
        ("PUT /payments", 404, 200),
        ("GET /elsewhere", 404, 200),
        ("POST /public/", 200, 200),
        ("POST /public/A", 200, 200),
    ] {
        for (world, status) in [(&by_default, default), (&open, explicit)] {
            let alice = world.bearer("alice");
            let answer = world.ask(&format!("{line}\r\n{alice}")).await;
            let reached = world.app.take().len();
            assert_eq!((answer.status, reached), (status, usize::from(status == 200)), "{line}");
        }
    }
    // As for every other request, a token is read first.
    for line in ["POST /payments/", "PUT /payments", "GET /elsewhere"] {
        assert_eq!(by_default.ask(line).await.status, 401, "{line}");
    }
}

#[tokio::test]
async fn requests_without_a_route_are_refused_if_a_route_requires_more_than_a_token() {
    let issuer = TestIssuer::start().await;
    let app = App::start().await;
    let list = "revocation = { by = 'status_list', max_age_secs = 10 }";
    for (text, status) in [
        ("".to_owned(), 200),
        ("[[route]]\npath = '/a'".to_owned(), 200),
        (list.to_owned(), 200),
        ("[[route]]\npath = '/a'\nrevocation = { by = 'expiry' }".to_owned(), 200),
        (format!("[[route]]\npath = '/a'\n{list}"), 404),
        ("[[route]]\npath = '/a'\npolicy = { scopes = ['a'] }".to_owned(), 404),
        ("unmatched = 'refuse'".to_owned(), 404),
    ] {
        let at = start(&settings(&issuer, app.at, &text)).await;
        let bearer = issuer.token("alice").bearer();
        let answer = ask(at, &format!("GET /x\r\nAuthorization: {bearer}")).await;
        assert_eq!((answer.status, &*answer.body == "the app"), (status, status == 200), "{text}");
        if status == 404 {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn alias_does_not_evade_a_policy_in_forward_auth() {
    let issuer = TestIssuer::start().await;
    let tables = "proxies = ['127.0.0.1']\n[forward_auth]\npath = '/authorize'\n\
                  uri_header = 'U'\nmethod_header = 'M'\n";
    let at = start(&with_issuer(&issuer, &format!("{tables}{PAYMENTS}"))).await;
    for (method, target, status) in [
        ("POST", "/payments", 403),
        ("POST", "/payments/", 400),
        ("POST", "/PAYMENTS", 400),
        ("post", "/payments", 400),
        ("post", "/public/a", 400),
        ("PUT", "/payments", 404),
        ("POST", "/payments.json", 404),
        ("POST", "/public/a", 200),
    ] {
        let bearer = issuer.token("alice").bearer();
        let head =
            format!("GET /authorize\r\nM: {method}\r\nU: {target}\r\nAuthorization: {bearer}");
        assert_eq!(ask(at, &head).await.status, status, "{method} {target}");
    }
}

/// An app would run the code of another path or method than the route's.
#[tokio::test]
async fn headers_that_override_the_path_or_the_method_do_not_reach_the_app() {
    let world = World::start("[[route]]\nprefix = '/'\ntoken = 'none'").await;
    for name in [
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X_HTTP_Method_Override",
    ] {
        assert_eq!(
            world.ask(&format!("GET /\r\n{name}: DELETE\r\nX-Own: stays")).await.status,
            200
        );
        let seen = world.app.take();
        assert!(seen[0].contains("x-own: stays") && !seen[0].contains("DELETE"), "{seen:?}");
    }
}

#[tokio::test]
async fn foreign_credential_passes_without_the_issuers_cookies() {
    let route = "[[route]]\npath = '/keys'\ntoken = 'optional'\npass_foreign = true\n\
                 [[route]]\npath = '/all'\ntoken = 'optional'\npass_foreign = true\n\
                 pass_credentials = true\n";
    let world = World::start(&format!("{route}[tokens]\ncookie = 'session'")).await;
    let cookies = "Cookie: theme=dark; __Host-portcullis-refresh=r";
    for (head, kept) in [
        (format!("/keys\r\nAuthorization: Basic YTpi\r\n{cookies}"), "theme=dark"),
        // A session of the app's own, in the cookie that the gate reads.
        (format!("/keys\r\n{cookies}; session=s"), "theme=dark; session=s"),
        (
            format!("/all\r\nAuthorization: Basic YTpi\r\n{cookies}; session=s"),
            "theme=dark; __Host-portcullis-refresh=r; session=s",
        ),
    ] {
        let basic = head.contains("Basic");
        let answer = world.ask(&format!("GET {head}")).await;
        let seen = world.app.take();
        assert_eq!(answer.status, 200, "{head}");
        assert_eq!(seen[0].contains("authorization: Basic YTpi"), basic, "{seen:?}");
        assert!(seen[0].contains(&format!("cookie: {kept}\r\n")), "{seen:?}");
    }
}

#[tokio::test]
async fn client_cannot_erase_the_address_that_a_proxy_names() {
    let world =
        World::start("proxies = ['127.0.0.0/8']\n[[route]]\nprefix = '/'\ntoken = 'none'").await;
    let head = "GET /\r\nX-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\n\
                X-Forwarded-Proto: https\r\n\
                Connection: X-Forwarded-For, x-real-ip, X-Forwarded-Proto";
    assert_eq!(world.ask(head).await.status, 200);
    let seen = world.app.take();
    for line in [
        "x-forwarded-for: 192.0.2.7, 127.0.0.1",
        "x-real-ip: 192.0.2.7",
        "x-forwarded-proto: https",
    ] {
        assert!(crate::app::lines(&seen[0]).contains(&line), "{seen:?}");
    }
}

#[tokio::test]
async fn preflight_follows_its_route_and_its_path_is_checked() {
    let (issuer, app, other) = (TestIssuer::start().await, App::start().await, App::start().await);
    let text = format!(
        "open_preflights = true\nunmatched = 'refuse'\n[[route]]\nprefix = '/v1'\n\
         methods = ['POST']\nupstream = 'http://{}'\n[[route]]\npath = '/own'",
        other.at
    );
    let at = start(&settings(&issuer, app.at, &text)).await;
    let preflight = async |path: &str| {
        let head = format!(
            "OPTIONS {path}\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: POST"
        );
        (ask(at, &head).await.status, app.take().len(), other.take().len())
    };
    assert_eq!(preflight("/v1/users").await, (200, 0, 1));
    assert_eq!(preflight("/own").await, (200, 1, 0));
    for path in ["//own", "/v1/../own", "/OWN", "/elsewhere"] {
        assert_eq!(preflight(path).await, (401, 0, 0), "{path}");
    }
}
