//! A small request that is expensive to process.
//!
//! Sizes are checked before anything is decoded, and nothing in a token is ever decompressed. No
//! algorithm has a cost that the sender chooses. Unread values are skipped without recursion, and
//! there are no regular expressions.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::{
    Algorithm, Authenticator, IssuerSettings, Policy, Profile,
    config::IssuerResolver,
    keys::{KeySet, SharedKeySet},
    signature,
    token::TokenPlace,
};
use serde_json::json;

use super::support::{
    AUDIENCE, ISSUER, JWKS, NOW, attempt_now, auth, authorization, bearer, builder, claims, decode,
    encode, rule, rule_of,
};

/// The maximum processor time: far above that of the work in a build without optimisation, and far
/// below that of any of the attacks.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The processor time of a piece of work on this thread, which does not include other processes on
/// a busy machine.
struct Work(Duration);

impl Work {
    fn start() -> Self {
        Self(processor_time())
    }

    fn elapsed(&self) -> Duration {
        processor_time().checked_sub(self.0).unwrap()
    }
}

#[cfg(unix)]
fn processor_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

#[cfg(not(unix))]
fn processor_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

async fn refused_at_once(auth: &Authenticator, what: &str, token: &str, expected: &str) {
    let start = Work::start();
    assert_eq!(rule(auth, token).await, expected, "{what}");
    assert!(start.elapsed() < AT_ONCE, "{what} took {:?}", start.elapsed());
}

/// CVE-2025-30204 (golang-jwt), CVE-2025-27144 (go-jose): splitting at every period.
#[tokio::test]
async fn thousands_of_periods_are_rejected_at_once() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let token = key.token(&claims());
    for count in [3, 100, 10_000, 16_384, 1_000_000] {
        let periods = ".".repeat(count);
        for text in [periods.clone(), format!("{token}{periods}"), format!("{periods}{token}")] {
            let start = Work::start();
            let headers = authorization(&format!("Bearer {text}"));
            assert!(
                ["compact_form", "length", "encrypted"].contains(&rule_of(&auth, &headers).await)
            );
            assert!(start.elapsed() < AT_ONCE, "{count}");
        }
    }
}

/// RFC 8725 §3.10: no server accepts such headers, and no issuer creates them.
#[tokio::test]
async fn oversized_token_is_rejected_unread() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let short = key.token(&claims());
    for length in [12_000, 100_000, 10_000_000] {
        let long = "a".repeat(length);
        let header = json!({"alg": "ES256", "kid": "k", "x": long}).to_string();
        let token = key.sign(&header, &claims().to_string());
        refused_at_once(&auth, "header", &token, "length").await;
        let header = json!({"alg": "ES256", "kid": long}).to_string();
        refused_at_once(&auth, "kid", &key.sign(&header, "{}"), "length").await;
        let mut claims = claims();
        claims["x"] = json!("a".repeat(length + 4000));
        refused_at_once(&auth, "payload", &key.token(&claims), "length").await;
        let (input, _) = token.rsplit_once('.').unwrap();
        let token = format!("{input}.{}", "A".repeat(length + 6000));
        refused_at_once(&auth, "signature", &token, "length").await;
    }
    // The token is shorter than the maximum, but its signature is longer than any valid one
    // (ML-DSA-87: 4627 bytes).
    let (input, _) = short.rsplit_once('.').unwrap();
    let token = format!("{input}.{}", "A".repeat(6176));
    refused_at_once(&auth, "signature", &token, "length").await;
}

/// CVE-2025-53864 (Nimbus), CVE-2026-116586 (go-jose): the stack overflowed.
#[tokio::test]
async fn deep_nesting_does_not_overflow_the_stack() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let header = r#"{"alg":"ES256","kid":"k"}"#;
    for depth in [127, 128, 500, 4000] {
        let arrays = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let payload = format!(r#"{},"x":{arrays}}}"#, claims().to_string().trim_end_matches('}'));
        let start = Work::start();
        // An unread claim is skipped at any depth; a claim that is read is not skipped.
        rule(&auth, &key.sign(header, &payload)).await;
        for name in ["iss", "aud", "exp", "roles", "scope"] {
            let payload = format!(r#"{{"{name}":{arrays}}}"#);
            assert_ne!(rule(&auth, &key.sign(header, &payload)).await, "accepted", "{name}");
        }
        for name in ["alg", "kid", "typ", "jwk", "crit"] {
            let header = format!(r#"{{"{name}":{arrays}}}"#);
            assert_ne!(rule(&auth, &key.sign(&header, "{}")).await, "accepted", "{name}");
        }
        assert_ne!(rule(&auth, &key.sign(&"[".repeat(depth), "{}")).await, "accepted");
        assert_ne!(rule(&auth, &key.sign(header, &"[".repeat(depth))).await, "accepted");
        assert!(start.elapsed() < AT_ONCE, "{depth}");
    }
    for depth in [1000, 100_000] {
        for (open, close) in [("[", "]"), ("{\"keys\":", "}"), ("{\"n\":", "}"), ("[{\"n\":", "}]")]
        {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let unclosed = format!(r#"{{"keys":[{}"#, open.repeat(depth));
            for text in [deep.clone(), format!(r#"{{"keys":[{deep}]}}"#), unclosed] {
                assert!(KeySet::from_json(text.as_bytes()).map_or(true, |set| set.is_empty()));
            }
        }
    }
}

/// The token has as many members as fit. No step takes time that is quadratic in their number.
#[tokio::test]
async fn many_members_are_parsed_in_bounded_time() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let members: Vec<_> = (0..900).map(|number| format!(r#""m{number}":0"#)).collect();
    let many = members.join(",");
    let payload = format!(r#"{},{many}}}"#, claims().to_string().trim_end_matches('}'));
    let header = r#"{"alg":"ES256","kid":"k"}"#;
    refused_at_once(&auth, "members", &key.sign(header, &payload), "accepted").await;
    for (name, expected) in [("m1", "accepted"), ("exp", "duplicate_member")] {
        let twice = payload.replace("\"m899\"", &format!("{name:?}"));
        refused_at_once(&auth, name, &key.sign(header, &twice), expected).await;
    }
    let often = vec![r#""scope":7"#; 900].join(",");
    let payload = format!(r#"{},{often}}}"#, claims().to_string().trim_end_matches('}'));
    refused_at_once(&auth, "often", &key.sign(header, &payload), "accepted").await;
    let few: Vec<_> = members.iter().take(400).cloned().collect();
    let header = format!(r#"{{"alg":"ES256","kid":"k",{}}}"#, few.join(","));
    refused_at_once(&auth, "header", &key.sign(&header, &claims().to_string()), "accepted").await;

    let start = Work::start();
    let members: Vec<_> = (0..200_000).map(|number| format!(r#""m{number}":0"#)).collect();
    let set = format!(r#"{{"keys":[{{{}}}]}}"#, members.join(","));
    assert!(KeySet::from_json(set.as_bytes()).unwrap().is_empty());
    let set = format!(r#"{{{},"keys":[]}}"#, members.join(","));
    assert!(KeySet::from_json(set.as_bytes()).unwrap().is_empty());
    assert!(
        KeySet::from_json(format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 100_000].join(",")).as_bytes())
            .is_err()
    );
    assert!(start.elapsed() < AT_ONCE * 5, "{:?}", start.elapsed());
}

/// CVE-2024-28122 (jwx), CVE-2024-28176 (jose), CVE-2024-28180 (go-jose), CVE-2024-21319 (.NET),
/// CVE-2024-33664 (python-jose): a few kilobytes became gigabytes.
#[tokio::test]
async fn compressed_payload_is_not_decompressed() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = encode(pair.public_key().as_ref());
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}).to_string();
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(KeySet::from_json(jwks.as_bytes()).unwrap()))
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .unwrap();
    let sign = |payload: &[u8]| {
        let header = encode(r#"{"alg":"EdDSA","kid":"k","zip":"DEF"}"#);
        let input = format!("{header}.{}", encode(payload));
        format!("{input}.{}", encode(pair.sign(input.as_bytes()).as_ref()))
    };
    // RFC 1951 §3.2.4: one stored block with acceptable contents.
    let plain = claims().to_string();
    let length = u16::try_from(plain.len()).unwrap();
    let deflated =
        [&[1], &length.to_le_bytes()[..], &(!length).to_le_bytes(), plain.as_bytes()].concat();
    refused_at_once(&auth, "zip", &sign(&deflated), "json").await;
    // The header member `zip` has no effect on a payload that is not compressed.
    assert_eq!(rule(&auth, &sign(plain.as_bytes())).await, "accepted");
    let jwe = format!("{}.AA.AA.AA.AA", encode(r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#));
    refused_at_once(&auth, "JWE", &jwe, "encrypted").await;
}

/// A key set is decompressed if its server compressed it, up to the limit.
#[tokio::test]
async fn compressed_key_set_is_limited_by_its_decompressed_size() {
    // An empty key set and 200,000 spaces.
    const GZIPPED: &str = concat!(
        "H4sIAAAAAAACA-3BMQ0AIAwAMCtkMrCycHJxcpEF72jgb1ux5tnRc9wGAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHx7rXEk80sNAwA",
    );
    let fetch = ScriptedFetch::default();
    let headers = http::HeaderMap::from_iter([(
        http::header::CONTENT_ENCODING,
        http::HeaderValue::from_static("gzip"),
    )]);
    fetch.set(JWKS, Answer::Response(200, headers, decode(GZIPPED).into()));
    for (limit, is_read) in [(1024, false), (200_010, false), (200_011, true)] {
        let builder = Authenticator::builder(ISSUER, AUDIENCE)
            .jwks_url(JWKS)
            .fetch(fetch.clone())
            .max_body_bytes(limit)
            .without_background_refresh();
        assert_eq!(builder.build().await.is_ok(), is_read, "{limit}");
    }
}

/// CVE-2022-36083 (jose), CVE-2023-52428 (Nimbus), CVE-2023-51775 (jose4j): the sender chooses the
/// number of hash iterations.
#[tokio::test]
async fn sender_cannot_choose_the_cost_of_verification() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for alg in ["PBES2-HS256+A128KW", "PBES2-HS512+A256KW"] {
        let header = json!({"alg": alg, "kid": "k", "p2c": u32::MAX, "p2s": encode("salt")});
        let token = key.sign(&header.to_string(), &claims().to_string());
        refused_at_once(&auth, alg, &token, "alg").await;
        let jwe = format!("{}.AA.AA.AA.AA", encode(header.to_string()));
        refused_at_once(&auth, alg, &jwe, "encrypted").await;
    }
    // A key with a huge modulus or exponent makes each verification as slow as its issuer chooses.
    let rsa = TestKey::generate("k", Algorithm::Rs256).jwk();
    for (n, e) in [
        (json!(encode(vec![0xff; 100_000])), json!("AQAB")),
        (rsa["n"].clone(), json!(encode(vec![0xff; 256]))),
    ] {
        let jwk = json!({"kty": "RSA", "kid": "k", "n": n, "e": e});
        let set = KeySet::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (0, 1));
    }
}

/// CVE-2026-102274 (PyJWT): one malformed key prevented loading of the others; CVE-2024-21664
/// (jwx), CVE-2026-34986 (go-jose): a malformed key caused a panic.
#[test]
fn malformed_key_is_skipped_without_a_panic() {
    let good = TestKey::generate("good", Algorithm::Es256);
    let values = [
        json!(null),
        json!(""),
        json!("A"),
        json!("AA"),
        json!("===="),
        json!(0),
        json!([]),
        json!({}),
        json!("\u{0}"),
        json!(encode([0xff; 3])),
        json!("é"),
    ];
    for kty in ["RSA", "EC", "OKP", "AKP", "oct", "", "XYZ"] {
        for crv in ["P-256", "P-384", "P-521", "Ed25519", "X25519", ""] {
            for alg in ["RS256", "ES256", "EdDSA", "ML-DSA-44", "HS256", ""] {
                for value in &values {
                    let jwk = json!({
                        "kty": kty, "crv": crv, "alg": alg, "kid": "bad",
                        "n": value, "e": value, "x": value, "y": value, "pub": value,
                    });
                    let json = json!({"keys": [jwk, value, good.jwk()]}).to_string();
                    let set = KeySet::from_json(json.as_bytes()).unwrap();
                    assert_eq!(set.len(), 1, "{json}");
                    assert_eq!(set.skipped().len(), 2, "{json}");
                }
            }
        }
    }
    let token = good.token(&claims());
    let set = TestKey::key_set([&good]);
    assert!(signature::verify(&token, &set, Algorithm::ALL).is_ok());
}

/// A token without `kid` costs at most 4 verifications, however many keys the issuer has.
#[tokio::test]
async fn without_a_kid_at_most_4_keys_are_tried() {
    let ids = ["a", "b", "c", "d", "e"];
    let keys = ids.map(|id| TestKey::generate(id, Algorithm::Es256));
    let forged = TestKey::generate("f", Algorithm::Es256).sign(r#"{"alg":"ES256"}"#, "x");
    for (count, expected) in [(1, "signature"), (4, "signature"), (5, "kid")] {
        let set = TestKey::key_set(&keys[..count]);
        let error = signature::verify(&forged, &set, Algorithm::ALL).unwrap_err();
        assert_eq!(error.rule(), expected, "{count}");
    }
}

/// While the issuer hangs, a bounded number of forged tokens waits, known keys are used, and no
/// response is 5xx.
#[tokio::test]
async fn number_of_waiting_forged_tokens_is_bounded_while_the_issuer_hangs() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .jwks_url(JWKS)
        .fetch(fetch.clone())
        .clock(clock.clone())
        .without_background_refresh()
        .build()
        .await
        .unwrap();
    fetch.set(JWKS, Answer::Hangs);
    clock.advance(Duration::from_secs(301));
    let forger = TestKey::generate("k", Algorithm::Es256);
    let unknown = TestKey::generate("unknown", Algorithm::Es256);
    let mut waiting = Vec::new();
    for (forger, beyond, status) in [(&forger, "signature", 401), (&unknown, "key_budget", 429)] {
        let headers = authorization(&format!("Bearer {}", forger.token(&claims())));
        for _ in 0..3000 {
            match attempt_now(&auth, &headers) {
                Err(waits) => waiting.push(waits),
                Ok(outcome) => {
                    let refusal = outcome.unwrap_err();
                    assert_eq!((refusal.rule(), refusal.status().as_u16()), (beyond, status));
                }
            }
        }
        assert_eq!(waiting.len(), 1024, "{beyond}");
    }
    let honest = authorization(&format!("Bearer {}", key.token(&claims())));
    assert!(matches!(attempt_now(&auth, &honest), Ok(Ok(Some(_)))));
}

/// Resolves every tenant.
struct Tenants(ScriptedFetch);

impl IssuerResolver for Tenants {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        issuer.starts_with("https://tenants.example/").then(|| {
            IssuerSettings::new(issuer, AUDIENCE)
                .jwks_url(format!("{issuer}/keys"))
                .without_background_refresh()
                .fetch(self.0.clone())
        })
    }
}

/// Forged tokens name more tenants than are kept. They cause a bounded number of fetches, and no
/// tenant whose tokens were accepted before loses its keys.
#[tokio::test]
async fn forged_tokens_of_many_tenants_cause_few_fetches_and_honest_tenants_are_accepted() {
    const TENANTS: usize = 1100;
    const HONEST: usize = 900;
    const FORGED: usize = 4000;
    const FLOOD: Duration = Duration::from_secs(60);
    // The documented bound of `IssuerResolver`: 1,024 fetches at once, and 10 more each second.
    const BOUND: usize = 1024 + 10 * 60;
    let key = TestKey::generate("k", Algorithm::Es256);
    let forger = TestKey::generate("unknown", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let auth = super::support::builder(&key)
        .clock(clock.clone())
        .token_cache_bytes(0)
        .issuer_resolver(Tenants(fetch.clone()))
        .build()
        .await
        .unwrap();
    let signed_by = |signer: &TestKey| {
        let of = |tenant| {
            let mut claims = claims();
            claims["iss"] = json!(format!("https://tenants.example/{tenant}"));
            authorization(&format!("Bearer {}", signer.token(&claims)))
        };
        (0..TENANTS).map(of).collect::<Vec<_>>()
    };
    for tenant in 0..TENANTS {
        let url = format!("https://tenants.example/{tenant}/keys");
        fetch.set(&url, Answer::ok(TestKey::jwks([&key])));
    }
    let (honest, forged) = (signed_by(&key), signed_by(&forger));
    let honest = &honest[..HONEST];
    for headers in honest {
        assert_eq!(rule_of(&auth, headers).await, "accepted");
    }
    for number in 0..FORGED {
        let refusal = auth.authenticate(&forged[number % TENANTS]).await.unwrap_err();
        let status = refusal.status().as_u16();
        assert!(
            status == 401 || status == 429 && refusal.retry_after().is_some(),
            "{status} for {number}",
        );
        if number % 2 == 0 {
            let headers = &honest[number / 2 % HONEST];
            assert_eq!(rule_of(&auth, headers).await, "accepted", "{number}");
        }
        clock.advance(FLOOD / 4000);
    }
    let fetches = fetch.requests().len();
    assert!(fetches <= BOUND, "{fetches} fetches");
}

/// A header in tens of thousands of lines, as HTTP/2 allows for cookies (RFC 9113 §8.2.3): each
/// line is visited once. Reading took thirty seconds when the search for each line began at the
/// first line.
#[tokio::test]
async fn forty_thousand_header_lines_are_read_in_linear_time() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = super::support::builder(&key)
        .token_places([
            TokenPlace::authorization(),
            TokenPlace::header("x-access-token"),
            TokenPlace::websocket_prefix("bearer."),
        ])
        .cookie("access")
        .build()
        .await
        .unwrap();
    for (name, line, expected) in [
        ("cookie", "a=b", "missing_token"),
        ("sec-websocket-protocol", "chat", "missing_token"),
        ("connection", "keep-alive", "missing_token"),
        ("x-access-token", "a", "invalid_request"),
        ("authorization", "Bearer a", "invalid_request"),
    ] {
        let mut request = http::Request::get("/").body(()).unwrap();
        for _ in 0..40_000 {
            request.headers_mut().append(name, http::HeaderValue::from_static(line));
        }
        let start = Work::start();
        let refusal = auth.authenticate(&request).await.unwrap_err();
        assert_eq!(refusal.kind().as_str(), expected, "{name}");
        assert!(start.elapsed() < AT_ONCE, "{name} took {:?}", start.elapsed());
    }
}

/// A denial reports to the operator where else the token has the role. The search takes one pass,
/// and only happens if the caller is denied. A search with one pass per client took 12 s.
#[tokio::test]
async fn denial_of_a_token_with_many_clients_costs_one_pass() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let settings = builder(&key).profile(Profile::keycloak()).max_token_bytes(128 * 1024);
    let auth = settings.build().await.unwrap();
    let clients: serde_json::Map<_, _> =
        (0..1600).map(|number| (format!("c{number}"), json!({"roles": ["x"]}))).collect();
    let mut claims = claims();
    claims["typ"] = json!("Bearer");
    claims["resource_access"] = clients.into();
    let who = auth.authenticate(&bearer(&key.token(&claims))).await.unwrap();
    let role = || Policy::any_role(["another"]);
    let alternatives = (0..400).fold(role(), |policy, _| policy.or(role()));
    let conjunction = (0..20).fold(role(), |policy, _| policy.and(role()));
    for (policy, is_met) in [
        (role(), false),
        (alternatives.clone(), false),
        (conjunction, false),
        (role().not(), true),
        (alternatives.clone().not(), true),
        (alternatives.or(Policy::claim("typ", "Bearer")), true),
    ] {
        let start = Work::start();
        assert_eq!(who.require(&policy).is_ok(), is_met, "{policy}");
        assert!(start.elapsed() < AT_ONCE, "{policy} took {:?}", start.elapsed());
    }
    // The role is still found.
    let refusal = who.require(&Policy::roles(["x"])).unwrap_err();
    assert!(refusal.reason().to_string().contains("`resource_access.CLIENT.roles`"), "{refusal:?}");
}
