//! The overhead of a status list check for a cached token.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::testing::{Answer, ScriptedFetch, TestKey, verdict, verdict_now};
use portcullis::{
    Algorithm, Authenticator, Gate, Revocation,
    clock::{Clock as _, SystemClock},
};
use portcullis_benches::measure::{Case, measure, report};
use portcullis_benches::scenario::{AUDIENCE, ISSUER, bearer};
use serde_json::json;
use tokio::runtime::Runtime;

/// The group under which the figures are reported.
const GROUP: &str = "revocation, warm RS256";

pub(crate) fn warm(runtime: &Runtime, rounds: usize) {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let now = SystemClock::new().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let uri = format!("{ISSUER}/lists/1");
    let token = key.token(&json!({
        "iss": ISSUER, "aud": [ISSUER, AUDIENCE], "sub": "8f3a1f6e-6c1b-4f0e-9d0a-0e5c2b7d9a11",
        "exp": now + 86_400, "iat": now, "jti": "b1946ac92492d2347c6235b4d2611184",
        "scope": "orders:read orders:write profile",
        "status": {"status_list": {"idx": 700_001, "uri": uri}},
    }));
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 1 << 17]).unwrap();
    let list = key.sign(
        r#"{"alg":"RS256","kid":"k","typ":"statuslist+jwt"}"#,
        &json!({
            "sub": uri, "iat": now, "exp": now + 86_400,
            "status_list": {"bits": 1, "lst": URL_SAFE_NO_PAD.encode(encoder.finish().unwrap())},
        })
        .to_string(),
    );
    let fetch = ScriptedFetch::default();
    fetch.set(&uri, Answer::ok(list));
    let jwks = format!("{ISSUER}/jwks");
    fetch.set(&jwks, Answer::ok(TestKey::jwks([&key])));
    let auth = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(jwks).fetch(fetch).build();
    let auth = runtime.block_on(auth).unwrap();
    let by_token = Gate::new(auth.clone());
    let by_list =
        Gate::new(auth).revocation(Revocation::status_list(Duration::from_secs(3600))).unwrap();
    let headers = bearer(&token);
    // After this request, the token is cached and the list is fetched.
    runtime.block_on(verdict(&by_list, &headers)).unwrap();
    let passes = |gate: &Gate| {
        let verdict = black_box(verdict_now(gate, black_box(&headers)));
        assert!(matches!(verdict, Ok(Ok(_))));
    };
    let _guard = runtime.enter();
    let cases = vec![
        Case::new("by the token alone", || passes(&by_token)),
        Case::new("and by a status list", || passes(&by_list)),
    ];
    report(GROUP, &measure(cases, rounds));
}
