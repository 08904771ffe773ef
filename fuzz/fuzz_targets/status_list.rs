//! Any bytes as a status list, as the claims of one, and as what one has compressed: no panic, and
//! nobody passes whose status is not 0 to a reader that shares no code with ours but the library
//! that unpacks.
#![no_main]

use std::io::Read as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tollgate::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use tollgate::{Algorithm, Authenticator, Entry, Gate, Revocation, SharedKeySet};
use tollgate_fuzz::{AUDIENCE, ISSUER, NOW};

const LIST: &str = "https://issuer.example/lists/1";

static KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate("k", Algorithm::Ed25519));
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

fuzz_target!(|bytes: &[u8]| {
    let [mode, place, width, rest @ ..] = bytes else { return };
    let index = u64::from(*place);
    let (list, said) = match mode % 3 {
        0 => (rest.to_vec(), None),
        1 => {
            let Ok(claims) = std::str::from_utf8(rest) else { return };
            let said = serde_json::from_str(claims).ok();
            (signed(claims), said.and_then(|claims| status(&claims, index)))
        }
        _ => {
            let claims = json!({
                "sub": LIST, "iat": NOW, "exp": NOW + 60,
                "status_list": {"bits": width, "lst": URL_SAFE_NO_PAD.encode(rest)},
            });
            let said = status(&claims, index);
            (signed(&claims.to_string()), said)
        }
    };
    let passes = RUNTIME.block_on(passes(list, index));
    assert!(!passes || said == Some(0), "a status of {said:?} passed");
    assert!(mode % 3 != 2 || passes || said != Some(0), "a status of 0 was refused");
});

fn signed(claims: &str) -> Vec<u8> {
    KEY.sign(r#"{"alg":"EdDSA","kid":"k","typ":"statuslist+jwt"}"#, claims).into_bytes()
}

/// The status by the words of the draft's §4, of a list of at most 4 MiB.
fn status(claims: &Value, index: u64) -> Option<u64> {
    let list = &claims["status_list"];
    let bits = list["bits"].as_u64().filter(|bits| [1, 2, 4, 8].contains(bits))?;
    let packed = URL_SAFE_NO_PAD.decode(list["lst"].as_str()?).ok()?;
    let mut bytes = Vec::new();
    let limit = 4 * 1024 * 1024;
    flate2::read::ZlibDecoder::new(&packed[..]).take(limit + 1).read_to_end(&mut bytes).ok()?;
    let byte = bytes.get(usize::try_from(index * bits / 8).ok()?)?;
    let in_bounds = bytes.len() as u64 <= limit;
    in_bounds.then(|| u64::from(*byte) >> (index * bits % 8) & ((1 << bits) - 1))
}

/// Whether a token with this place in the list is let in.
async fn passes(list: Vec<u8>, index: u64) -> bool {
    let fetch = ScriptedFetch::default();
    fetch.set(LIST, Answer::ok(list));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([&*KEY])))
        .fetch(fetch)
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .expect("settings that hold");
    let token = KEY.token(&json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60,
        "status": {"status_list": {"idx": index, "uri": LIST}},
    }));
    let bearer = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is ASCII");
    let request = HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]);
    let revocation = Revocation::status_list(std::time::Duration::from_secs(10));
    match Gate::new(auth).revocation(revocation).enter(&request) {
        Entry::Pass(_) => true,
        Entry::Waiting(waiting) => waiting.await.is_ok(),
        Entry::Refused(_) => false,
    }
}
