//! Builds a challenge with any realm and any scopes. For any values, the challenge is one header
//! with only our well-formed parameters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::testing::{attempt_now, bearer};
use portcullis_fuzz::{SET, builder, built};

/// The names of the parameters, read by the grammar of RFC 9110 §11.2.
fn names(challenge: &str) -> Vec<&str> {
    let mut rest = challenge.strip_prefix("Bearer ").expect("the scheme");
    let mut names = Vec::new();
    loop {
        let (name, value) = rest.split_once("=\"").expect("a quoted value");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        names.push(name);
        let mut escaped = false;
        let end = value
            .bytes()
            .position(|byte| {
                assert!((b' '..=b'~').contains(&byte));
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            })
            .expect("the closing quote");
        match value[end + 1..].strip_prefix(", ") {
            Some(more) => rest = more,
            None => {
                assert_eq!(value[end + 1..].len(), 0);
                return names;
            }
        }
    }
}

fuzz_target!(|realm: &str| {
    let Some(auth) = built(builder(SET.clone()).realm(realm)) else { return };
    let refusal = auth.anonymous().refusal();
    let challenge = refusal.challenge().expect("a challenge");
    assert_eq!(names(challenge.to_str().expect("ASCII")), ["realm"]);
    let Ok(Err(refusal)) = attempt_now(&auth, &bearer("a.b.c")) else { panic!("not a token") };
    let challenge = refusal.challenge().expect("a challenge");
    let told = names(challenge.to_str().expect("ASCII"));
    assert_eq!(told, ["realm", "error", "error_description"]);
});
