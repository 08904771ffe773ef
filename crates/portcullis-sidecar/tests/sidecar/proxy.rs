//! The reverse proxy: what reaches the app, and what it reads about the caller.

use crate::app::{App, World, ask, lines, send, settings, start};
use portcullis_testing::TestIssuer;

const ROUTES: &str = r#"
unmatched = "token"

[[route]]
path = "/health"
token = "none"

[[route]]
prefix = "/public"
token = "optional"

[[route]]
path = "/keys"
token = "optional"
pass_foreign = true

[[route]]
path = "/hooks"
token = "none"
pass_credentials = true

[[route]]
prefix = "/orders"
methods = ["GET"]
policy = { scopes = ["orders:read"] }

[[route]]
prefix = "/orders"
policy = { scopes = ["orders:write"] }

[[route]]
path = "/tenant"
policy = { claim = { name = "tenant", value = 7 } }
"#;

#[tokio::test]
async fn request_reaches_the_app_only_if_its_route_allows_it() {
    let world = World::start(ROUTES).await;
    let alice = world.bearer("alice");
    for (head, status) in [
        ("GET /health", 200),
        ("POST /health", 200),
        ("GET /health/", 401),
        ("GET /healthy", 401),
        ("GET /public", 200),
        ("GET /public/a", 200),
        ("GET /public/a\r\nAuthorization: Bearer a.b.c", 401),
        ("GET /public/a\r\nAuthorization: Basic YTpi", 401),
        ("GET /keys\r\nAuthorization: Basic YTpi", 200),
        ("GET /keys", 200),
        ("GET /", 401),
        ("GET /orders", 401),
        ("OPTIONS /orders", 401),
        (&format!("GET /\r\n{alice}"), 200),
        (&format!("GET /orders/17\r\n{alice}"), 200),
        (&format!("HEAD /orders/17\r\n{alice}"), 200),
        (&format!("POST /orders/17\r\n{alice}"), 403),
        (&format!("GET /tenant\r\n{alice}"), 403),
        (&format!("TRACE /orders/17\r\n{alice}"), 405),
        (&format!("CONNECT api.example:443\r\n{alice}"), 405),
        // Ambiguous paths, with and without a token.
        (&format!("GET //orders\r\n{alice}"), 400),
        (&format!("GET /public/../orders\r\n{alice}"), 400),
        (&format!("GET /public/..%2Forders\r\n{alice}"), 400),
        (&format!("GET /public/%2e%2e/orders\r\n{alice}"), 400),
        (&format!("GET /public/..;/orders\r\n{alice}"), 400),
        (&format!("GET /%6frders\r\n{alice}"), 400),
        ("GET /public/../orders", 401),
        ("GET /public/%2e%2e/orders", 401),
        ("GET //health", 401),
    ] {
        let answer = world.ask(head).await;
        let reached = world.app.take().len();
        assert_eq!((answer.status, reached), (status, usize::from(status == 200)), "{head}");
        if status == 401 {
            assert!(answer.head.contains("www-authenticate: bearer"), "{head}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn app_reads_the_caller_and_never_a_credential() {
    let world = World::start(ROUTES).await;
    let alice = world.bearer("alice");
    for planted in ["X-Auth-Subject", "x_auth_subject", "X-Auth_Subject", "x.auth.subject"] {
        let head = format!(
            "GET /orders?x=1\r\n{alice}\r\n{planted}: root\r\nX_Auth_Scopes: all\r\nX-Own: stays\r\n\
             Cookie: a=b; __Host-portcullis-access=t\r\nForwarded: for=1.2.3.4\r\n\
             X-Forwarded-For: 1.2.3.4\r\nConnection: X-Auth-Subject, X-Forwarded-For, Host, X-Hop\r\n\
             X-Hop: 1\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\nUpgrade: h2c"
        );
        assert_eq!(world.ask(&head).await.status, 200);
        let seen = world.app.take();
        assert!(seen[0].starts_with("GET /orders?x=1 HTTP/1.1\r\n"), "{seen:?}");
        let expected = [
            "cookie: a=b",
            "host: api.example",
            "x-auth-scopes: orders:read",
            "x-auth-subject: alice",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: api.example",
            "x-forwarded-proto: http",
            "x-own: stays",
        ];
        assert_eq!(lines(&seen[0]), expected);
    }
    // Without a caller there is no identity, whatever the client sends.
    for path in ["/health", "/public/a", "/keys", "/hooks"] {
        let head = format!("GET {path}\r\nX-Auth-Subject: root\r\nX_Auth-Scopes: all");
        assert_eq!(world.ask(&head).await.status, 200);
        assert!(!world.app.take()[0].to_lowercase().contains("auth"), "{path}");
    }
    // These two routes pass credentials on.
    for path in ["/keys", "/hooks"] {
        let head = format!("GET {path}\r\nAuthorization: Basic YTpi");
        assert_eq!(world.ask(&head).await.status, 200);
        assert!(world.app.take()[0].contains("authorization: Basic YTpi"), "{path}");
    }
}

#[tokio::test]
async fn claims_of_the_token_are_named_without_a_way_to_forge_one() {
    let identity = "[identity]\nsubject = 'Remote-User'\nroles = 'X-Roles'\n\
                    [identity.claims]\nX-Org = ['org', 'id']\n";
    let world = World::start(identity).await;
    let token = world
        .issuer
        .token("a\r\nX-Roles: admin")
        .roles(["clerk,admin", "b"])
        .claim("org", serde_json::json!({"id": "ä; b"}));
    let head = format!("GET /\r\nAuthorization: {}\r\nRemote_User: root", token.bearer());
    assert_eq!(world.ask(&head).await.status, 200);
    let seen = world.app.take();
    let told: Vec<&str> =
        lines(&seen[0]).into_iter().filter(|line| line.starts_with(['r', 'x'])).collect();
    let expected = [
        "remote-user: a%0D%0AX-Roles:%20admin",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: api.example",
        "x-forwarded-proto: http",
        "x-org: %C3%A4%3B%20b",
        "x-roles: clerk%2Cadmin,b",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn cookie_is_accepted_from_own_pages_and_does_not_reach_the_app() {
    let world =
        World::start("[tokens]\ncookie = 'session'\ntrusted_origins = ['https://app.example']")
            .await;
    let token = world.issuer.token("alice").sign();
    let cookie = format!("Cookie: theme=dark; session={token}");
    for (head, status) in [
        (format!("GET /\r\n{cookie}"), 200),
        (format!("POST /\r\n{cookie}"), 403),
        (format!("POST /\r\n{cookie}\r\nOrigin: https://evil.example"), 403),
        (format!("POST /\r\n{cookie}\r\nOrigin: https://app.example"), 200),
    ] {
        assert_eq!(world.ask(&head).await.status, status, "{head}");
        for seen in world.app.take() {
            assert!(seen.contains("cookie: theme=dark\r\n"), "{seen}");
        }
    }
}

#[tokio::test]
async fn preflights_reach_the_app_only_if_the_settings_say_so() {
    let preflight = "OPTIONS /orders\r\nOrigin: https://app.example\r\n\
                     Access-Control-Request-Method: POST\r\nX-Auth-Subject: root";
    let world = World::start("").await;
    assert_eq!(world.ask(preflight).await.status, 401);
    let world = World::start("open_preflights = true").await;
    assert_eq!(world.ask(preflight).await.status, 200);
    assert!(!world.app.take()[0].contains("root"));
    assert_eq!(world.ask("OPTIONS /orders").await.status, 401);
    assert_eq!(world.ask(&preflight.replace("OPTIONS", "DELETE")).await.status, 401);
}

#[tokio::test]
async fn route_with_an_upstream_of_its_own_is_forwarded_there() {
    let (issuer, app) = (TestIssuer::start().await, App::start().await);
    let other = App::start().await;
    let route = format!(
        "[[route]]\nprefix = '/v1'\ntoken = 'none'\npass_credentials = true\nupstream = 'http://{}'",
        other.at
    );
    let at = start(&settings(&issuer, app.at, &route)).await;
    assert_eq!(ask(at, "GET /v1/users\r\nAuthorization: Bearer x").await.status, 200);
    assert_eq!((app.take().len(), other.take().len()), (0, 1));
}

#[tokio::test]
async fn forwarding_headers_of_a_configured_proxy_are_kept() {
    let world = World::start("proxies = ['127.0.0.0/8']").await;
    let alice = world.bearer("alice");
    let head =
        format!("GET /\r\n{alice}\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https");
    assert_eq!(world.ask(&head).await.status, 200);
    let seen = world.app.take();
    for line in ["x-forwarded-for: 192.0.2.7, 127.0.0.1", "x-forwarded-proto: https"] {
        assert!(lines(&seen[0]).contains(&line), "{seen:?}");
    }
}

/// Each request is one that proxies and apps have framed differently.
#[tokio::test]
async fn request_with_two_readings_reaches_the_app_with_one_or_not_at_all() {
    let world = World::start("[[route]]\npath = '/'\ntoken = 'none'").await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: api.example\r\n\r\n";
    for (head, status) in [
        ("Host: api.example\r\nHost: api.example", 400),
        ("Host: api.example\r\nHost: evil.example", 400),
        ("X: y", 400),
        ("Host: a\r\nContent-Length: 5\r\nContent-Length: 6", 400),
        ("Host: a\r\nContent-Length: +5", 400),
        ("Host: a\r\nTransfer-Encoding: chunked, identity", 400),
        ("Host: a\r\nTransfer-Encoding: xchunked", 400),
        ("Host: a\r\nTransfer-Encoding : chunked", 400),
        ("Host: a\r\n Transfer-Encoding: chunked", 400),
    ] {
        let request = format!("POST / HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n{smuggled}");
        let answer = send(world.at, &request).await;
        assert_eq!((answer.status, world.app.take().len()), (status, 0), "{head}: {answer:?}");
    }
    // With both headers, `Transfer-Encoding` frames the body (RFC 9112 section 6.3), and the app
    // gets one of the two.
    for both in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
    ] {
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\n{both}\r\n\r\n3\r\nabc\r\n0\r\n\r\n{smuggled}");
        send(world.at, &request).await;
        for seen in world.app.take() {
            assert!(!seen.to_lowercase().contains("content-length"), "{seen}");
            assert!(seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{seen}");
        }
    }
    // A header that `Connection` names cannot unframe the body.
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: {}\r\n\r\n{smuggled}",
        smuggled.len()
    );
    let mut stream = tokio::net::TcpStream::connect(world.at).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut read = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut read).await.unwrap();
    assert_eq!(&read, b"HTTP/1.1 200");
    let seen = world.app.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].contains(&format!("content-length: {}\r\n", smuggled.len())), "{seen:?}");
}

#[tokio::test]
async fn host_of_an_absolute_target_replaces_the_header() {
    let world = World::start("[[route]]\npath = '/'\ntoken = 'none'").await;
    let request =
        "GET http://real.example/ HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n";
    assert_eq!(send(world.at, request).await.status, 200);
    let seen = world.app.take();
    assert!(seen[0].starts_with("GET / HTTP/1.1\r\n"), "{seen:?}");
    assert!(lines(&seen[0]).contains(&"host: real.example"), "{seen:?}");
}

#[tokio::test]
async fn revoked_token_is_refused_where_a_route_requires_it() {
    let issuer = TestIssuer::start().await;
    let app = App::start().await;
    let routes = "unmatched = 'token'\n[[route]]\npath = '/list'\nrevocation = { by = 'status_list', max_age_secs = 3 }";
    let at = start(&settings(&issuer, app.at, routes)).await;
    let token = issuer.token("alice");
    let ask = async |path: &str| {
        ask(at, &format!("GET {path}\r\nAuthorization: {}", token.bearer())).await.status
    };
    assert_eq!((ask("/list").await, ask("/").await), (200, 200));
    issuer.revoke(&token);
    let end = tokio::time::Instant::now() + crate::app::PATIENCE;
    while ask("/list").await == 200 {
        assert!(tokio::time::Instant::now() < end, "the revoked token is still accepted");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!((ask("/list").await, ask("/").await), (401, 200));
}
