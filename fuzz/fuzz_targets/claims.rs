//! Validates any bytes as a validly signed payload. No input panics, and every accepted caller
//! meets every compulsory rule according to another JSON parser.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use portcullis::testing::attempt_now;
use portcullis::{Algorithm, Authenticator, Profile, dangerous, keys::KeySet};
use portcullis_fuzz::{AUDIENCE, ISSUER, NOW, builder, built};
use serde_json::Value;

const SECRET: [u8; 32] = [7; 32];
const LEEWAY: f64 = 10.0;

static PROFILES: LazyLock<Vec<(Profile, Authenticator)>> = LazyLock::new(|| {
    let of = |profile: Profile| {
        // Signing must be fast here, so the key is a secret.
        let key = dangerous::hmac_key(None, Algorithm::Hs256, &SECRET).expect("32 bytes");
        let builder = builder(KeySet::from_iter([key]))
            .algorithms([Algorithm::Hs256])
            .profile(profile.clone());
        (profile, built(builder).expect("good settings"))
    };
    Profile::names().into_iter().map(|name| of(name.parse().expect("its name"))).collect()
});

fn token(payload: &[u8]) -> HeaderValue {
    let header = r#"{"alg":"HS256","typ":"at+jwt"}"#;
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), input.as_bytes());
    HeaderValue::try_from(format!("Bearer {input}.{}", URL_SAFE_NO_PAD.encode(tag)))
        .expect("base64url")
}

fuzz_target!(|payload: &[u8]| {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, token(payload))]);
    for (profile, auth) in PROFILES.iter() {
        let outcome = attempt_now(auth, &headers).expect("the key is in memory");
        match outcome {
            Ok(who) => {
                let who = who.expect("there is a token");
                let _ = format!("{who:?}");
                let claims: Value = who.claims().expect("an object");
                assert_eq!(claims["iss"], ISSUER);
                let named = |name: &Value| name == AUDIENCE;
                let aud = &claims["aud"];
                let elsewhere = ["client_id", "azp"].iter().any(|name| named(&claims[*name]));
                assert!(
                    named(aud)
                        || aud.as_array().is_some_and(|names| names.iter().any(named))
                        || (["cognito", "clerk"].contains(&profile.name()) && elsewhere)
                );
                let seconds = |name: &str| claims[name].as_f64();
                let now = NOW as f64;
                assert!(seconds("exp").expect("`exp`") + LEEWAY > now);
                assert!(seconds("nbf").is_none_or(|nbf| nbf <= now + LEEWAY));
                assert!(seconds("iat").is_none_or(|iat| iat <= now + LEEWAY));
                assert!(claims.get("cnf").is_none());
                assert!(claims.get("events").is_none());
            }
            Err(refusal) => {
                let _ = format!("{refusal} {refusal:?} {}", refusal.reason());
                assert_eq!(refusal.status(), 401, "a token of the wrong claims");
            }
        }
    }
});
