//! One text that two parsers read as two tokens.
//!
//! A token is three parts of unpadded base64url and no other byte. Each part is parsed once, so the
//! verified bytes are the bytes that are used.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portcullis::testing::{ManualClock, TestKey};
use portcullis::{
    Algorithm, Authenticator,
    keys::{KeySet, SharedKeySet},
    signature,
    token::TokenPlace,
};
use serde_json::json;

use super::support::{
    AUDIENCE, ISSUER, NOW, auth, authorization, bearer, builder, claims, encode, rule, rule_of,
    split,
};

/// CVE-2022-39227 (python-jwt): the verifier parsed JSON, the reader the compact form.
#[tokio::test]
async fn json_compact_polyglot_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (auth, set) = (auth(&key).await, TestKey::key_set([&key]));
    let token = key.token(&claims());
    let (input, signature) = split(&token);
    let (header, payload) = input.split_once('.').unwrap();
    let mut root = claims();
    root["sub"] = json!("root");
    let forged = encode(root.to_string());
    for text in [
        format!(
            r#"{{"  {header}.{forged}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#
        ),
        format!(
            r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}","x":".{forged}."}}"#
        ),
        format!(r#"{header}.{forged}.{{"signature":"{signature}"}}"#),
        format!("{header}.{forged}.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}.{forged}"),
        format!("{header}.{forged}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}{forged}.{signature}"),
        format!("{header}.{forged}{payload}.{signature}"),
        format!("{token},{token}"),
        format!("{token};{token}"),
        format!("{token}.{token}"),
        format!("{token}\n{token}"),
    ] {
        assert!(signature::verify(&text, &set, Algorithm::ALL).is_err(), "{text}");
        if let Ok(value) = http::HeaderValue::try_from(format!("Bearer {text}")) {
            let headers = http::HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
            assert_ne!(rule_of(&auth, &headers).await, "accepted", "{text}");
        }
    }
    assert_eq!(rule(&auth, &token).await, "accepted");
}

/// The rule of the BCP: letters, digits, dash, underscore and period only. Every other encoding is
/// rejected, although some decoder would return the same bytes.
#[tokio::test]
async fn token_in_non_canonical_encoding_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let set = TestKey::key_set([&key]);
    // The parts have lengths at which the last character has spare bits, or at which padding would
    // follow.
    let header = r#"{"alg":"RS256","kid":"k" }"#;
    let payload = format!("{} ", claims());
    let token = key.sign(header, &payload);
    assert!(signature::verify(&token, &set, Algorithm::ALL).is_ok());
    let parts: Vec<_> = token.split('.').collect();
    for at in 0..3 {
        let spare = {
            let mut part = parts[at].to_owned();
            let last = part.pop().unwrap();
            part.push(char::from(u8::try_from(last).unwrap() + 1));
            part
        };
        let part = parts[at];
        for other in [
            format!("{part}="),
            format!("{part}=="),
            format!("{part} "),
            format!(" {part}"),
            format!("{part}\n"),
            format!("{part}\r\n"),
            format!("{part}\t"),
            format!("{part}\u{0}"),
            format!("\u{feff}{part}"),
            format!("{part}%3D"),
            format!("{part}A"),
            part.replacen(|_| true, "+", 1),
            part.replacen(|_| true, "/", 1),
            part.replacen(|_| true, "\u{ff21}", 1),
            spare,
        ] {
            let mut changed = parts.clone();
            changed[at] = &other;
            let changed = changed.join(".");
            assert!(signature::verify(&changed, &set, Algorithm::ALL).is_err(), "{at} {other:?}");
        }
    }
    // The dots are URL-escaped or replaced by a similar character, or the token is in quotes.
    for text in [token.replace('.', "%2E"), token.replace('.', "\u{3002}"), format!("\"{token}\"")]
    {
        assert!(signature::verify(&text, &set, Algorithm::ALL).is_err(), "{text}");
    }
}

#[tokio::test]
async fn header_or_payload_that_is_not_one_json_object_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let good_header = r#"{"alg":"ES256","kid":"k"}"#;
    let good_payload = claims().to_string();
    for damage in [
        |text: &str| format!("{text}{{}}"),
        |text: &str| format!("{text},"),
        |text: &str| format!("[{text}]"),
        |text: &str| format!("\u{feff}{text}"),
        |text: &str| format!("{text}\u{0}"),
        |text: &str| format!("/**/{text}"),
        |text: &str| text.replace('"', "'"),
        |text: &str| text.replace('}', ",}"),
        |text: &str| text.replace('}', ""),
        |_: &str| "null".to_owned(),
        |_: &str| "\"{}\"".to_owned(),
        |_: &str| String::new(),
    ] {
        let header = damage(good_header);
        assert_eq!(rule(&auth, &key.sign(&header, &good_payload)).await, "json", "{header}");
        let payload = damage(&good_payload);
        assert_eq!(rule(&auth, &key.sign(good_header, &payload)).await, "json", "{payload}");
    }
}

/// One request has one token in one place.
#[tokio::test]
async fn request_with_more_than_one_token_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let token = key.token(&claims());
    for value in [
        format!("Bearer {token} {token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer token={token}"),
        "Bearer".to_owned(),
    ] {
        assert_eq!(rule_of(&auth, &authorization(&value)).await, "invalid_request", "{value}");
    }
    let mut twice = bearer(&token);
    twice.append(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    assert_eq!(rule_of(&auth, &twice).await, "invalid_request");
}

/// If the configuration allows other places, a request with two tokens is rejected, too: the gate
/// never chooses between them. It accepts no cookie that another site's page caused to be sent (RFC
/// 6265 §8.2).
#[tokio::test]
async fn request_with_tokens_in_two_places_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key)
        .token_places([
            TokenPlace::authorization(),
            TokenPlace::header("x-access-token"),
            TokenPlace::header_with_scheme("x-forwarded-authorization", "Bearer"),
            TokenPlace::websocket_prefix("bearer."),
            TokenPlace::websocket_pair("bearer"),
            TokenPlace::websocket_base64url("b64."),
        ])
        .cookie("access")
        .build()
        .await
        .unwrap();
    let token = key.token(&claims());
    let in_header = ("x-access-token", token.clone());
    let in_protocol = ("sec-websocket-protocol", format!("chat, bearer.{token}"));
    let in_pair = ("sec-websocket-protocol", format!("bearer, {token}"));
    let unmarked = ("sec-websocket-protocol", format!("chat, {token}"));
    let encoded = ("sec-websocket-protocol", format!("b64.{}", encode(&token)));
    let in_authorization = ("authorization", format!("Bearer {token}"));
    let behind_scheme = ("x-forwarded-authorization", format!("Bearer {token}"));
    let other_scheme = ("authorization", "Basic YTpi".to_owned());
    let forged = ("authorization", "Bearer a.b.c".to_owned());
    let in_cookie = ("cookie", format!("a=b; access={token}"));
    let cookies = ("cookie", format!("access={token}; access={token}"));
    let same = ("sec-fetch-site", "same-origin".to_owned());
    let cross = ("sec-fetch-site", "cross-site".to_owned());
    for (headers, expected) in [
        (vec![&in_header], "accepted"),
        (vec![&in_header, &in_header], "invalid_request"),
        (vec![&in_protocol], "accepted"),
        (vec![&in_header, &in_protocol], "invalid_request"),
        (vec![&in_protocol, &in_protocol], "invalid_request"),
        (vec![&in_pair], "accepted"),
        (vec![&in_pair, &in_pair], "invalid_request"),
        (vec![&unmarked], "missing_token"),
        (vec![&encoded], "accepted"),
        (vec![&encoded, &encoded], "invalid_request"),
        (vec![&in_pair, &encoded], "invalid_request"),
        (vec![&behind_scheme], "accepted"),
        (vec![&behind_scheme, &behind_scheme], "invalid_request"),
        (vec![&behind_scheme, &in_authorization], "invalid_request"),
        (vec![&in_authorization, &in_header], "invalid_request"),
        (vec![&other_scheme, &in_header], "accepted"),
        (vec![&other_scheme, &in_cookie, &same], "accepted"),
        (vec![&other_scheme, &in_cookie, &cross], "forbidden"),
        (vec![&forged, &in_cookie, &same], "invalid_token"),
        (vec![&in_cookie, &same], "accepted"),
        (vec![&in_cookie, &in_cookie, &same], "invalid_request"),
        (vec![&cookies, &same], "invalid_request"),
        (vec![&in_cookie, &cross], "forbidden"),
        (vec![&in_cookie], "forbidden"),
    ] {
        let mut request = http::Request::post("https://api.example/").body(()).unwrap();
        for (name, value) in &headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let outcome = match auth.authenticate(&request).await {
            Ok(_) => "accepted",
            Err(refusal) => refusal.kind().as_str(),
        };
        let shown: Vec<_> = headers.iter().map(|(name, _)| name).collect();
        assert_eq!(outcome, expected, "{shown:?}");
    }
}

/// A signature over the malformed text does not make the text a valid token.
#[test]
fn valid_signature_over_malformed_parts_is_rejected() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = encode(pair.public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "kid": "k"});
    let set = KeySet::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let verdict = |header: &str, payload: &str| {
        let input = format!("{header}.{payload}");
        let token = format!("{input}.{}", encode(pair.sign(input.as_bytes()).as_ref()));
        let verified = signature::verify(&token, &set, Algorithm::ALL);
        verified.map(|jws| jws.payload().to_vec()).map_err(|error| error.rule())
    };
    let header = encode(r#"{"alg":"EdDSA","kid":"k"}"#);
    // One byte is encoded as two characters with four spare bits, and would be padded with two
    // characters.
    let payload = encode("{");
    assert_eq!(verdict(&header, &payload).as_deref(), Ok(&b"{"[..]));
    for bad in ["=", "==", "\n", " ", "AAA", "\u{0}"] {
        assert_eq!(verdict(&header, &format!("{payload}{bad}")), Err("base64url"), "{bad:?}");
        assert_eq!(verdict(&format!("{header}{bad}"), &payload), Err("base64url"), "{bad:?}");
    }
    assert_eq!(verdict(&header, "ex"), Err("base64url"), "a spare bit is set");
    assert_eq!(verdict(&header, "e+/w"), Err("base64url"), "the other alphabet");
    // A member that nothing reads has a value that is not UTF-8.
    let odd = encode(b"{\"alg\":\"EdDSA\",\"kid\":\"k\",\"x\":\"\xff\"}");
    assert_eq!(verdict(&odd, &payload), Err("json"));
}

/// RFC 8725 §3.7: all claims are UTF-8.
#[tokio::test]
async fn claims_that_are_not_utf_8_are_rejected() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = encode(pair.public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k"});
    let set = KeySet::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(set))
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .unwrap();
    for (odd, expected) in [
        (&b"\xc3\xa9"[..], "accepted"),
        (b"\xff", "json"),
        (b"\xc0\x80", "json"),
        (b"\xc3", "json"),
    ] {
        let whole = claims().to_string();
        let payload = [br#"{"x":""#, odd, br#"","#, &whole.as_bytes()[1..]].concat();
        let input = format!("{}.{}", encode(r#"{"alg":"EdDSA","kid":"k"}"#), encode(payload));
        let token = format!("{input}.{}", encode(pair.sign(input.as_bytes()).as_ref()));
        assert_eq!(rule(&auth, &token).await, expected, "{odd:?}");
    }
}
