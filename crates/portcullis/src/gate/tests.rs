use http::Request;
use serde_json::json;

use super::*;
use crate::authenticator::AuthenticatorBuilder;
use crate::credentials::TokenPlace;
use crate::refusal::with_body;
use crate::testing::{Scene, verdict_now};

async fn gate_with(
    change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
) -> (Gate, String) {
    let scene = Scene::with(change).await;
    (scene.gate(), scene.token("a").sign())
}

fn entry(gate: &Gate, method: &str, target: &str, headers: &[(&str, &str)]) -> &'static str {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match verdict_now(gate, &request.body(()).unwrap()) {
        Ok(Ok(Visitor::Caller(_))) => "caller",
        Ok(Ok(Visitor::Anonymous(_))) => "anonymous",
        Ok(Ok(Visitor::Foreign(foreign))) if foreign.credential().is_none() => "scheme",
        Ok(Ok(Visitor::Foreign(_))) => "foreign",
        Ok(Err(refusal)) => refusal.rule(),
        Err(_) => "waits",
    }
}

#[tokio::test]
async fn request_without_a_token_is_rejected_for_every_path_and_method() {
    let (gate, token) = gate_with(|builder| builder).await;
    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    for method in ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "PROPFIND"] {
        for target in ["/", "/health", "//health", "*"] {
            assert_eq!(entry(&gate, method, target, &preflight), "missing", "{method} {target}");
        }
    }
    let bearer = format!("Bearer {token}");
    assert_eq!(entry(&gate, "OPTIONS", "/x", &[("authorization", &bearer)]), "caller");
}

/// The HTTP status and the `grpc-status` of `response`.
fn shape(response: &Response<Bytes>) -> (u16, Option<&str>) {
    let status = response.headers().get("grpc-status").map(|status| status.to_str().unwrap());
    (response.status().as_u16(), status)
}

#[tokio::test]
async fn only_a_grpc_gate_sends_grpc_refusals() {
    let (plain, _) = gate_with(AuthenticatorBuilder::problem_json).await;
    let declared = plain.clone().grpc();
    for kind in ["", "application/grpc", "application/grpc+proto", "application/json"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let request = Request::builder().method(method).header("content-type", kind);
            let request = request.body(()).unwrap();
            for (gate, expected) in [(&plain, (401, None)), (&declared, (200, Some("16")))] {
                let refusal = verdict_now(gate, &request).unwrap().unwrap_err();
                assert_eq!(shape(&refusal.into_full_response()), expected, "{kind} {method}");
            }
            // A refusal by a layer, an extractor or a handler, on a protected or an open route.
            let within = || Refusal::misconfigured("").into_full_response();
            for (gate, expected) in [(&plain, (500, None)), (&declared, (200, Some("13")))] {
                let (_, open) = gate.enter_open(&request);
                for exit in [gate.exit(&request), open] {
                    assert_eq!(shape(&FromBytes::passed(within(), &exit)), expected);
                    assert_eq!(shape(&NoBodies::passed(within(), &exit)), expected);
                }
            }
        }
    }
}

#[tokio::test]
async fn grpc_gate_drops_the_body_of_an_inner_refusal() {
    let (gate, _) = gate_with(AuthenticatorBuilder::problem_json).await;
    let gate = gate.grpc();
    let request = Request::new(());
    let (Visitor::Anonymous(anonymous), exit) = gate.enter_open(&request) else { unreachable!() };
    let within: Response<Bytes> = anonymous.refusal().into_full_response();
    assert!(!within.body().is_empty());
    let passed = FromBytes::passed(within, &exit);
    assert_eq!(shape(&passed), (200, Some("16")));
    assert!(passed.body().is_empty());
    assert_eq!(passed.headers()["content-type"], "application/grpc");
    assert_eq!(passed.headers()["www-authenticate"], r#"Bearer realm="api""#);
}

#[tokio::test]
async fn open_route_has_anonymous_caller_and_no_vary() {
    let (gate, _) = gate_with(|builder| builder.cookie("t")).await;
    let mut request = Request::get("/").header("authorization", "Bearer bad").body(()).unwrap();
    let (visitor, exit) = gate.enter_open(&request);
    visitor.mark(request.extensions_mut());
    assert!(request.extensions().get::<Anonymous>().is_some());
    assert!(exit.vary().is_none());
    assert!(gate.exit(&request).vary().is_some());
}

#[tokio::test]
async fn token_is_read_from_each_configured_place() {
    let places = [
        TokenPlace::authorization(),
        TokenPlace::header("X-Access-Token"),
        TokenPlace::websocket_prefix("bearer."),
        crate::dangerous::token_in_query("access_token"),
    ];
    let (gate, token) = gate_with(|builder| builder.token_places(places).cookie("t")).await;
    let protocol = format!("chat, bearer.{token}");
    let cookie = format!("t={token}");
    let query = format!("/x?access_token={token}");
    assert_eq!(entry(&gate, "GET", "/x", &[("x-access-token", &token)]), "caller");
    assert_eq!(entry(&gate, "GET", "/x", &[("sec-websocket-protocol", &protocol)]), "caller");
    assert_eq!(entry(&gate, "GET", &query, &[]), "caller");
    assert_eq!(entry(&gate, "GET", "/x", &[("cookie", &cookie)]), "caller");
    assert_eq!(entry(&gate, "POST", "/x", &[("cookie", &cookie)]), "cross_site");
    let handshake = [("connection", "upgrade"), ("cookie", cookie.as_str())];
    assert_eq!(entry(&gate, "GET", "/x", &handshake), "cross_site");
    assert_eq!(entry(&gate, "CONNECT", "a.example:1", &handshake), "cross_site");
    let two = [("x-access-token", token.as_str()), ("sec-websocket-protocol", &protocol)];
    assert_eq!(entry(&gate, "GET", "/x", &two), "credentials_repeated");
    assert_eq!(
        gate.exit(&Request::new(())).vary().unwrap(),
        "authorization, x-access-token, sec-websocket-protocol, cookie"
    );
}

#[tokio::test]
async fn gates_of_one_authenticator_have_their_own_places_and_vary() {
    let (rest, token) = gate_with(|builder| builder).await;
    let places = |places: &[TokenPlace]| rest.clone().token_places(places.to_vec()).unwrap();
    let query = places(&[crate::dangerous::token_in_query("access_token")]);
    let forwarded = places(&[TokenPlace::header("X-Forwarded-Access-Token")]);
    let both = places(&[TokenPlace::authorization(), TokenPlace::websocket_pair("bearer")]);
    let target = format!("/?access_token={token}");
    let bearer = format!("Bearer {token}");
    let pair = format!("bearer, {token}");
    for (target, headers, expected) in [
        (
            "/",
            &[("authorization", bearer.as_str())][..],
            ["caller", "missing", "missing", "caller"],
        ),
        (&target, &[], ["missing", "caller", "missing", "missing"]),
        (&target, &[("authorization", &bearer)], ["caller", "caller", "missing", "caller"]),
        (
            "/",
            &[("x-forwarded-access-token", &token), ("authorization", "Basic YTpi")],
            ["missing", "missing", "caller", "missing"],
        ),
        (
            "/",
            &[("authorization", &bearer), ("sec-websocket-protocol", &pair)],
            ["caller", "missing", "missing", "credentials_repeated"],
        ),
    ] {
        let gates = [&rest, &query, &forwarded, &both];
        let entries = gates.map(|gate| entry(gate, "GET", target, headers));
        assert_eq!(entries, expected, "{headers:?}");
    }
    let vary = |gate: &Gate| {
        gate.exit(&Request::new(())).vary().map(|vary| vary.to_str().unwrap().to_owned())
    };
    for (gate, strict, optional) in [
        (&rest, None, Some("authorization")),
        (&query, None, None),
        (&forwarded, Some("x-forwarded-access-token"), Some("x-forwarded-access-token")),
        (
            &both,
            Some("authorization, sec-websocket-protocol"),
            Some("authorization, sec-websocket-protocol"),
        ),
    ] {
        assert_eq!(vary(gate).as_deref(), strict);
        assert_eq!(vary(&gate.clone().optional()).as_deref(), optional);
    }
    // The order of the two calls does not matter.
    let places = [TokenPlace::authorization()];
    let optional = forwarded.optional().token_places(places).unwrap();
    assert_eq!(vary(&optional).as_deref(), Some("authorization"));
}

#[tokio::test]
async fn foreign_credentials_pass_only_a_gate_that_opts_in() {
    let (strict, token) = gate_with(|builder| builder.cookie("t")).await;
    let optional = strict.clone().optional();
    let passing = strict.clone().pass_foreign();
    let both = optional.clone().pass_foreign();
    let (bearer, cookie) = (format!("Bearer {token}"), format!("t={token}"));
    let of = |value| ("authorization", value);
    for (headers, expected) in [
        (&[][..], ["missing", "anonymous", "missing", "anonymous"]),
        (&[of("")], ["missing", "anonymous", "missing", "anonymous"]),
        (&[of(&bearer)], ["caller"; 4]),
        (&[of("Bearer key_1")], ["compact_form", "compact_form", "foreign", "foreign"]),
        (&[of("Basic YTpi")], ["missing", "anonymous", "scheme", "scheme"]),
        (&[of("ApiKey key_1")], ["missing", "anonymous", "scheme", "scheme"]),
        (&[of("key_1")], ["missing", "anonymous", "scheme", "scheme"]),
        // A request with a token is not foreign, whatever other credential it has.
        (&[of("Basic YTpi"), ("cookie", &cookie)], ["caller"; 4]),
        (&[of("Bearer key_1"), of("Bearer key_1")], ["credentials_repeated"; 4]),
        (&[of("Basic YTpi"), of("Basic YTpi")], ["credentials_repeated"; 4]),
        (&[of("Bearer")], ["credentials_grammar"; 4]),
        (&[of("Bearer key 1")], ["credentials_grammar"; 4]),
        (&[of("Bearer \"key_1\"")], ["credentials_grammar"; 4]),
        // A cookie may hold another application's value.
        (&[("cookie", "t=key_1")], ["compact_form", "compact_form", "foreign", "foreign"]),
    ] {
        let gates = [&strict, &optional, &passing, &both];
        let entries = gates.map(|gate| entry(gate, "GET", "/", headers));
        assert_eq!(entries, expected, "{headers:?}");
    }
    // Authorization is not a place of this gate, so it is not read.
    let header = passing.token_places([TokenPlace::header("x-token")]).unwrap();
    assert_eq!(entry(&header, "GET", "/", &[("authorization", "Basic YTpi")]), "missing");
    assert_eq!(entry(&header, "GET", "/", &[("x-token", "key_1")]), "foreign");
}

#[tokio::test]
async fn caller_or_foreign_returns_caller_foreign_none_or_refusal() {
    let (gate, token) = gate_with(|builder| builder).await;
    let asked = async |authorization: Option<&str>| {
        let mut request = Request::get("/");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        gate.caller_or_foreign(&request.body(()).unwrap()).await
    };
    let bearer = format!("Bearer {token}");
    assert!(matches!(asked(Some(&bearer)).await, Ok(Visitor::Caller(_))));
    assert!(matches!(asked(None).await, Ok(Visitor::Anonymous(_))));
    let Ok(Visitor::Foreign(foreign)) = asked(Some("Bearer key_1")).await else { unreachable!() };
    assert_eq!(foreign.credential(), Some("key_1"));
    assert!(!format!("{foreign:?}").contains("key_1"));
    assert_eq!(asked(Some("Bearer a b")).await.unwrap_err().rule(), "credentials_grammar");
    // `authenticate` refuses everything except a caller.
    let request = Request::get("/").header("authorization", "Bearer key_1").body(()).unwrap();
    let refusal = gate.clone().pass_foreign().authenticate(&request).await.unwrap_err();
    assert_eq!((refusal.status().as_u16(), refusal.rule()), (401, "compact_form"));

    let bare = async |text: &str| gate.caller_or_foreign_token(text).await;
    assert!(matches!(bare(&token).await, Ok(Visitor::Caller(_))));
    for text in ["key_1", "correct horse battery staple", "pässwörd", " "] {
        let Ok(Visitor::Foreign(foreign)) = bare(text).await else { unreachable!("{text}") };
        assert_eq!(foreign.credential(), Some(text));
    }
    assert_eq!(bare("").await.unwrap_err().rule(), "credentials_grammar");
    assert_eq!(bare(&format!("{token}\n")).await.unwrap_err().rule(), "credentials_grammar");
}

#[tokio::test]
async fn invalid_list_of_places_is_rejected() {
    let (gate, token) = gate_with(|builder| builder).await;
    for (places, reason) in [
        (vec![], "name at least one place"),
        (vec![TokenPlace::header("x token")], "header:x token"),
        (vec![TokenPlace::authorization(), TokenPlace::authorization()], "another place"),
        (vec![crate::dangerous::token_in_query("")], "parameter name"),
    ] {
        let error = gate.clone().token_places(places).unwrap_err().to_string();
        assert!(error.contains("token_places") && error.contains(reason), "{error}");
    }
    let (gate, _) = gate_with(|builder| builder.token_places([]).cookie("t")).await;
    let cookie = format!("t={token}");
    assert_eq!(entry(&gate, "GET", "/", &[("authorization", "Bearer a")]), "missing");
    assert_ne!(entry(&gate, "GET", "/", &[("cookie", &cookie)]), "missing");
    assert_eq!(gate.exit(&Request::new(())).vary().unwrap(), "cookie");
    assert!(gate.token_places([]).is_ok());
}

#[tokio::test]
async fn metadata_is_served_at_its_path_and_named_in_every_challenge() {
    let (gate, _) = gate_with(|builder| builder.protected_resource("https://api.example/v1")).await;
    let path = "/.well-known/oauth-protected-resource/v1";
    assert_eq!(gate.metadata_path(), Some(path));
    let ask = |method: &str, target: &str| {
        let request = Request::builder().method(method).uri(target).body(()).unwrap();
        gate.metadata::<Bytes>(&request)
    };
    let answer = ask("GET", path).unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert!(answer.body().starts_with(b"{"));
    for (method, target) in [("POST", path), ("GET", "/v1"), ("GET", "/")] {
        assert!(ask(method, target).is_none(), "{method} {target}");
    }
    let refusal = verdict_now(&gate, &Request::new(())).unwrap().unwrap_err();
    assert_eq!(
        refusal.challenge().unwrap(),
        "Bearer realm=\"api\", resource_metadata=\"https://api.example/.well-known/\
         oauth-protected-resource/v1\""
    );
}

#[tokio::test]
async fn refusal_body_does_not_replace_headers() {
    let (gate, _) = gate_with(AuthenticatorBuilder::problem_json).await;
    let refusal = verdict_now(&gate, &Request::new(())).unwrap().unwrap_err();
    let bare = refusal.clone().into_response::<Bytes>();
    assert!(bare.body().is_empty());
    let full = FromBytes::passed(bare, &gate.exit(&Request::new(())));
    assert_eq!(full.status(), 401);
    assert_eq!(full.headers()["www-authenticate"], r#"Bearer realm="api""#);
    assert_eq!(full.headers()["content-type"], "application/problem+json");
    let document: serde_json::Value = serde_json::from_slice(full.body()).unwrap();
    assert_eq!(
        document,
        json!({
            "type": "about:blank", "title": "Unauthorized", "status": 401,
            "detail": "An access token is required",
        })
    );
    // A body that a handler set is kept.
    let mut own = refusal.into_response::<Bytes>();
    own.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    assert!(with_body(own).body().is_empty());
}
