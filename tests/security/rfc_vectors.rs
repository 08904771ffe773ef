//! The examples of the RFCs, validated like any token.
//!
//! The vectors are copied from the documents character for character: a copying error would fail
//! verification.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis::testing::{ManualClock, TestKey};
use portcullis::{
    Algorithm, Authenticator, Profile, dangerous,
    keys::{KeySet, SharedKeySet},
    signature,
    token::TokenError,
};
use serde_json::Value;

/// RFC 7515 appendix A.1: the payload of A.1, A.2, A.3, A.5 and A.6.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const JOE_DECODED: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
const JOE_EXP: u64 = 1_300_819_380;

const A1_HEADER: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
const A1_SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const A1_KEY: &str = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;

const A2_HEADER: &str = "eyJhbGciOiJSUzI1NiJ9";
const A2_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const A2_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;

const A3_HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";
const A3_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const A3_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

const A4: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
const A4_KEY: &str = r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;

/// RFC 7520 §4, figure 7: the payload of all its examples of signatures.
const FRODO: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
const FRODO_DECODED: &str = "It\u{2019}s a dangerous business, Frodo, going out your door. You step onto the road, and if you don't keep your feet, there\u{2019}s no knowing where you might be swept off to.";

/// RFC 7520 §3.3.
const COOKBOOK_RSA: &str = r#"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}"#;
/// RFC 7520 §3.1.
const COOKBOOK_EC: &str = r#"{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}"#;

const COOKBOOK_4_1: [&str; 2] = [
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
];
const COOKBOOK_4_2: [&str; 2] = [
    "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
    "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
];
const COOKBOOK_4_3: [&str; 2] = [
    "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
    "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2",
];
const COOKBOOK_4_4: [&str; 2] = [
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9",
    "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
];
/// RFC 7520 §3.5.
const COOKBOOK_OCT: &str = r#"{"kty":"oct","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037","use":"sig","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#;

/// RFC 8037 appendix A.2 and A.4.
const ED_KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const ED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn keys(jwks: &[&str]) -> KeySet {
    KeySet::from_json(format!(r#"{{"keys":[{}]}}"#, jwks.join(",")).as_bytes()).unwrap()
}

fn joe(header: &str, signature: &str) -> String {
    format!("{header}.{JOE}.{signature}")
}

fn frodo([header, signature]: [&str; 2]) -> String {
    format!("{header}.{FRODO}.{signature}")
}

/// Verifies the JWS, and checks that neither another payload nor another signature verifies.
fn assert_verifies(jws: &str, key: &str, algorithm: Algorithm, payload: &str) {
    let keys = keys(&[key]);
    let verified = signature::verify(jws, &keys, &[algorithm]).unwrap();
    assert_eq!(verified.payload(), payload.as_bytes(), "{algorithm}");
    assert_eq!(verified.algorithm(), algorithm);
    let middle = jws.find('.').unwrap() + 8;
    for at in [middle, jws.len() - 9] {
        let other = if jws.as_bytes().get(at) == Some(&b'A') { "B" } else { "A" };
        let mut changed = jws.to_owned();
        changed.replace_range(at..=at, other);
        let error = signature::verify(&changed, &keys, &[algorithm]).unwrap_err();
        assert_eq!(error.rule(), "signature", "{algorithm} at {at}");
    }
}

fn refusal(jws: &str, keys: &KeySet) -> &'static str {
    signature::verify(jws, keys, Algorithm::ALL).unwrap_err().rule()
}

async fn authenticator(keys: KeySet, issuer: &str, audience: &str, now: u64) -> Authenticator {
    Authenticator::builder(issuer, audience)
        .key_source(SharedKeySet::new(keys))
        .clock(ManualClock::at(now))
        .build()
        .await
        .unwrap()
}

async fn rule(auth: &Authenticator, token: &str) -> &'static str {
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    match auth.authenticate(&HeaderMap::from_iter([(AUTHORIZATION, value)])).await {
        Ok(_) => "accepted",
        Err(refusal) => refusal.token_error().map_or("not about the token", TokenError::rule),
    }
}

#[test]
fn rfc_7515_a_2_rs256() {
    assert_verifies(&joe(A2_HEADER, A2_SIGNATURE), A2_KEY, Algorithm::Rs256, JOE_DECODED);
}

#[test]
fn rfc_7515_a_3_es256() {
    assert_verifies(&joe(A3_HEADER, A3_SIGNATURE), A3_KEY, Algorithm::Es256, JOE_DECODED);
}

#[test]
fn rfc_7515_a_4_es512() {
    assert_verifies(A4, A4_KEY, Algorithm::Es512, "Payload");
}

#[test]
fn rfc_7515_a_1_hs256_is_rejected() {
    let keys = keys(&[A1_KEY, A2_KEY]);
    assert_eq!(keys.len(), 1, "the symmetric key is no key here");
    let jws = joe(A1_HEADER, A1_SIGNATURE);
    assert_eq!(refusal(&jws, &keys), "alg");

    let Value::String(k) = serde_json::from_str::<Value>(A1_KEY).unwrap()["k"].take() else {
        panic!("a string")
    };
    let secret = URL_SAFE_NO_PAD.decode(k).unwrap();
    let key = dangerous::hmac_key(None, Algorithm::Hs256, &secret).unwrap();
    let keys = KeySet::from_iter([key]);
    assert_eq!(refusal(&jws, &keys), "alg", "not by default");
    assert!(signature::verify(&jws, &keys, &[Algorithm::Hs256]).is_ok(), "by name");
}

#[test]
fn rfc_7515_a_5_unsecured_is_rejected() {
    assert_eq!(refusal(&joe("eyJhbGciOiJub25lIn0", ""), &keys(&[A2_KEY])), "alg");
}

#[test]
fn rfc_7515_a_6_json_is_rejected_with_any_payload() {
    let keys = keys(&[A2_KEY, A3_KEY]);
    let general = format!(
        r#"{{"payload":"{JOE}","signatures":[
            {{"protected":"{A2_HEADER}","header":{{"kid":"2010-12-29"}},"signature":"{A2_SIGNATURE}"}},
            {{"protected":"{A3_HEADER}","header":{{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"}},"signature":"{A3_SIGNATURE}"}}
        ]}}"#
    );
    let flattened = format!(
        r#"{{"payload":"{JOE}","protected":"{A3_HEADER}","header":{{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"}},"signature":"{A3_SIGNATURE}"}}"#
    );
    for json in [general, flattened] {
        assert_eq!(refusal(&json, &keys), "compact_form", "{json}");
    }
}

/// The signatures of the examples are valid, but the examples have no `aud`, so they are not tokens
/// for an API.
#[tokio::test]
async fn rfc_7515_examples_are_rejected_as_access_tokens() {
    for (key, token) in
        [(A2_KEY, joe(A2_HEADER, A2_SIGNATURE)), (A3_KEY, joe(A3_HEADER, A3_SIGNATURE))]
    {
        let auth = authenticator(keys(&[key]), "joe", "https://api.example", JOE_EXP - 60).await;
        assert_eq!(rule(&auth, &token).await, "missing_claim");
        // The signature is checked first.
        let forged = token.replacen(".eyJpc3M", ".eyJpc3N", 1);
        assert_eq!(rule(&auth, &forged).await, "signature");
    }
    for (key, token) in [(A4_KEY, A4.to_owned()), (ED_KEY, ED.to_owned())] {
        let auth = authenticator(keys(&[key]), "joe", "https://api.example", JOE_EXP - 60).await;
        assert_eq!(rule(&auth, &token).await, "json");
    }
}

#[test]
fn rfc_7520_4_1_rs256() {
    assert_verifies(&frodo(COOKBOOK_4_1), COOKBOOK_RSA, Algorithm::Rs256, FRODO_DECODED);
}

#[test]
fn rfc_7520_4_2_ps384() {
    // The key has no `alg`, and verifies the example of 4.1 as well.
    assert_verifies(&frodo(COOKBOOK_4_2), COOKBOOK_RSA, Algorithm::Ps384, FRODO_DECODED);
    // With an `alg` it is no longer a key for 4.1.
    let key = COOKBOOK_RSA.replace(r#""use""#, r#""alg":"PS384","use""#);
    assert_verifies(&frodo(COOKBOOK_4_2), &key, Algorithm::Ps384, FRODO_DECODED);
    assert_eq!(refusal(&frodo(COOKBOOK_4_1), &keys(&[&key])), "alg_of_key");
}

#[test]
fn rfc_7520_4_3_es512() {
    assert_verifies(&frodo(COOKBOOK_4_3), COOKBOOK_EC, Algorithm::Es512, FRODO_DECODED);
}

#[test]
fn rfc_7520_4_4_hs256_is_rejected() {
    let keys = keys(&[COOKBOOK_OCT, COOKBOOK_RSA]);
    assert_eq!(refusal(&frodo(COOKBOOK_4_4), &keys), "alg");
}

#[test]
fn rfc_7520_keys_with_one_kid_are_selected_by_algorithm() {
    let keys = keys(&[COOKBOOK_RSA, COOKBOOK_EC]);
    for jws in [frodo(COOKBOOK_4_1), frodo(COOKBOOK_4_3)] {
        assert!(signature::verify(&jws, &keys, Algorithm::ALL).is_ok());
    }
}

#[test]
fn rfc_8037_a_4_ed25519() {
    assert_verifies(ED, ED_KEY, Algorithm::Ed25519, "Example of Ed25519 signing");
}

/// RFC 9068 §2.2.3.2, figures 2 and 3. The document gives no key, so the signature is ours.
#[tokio::test]
async fn rfc_9068_example_is_accepted_before_its_expiry() {
    let key = TestKey::generate("RjEwOwOA", Algorithm::Rs256);
    let token = key.sign(
        r#"{"typ":"at+JWT","alg":"RS256","kid":"RjEwOwOA"}"#,
        r#"{
            "iss": "https://authorization-server.example.com/",
            "sub": "5ba552d67",
            "aud": "https://rs.example.com/",
            "exp": 1639528912,
            "iat": 1618354090,
            "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
            "client_id": "s6BhdRkqt3",
            "scope": "openid profile reademail"
        }"#,
    );
    for (now, expected) in [
        (1_618_354_000, "iat"),
        (1_618_354_090, "accepted"),
        (1_639_528_921, "accepted"),
        (1_639_528_922, "exp"),
    ] {
        let auth = Authenticator::builder(
            "https://authorization-server.example.com/",
            "https://rs.example.com/",
        )
        .key_source(SharedKeySet::new(TestKey::key_set([&key])))
        .profile(Profile::rfc9068())
        .clock(ManualClock::at(now))
        .build()
        .await
        .unwrap();
        assert_eq!(rule(&auth, &token).await, expected, "at {now}");
    }
}
