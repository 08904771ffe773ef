//! Any text as a JWS: no panic, and only texts that the owners of the keys signed verify.
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
            // The error must not contain the token; but a fuzzer learns the words of a message and
            // sends them. They do not have two dots.
            let told = format!("{error} {error:?} {} {}", error.rule(), error.remedy());
            assert!(text.matches('.').count() < 2 || text.len() < 24 || !told.contains(text));
        }
    }
});
