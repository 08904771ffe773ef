//! The adapter in an actix-web application, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::dev::Service;
use actix_web::http::header::HeaderValue;
use actix_web::{App, HttpMessage, HttpServer, web};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use portcullis::testing::{Scene, TestKey};
use portcullis::{Algorithm, Gate, Policy, Refusal, refusal::RefusalKind};
use portcullis_actix::{Auth, Caller, Claims, MaybeCaller, MaybeClaims, Rejection, Require};
use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json};

fn token(scene: &Scene, extra: &Value) -> String {
    scene.token("alice").scopes(["read"]).claims(extra).sign()
}

/// Returns a token like the issuer's, signed with a key that is not the issuer's.
fn forged(scene: &Scene) -> String {
    let key = TestKey::generate("k", Algorithm::Es256);
    scene.token("alice").signed_with(Arc::new(key)).sign()
}

/// Serves the app with this many workers and returns its address.
macro_rules! serve {
    ($workers:expr, $app:expr) => {{
        let server = HttpServer::new($app).workers($workers).disable_signals();
        let server = server.bind("127.0.0.1:0").unwrap();
        let address = server.addrs().first().unwrap().to_string();
        tokio::spawn(server.run());
        address
    }};
}

async fn ask(address: &str, path: &str, token: Option<&str>) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("http://{address}{path}"));
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.send().await.unwrap()
}

#[derive(Deserialize)]
struct User {
    sub: String,
    tenant: u64,
}

async fn whoami(Claims(user): Claims<User>) -> String {
    format!("{} of {}", user.sub, user.tenant)
}

async fn named(Caller(who): Caller) -> String {
    format!("{:?}", who.subject())
}

async fn maybe_named(MaybeCaller(who): MaybeCaller) -> String {
    format!("{:?}", who.as_ref().and_then(|who| who.subject()))
}

async fn reached() -> &'static str {
    "reached"
}

#[tokio::test]
async fn handler_receives_claims_as_its_own_type() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        App::new().wrap(Auth::new(auth.clone())).route("/", web::get().to(whoami))
    });
    let good = token(&scene, &json!({"tenant": 7}));
    assert_eq!(ask(&address, "/", Some(&good)).await.text().await.unwrap(), "alice of 7");
    for extra in [json!({}), json!({"tenant": "seven"})] {
        let response = ask(&address, "/", Some(&token(&scene, &extra))).await;
        assert_eq!(response.status(), 403);
        // There is no challenge, because a refreshed token would not fit either.
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
        assert_eq!(response.text().await.unwrap(), "");
    }
}

#[tokio::test]
async fn wrapped_scope_protects_routes_added_before_and_after() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let get = || web::get().to(reached);
        let scope = web::scope("/scope")
            .route("/early", get())
            .service(web::scope("/nested").route("/x", get()))
            .wrap(Auth::new(auth.clone()))
            .route("/late", get())
            .service(web::scope("/late-nested").route("/x", get()))
            .configure(|config| {
                config.service(web::resource("/configured").route(web::get().to(reached)));
            })
            .default_service(get());
        let resource = web::resource("/resource").wrap(Auth::new(auth.clone())).route(get());
        App::new().service(scope).service(resource).route("/health", get())
    });
    let auth = scene.auth.clone();
    let app = serve!(1, move || {
        let get = || web::get().to(reached);
        App::new()
            .route("/early", get())
            .wrap(Auth::new(auth.clone()))
            .route("/late", get())
            .service(web::scope("/late-nested").route("/x", get()))
            .default_service(get())
    });

    let good = token(&scene, &json!({}));
    for (address, path) in [
        (&address, "/scope/early"),
        (&address, "/scope/nested/x"),
        (&address, "/scope/late"),
        (&address, "/scope/late-nested/x"),
        (&address, "/scope/configured"),
        (&address, "/scope/nowhere"),
        (&address, "/resource"),
        (&app, "/early"),
        (&app, "/late"),
        (&app, "/late-nested/x"),
        (&app, "/nowhere"),
    ] {
        assert_eq!(ask(address, path, None).await.status(), 401, "{path}");
        assert_eq!(ask(address, path, Some(&good)).await.status(), 200, "{path}");
    }
    assert_eq!(ask(&address, "/health", None).await.status(), 200);
}

#[tokio::test]
async fn handler_without_middleware_is_500() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let read = || Require::new(Policy::scopes(["read"]));
        let inside_out = web::resource("/inside-out").wrap(Auth::new(auth.clone())).wrap(read());
        App::new()
            .route("/claims", web::get().to(whoami))
            .route("/caller", web::get().to(named))
            .route("/maybe-claims", web::get().to(async |_: MaybeClaims<User>| "reached"))
            .route("/maybe-caller", web::get().to(maybe_named))
            .service(web::resource("/required").wrap(read()).to(reached))
            .service(inside_out.to(reached))
    });
    let good = token(&scene, &json!({"tenant": 7}));
    for path in ["/claims", "/caller", "/maybe-claims", "/maybe-caller", "/required", "/inside-out"]
    {
        for token in [None, Some(good.as_str())] {
            let response = ask(&address, path, token).await;
            assert_eq!(response.status(), 500, "{path}");
            assert_eq!(response.text().await.unwrap(), "", "{path}");
        }
    }
}

#[tokio::test]
async fn optional_caller_is_none_or_valid() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let greet = async |claims: MaybeClaims<User>, caller: MaybeCaller| {
            assert_eq!(claims.0.is_some(), caller.0.is_some());
            claims.0.map_or_else(|| "stranger".to_owned(), |user| user.sub)
        };
        let read = Require::new(Policy::scopes(["read"]));
        App::new()
            .wrap(Auth::new(auth.clone()).optional())
            .route("/", web::get().to(greet))
            .service(web::resource("/required").wrap(read).to(reached))
            .route("/claims", web::get().to(whoami))
            .route("/caller", web::get().to(named))
    });
    assert_eq!(ask(&address, "/", None).await.text().await.unwrap(), "stranger");
    let good = token(&scene, &json!({"tenant": 7}));
    assert_eq!(ask(&address, "/", Some(&good)).await.text().await.unwrap(), "alice");
    assert_eq!(ask(&address, "/", Some("bad")).await.status(), 401);
    // Claims that do not fit are rejected, and are not treated as absent.
    assert_eq!(ask(&address, "/", Some(&token(&scene, &json!({})))).await.status(), 403);
    // Behind an optional middleware, a handler that requires a caller rejects a request without a
    // token.
    for path in ["/required", "/claims", "/caller"] {
        let response = ask(&address, path, None).await;
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], r#"Bearer realm="api""#);
    }
}

/// This behaviour of actix-web is the reason for `MaybeClaims`. If actix-web ever distinguishes
/// errors from absence, this test fails, and the warnings in the documentation can be removed.
#[tokio::test]
async fn actix_option_hides_the_error_that_maybe_claims_returns() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        App::new()
            .wrap(Auth::new(auth.clone()).optional())
            .route("/option", web::get().to(async |_: Option<Claims<User>>| "reached"))
            .route("/maybe", web::get().to(async |_: MaybeClaims<User>| "reached"))
    });
    let unfit = token(&scene, &json!({}));
    assert_eq!(ask(&address, "/option", Some(&unfit)).await.status(), 200);
    assert_eq!(ask(&address, "/maybe", Some(&unfit)).await.status(), 403);
}

#[tokio::test]
async fn optional_middleware_removes_the_caller_of_an_outer_one() {
    let scene = Scene::warm().await;
    let mut headers = http::HeaderMap::new();
    let good = format!("Bearer {}", token(&scene, &json!({})));
    headers.insert(AUTHORIZATION, good.parse().unwrap());
    let alice = scene.auth.authenticate(&headers).await.unwrap();
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let alice = alice.clone();
        App::new()
            .route("/", web::get().to(maybe_named))
            .wrap(Auth::new(auth.clone()).optional())
            .wrap_fn(move |request, service| {
                request.extensions_mut().insert(alice.clone());
                service.call(request)
            })
    });
    assert_eq!(ask(&address, "/", None).await.text().await.unwrap(), "None");
}

#[tokio::test]
async fn policies_apply_at_resources_scopes_and_in_handlers() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let refund = async |Caller(who): Caller| -> Result<&'static str, Rejection> {
            who.require(&Policy::roles(["clerk"]))?;
            Ok("done")
        };
        let scopes = |scope: &str| Require::new(Policy::scopes([scope]));
        App::new()
            .wrap(Auth::new(auth.clone()))
            .service(web::resource("/read").wrap(scopes("read")).to(reached))
            .service(web::resource("/write").wrap(scopes("write")).to(reached))
            .service(web::scope("/all").wrap(scopes("write")).route("/x", web::get().to(reached)))
            .route("/refund", web::get().to(refund))
    });
    let (plain, clerk) = (token(&scene, &json!({})), token(&scene, &json!({"roles": ["clerk"]})));
    for (path, token, status) in [
        ("/read", &plain, 200),
        ("/write", &plain, 403),
        ("/all/x", &plain, 403),
        ("/refund", &plain, 403),
        ("/refund", &clerk, 200),
    ] {
        let response = ask(&address, path, Some(token)).await;
        assert_eq!(response.status(), status, "{path}");
        if status == 403 {
            assert_eq!(response.text().await.unwrap(), "", "{path}");
        }
    }
}

#[tokio::test]
async fn request_without_keys_is_503_until_they_are_fetched() {
    let scene = Scene::unpublished().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        App::new().wrap(Auth::new(auth.clone())).route("/", web::get().to(named))
    });
    let good = token(&scene, &json!({}));
    let response = ask(&address, "/", Some(&good)).await;
    assert_eq!(response.status(), 503);
    let retry_after: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&retry_after), "{retry_after}");
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    // A malformed token is rejected without a wait for the keys.
    assert_eq!(ask(&address, "/", Some("a.b.c")).await.status(), 401);
    scene.publish([&*scene.key]);
    let response = ask(&address, "/", Some(&good)).await;
    assert_eq!(response.text().await.unwrap(), "Some(\"alice\")");
}

#[tokio::test]
async fn request_that_waited_for_a_key_reaches_the_handler_unchanged() {
    let scene = Scene::published().await;
    let (auth, before) = (scene.auth.clone(), scene.fetch.requests().len());
    let address = serve!(1, move || {
        let echo = async |path: web::Path<u32>, body: String| format!("{path}: {body}");
        App::new().wrap(Auth::new(auth.clone())).route("/items/{id}", web::post().to(echo))
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("http://{address}/items/7")).body("a body");
    let response = request.bearer_auth(token(&scene, &json!({}))).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "7: a body");
    assert_eq!(scene.fetch.requests().len(), before + 1);
}

#[tokio::test]
async fn refused_request_does_not_reach_the_handler() {
    for optional in [false, true] {
        for scene in [Scene::published().await, Scene::warm().await] {
            let calls = Arc::new(AtomicUsize::new(0));
            let (auth, counter) = (scene.auth.clone(), calls.clone());
            let address = serve!(1, move || {
                let counter = counter.clone();
                let auth = Auth::new(auth.clone());
                App::new()
                    .route("/", web::get().to(reached))
                    .wrap_fn(move |request, service| {
                        counter.fetch_add(1, Ordering::SeqCst);
                        service.call(request)
                    })
                    .wrap(if optional { auth.optional() } else { auth })
            });
            let forged = forged(&scene);
            let anonymous = if optional { Some("x") } else { None };
            for token in [Some(forged.as_str()), anonymous, Some("x"), Some("a.b.c")] {
                let response = ask(&address, "/", token).await;
                assert_eq!(response.status(), 401);
                assert!(response.headers().contains_key(WWW_AUTHENTICATE));
            }
            assert_eq!(calls.load(Ordering::SeqCst), 0);
            let good = token(&scene, &json!({}));
            assert_eq!(ask(&address, "/", Some(&good)).await.status(), 200);
            assert_eq!(calls.load(Ordering::SeqCst), 1);
        }
    }
}

#[tokio::test]
async fn outer_middleware_receives_a_refusal_as_a_response() {
    let scene = Scene::published().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (auth, log) = (scene.auth.clone(), seen.clone());
    let address = serve!(1, move || {
        let log = log.clone();
        let write = Require::new(Policy::scopes(["write"]));
        App::new()
            .service(web::resource("/write").wrap(write).to(reached))
            .route("/claims", web::get().to(whoami))
            .wrap(Auth::new(auth.clone()))
            // This middleware stands for CORS or a logger. Its code would not run if the refusal
            // were an error.
            .wrap_fn(move |request, service| {
                let (log, response) = (log.clone(), service.call(request));
                async move {
                    let mut response = response.await?;
                    let kind = response.response().extensions().get().map(Refusal::kind);
                    log.lock().unwrap().push(kind);
                    let any = HeaderValue::from_static("*");
                    let name = ACCESS_CONTROL_ALLOW_ORIGIN.as_str().try_into().unwrap();
                    response.headers_mut().insert(name, any);
                    Ok(response)
                }
            })
    });
    let forged = forged(&scene);
    let good = token(&scene, &json!({}));
    for (path, token, status) in [
        ("/write", Some(&forged), 401), // after a fetch
        ("/write", Some(&forged), 401),
        ("/write", None, 401),
        ("/write", Some(&good), 403),
        ("/claims", Some(&good), 403),
    ] {
        let response = ask(&address, path, token.map(String::as_str)).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*", "{path}");
    }
    let expected = [
        RefusalKind::InvalidToken,
        RefusalKind::InvalidToken,
        RefusalKind::MissingToken,
        RefusalKind::InsufficientScope,
        RefusalKind::Forbidden,
    ];
    assert_eq!(*seen.lock().unwrap(), expected.map(Some));
}

#[tokio::test]
async fn grpc_gate_rewrites_inner_refusals_and_plain_gate_does_not() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let write = || Require::new(Policy::scopes(["write"]));
        let scope = |path: &str, gate: Gate| {
            web::scope(path)
                .wrap(Auth::new(gate))
                .service(web::resource("/require").wrap(write()).to(reached))
                .service(web::resource("/extractor").to(whoami))
                .service(web::resource("/error").to(reached).wrap_fn(|request, service| {
                    // Like an application's own middleware that returns an error instead of a
                    // response.
                    let who = request.extensions().get::<portcullis::Authenticated>().cloned();
                    let met = who.unwrap().require(&Policy::scopes(["write"]));
                    let response = service.call(request);
                    async move {
                        met.map_err(Rejection::from)?;
                        response.await
                    }
                }))
        };
        let gate = Gate::new(auth.clone());
        App::new().service(scope("/plain", gate.clone())).service(scope("/grpc", gate.grpc()))
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, status, grpc_status) in
        [("/require", 403, "7"), ("/extractor", 403, "7"), ("/error", 403, "7")]
    {
        for kind in ["application/grpc", "application/json"] {
            let ask = async |gate: &str| {
                let request = client.post(format!("http://{address}{gate}{path}"));
                let request = request.bearer_auth(token(&scene, &json!({})));
                request.header("content-type", kind).send().await.unwrap()
            };
            let plain = ask("/plain").await;
            assert_eq!(plain.status(), status, "{path} {kind}");
            assert!(!plain.headers().contains_key("grpc-status"), "{path} {kind}");
            let grpc = ask("/grpc").await;
            assert_eq!(grpc.status(), 200, "{path} {kind}");
            assert_eq!(grpc.headers()["grpc-status"], grpc_status, "{path} {kind}");
            assert_eq!(grpc.headers()["content-type"], "application/grpc", "{path} {kind}");
            assert_eq!(
                grpc.headers().get(WWW_AUTHENTICATE),
                plain.headers().get(WWW_AUTHENTICATE),
                "{path} {kind}"
            );
            assert_eq!(grpc.text().await.unwrap(), "", "{path} {kind}");
        }
    }
}

/// Sends a request target unchanged; reqwest would normalize it.
async fn raw(address: &str, method: &str, target: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn other_spellings_of_an_open_route_are_rejected() {
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let health = || web::get().to(async || "fine");
        let rest =
            || web::scope("").wrap(Auth::new(auth.clone())).default_service(web::to(reached));
        let v1 = || web::scope("/v1").route("/health", health()).service(rest());
        App::new()
            .service(v1())
            .service(web::scope("/twice").service(v1()))
            .service(web::resource("/outside/health").route(health()))
            .service(
                web::scope("/outside")
                    .wrap(Auth::new(auth.clone()))
                    .default_service(web::to(reached)),
            )
    });
    for prefix in ["/v1", "/twice/v1", "/outside"] {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND"] {
            for target in [
                format!("{prefix}//health"),
                format!("{prefix}/./health"),
                format!("{prefix}/x/../health"),
                format!("{prefix}/%2Fhealth"),
                format!("{prefix}/health/"),
                format!("{prefix}/health//"),
                format!("{prefix}/health;x"),
                format!("{prefix}/Health"),
                format!("{prefix}/healthz"),
                format!("{prefix}/orders"),
                format!("{prefix}/"),
                prefix.to_owned(),
            ] {
                let answer = raw(&address, method, &target).await;
                assert_eq!(answer, (401, String::new()), "{method} {target}");
            }
            // actix-web decodes paths for routing: these targets match the open route, and run only
            // its handler.
            for target in [format!("{prefix}/health"), format!("{prefix}/%68ealth")] {
                // Another method is undefined, or is routed to the protected scope.
                let (statuses, text): (&[u16], _) =
                    if method == "GET" { (&[200], "fine") } else { (&[401, 405], "") };
                let (status, body) = raw(&address, method, &target).await;
                assert!(statuses.contains(&status), "{method} {target}: {status}");
                assert_eq!(body, text, "{method} {target}");
            }
        }
    }
}

#[tokio::test]
async fn outer_cors_answers_preflights_and_marks_refusals() {
    const APP: &str = "https://app.example";
    let scene = Scene::warm().await;
    let auth = scene.auth.clone();
    let address = serve!(1, move || {
        let cors = actix_cors::Cors::default().allowed_origin(APP).allowed_methods(["DELETE"]);
        let scope = |path: &str| {
            web::scope(path).wrap(Auth::new(auth.clone())).default_service(web::to(reached))
        };
        App::new()
            .service(scope("/without"))
            .service(web::scope("/with").wrap(cors).service(scope("")))
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |method: &str, path: &str| {
        let url = format!("http://{address}{path}");
        let request = client.request(method.parse().unwrap(), url).header("origin", APP);
        let request = request.header("access-control-request-method", "DELETE");
        request.body("a body").send().await.unwrap()
    };
    let refused = send("OPTIONS", "/without").await;
    assert_eq!(refused.status(), 401);
    assert!(!refused.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));

    let preflight = send("OPTIONS", "/with/x").await;
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], APP);
    assert_eq!(preflight.text().await.unwrap(), "");
    let refused = send("DELETE", "/with/x").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], APP);
    assert_eq!(refused.headers()[WWW_AUTHENTICATE], r#"Bearer realm="api""#);
}
