//! Reads any bytes as a status list, as its claims, and as its bits, which the input or this target
//! compresses. No input panics. A token is accepted only if its status is 0 according to another
//! parser, which shares only the decompression library with ours.
#![no_main]

use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use portcullis::testing::{Answer, ScriptedFetch, TestKey, builder, verdict};
use portcullis::{Algorithm, Gate, Revocation};
use portcullis_fuzz::{AUDIENCE, ISSUER, NOW};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

const LIST: &str = "https://issuer.example/lists/1";

static KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate("k", Algorithm::Ed25519));
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

/// The number of statuses that are checked in each list.
const PLACES: u64 = 8;

/// A request with a token for each index.
static REQUESTS: LazyLock<Vec<HeaderMap>> = LazyLock::new(|| {
    let request = |index| {
        let token = KEY.token(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60,
            "status": {"status_list": {"idx": index, "uri": LIST}},
        }));
        let bearer = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is ASCII");
        HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)])
    };
    (0..=u64::from(u8::MAX) + PLACES).map(request).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let [mode, place, width, rest @ ..] = bytes else { return };
    let mode = mode % 4;
    let (list, claims) = match mode {
        0 => (String::from_utf8_lossy(rest).into_owned(), None),
        1 => {
            let Ok(claims) = std::str::from_utf8(rest) else { return };
            (signed(claims), serde_json::from_str(claims).ok())
        }
        _ => {
            let packed = if mode == 2 { rest.to_vec() } else { pack(rest) };
            let claims = json!({
                "sub": LIST, "iat": NOW, "exp": NOW + 60,
                "status_list": {"bits": width, "lst": URL_SAFE_NO_PAD.encode(packed)},
            });
            (signed(&claims.to_string()), Some(claims))
        }
    };
    RUNTIME.block_on(async {
        let gate = gate(list).await;
        for index in (u64::from(*place)..).take(PLACES as usize) {
            let said = claims.as_ref().and_then(|claims| status(claims, index));
            let passes = verdict(&gate, &REQUESTS[index as usize]).await.is_ok();
            assert!(!passes || said == Some(0), "a status of {said:?} passed");
            assert!(mode < 2 || passes || said != Some(0), "a status of 0 was refused");
        }
    });
});

fn pack(list: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(list).and_then(|()| encoder.finish()).expect("writing to memory failed")
}

fn signed(claims: &str) -> String {
    KEY.sign(r#"{"alg":"EdDSA","kid":"k","typ":"statuslist+jwt"}"#, claims)
}

/// Returns the status in a list of at most 4 MiB, according to §4 of the draft.
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

/// A gate that requires this list.
async fn gate(list: String) -> Gate {
    let fetch = ScriptedFetch::default();
    fetch.set(LIST, Answer::ok(list));
    let builder = builder(&KEY).fetch(fetch).token_cache_bytes(0);
    let auth = builder.build().await.expect("invalid settings");
    Gate::new(auth).revocation(Revocation::status_list(std::time::Duration::from_secs(10))).unwrap()
}
