//! Parses any bytes as a JWK, with each algorithm. No input panics, and every parsed key is a
//! public key for the algorithm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::{Algorithm, keys::VerificationKey};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    for &algorithm in Algorithm::ALL {
        let Ok(key) = VerificationKey::from_jwk(bytes, algorithm) else { continue };
        assert!(key.algorithms().eq([algorithm]));
        // `serde_json` rejects a number that no type can represent, but the parser under test may
        // skip it.
        let Ok(jwk) = serde_json::from_slice::<Value>(bytes) else { continue };
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"] {
            assert!(jwk.get(private).is_none_or(says_nothing), "{private}");
        }
        assert!(jwk.get("k").is_none_or(Value::is_null));
        assert_eq!(key.id(), jwk["kid"].as_str());
        assert!(jwk.get("use").is_none_or(|usage| usage == "sig" || says_nothing(usage)));
    }
});

/// Whether the member counts as absent, in one of the forms that .NET writes.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
