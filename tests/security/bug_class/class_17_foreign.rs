//! A bad token that is treated as another authenticator's credential, and a foreign credential that is
//! treated as if there were none.
//!
//! A gate that passes foreign credentials hands them to the code behind it: an API key table, or an
//! older and less strict validator. A rejected token of a trusted issuer must never get there, and
//! code that does not handle foreign credentials must reject them.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, Request};
use portcullis::testing::{ManualClock, Scene, ScriptedFetch, TestKey};
use portcullis::{
    Algorithm, Anonymous, Authenticated, Authenticator, Gate, IssuerSettings, Policy, RequestView,
    adapter::{Site, Visitor, admit, optional_caller, required_caller},
    config::IssuerResolver,
    keys::SharedKeySet,
    token::Foreign,
};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, JWKS, NOW, authorization, bearer, builder, claims, encode};

const OTHER: &str = "https://other.example";

async fn gate(key: &TestKey) -> Gate {
    Gate::new(builder(key).build().await.unwrap())
}

/// `foreign`, `caller`, `none`, or the rule of the refusal.
async fn judged(gate: &Gate, headers: &HeaderMap) -> &'static str {
    match gate.caller_or_foreign(headers).await {
        Ok(Visitor::Caller(_)) => "caller",
        Ok(Visitor::Foreign(_)) => "foreign",
        Ok(Visitor::Anonymous(_)) => "none",
        Err(refusal) => refusal.rule(),
    }
}

fn token(header: &str, payload: &str) -> String {
    format!("{}.{}.AA", encode(header), encode(payload))
}

#[tokio::test]
async fn each_form_of_credential_is_foreign_or_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let gate = gate(&key).await;
    let header = r#"{"alg":"ES256","kid":"k"}"#;
    let ours = claims().to_string();
    let of_other = json!({"iss": OTHER}).to_string();
    let with = |payload: &str| token(header, payload);
    for (credential, expected) in [
        // Not a JWS.
        ("key_1".to_owned(), "foreign"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc".to_owned(), "foreign"),
        ("a.b.c".to_owned(), "foreign"),
        ("v2.local.AAAA".to_owned(), "foreign"),
        (format!("{}.e30.AA", encode("[]")), "foreign"),
        (format!("{}.e30", encode(header)), "foreign"),
        (format!("{}.e30.AA.AA", encode(header)), "foreign"),
        // A JWE.
        (format!("{}.AA.AA.AA.AA", encode(r#"{"alg":"dir","enc":"A256GCM"}"#)), "foreign"),
        // A token of an unconfigured issuer, or without `iss`.
        (with(&of_other), "foreign"),
        (with("{}"), "foreign"),
        (with(r#"{"sub":"alice"}"#), "foreign"),
        (token(r#"{"alg":"HS256"}"#, &of_other), "foreign"),
        (token(r#"{"alg":"none"}"#, &of_other), "foreign"),
        (token("{}", &of_other), "foreign"),
        // A token of a configured issuer.
        (with(&ours), "refused"),
        (token(r#"{"alg":"HS256"}"#, &ours), "refused"),
        (token(r#"{"alg":"none"}"#, &ours), "refused"),
        (token("{}", &ours), "refused"),
        (token(r#"{"alg":"ES256","crit":[]}"#, &ours), "refused"),
        (token(r#"{"alg":"ES256","alg":"ES256"}"#, &ours), "refused"),
        (token(r#"{"alg":7}"#, &ours), "refused"),
        (format!("{}=", with(&ours)), "refused"),
        // Unreadable text may be a token of a configured issuer.
        (format!("{}..AA", encode(header)), "refused"),
        (format!("{}.e30=.AA", encode(header)), "refused"),
        (format!("{}.!.AA", encode(header)), "refused"),
        (with("[]"), "refused"),
        (with(r#"{"iss":"https://other.example""#), "refused"),
        (with(r#"{"iss":"https://other.example","iss":"https://other.example"}"#), "refused"),
        (with(&format!(r#"{{"iss":"{OTHER}","iss":"{ISSUER}"}}"#)), "refused"),
        (with(r#"{"iss":null}"#), "refused"),
        (with(r#"{"iss":["https://other.example"]}"#), "refused"),
        (with(r#"{"iss":7}"#), "refused"),
        ("key 1".to_owned(), "refused"),
        ("\"key_1\"".to_owned(), "refused"),
        ("key_1, key_2".to_owned(), "refused"),
        ("a".repeat(20_000), "refused"),
        (format!("{}.{}.AA", encode(header), "a".repeat(20_000)), "refused"),
        (format!("{}.e30.AA", "a".repeat(9_000)), "refused"),
    ] {
        let found = judged(&gate, &bearer(&credential)).await;
        let found = if found == "foreign" { found } else { "refused" };
        assert_eq!(found, expected, "{}", &credential[..credential.len().min(100)]);
    }
}

/// A decoder that trims white space would accept the tokens that are rejected here.
#[tokio::test]
async fn white_space_around_a_token_does_not_make_it_foreign() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let gate = gate(&key).await;
    let token = key.token(&claims());
    for (text, expected) in [
        (format!("{token}\n"), "credentials_grammar"),
        (format!(" {token}"), "credentials_grammar"),
        (format!("\r\n\t{token} "), "credentials_grammar"),
        ("key 1".to_owned(), "foreign"),
    ] {
        let found = match gate.caller_or_foreign_token(&text).await {
            Ok(Visitor::Foreign(_)) => "foreign",
            Ok(_) => "accepted",
            Err(refusal) => refusal.rule(),
        };
        assert_eq!(found, expected, "{text:?}");
    }
}

/// A resolver that lists its issuers, for any host.
struct Tenants;

impl IssuerResolver for Tenants {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        match issuer {
            "https://tenant.example" => Some(IssuerSettings::new(issuer, AUDIENCE).jwks_url(JWKS)),
            // The settings are unusable, but the issuer still belongs to the resolver.
            "https://wrong.example" => Some(IssuerSettings::new("https://else.example", AUDIENCE)),
            _ => None,
        }
    }

    fn is_ours(&self, issuer: &str) -> bool {
        self.resolve(issuer).is_some()
    }
}

#[tokio::test]
async fn token_of_an_issuer_that_the_resolver_claims_is_not_foreign() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key).issuer_resolver(Tenants).build().await.unwrap();
    let gate = Gate::new(auth);
    for (issuer, expected) in [
        (ISSUER, "caller"),
        ("https://tenant.example", "keys"),
        ("https://wrong.example", "iss"),
        (OTHER, "foreign"),
        ("https://else.example", "foreign"),
    ] {
        let mut claims = claims();
        claims["iss"] = json!(issuer);
        let found = judged(&gate, &bearer(&key.token(&claims))).await;
        assert_eq!(found, expected, "{issuer}");
    }
}

/// A resolver that selects by host alone. It does not list its issuers, so every issuer counts as
/// its own.
struct Hosts(IssuerSettings);

impl IssuerResolver for Hosts {
    fn select<'a>(&'a self, _: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
        request.host()
    }

    fn resolve(&self, host: &str) -> Option<IssuerSettings> {
        (host == "a.example").then(|| self.0.clone())
    }
}

/// Otherwise a client could name an unknown host to get a rejected token to the code behind the gate.
#[tokio::test]
async fn own_token_is_not_foreign_for_any_host() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let keys = SharedKeySet::new(TestKey::key_set([&key]));
    let settings = IssuerSettings::new(ISSUER, "https://another-api.example").key_source(keys);
    let auth = Authenticator::builder_with_resolver(Hosts(settings));
    let auth = auth.clock(ManualClock::at(NOW)).build().await.unwrap();
    let gate = Gate::new(auth).pass_foreign();
    let token = key.token(&claims());
    for (uri, hosts, expected) in [
        ("/", vec!["a.example"], "aud"),
        ("/", vec!["a.example", "a.example"], "iss"),
        ("/", vec!["a.example", "b.example"], "iss"),
        ("http://a.example/", vec!["b.example"], "iss"),
        ("/", vec!["unknown.example"], "iss"),
        ("/", vec![], "iss"),
    ] {
        let mut request = Request::get(uri).header("authorization", format!("Bearer {token}"));
        for host in &hosts {
            request = request.header("host", *host);
        }
        let request = request.body(()).unwrap();
        assert_eq!(gate.enter(&request).await.unwrap_err().rule(), expected, "{uri} {hosts:?}");
    }
    assert_eq!(gate.caller_or_foreign_token(&token).await.unwrap_err().rule(), "iss");
    // Text that is not a token is foreign even if no rule set is selected.
    let key = authorization("Bearer sk_live_4eC39HqLyjWDarjtT1zdp7dc");
    assert_eq!(judged(&gate, &key).await, "foreign");
}

/// A less strict parser behind the gate may find the token in each of these texts.
#[tokio::test]
async fn own_token_in_another_encoding_is_not_foreign() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let gate = gate(&key).await;
    let mut refused = claims();
    refused["aud"] = json!("https://another-api.example");
    // In base64, this value has characters that base64url does not have.
    refused["name"] = json!("~~~???>>>");
    let mut tokens = vec![key.token(&refused)];
    let twice = format!(r#"{{"iss":"{ISSUER}","iss":"{OTHER}"}}"#);
    tokens.push(token(r#"{"alg":"ES256","kid":"k"}"#, &twice));
    for token in tokens {
        let parts: Vec<&str> = token.split('.').collect();
        let [protected, payload, signature] = parts[..] else { panic!() };
        let flat = json!({"protected": protected, "payload": payload, "signature": signature});
        for text in [
            token.clone(),
            format!("\u{a0}{token}"),
            format!("\u{b}{token}"),
            format!("\u{feff}{token}"),
            format!("Bearer {token}"),
            format!("\"{token}\""),
            format!("{token}.x"),
            flat.to_string(),
            // The token is folded into lines, or has the padding and the alphabet of base64 (RFC
            // 4648 §4).
            format!("{protected}\n.{}\r\n {}.{signature}", &payload[..21], &payload[21..]),
            format!("{protected}==.{}.{signature}", payload.replace('-', "+").replace('_', "/")),
        ] {
            let verdict = gate.caller_or_foreign_token(&text).await;
            assert!(verdict.is_err(), "{text}: {verdict:?}");
        }
        for value in [
            format!("JWT {token}"),
            token.clone(),
            format!("DPoP {token}"),
            format!("Bearer {token}.x"),
        ] {
            assert_ne!(judged(&gate, &authorization(&value)).await, "foreign", "{value}");
        }
    }
    for value in ["ApiKey c2VjcmV0", "Basic YTpi", "JWT e30.eyJpc3MiOiJodHRwczovL2EifQ.x"] {
        assert_eq!(judged(&gate, &authorization(value)).await, "foreign", "{value}");
    }
}

#[tokio::test]
async fn foreign_credentials_cause_no_fetch() {
    let scene = Scene::warm().await;
    let fetch: &ScriptedFetch = &scene.fetch;
    let before = fetch.requests().len();
    let gate = scene.gate().pass_foreign();
    let stranger = Arc::new(TestKey::generate("unknown", Algorithm::Es256));
    let foreign = scene.token("a").issuer(OTHER);
    for headers in [
        foreign.headers(),
        // With a known and an unknown `kid`: no key is looked up.
        foreign.clone().signed_with(stranger).headers(),
        foreign.without("iss").headers(),
        bearer("key_1"),
        authorization("Basic YTpi"),
    ] {
        for _ in 0..5 {
            assert_eq!(judged(&gate, &headers).await, "foreign");
        }
    }
    assert_eq!(fetch.requests().len(), before);
}

#[tokio::test]
async fn gate_without_pass_foreign_rejects_foreign_credentials() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let gate = gate(&key).await;
    for gate in [gate.clone(), gate.optional()] {
        assert!(gate.enter(&bearer("key_1")).await.is_err());
        assert!(gate.authenticate(&bearer("key_1")).await.is_err());
    }
}

/// Code that does not handle foreign credentials gets no caller from such a request, and rejects
/// it.
#[tokio::test]
async fn foreign_credential_is_rejected_by_caller_extractors() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let gate = gate(&key).await.optional().pass_foreign();
    let policy = Policy::scopes(["read"]).into();
    for (value, error) in [("Bearer key_1", Some("invalid_token")), ("Basic YTpi", None)] {
        let mut request = Request::get("/").header("authorization", value).body(()).unwrap();
        // The caller of an outer gate is replaced.
        let good = gate.authenticate(&bearer(&key.token(&claims()))).await.unwrap();
        request.extensions_mut().insert(good);
        request.extensions_mut().insert(gate.authenticator().anonymous());
        let visitor = gate.enter(&request).await.unwrap();
        visitor.mark(request.extensions_mut());
        let left = request.extensions();
        assert!(left.get::<Authenticated>().is_none());
        assert!(left.get::<Anonymous>().is_none());
        assert!(left.get::<Foreign>().is_some());
        let site = Site::default;
        for refusal in [
            admit(left.get(), left.get(), left.get(), &policy, "", site).await.unwrap_err(),
            required_caller(left.get(), left.get(), left.get(), "", site).unwrap_err(),
            optional_caller(left.get(), left.get(), left.get(), "", site).unwrap_err(),
            left.get::<Foreign>().unwrap().refusal(),
        ] {
            assert_eq!(refusal.status(), 401);
            let challenge = refusal.challenge().unwrap().to_str().unwrap().to_owned();
            let code = challenge.contains("error=").then_some("invalid_token");
            assert_eq!(code, error, "{challenge}");
            assert!(code.is_none() || challenge.contains("invalid_token"), "{challenge}");
        }
    }
}

#[tokio::test]
async fn inner_gate_replaces_a_foreign_mark() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let gate = gate(&key).await.optional();
    let good = bearer(&key.token(&claims()));
    for headers in [&good, &HeaderMap::new()] {
        let mut request = Request::new(());
        let outer = gate.clone().pass_foreign().enter(&bearer("key_1")).await.unwrap();
        outer.mark(request.extensions_mut());
        gate.enter(headers).await.unwrap().mark(request.extensions_mut());
        assert!(request.extensions().get::<Foreign>().is_none());
    }
}
