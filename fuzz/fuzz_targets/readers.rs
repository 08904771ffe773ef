//! Reads any text as a payload and as a header, with both readers of JSON. What the faster one
//! accepts, serde_json reads as the same claims.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| portcullis::readers_agree(text));
