//! A request that is treated as something else.
//!
//! A gate has no exceptions for routes or methods: only a valid token opens it. The service declares
//! the form of its refusals, because a proxy that authorizes by status (`auth_request` in nginx,
//! `forward_auth` in Caddy) accepts every 2xx response.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use portcullis::testing::TestKey;
use portcullis::{
    Algorithm, Authenticated, Gate, IssuerSettings, Policy, Revocation,
    adapter::{Bodies, FromBytes, MaybeReady, NoBodies, Requirement, Site, Visitor, admit},
    dangerous,
    keys::{KeyRequest, KeySource, ResolveError, SharedKeySet},
    token::TokenPlace,
};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, NOW, builder, claims, verdict, verdict_now};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "PROPFIND"];

/// Headers in which clients describe themselves, their requests and the responses that they accept.
const SAID: [&[(&str, &str)]; 14] = [
    &[],
    &[("content-type", "application/grpc")],
    &[("content-type", "application/grpc+proto")],
    &[("content-type", "Application/gRPC; a=b")],
    &[("content-type", "application/grpc-web")],
    &[("content-type", "application/json"), ("content-type", "application/grpc")],
    &[("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "1S")],
    &[("accept", "application/grpc"), ("grpc-accept-encoding", "gzip")],
    &[("user-agent", "grpc-rust/1.0"), ("x-grpc-web", "1")],
    &[("origin", "https://app.example"), ("access-control-request-method", "POST")],
    &[("origin", "https://app.example"), ("access-control-request-headers", "authorization")],
    &[("connection", "upgrade"), ("upgrade", "websocket")],
    &[("x-http-method-override", "OPTIONS"), ("x-original-url", "/health")],
    &[("x-forwarded-proto", "grpc"), ("x-forwarded-uri", "/health"), ("accept", "text/html")],
];

/// A key source whose keys arrive late, if its name is `late`, or are unavailable, if it has
/// another name.
#[derive(Debug)]
struct Keys(SharedKeySet, &'static str);

impl KeySource for Keys {
    fn resolve(
        &self,
        wanted: &KeyRequest<'_>,
    ) -> MaybeReady<Result<portcullis::keys::CandidateKeys, portcullis::keys::ResolveError>> {
        let unavailable =
            || ResolveError::Unavailable { retry_after: Duration::from_secs(1), source: None };
        match (self.1, self.0.resolve(wanted)) {
            ("late", MaybeReady::Ready(key)) => MaybeReady::Pending(Box::pin(async { key })),
            _ => MaybeReady::Ready(Err(unavailable())),
        }
    }
}

struct World {
    key: TestKey,
    gate: Gate,
}

impl World {
    async fn new() -> Self {
        let key = TestKey::generate("k", Algorithm::Es256);
        let keys = || SharedKeySet::new(TestKey::key_set([&key]));
        let other = |name: &'static str| {
            let issuer = format!("https://{name}.example");
            IssuerSettings::new(issuer, AUDIENCE).key_source(Keys(keys(), name))
        };
        let auth = builder(&key)
            .also_issuer(other("late"))
            .also_issuer(other("away"))
            .problem_json()
            .build()
            .await
            .unwrap();
        Self { gate: Gate::new(auth), key }
    }

    fn token(&self, issuer: &str, changes: &serde_json::Value) -> String {
        let mut claims = claims();
        claims["iss"] = json!(issuer);
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        format!("Bearer {}", self.key.token(&claims))
    }

    /// Every way in which `gate`, or the code behind it, refuses.
    fn refused(&self, gate: &Gate) -> Vec<Refused> {
        let token = |issuer: &str, changes| Some(self.token(issuer, &changes));
        let (late, away) = ("https://late.example", "https://away.example");
        let expired = json!({"exp": NOW - 60});
        let listed =
            gate.clone().revocation(Revocation::status_list(Duration::from_secs(10))).unwrap();
        let row = |name, status, gate: &Gate, authorization| Refused {
            name,
            status,
            gate: gate.clone(),
            authorization,
            required: Policy::scopes(["read"]).into(),
        };
        let no_introspection = row("no introspection", (500, "13"), gate, token(ISSUER, json!({})));
        vec![
            Refused { required: Revocation::live().into(), ..no_introspection },
            row("no token", (401, "16"), gate, None),
            row("a malformed one", (400, "3"), gate, Some("Bearer".to_owned())),
            row("no JWT", (401, "16"), gate, Some("Bearer a.b.c".to_owned())),
            row("expired", (401, "16"), gate, token(ISSUER, expired.clone())),
            row("keys away", (503, "14"), gate, token(away, json!({}))),
            row("expired, keys late", (401, "16"), gate, token(late, expired)),
            row("no status", (401, "16"), &listed, token(ISSUER, json!({}))),
            row("no status, keys late", (401, "16"), &listed, token(late, json!({}))),
            row("within: no scope", (403, "7"), gate, token(ISSUER, json!({}))),
            row("within: an anonymous caller", (401, "16"), &gate.clone().optional(), None),
        ]
    }
}

struct Refused {
    name: &'static str,
    /// The status over HTTP, and the status over gRPC.
    status: (u16, &'static str),
    gate: Gate,
    authorization: Option<String>,
    /// The requirement of the route.
    required: Requirement,
}

/// The response of a service behind `gate` whose route has a requirement.
async fn answer<M: Bodies<Bytes>>(
    gate: &Gate,
    required: &Requirement,
    mut request: Request<()>,
) -> Response<Bytes> {
    let exit = gate.exit(&request);
    let visitor = match verdict(gate, &request).await {
        Ok(visitor) => visitor,
        Err(refusal) => return M::refused(refusal),
    };
    visitor.mark(request.extensions_mut());
    let left = request.extensions();
    let response =
        match admit(left.get(), left.get(), left.get(), required, "", Site::default).await {
            Ok(()) => Response::new(Bytes::from_static(b"reached")),
            Err(refusal) => refusal.into_full_response(),
        };
    M::passed(response, &exit)
}

fn request(method: &str, said: &[(&str, &str)], authorization: Option<&str>) -> Request<()> {
    let target = if method == "CONNECT" { "api.example:443" } else { "/health" };
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in said {
        request = request.header(*name, *value);
    }
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.body(()).unwrap()
}

fn grpc_status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status").map(|status| status.to_str().unwrap())
}

/// Until 2026-11 any request with `Content-Type: application/grpc` was rejected with 200.
#[tokio::test]
async fn plain_gate_never_refuses_with_a_success_status() {
    let world = World::new().await;
    for Refused { name, status: (status, _), gate, authorization, required } in
        world.refused(&world.gate)
    {
        for (method, said) in METHODS.into_iter().flat_map(|method| SAID.map(|said| (method, said)))
        {
            let request = || request(method, said, authorization.as_deref());
            for response in [
                answer::<NoBodies>(&gate, &required, request()).await,
                answer::<FromBytes>(&gate, &required, request()).await,
            ] {
                assert_eq!(response.status(), status, "{name}: {method} {said:?}");
                assert_eq!(grpc_status(response.headers()), None, "{name}: {method} {said:?}");
                assert_ne!(response.body(), "reached", "{name}: {method} {said:?}");
            }
        }
    }
}

#[tokio::test]
async fn grpc_gate_always_refuses_with_a_grpc_status() {
    let world = World::new().await;
    let content_type = |headers: &HeaderMap| headers[http::header::CONTENT_TYPE].clone();
    let gate = world.gate.clone().grpc();
    for Refused { name, status: (_, status), gate, authorization, required } in world.refused(&gate)
    {
        for (method, said) in METHODS.into_iter().flat_map(|method| SAID.map(|said| (method, said)))
        {
            let request = || request(method, said, authorization.as_deref());
            for response in [
                answer::<NoBodies>(&gate, &required, request()).await,
                answer::<FromBytes>(&gate, &required, request()).await,
            ] {
                let headers = response.headers();
                assert_eq!(response.status(), 200, "{name}: {method} {said:?}");
                assert_eq!(grpc_status(headers), Some(status), "{name}: {method} {said:?}");
                assert_eq!(content_type(headers), "application/grpc", "{name}: {method} {said:?}");
                assert!(response.body().is_empty(), "{name}: {method} {said:?}");
            }
        }
    }
}

/// Until 2026-11 a preflight, or a request that looked like one, could reach any handler.
#[tokio::test]
async fn method_header_or_path_does_not_replace_a_token() {
    let world = World::new().await;
    let good = world.token(ISSUER, &json!({}));
    for method in METHODS {
        for said in SAID {
            for path in ["/", "/health", "//health", "/metrics", "/.well-known/x", "*"] {
                let mut request = request(method, said, None);
                if method != "CONNECT" {
                    *request.uri_mut() = path.parse().unwrap();
                }
                let Ok(Err(refusal)) = verdict_now(&world.gate, &request) else {
                    unreachable!("{method} {path} {said:?} passed")
                };
                assert_eq!(refusal.rule(), "missing", "{method} {path} {said:?}");
                let (name, value) = (HeaderName::from_static("authorization"), &good);
                request.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
                let Ok(Ok(Visitor::Caller(who))) = verdict_now(&world.gate, &request) else {
                    unreachable!("{method} {path} {said:?} was refused")
                };
                assert_eq!(Authenticated::subject(&who), Some("alice"));
            }
        }
    }
}

/// Each of several gates that share an authenticator reads only its own places. One gate also reads
/// the query, for a client that can send the token nowhere else; the other gates do not.
#[tokio::test]
async fn token_is_read_only_from_the_places_of_its_gate() {
    let world = World::new().await;
    let token = world.token(ISSUER, &json!({}));
    let token = token.strip_prefix("Bearer ").unwrap();
    let encoded = super::support::encode(token);
    type Sent = (&'static str, &'static str, String);
    let places: [(TokenPlace, Sent); 6] = [
        (TokenPlace::authorization(), ("/", "authorization", format!("Bearer {token}"))),
        (TokenPlace::header("x-token"), ("/", "x-token", token.to_owned())),
        (
            TokenPlace::header_with_scheme("x-forwarded-authorization", "Bearer"),
            ("/", "x-forwarded-authorization", format!("Bearer {token}")),
        ),
        (
            TokenPlace::websocket_prefix("bearer."),
            ("/", "sec-websocket-protocol", format!("bearer.{token}")),
        ),
        (
            TokenPlace::websocket_pair("bearer"),
            ("/", "sec-websocket-protocol", format!("bearer, {token}")),
        ),
        (
            TokenPlace::websocket_base64url("b64."),
            ("/", "sec-websocket-protocol", format!("b64.{encoded}")),
        ),
    ];
    let in_query = dangerous::token_in_query("token");
    let query = format!("/?token={token}");
    let enter = |gate: &Gate, target: &str, sent: Option<&Sent>| {
        let mut request = Request::get(target);
        if let Some((_, name, value)) = sent {
            request = request.header(*name, value);
        }
        match gate.enter(&request.body(()).unwrap()) {
            MaybeReady::Ready(Ok(_)) => "accepted",
            MaybeReady::Ready(Err(refusal)) => refusal.rule(),
            MaybeReady::Pending(_) => "pending",
        }
    };
    let of_query = world.gate.clone().token_places([in_query.clone()]).unwrap();
    assert_eq!(enter(&of_query, &query, None), "accepted");
    assert_eq!(enter(&world.gate, &query, None), "missing");
    for (place, sent) in &places {
        let gate = world.gate.clone().token_places([place.clone()]).unwrap();
        for (other, elsewhere) in &places {
            let expected = if place == other { "accepted" } else { "missing" };
            assert_eq!(enter(&gate, "/", Some(elsewhere)), expected, "{other} at {place}");
        }
        // A token in an unlisted place does not count as a second token; a token in a listed place
        // does.
        assert_eq!(enter(&gate, &query, Some(sent)), "accepted", "{place}");
        assert_eq!(enter(&of_query, &query, Some(sent)), "accepted", "{place}");
        let both = world.gate.clone().token_places([place.clone(), in_query.clone()]).unwrap();
        assert_eq!(enter(&both, &query, Some(sent)), "credentials_repeated", "{place}");
    }
}
