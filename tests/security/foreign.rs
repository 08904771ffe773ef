//! A token that names a trusted issuer is never foreign, whatever else it contains.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use portcullis::testing::{AUDIENCE, ISSUER, TestKey, bearer, builder, claims, verdict_now};
use portcullis::{Algorithm, Gate, IssuerSettings, adapter::Visitor};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const SECOND: &str = "https://second.example";

static KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate("k", Algorithm::Es256));

/// A gate with one issuer and a gate with two, which select the issuer differently.
static GATES: LazyLock<[Gate; 2]> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let set = || TestKey::key_set([&*KEY]);
    let keys = portcullis::keys::SharedKeySet::new(set());
    let second = IssuerSettings::new(SECOND, AUDIENCE).key_source(keys);
    let one = runtime.block_on(builder(&KEY).build()).unwrap();
    let two = runtime.block_on(builder(&KEY).also_issuer(second).build()).unwrap();
    [one, two].map(|auth| Gate::new(auth).pass_foreign())
});

fn is_foreign(gate: &Gate, headers: &HeaderMap) -> bool {
    let verdict = verdict_now(gate, headers).expect("the keys are in memory");
    matches!(verdict, Ok(Visitor::Foreign(_)))
}

/// Whether an independent parser reads `text` as a token of the issuer.
fn names_issuer(text: &str, issuer: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, _] = parts.as_slice() else { return false };
    let object = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    object(header).is_some()
        && object(payload).is_some_and(|payload| payload.get("iss") == Some(&json!(issuer)))
}

fn held(text: &str) -> Result<(), TestCaseError> {
    let Ok(_) = http::HeaderValue::try_from(text) else { return Ok(()) };
    let [one, two] = &*GATES;
    let headers = bearer(text);
    for (gate, issuers) in [(one, &[ISSUER][..]), (two, &[ISSUER, SECOND])] {
        if issuers.iter().any(|issuer| names_issuer(text, issuer)) {
            prop_assert!(!is_foreign(gate, &headers), "{text}");
        }
    }
    Ok(())
}

fn members() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop::sample::select(
        &["alg", "kid", "typ", "crit", "b64", "enc", "jwk", "iss", "aud", "exp", "sub", "x"][..],
    );
    let value = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(&["ES256", "HS256", "none", "dir", ISSUER, SECOND][..])
            .prop_map(Value::from),
        Just(json!([])),
        Just(json!({"a": "b"})),
    ];
    vec((name.prop_map(str::to_owned), value), 0..6)
        .prop_map(|members| members.into_iter().collect())
}

/// Generates a text of three parts whose payload names one of the issuers.
fn of_issuer() -> impl Strategy<Value = (String, &'static str)> {
    let issuer = prop::sample::select(&[ISSUER, SECOND][..]);
    (members(), members(), issuer, "[A-Za-z0-9_=~+/-]{0,90}").prop_map(
        |(header, mut payload, issuer, signature)| {
            payload.insert("iss".to_owned(), json!(issuer));
            let encode = |part: Map<String, Value>| URL_SAFE_NO_PAD.encode(json!(part).to_string());
            (format!("{}.{}.{signature}", encode(header), encode(payload)), issuer)
        },
    )
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn token_of_a_trusted_issuer_is_never_foreign((token, issuer) in of_issuer()) {
        prop_assert!(names_issuer(&token, issuer));
        held(&token)?;
    }

    #[test]
    fn token_with_changed_bytes_is_foreign_only_if_it_names_no_trusted_issuer(
        changes in vec((any::<prop::sample::Index>(), "[A-Za-z0-9_=.-]{0,3}"), 1..4),
    ) {
        let mut token = KEY.token(&claims());
        for (at, text) in changes {
            let at = at.index(token.len());
            token.replace_range(at..=at, &text);
        }
        held(&token)?;
    }

    #[test]
    fn any_string_is_foreign_only_if_it_names_no_trusted_issuer(text in "[!-~]{0,200}") {
        held(&text)?;
    }
}

/// The property above would also hold for a gate that treats nothing as foreign.
#[test]
fn token_of_an_unconfigured_issuer_is_foreign() {
    let [one, two] = &*GATES;
    let mut claims = claims();
    claims["iss"] = json!(SECOND);
    let headers = bearer(&KEY.token(&claims));
    assert!(is_foreign(one, &headers) && !is_foreign(two, &headers));
    assert!(is_foreign(two, &bearer("key_1")));
}
