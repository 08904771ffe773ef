//! Parses any bytes as a key in DER, and as PEM. No input panics, and a parsed key is a public key
//! that its own JWK reproduces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::{Algorithm, keys::{KeySet, VerificationKey}};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = VerificationKey::from_der(bytes, Algorithm::ALL) {
        same(&key);
    }
    if let Ok(set) = KeySet::from_pem(bytes) {
        for key in set.iter() {
            assert_eq!(key.id(), key.thumbprint().as_deref());
            same(key);
        }
    }
});

fn same(key: &VerificationKey) {
    let jwk = key.public_jwk().expect("a public key").to_string();
    for algorithm in key.algorithms() {
        let again = VerificationKey::from_jwk(jwk.as_bytes(), algorithm).expect("the same key");
        assert_eq!(again.thumbprint(), key.thumbprint());
    }
}
