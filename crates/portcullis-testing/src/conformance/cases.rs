//! The cases: requests and their expected responses.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use portcullis::testing::{ISSUER, NOW, TestKey, claims};
use serde_json::{Value, json};

use super::exchange::Answer;
use super::protocol::Protocol;
use super::service::{ABSENT_ISSUER, BUSY_ISSUER, LATE_ISSUER, grpc_name};

const MALFORMED_REQUEST: &str = "The request's credentials are malformed";
const MALFORMED: &str = "The access token is malformed";
const EXPIRED: &str = "The access token expired";
const INVALID: &str = "The access token is invalid";
const SCOPE: &str = "The access token lacks the required scope";
const MISSING: &str = "An access token is required";
const STEP_UP: &str = "A more recent authentication is required";
const FORBIDDEN: &str = "The caller may not do this";
const FOREIGN: &str = "The request came from another site's page";
const AWAY: &str = "Token validation is temporarily unavailable";
const MISCONFIGURED: &str = "The service is not set up for this request";

/// The paths without a gate, which a gate's gRPC declaration does not affect.
const UNGATED: [&str; 3] = ["/require-alone", "/caller-alone", "/maybe-alone"];

const VARY: &str = "authorization, x-access-token, sec-websocket-protocol, cookie";

/// The prefix that Kubernetes clients put before the base64url of their token.
pub(super) const K8S: &str = "base64url.bearer.authorization.k8s.io.";

/// A request and its expected response.
#[derive(Debug, Clone)]
pub(super) struct Case {
    name: &'static str,
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, Vec<u8>)>,
    outcome: Outcome,
    /// Whether refusals have bodies, and challenges name the metadata.
    bodies: bool,
    /// Whether HTTP/2 cannot express the request.
    http1_only: bool,
    /// Whether the request claims to be gRPC.
    says_grpc: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.says_grpc { f.write_str(", content type of gRPC") } else { Ok(()) }
    }
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// The handler's response, with the caller that the handler receives.
    Handler(&'static str),
    /// Status, gRPC status, detail, and the challenge's parameters after the realm, if there is a
    /// challenge.
    Refused(u16, u16, &'static str, Option<Challenge>),
    Metadata,
    /// The response to a preflight for the metadata.
    MetadataPreflight,
}

#[derive(Debug, Clone, Copy)]
enum Challenge {
    Realm,
    Error(&'static str, &'static str),
}

impl Case {
    /// Returns the same request with the content type of gRPC.
    fn said_to_be_grpc(mut self) -> Self {
        self.headers.push(("content-type", b"application/grpc".to_vec()));
        Self { says_grpc: true, ..self }
    }

    /// Returns the response expected over `protocol`, or `None` if the protocol cannot carry the
    /// case. `declared` tells whether the gates are declared gRPC.
    pub(super) fn expected(&self, protocol: Protocol, declared: bool) -> Option<Answer> {
        let grpc = protocol == Protocol::Grpc;
        let connect = self.method == Method::CONNECT;
        let not_grpc =
            grpc_name(self.path).is_none() || self.method != Method::POST || self.says_grpc;
        if (self.http1_only && protocol != Protocol::Http1)
            || connect != (protocol == Protocol::ExtendedConnect)
            || (grpc && not_grpc)
        {
            return None;
        }
        let mut answer = self.answer(grpc, declared && !UNGATED.contains(&self.path));
        if !grpc && !answer.body.is_empty() {
            let length = answer.body.len().to_string();
            answer.headers.insert("content-length".to_owned(), vec![length]);
        }
        Some(answer)
    }

    /// Returns the bearer token in the `Authorization` header, if the case has no other header and
    /// is a POST to the strict gate's route `/`.
    pub(super) fn bare_token(&self) -> Option<&str> {
        let [("authorization", value)] = self.headers.as_slice() else { return None };
        let token = std::str::from_utf8(value).ok()?.strip_prefix("Bearer ")?;
        (self.path == "/" && self.method == Method::POST).then_some(token)
    }

    fn answer(&self, grpc: bool, declared: bool) -> Answer {
        match self.outcome {
            Outcome::Handler(who) => {
                let kind = if grpc { "application/grpc" } else { "text/plain" };
                let mut headers = vec![("content-type", kind)];
                // The response of an open route depends on no credential.
                if self.path != "/health" {
                    headers.push(("vary", VARY));
                }
                if grpc {
                    headers.push(("grpc-status", "0"));
                }
                // After a CONNECT, the connection no longer carries HTTP.
                let silent = [Method::HEAD, Method::CONNECT].contains(&self.method);
                Answer::new(200, &headers, if silent { "" } else { who })
            }
            Outcome::Refused(status, grpc_status, detail, challenge) => {
                self.refused(status, declared.then_some(grpc_status), detail, challenge)
            }
            Outcome::Metadata => {
                let headers = [
                    ("access-control-allow-origin", "*"),
                    ("cache-control", "public, max-age=3600"),
                    ("content-type", "application/json"),
                ];
                let document = json!({
                    "authorization_servers": [ISSUER, LATE_ISSUER, ABSENT_ISSUER, BUSY_ISSUER],
                    "bearer_methods_supported": ["header"],
                    "resource": "https://api.example/v1",
                });
                let body =
                    if self.method == Method::HEAD { String::new() } else { document.to_string() };
                Answer::new(200, &headers, &body)
            }
            Outcome::MetadataPreflight => {
                let headers = [
                    ("access-control-allow-headers", "*"),
                    ("access-control-allow-methods", "GET, HEAD"),
                    ("access-control-allow-origin", "*"),
                    ("access-control-max-age", "3600"),
                    ("allow", "GET, HEAD, OPTIONS"),
                ];
                Answer::new(204, &headers, "")
            }
        }
    }

    fn refused(
        &self,
        status: u16,
        grpc_status: Option<u16>,
        detail: &str,
        challenge: Option<Challenge>,
    ) -> Answer {
        let mut headers = vec![("cache-control", "no-store".to_owned())];
        if let Some(challenge) = challenge {
            let mut text = r#"Bearer realm="api""#.to_owned();
            if let Challenge::Error(error, rest) = challenge {
                text += &format!(r#", error="{error}", error_description="{detail}"{rest}"#);
            }
            if self.bodies {
                text += ", resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/v1\"";
            }
            headers.push(("www-authenticate", text));
        }
        if matches!(status, 429 | 503) {
            headers.push(("retry-after", "7".to_owned()));
        }
        let mut body = String::new();
        // Without a gate, the settings for bodies are unknown.
        if self.bodies && grpc_status.is_none() && detail != MISCONFIGURED {
            headers.push(("content-type", "application/problem+json".to_owned()));
            let title = http::StatusCode::from_u16(status).unwrap();
            let title = title.canonical_reason();
            let document =
                json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
            body = if self.method == Method::HEAD { body } else { document.to_string() };
        }
        if let Some(grpc_status) = grpc_status {
            headers.push(("content-type", "application/grpc".to_owned()));
            headers.push(("grpc-status", grpc_status.to_string()));
            headers.push(("grpc-message", detail.to_owned()));
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Answer::new(if grpc_status.is_some() { 200 } else { status }, &headers, &body)
    }
}

/// The tokens that the cases send.
#[derive(Debug)]
pub(super) struct Tokens {
    good: String,
    scope: String,
    clerk: String,
    strong: String,
    weak: String,
    expired: String,
    elsewhere: String,
    bound: String,
    forged: String,
    unknown: String,
    late: String,
    late_forged: String,
    absent: String,
    busy: String,
    stranger: String,
}

impl Tokens {
    pub(super) fn signed(key: &TestKey, forged: &TestKey, unknown: &TestKey) -> Self {
        let with = |key: &TestKey, changes: Value| {
            let mut claims = claims();
            for (name, value) in changes.as_object().into_iter().flatten() {
                claims.as_object_mut().unwrap().insert(name.clone(), value.clone());
            }
            key.token(&claims)
        };
        Self {
            good: with(key, json!({})),
            scope: with(key, json!({"scope": "write read"})),
            clerk: with(key, json!({"roles": ["clerk"]})),
            strong: with(key, json!({"acr": "urn:strong", "auth_time": NOW - 10})),
            weak: with(key, json!({"acr": "urn:weak", "auth_time": NOW - 1000})),
            expired: with(key, json!({"iat": NOW - 900, "exp": NOW - 10})),
            elsewhere: with(key, json!({"aud": "https://other.example"})),
            bound: with(key, json!({"cnf": {"jkt": "x"}})),
            forged: with(forged, json!({})),
            unknown: with(unknown, json!({})),
            late: with(key, json!({"iss": LATE_ISSUER})),
            late_forged: with(forged, json!({"iss": LATE_ISSUER})),
            absent: with(key, json!({"iss": ABSENT_ISSUER})),
            busy: with(key, json!({"iss": BUSY_ISSUER})),
            stranger: with(key, json!({"iss": "https://stranger.example"})),
        }
    }
}

/// Returns all cases.
pub(super) fn all(tokens: &Tokens, bodies: bool) -> Vec<Case> {
    use Challenge::{Error, Realm};
    use Outcome::{Handler, Refused};
    const TOKEN: &str = "invalid_token";
    let missing = Refused(401, 16, MISSING, Some(Realm));
    let bad_request = Refused(400, 3, MALFORMED_REQUEST, Some(Error("invalid_request", "")));
    let malformed = Refused(401, 16, MALFORMED, Some(Error(TOKEN, "")));
    let invalid = Refused(401, 16, INVALID, Some(Error(TOKEN, "")));
    let expired = Refused(401, 16, EXPIRED, Some(Error(TOKEN, "")));
    let scope = Refused(403, 7, SCOPE, Some(Error("insufficient_scope", r#", scope="read""#)));
    let step_up =
        Error("insufficient_user_authentication", r#", acr_values="urn:strong", max_age="300""#);
    let step_up = Refused(401, 16, STEP_UP, Some(step_up));
    let forbidden = Refused(403, 7, FORBIDDEN, None);
    let foreign = Refused(403, 7, FOREIGN, None);
    let away = Refused(503, 14, AWAY, None);
    let busy = Refused(429, 14, AWAY, None);
    let misconfigured = Refused(500, 13, MISCONFIGURED, None);
    let alice = Handler("alice");
    let anonymous = Handler("anonymous");

    let bearer = |token: &str| ("authorization", format!("Bearer {token}").into_bytes());
    let line = |name: &'static str, value: &str| (name, value.as_bytes().to_vec());
    let cookie = || ("cookie", format!("__Host-portcullis-access={}", tokens.good).into_bytes());
    let protocol =
        |token: &str| ("sec-websocket-protocol", format!("chat, bearer.{token}").into_bytes());
    let pair =
        |token: &str| ("sec-websocket-protocol", format!("bearer, {token}, chat").into_bytes());
    let encoded = |token: &str| {
        let encoded = URL_SAFE_NO_PAD.encode(token);
        ("sec-websocket-protocol", format!("chat, {K8S}{encoded}").into_bytes())
    };
    // The access cookie's prefix implies that the request came over https, even if a proxy
    // terminated TLS.
    let own = || line("origin", "https://{authority}");

    let mut cases = Vec::new();
    let mut add = |name,
                   method: Method,
                   path: &'static str,
                   headers: Vec<(&'static str, Vec<u8>)>,
                   outcome| {
        let http1_only =
            headers.iter().any(|(name, _)| *name == "connection") || !path.starts_with('/');
        let says_grpc = false;
        cases.push(Case { name, method, path, headers, outcome, bodies, http1_only, says_grpc });
    };

    // POST by default, because gRPC uses POST; GET where safe methods differ.
    let post = |name, path, headers, outcome| (name, Method::POST, path, headers, outcome);
    let get = |name, path, headers, outcome| (name, Method::GET, path, headers, outcome);
    let connect = |name, headers, outcome| (name, Method::CONNECT, "/", headers, outcome);
    for (name, method, path, headers, outcome) in [
        post("no token", "/", vec![], missing),
        get("no token, safe method", "/", vec![], missing),
        ("no token, HEAD", Method::HEAD, "/", vec![], missing),
        post("other scheme", "/", vec![line("authorization", "Basic YTpi")], missing),
        post("scheme without a token", "/", vec![line("authorization", "Bearer")], bad_request),
        post(
            "two tokens in one header",
            "/",
            vec![line("authorization", "Bearer a, Bearer b")],
            bad_request,
        ),
        post("non-ASCII token", "/", vec![("authorization", b"Bearer \xff".to_vec())], bad_request),
        post("two headers", "/", vec![bearer(&tokens.good), bearer(&tokens.good)], bad_request),
        post("not a JWT", "/", vec![bearer("opaque")], malformed),
        post("expired", "/", vec![bearer(&tokens.expired)], expired),
        post("other audience", "/", vec![bearer(&tokens.elsewhere)], invalid),
        post("forged", "/", vec![bearer(&tokens.forged)], invalid),
        post("unknown key", "/", vec![bearer(&tokens.unknown)], invalid),
        post("sender-constrained", "/", vec![bearer(&tokens.bound)], invalid),
        post("keys unavailable", "/", vec![bearer(&tokens.absent)], away),
        post("unknown key, no fetch allowed", "/", vec![bearer(&tokens.busy)], busy),
        post("keys pending", "/", vec![bearer(&tokens.late)], alice),
        post("forged, keys pending", "/", vec![bearer(&tokens.late_forged)], invalid),
        post("valid", "/", vec![bearer(&tokens.good)], alice),
        get("valid, safe method", "/", vec![bearer(&tokens.good)], alice),
        post(
            "valid, scheme in any case",
            "/",
            vec![line("authorization", &format!("bEARER  {}", tokens.good))],
            alice,
        ),
        // Policies.
        post("scope", "/scope", vec![bearer(&tokens.scope)], alice),
        post("no scope", "/scope", vec![bearer(&tokens.good)], scope),
        post("scope, no token", "/scope", vec![], missing),
        get("a method without a policy", "/method", vec![bearer(&tokens.good)], alice),
        get("a method without a policy, no token", "/method", vec![], missing),
        post("a method with a policy", "/method", vec![bearer(&tokens.scope)], alice),
        post("a method with an unmet policy", "/method", vec![bearer(&tokens.good)], scope),
        post("a method with a policy, no token", "/method", vec![], missing),
        post("role", "/role", vec![bearer(&tokens.clerk)], alice),
        post("no role", "/role", vec![bearer(&tokens.good)], forbidden),
        post("stepped up", "/step-up", vec![bearer(&tokens.strong)], alice),
        post("not stepped up", "/step-up", vec![bearer(&tokens.weak)], step_up),
        post("role, required in the handler", "/inside", vec![bearer(&tokens.clerk)], alice),
        post("no role, required in the handler", "/inside", vec![bearer(&tokens.good)], forbidden),
        (
            "no role, required in the handler, HEAD",
            Method::HEAD,
            "/inside",
            vec![bearer(&tokens.good)],
            forbidden,
        ),
        post("unfit claims", "/unfit", vec![bearer(&tokens.good)], forbidden),
        // Routes with an optional token.
        post("optional, no token", "/optional", vec![], anonymous),
        post("optional, valid", "/optional", vec![bearer(&tokens.good)], alice),
        post("optional, forged", "/optional", vec![bearer(&tokens.forged)], invalid),
        post("optional, expired", "/optional", vec![bearer(&tokens.expired)], expired),
        post("optional, keys pending", "/optional", vec![bearer(&tokens.late)], alice),
        post(
            "optional, malformed",
            "/optional",
            vec![line("authorization", "Bearer")],
            bad_request,
        ),
        post("optional, then a policy, no token", "/optional-scope", vec![], missing),
        post("optional, then a policy, met", "/optional-scope", vec![bearer(&tokens.scope)], alice),
        post(
            "optional, then a policy, not met",
            "/optional-scope",
            vec![bearer(&tokens.good)],
            scope,
        ),
        // Routes that accept credentials of another authenticator.
        post("foreign, an API key", "/foreign", vec![bearer("key_1")], Handler("foreign")),
        post(
            "foreign, other scheme",
            "/foreign",
            vec![line("authorization", "ApiKey 1")],
            Handler("foreign"),
        ),
        post(
            "foreign, other issuer",
            "/foreign",
            vec![bearer(&tokens.stranger)],
            Handler("foreign"),
        ),
        post("foreign, valid", "/foreign", vec![bearer(&tokens.good)], alice),
        post("foreign, no token", "/foreign", vec![], anonymous),
        post("foreign, forged", "/foreign", vec![bearer(&tokens.forged)], invalid),
        post("foreign, keys pending", "/foreign", vec![bearer(&tokens.late)], alice),
        post(
            "foreign, malformed",
            "/foreign",
            vec![line("authorization", "Bearer key 1")],
            bad_request,
        ),
        post(
            "foreign, an API key, handler without foreign",
            "/foreign-maybe",
            vec![bearer("key_1")],
            malformed,
        ),
        post(
            "foreign, other issuer, handler without foreign",
            "/foreign-maybe",
            vec![bearer(&tokens.stranger)],
            invalid,
        ),
        post(
            "foreign, other scheme, handler without foreign",
            "/foreign-maybe",
            vec![line("authorization", "ApiKey 1")],
            missing,
        ),
        post("foreign, no token, handler without foreign", "/foreign-maybe", vec![], anonymous),
        post("foreign, then a policy", "/foreign-scope", vec![bearer("key_1")], malformed),
        post(
            "foreign, other scheme, then a policy",
            "/foreign-scope",
            vec![line("authorization", "ApiKey 1")],
            missing,
        ),
        post("foreign, valid, then a policy", "/foreign-scope", vec![bearer(&tokens.scope)], alice),
        // Policies and handlers without a gate.
        post(
            "a policy without authentication",
            "/require-alone",
            vec![bearer(&tokens.scope)],
            misconfigured,
        ),
        post("an optional handler without authentication", "/maybe-alone", vec![], misconfigured),
        post(
            "a handler without authentication",
            "/caller-alone",
            vec![bearer(&tokens.good)],
            misconfigured,
        ),
        // Requests that pass without a token.
        get("an open route", "/health", vec![], anonymous),
        post("an open route, other method", "/health", vec![], anonymous),
        get("an open route, forged", "/health", vec![bearer(&tokens.forged)], anonymous),
        get("an open route with a trailing slash", "/health/", vec![], missing),
        get("an open route with two slashes", "//health", vec![], missing),
        get("an open route below another path", "/scope/health", vec![], missing),
        (
            "a preflight with a body",
            Method::OPTIONS,
            "/",
            vec![
                line("origin", "https://app.example"),
                line("access-control-request-method", "POST"),
            ],
            missing,
        ),
        ("OPTIONS with a body", Method::OPTIONS, "/", vec![], missing),
        ("OPTIONS, valid", Method::OPTIONS, "/", vec![bearer(&tokens.good)], alice),
        // Other token locations.
        post("other header", "/", vec![line("x-access-token", &tokens.good)], alice),
        post(
            "other header, with a scheme",
            "/",
            vec![line("x-access-token", &format!("Bearer {}", tokens.good))],
            bad_request,
        ),
        post(
            "other header, twice",
            "/",
            vec![line("x-access-token", &tokens.good), line("x-access-token", &tokens.good)],
            bad_request,
        ),
        get("a subprotocol", "/", vec![protocol(&tokens.good)], alice),
        get("a subprotocol, forged", "/", vec![protocol(&tokens.forged)], invalid),
        get("two subprotocols, marker and token", "/", vec![pair(&tokens.good)], alice),
        get("two subprotocols, marker and token, forged", "/", vec![pair(&tokens.forged)], invalid),
        get(
            "two subprotocols, only the marker",
            "/",
            vec![line("sec-websocket-protocol", "chat, bearer")],
            bad_request,
        ),
        get("a subprotocol in base64url", "/", vec![encoded(&tokens.good)], alice),
        get("a subprotocol in base64url, forged", "/", vec![encoded(&tokens.forged)], invalid),
        get(
            "a subprotocol in base64url, not encoded",
            "/",
            vec![line("sec-websocket-protocol", &format!("{K8S}{}", tokens.good))],
            bad_request,
        ),
        post(
            "other header and other scheme",
            "/",
            vec![line("authorization", "Basic YTpi"), line("x-access-token", &tokens.good)],
            alice,
        ),
        post(
            "an unlisted header",
            "/",
            vec![line("x-forwarded-access-token", &tokens.good)],
            missing,
        ),
        post(
            "two places, Authorization and other header",
            "/",
            vec![bearer(&tokens.good), line("x-access-token", &tokens.good)],
            bad_request,
        ),
        get(
            "two places, Authorization and a subprotocol",
            "/",
            vec![bearer(&tokens.good), pair(&tokens.good)],
            bad_request,
        ),
        post(
            "two places, other header and a subprotocol",
            "/",
            vec![line("x-access-token", &tokens.good), protocol(&tokens.good)],
            bad_request,
        ),
        get("an unlisted query parameter", "/?access_token=a", vec![], missing),
        // Cookies and the origins that may send them.
        get("a cookie, safe method", "/", vec![cookie()], alice),
        get(
            "a cookie, safe method, cross site",
            "/",
            vec![cookie(), line("sec-fetch-site", "cross-site")],
            alice,
        ),
        get(
            "a cookie in the second header line",
            "/",
            vec![line("cookie", "a=b"), cookie()],
            alice,
        ),
        get("a cookie twice", "/", vec![cookie(), cookie()], bad_request),
        post("a cookie without an origin", "/", vec![cookie()], foreign),
        post(
            "a cookie, same origin",
            "/",
            vec![cookie(), line("sec-fetch-site", "same-origin")],
            alice,
        ),
        post(
            "a cookie, same site",
            "/",
            vec![cookie(), line("sec-fetch-site", "same-site")],
            foreign,
        ),
        post(
            "a cookie, cross site",
            "/",
            vec![cookie(), line("sec-fetch-site", "cross-site")],
            foreign,
        ),
        post("a cookie, own origin", "/", vec![cookie(), own()], alice),
        post(
            "a cookie, origin of an absolute-form target",
            "http://api.example/",
            vec![cookie(), line("origin", "https://api.example")],
            alice,
        ),
        post(
            "a cookie, own host over http",
            "/",
            vec![cookie(), line("origin", "http://{authority}")],
            foreign,
        ),
        post("a cookie, own origin twice", "/", vec![cookie(), own(), own()], foreign),
        post(
            "a cookie, same origin twice",
            "/",
            vec![
                cookie(),
                line("sec-fetch-site", "same-origin"),
                line("sec-fetch-site", "same-origin"),
            ],
            foreign,
        ),
        post(
            "a cookie, other origin than an absolute-form target",
            "http://api.example/",
            vec![cookie(), own()],
            foreign,
        ),
        post(
            "a cookie, foreign origin",
            "/",
            vec![cookie(), line("origin", "http://evil.example")],
            foreign,
        ),
        post(
            "a cookie, forwarded host",
            "/",
            vec![
                cookie(),
                line("origin", "http://evil.example"),
                line("x-forwarded-host", "evil.example"),
                line("forwarded", "host=evil.example"),
            ],
            foreign,
        ),
        post(
            "a cookie, cross site with own origin",
            "/",
            vec![cookie(), line("sec-fetch-site", "cross-site"), own()],
            foreign,
        ),
        post(
            "a cookie, listed origin",
            "/",
            vec![
                cookie(),
                line("sec-fetch-site", "same-site"),
                line("origin", "https://app.example"),
            ],
            alice,
        ),
        get(
            "a handshake without an origin",
            "/",
            vec![cookie(), line("connection", "upgrade"), line("upgrade", "websocket")],
            foreign,
        ),
        get(
            "a handshake, own origin",
            "/",
            vec![cookie(), line("connection", "upgrade"), line("upgrade", "websocket"), own()],
            alice,
        ),
        post(
            "a cookie and a forged token",
            "/",
            vec![cookie(), bearer(&tokens.forged), line("sec-fetch-site", "same-origin")],
            invalid,
        ),
        get(
            "a cookie and other scheme",
            "/",
            vec![cookie(), line("authorization", "Basic YTpi")],
            alice,
        ),
        post(
            "a cookie without an origin, other scheme",
            "/",
            vec![cookie(), line("authorization", "Basic YTpi")],
            foreign,
        ),
        post("an empty cookie", "/", vec![line("cookie", "__Host-portcullis-access=")], missing),
        connect("a WebSocket over HTTP/2, no token", vec![], missing),
        connect("a WebSocket over HTTP/2, without an origin", vec![cookie()], foreign),
        connect(
            "a WebSocket over HTTP/2, foreign origin",
            vec![cookie(), line("origin", "http://evil.example")],
            foreign,
        ),
        connect("a WebSocket over HTTP/2, own origin", vec![cookie(), own()], alice),
        connect("a WebSocket over HTTP/2, a subprotocol", vec![protocol(&tokens.good)], alice),
        get("optional, a cookie", "/optional", vec![cookie()], alice),
        post("optional, a cookie without an origin", "/optional", vec![cookie()], foreign),
    ] {
        add(name, method, path, headers, outcome);
    }
    if bodies {
        let path = "/.well-known/oauth-protected-resource/v1";
        add("metadata", Method::GET, path, vec![], Outcome::Metadata);
        add("metadata, HEAD", Method::HEAD, path, vec![], Outcome::Metadata);
        add("metadata, preflight", Method::OPTIONS, path, vec![], Outcome::MetadataPreflight);
        add("metadata, forged", Method::GET, path, vec![bearer(&tokens.forged)], Outcome::Metadata);
    }
    // The request's own content type must not change the response.
    let said: Vec<Case> = cases.iter().cloned().map(Case::said_to_be_grpc).collect();
    cases.extend(said);
    cases
}
