//! Verifies any text as a JWS. No input panics, and verification succeeds only for texts that the
//! owners of the keys signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::{Algorithm, signature};
use portcullis_fuzz::SET;

/// The signed texts: everything before the signature of each seed.
const SIGNED: [&str; 3] = [
    include_str!("../corpus/jws/rfc7515-a2"),
    include_str!("../corpus/jws/rfc7515-a3"),
    include_str!("../corpus/jws/rfc8037-a4"),
];

fn signing_input(jws: &str) -> Option<&str> {
    jws.rsplit_once('.').map(|(input, _)| input)
}

fuzz_target!(|text: &str| {
    match signature::verify(text, &SET, Algorithm::ALL) {
        Ok(_) => assert!(SIGNED.map(signing_input).contains(&signing_input(text)), "forged"),
        Err(error) => {
            // The error must not contain the token. Texts that are short or have fewer than two
            // dots are not checked, because a fuzzer learns the words of the messages and sends
            // them as input.
            let told = format!("{error} {error:?} {} {}", error.rule(), error.remedy());
            assert!(text.matches('.').count() < 2 || text.len() < 24 || !told.contains(text));
        }
    }
});
