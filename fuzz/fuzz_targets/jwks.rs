//! Parses any bytes as a JWKS. No input panics, and each element of `keys` is used or skipped; only
//! a repeated key is dropped.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use portcullis::keys::KeySet;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(set) = KeySet::from_json(bytes) else { return };
    let _ = format!("{set:?}");
    // `serde_json` rejects a number that no type can represent, but the parser under test may skip
    // it.
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    let keys = document["keys"].as_array().expect("a set without `keys`");
    let told = set.len() + set.skipped().len();
    let kids: HashSet<_> = keys.iter().map(|key| key["kid"].as_str()).collect();
    assert!(told <= keys.len() && keys.len() - told <= keys.len() - kids.len());
});
