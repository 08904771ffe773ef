//! The log line of a refusal names the method. If the framework reports the route, the line also
//! names the route, as the service declares it.

use actix_web::test as actix;
use actix_web::{App, web};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response};
use portcullis::testing::Scene;
use portcullis::{Gate, Policy};
use portcullis_test_support::log::lines;
use serde::Deserialize;
use tower::{ServiceExt as _, service_fn};

const PATH: &str = "/orders/s3cret-number";

#[derive(Deserialize)]
struct Tenant {
    #[expect(dead_code, reason = "its absence is tested")]
    tenant: u64,
}

/// The log lines of requests without a token, with a token that the route's policy rejects, with
/// unfit claims, and to a route without a layer.
fn refusals(send: impl AsyncFn(&Gate, &str, Option<&str>)) -> Vec<String> {
    let lines = lines("debug", async || {
        let scene = Scene::new().await;
        let (gate, token) = (scene.gate(), scene.token("s3cret-subject").bearer());
        send(&gate, PATH, None).await;
        send(&gate, PATH, Some(&token)).await;
        send(&gate, "/tenants/s3cret", Some(&token)).await;
        send(&gate, "/bare/s3cret", Some(&token)).await;
    });
    assert!(!lines.iter().any(|line| line.contains("s3cret")), "{lines:#?}");
    lines.into_iter().filter(|line| line.contains("portcullis::refusal")).collect()
}

/// Asserts that each line has the rule and the place of its refusal.
fn assert_told(lines: &[String], told: [(&str, &str); 4]) {
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for (line, (rule, at)) in lines.iter().zip(told) {
        for part in [&format!("rule=\"{rule}\""), at] {
            assert!(line.contains(part), "{line} should have {part}");
        }
    }
    let issuer = "issuer=\"https://issuer.example\"";
    let with_issuer = lines.iter().filter(|line| line.contains(issuer)).count();
    assert_eq!(with_issuer, 2, "{lines:#?}");
}

const PATTERNS: [(&str, &str); 4] = [
    ("missing", r#"method="GET" route="/orders/{id}""#),
    ("scope", r#"method="GET" route="/orders/{id}""#),
    ("claims", r#"method="GET" route="/tenants/{id}""#),
    ("misconfigured", r#"method="GET" route="/bare/{id}""#),
];

#[test]
fn axum_log_names_the_matched_path() {
    use portcullis_axum::{Caller, Claims, RequireLayer, protect};

    let lines = refusals(async |gate, path, authorization| {
        let orders = get(async || ()).layer(RequireLayer::new(Policy::scopes(["orders:read"])));
        let api = Router::new()
            .route("/orders/{id}", orders)
            .route("/tenants/{id}", get(async |_: Claims<Tenant>| ()));
        let app = Router::new()
            .route("/bare/{id}", get(async |_: Caller| ()))
            .merge(protect(gate.clone(), api));
        let mut request = Request::get(path);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let _: Response<Body> = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    });
    assert_told(&lines, PATTERNS);
}

#[test]
fn actix_log_names_the_resource_pattern() {
    use portcullis_actix::{Auth, Caller, Claims, Require};

    let lines = refusals(async |gate, path, authorization| {
        let gate = gate.clone();
        let app = App::new().service(web::resource("/bare/{id}").to(async |_: Caller| "")).service(
            web::scope("")
                .wrap(Auth::new(gate))
                .service(
                    web::resource("/orders/{id}")
                        .wrap(Require::new(Policy::scopes(["orders:read"])))
                        .to(async || ""),
                )
                .service(web::resource("/tenants/{id}").to(async |_: Claims<Tenant>| "")),
        );
        let app = actix::init_service(app).await;
        let mut request = actix::TestRequest::get().uri(path);
        if let Some(authorization) = authorization {
            request = request.insert_header(("authorization", authorization));
        }
        actix::call_service(&app, request.to_request()).await;
    });
    assert_told(&lines, PATTERNS);
}

/// These frameworks have no router, so the service's own code finds the route.
#[test]
fn tower_and_hyper_logs_name_the_method_and_the_configured_route() {
    use portcullis_tower::{AuthLayer, RequireLayer};
    use tower::ServiceBuilder;

    #[derive(Clone)]
    struct Pattern(&'static str);

    let lines = refusals(async |gate, path, authorization| {
        let find =
            |extensions: &http::Extensions| extensions.get::<Pattern>().map(|pattern| pattern.0);
        let pattern = match path.split('/').nth(1) {
            Some("orders") => "/orders/{id}",
            Some("tenants") => "/tenants/{id}",
            _ => "/bare/{id}",
        };
        let inside = service_fn(async |request: Request<()>| {
            let who = portcullis_hyper::caller(&request);
            let read = who.and_then(|who| who.claims::<Tenant>().map(drop));
            Ok::<_, std::convert::Infallible>(
                read.map_or_else(portcullis::Refusal::into_response, |()| {
                    Response::new(String::new())
                }),
            )
        });
        let mut request = Request::get(path).extension(Pattern(pattern));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(()).unwrap();
        let auth = AuthLayer::new(gate.clone().route_from(find));
        let require = RequireLayer::new(Policy::scopes(["orders:read"])).route_from(find);
        match pattern {
            "/orders/{id}" => {
                let app = ServiceBuilder::new().layer(auth).layer(require).service(inside);
                app.oneshot(request).await.map(drop)
            }
            "/tenants/{id}" => {
                ServiceBuilder::new().layer(auth).service(inside).oneshot(request).await.map(drop)
            }
            _ => inside.oneshot(request).await.map(drop),
        }
        .unwrap();
    });
    // The last two lines have no route: `Authenticated::claims` has no access to the request, and
    // `portcullis_hyper::caller` has no access to a router.
    let alone = [("claims", "issuer="), ("misconfigured", r#"method="GET""#)];
    assert_told(&lines, [PATTERNS[0], PATTERNS[1], alone[0], alone[1]]);
}
