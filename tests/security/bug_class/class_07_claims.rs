//! Claim checks that are skipped, or accept a wrong value.
//!
//! A claim of the wrong type is an error and never absent; `iss`, `aud` and `exp` are compulsory,
//! and no setting disables them.

use std::time::Duration;

use portcullis::keys::SharedKeySet;
use portcullis::testing::{ManualClock, TestKey};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, IssuerSettings, Profile, dangerous,
};
use serde_json::{Value, json};

use super::support::{AUDIENCE, ISSUER, NOW, auth, bearer, builder, claims, rule};

/// The verdict on a valid token with one claim replaced by this text, or removed.
async fn verdict(auth: &Authenticator, key: &TestKey, name: &str, value: Option<&str>) -> String {
    let mut members = claims();
    members.as_object_mut().unwrap().remove(name);
    let mut members: Vec<_> = members
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    // The payload is assembled as text, so that the value may be one that no JSON library would
    // write.
    members.extend(value.map(|value| format!("\"{name}\":{value}")));
    let payload = format!("{{{}}}", members.join(","));
    let token = key.sign(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, &payload);
    rule(auth, &token).await.to_owned()
}

/// An empty string for an absent `sub` would make all such tokens one user.
#[tokio::test]
async fn absent_subject_is_rejected_if_required() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let mut claims = claims();
    let who = auth.authenticate(&bearer(&key.token(&claims))).await.unwrap();
    assert_eq!(who.required_subject().unwrap(), "alice");
    claims.as_object_mut().unwrap().remove("sub");
    let who = auth.authenticate(&bearer(&key.token(&claims))).await.unwrap();
    let refusal = who.required_subject().unwrap_err();
    assert_eq!(refusal.status(), 500);
    assert!(refusal.remedy().contains("required_claims"), "{}", refusal.remedy());
}

/// CVE-2026-25537 (jsonwebtoken in Rust: a claim of the wrong type counted as absent),
/// CVE-2024-53861 (PyJWT: `iss` as a substring), CVE-2025-30144 (fast-jwt: `iss` as an array),
/// CVE-2026-107275 (fastify-jwt: an unparsable expiry counted as absent), the Spring issuer bypass
/// of 2018.
#[tokio::test]
async fn claims_of_every_wrong_type_are_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let ours = json!(AUDIENCE).to_string();
    let array = |inner: &str| format!("[{inner}]");
    let exp = NOW + 900;
    for (name, values, expected) in [
        (
            "iss",
            vec!["\"\"", "\"issuer\"", "\"https://issuer.exampl\"", "\"https://issuer\""],
            "iss",
        ),
        (
            "iss",
            vec![
                "\"https://issuer.example/\"",
                "\"https://issuer.example.evil.example\"",
                "\"https://issuer.example \"",
                "\" https://issuer.example\"",
                "\"https://issuer.example\\u0000\"",
                "\"HTTPS://issuer.example\"",
                "\"https://issuer.example:443\"",
                "\"https://user@issuer.example\"",
                "\"https://issuer.example,https://evil.example\"",
            ],
            "iss",
        ),
        (
            "iss",
            vec![
                "null",
                "0",
                "true",
                "{}",
                "[]",
                "[\"https://issuer.example\"]",
                "[\"https://evil.example\",\"https://issuer.example\"]",
                "{\"iss\":\"https://issuer.example\"}",
            ],
            "wrong_type",
        ),
        (
            "aud",
            vec![
                "\"\"",
                "[]",
                "\"https://api.exampl\"",
                "\"https://api.example/\"",
                "\"api\"",
                "[\"https://api.example/\",\"x\"]",
                "\"https://api.example https://x.example\"",
                "\"*\"",
                "[\"\"]",
            ],
            "aud",
        ),
        (
            "aud",
            vec![
                "null",
                "0",
                "false",
                "{}",
                "{\"https://api.example\":true}",
                "{\"0\":\"https://api.example\",\"length\":1}",
                "[[\"https://api.example\"]]",
                "[\"https://api.example\",0]",
                "[\"https://api.example\",null]",
            ],
            "wrong_type",
        ),
        (
            "exp",
            vec![
                "\"1800000900\"",
                "\"9999999999\"",
                "\"never\"",
                "\"1h\"",
                "\"\"",
                "null",
                "true",
                "false",
                "[1800000900]",
                "{}",
            ],
            "wrong_type",
        ),
        (
            "exp",
            vec![
                "-1",
                "-1.5",
                "-1800000900",
                "1e300",
                "18446744073709551615",
                "18446744073709551616",
                "9223372036854775808",
                "253402300800",
            ],
            "out_of_range",
        ),
        (
            "exp",
            vec!["NaN", "Infinity", "0x7fffffff", "01800000900", "+1800000900", "1e999"],
            "json",
        ),
        ("exp", vec!["0", "0.0", "-0.0", "1.0", "1799999990", "1799999989.999"], "exp"),
        ("nbf", vec!["\"1800000000\"", "\"0\"", "null", "true", "[]"], "wrong_type"),
        ("nbf", vec!["-1", "1e300", "253402300800"], "out_of_range"),
        ("nbf", vec!["1800000011", "1800000010.5", "253402300799"], "nbf"),
        ("iat", vec!["\"1800000000\"", "null", "false", "{}"], "wrong_type"),
        ("iat", vec!["-5"], "out_of_range"),
        ("iat", vec!["1800000011", "9999999999"], "iat"),
        ("sub", vec!["null", "0", "[\"alice\"]", "{\"$ne\":null}"], "wrong_type"),
        ("token_use", vec!["1", "null", "[\"access\"]"], "wrong_type"),
        ("typ", vec!["1", "null", "[\"Bearer\"]"], "wrong_type"),
        // Claims that no rule reads may be of any type. For policies, see class 15.
        ("jti", vec!["7", "null", "{}"], "accepted"),
        ("client_id", vec!["1", "[]", "null"], "accepted"),
        ("scope", vec!["[\"admin\"]", "null", "{}", "7"], "accepted"),
        ("auth_time", vec!["\"2027-01-15T08:00:00.000Z\"", "-1", "{}"], "accepted"),
        ("sid", vec!["7", "[]"], "accepted"),
        ("acr", vec!["1", "[\"gold\"]"], "accepted"),
    ] {
        for value in values {
            assert_eq!(verdict(&auth, &key, name, Some(value)).await, expected, "{name}: {value}");
        }
    }
    for name in ["iss", "aud", "exp"] {
        assert_eq!(verdict(&auth, &key, name, None).await, "missing_claim", "{name}");
    }
    // Valid values are accepted; otherwise the list above would prove nothing.
    for (name, value) in [
        ("aud", array(&ours)),
        ("aud", format!("[\"https://other.example\",{ours}]")),
        ("exp", format!("{exp}.5")),
        ("exp", "1.8000009e9".to_owned()),
        ("iss", json!(ISSUER).to_string().replace('/', "\\/")),
        ("nbf", "0".to_owned()),
    ] {
        assert_eq!(verdict(&auth, &key, name, Some(&value)).await, "accepted", "{name}: {value}");
    }
}

/// Names are exact, too: a claim with a similar name is not a compulsory claim.
#[tokio::test]
async fn claim_with_a_similar_name_is_absent() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for (name, others) in [
        ("exp", ["Exp", "EXP", "exp ", "expires"]),
        ("aud", ["AUD", "Aud", "audience", "aud\u{0}"]),
    ] {
        for other in others {
            let mut claims = claims();
            let value = claims[name].take();
            claims.as_object_mut().unwrap().remove(name);
            claims[other] = value;
            assert_eq!(rule(&auth, &key.token(&claims)).await, "missing_claim", "{other:?}");
        }
    }
    let nested = json!({"claims": claims(), "iss": ISSUER, "aud": AUDIENCE});
    assert_eq!(rule(&auth, &key.token(&nested)).await, "missing_claim");
}

/// RFC 7519 §4: if a claim has two values, two parsers may take different ones.
#[tokio::test]
async fn duplicate_claim_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for more in [
        r#""exp":9999999999"#,
        r#""e\u0078p":9999999999"#,
        r#""iss":"https://evil.example""#,
        r#""aud":[]"#,
        r#""sub":"root""#,
        r#""iat":1"#,
        r#""nbf":0,"nbf":0"#,
        r#""typ":"Bearer","typ":"Bearer""#,
        r#""token_use":"access","token_use":"access""#,
        r#""azp":"a","azp":"b""#,
    ] {
        let good = claims().to_string();
        let (whole, _) = good.rsplit_once('}').unwrap();
        let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &format!("{whole},{more}}}"));
        assert_eq!(rule(&auth, &token).await, "duplicate_member", "{more}");
    }
    // No rule reads these claims. The result of a policy that reads them is unknown: see class 15.
    for more in [r#""x":1,"x":2"#, r#""scope":"a","scope":"b""#, r#""jti":"a","jti":"b""#] {
        let good = claims().to_string();
        let (whole, _) = good.rsplit_once('}').unwrap();
        let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &format!("{whole},{more}}}"));
        assert_eq!(rule(&auth, &token).await, "accepted", "{more}");
    }
}

/// Claims that are otherwise read leniently are read strictly if a rule reads them.
#[tokio::test]
async fn claim_that_a_setting_reads_is_parsed_strictly() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let rfc9068 = || builder(&key).profile(Profile::rfc9068());
    let required = || builder(&key).required_claims(["tenant"]);
    for (builder, members, expected) in [
        (rfc9068(), r#""client_id":"c","jti":"j""#, "accepted"),
        (rfc9068(), r#""client_id":["c"],"jti":"j""#, "wrong_type"),
        (rfc9068(), r#""client_id":"c","jti":7"#, "wrong_type"),
        (rfc9068(), r#""client_id":"c","jti":"j","jti":"j""#, "duplicate_member"),
        (required(), r#""tenant":"a","tenant":"b""#, "duplicate_member"),
        (
            builder(&key).profile(Profile::cognito()),
            r#""token_use":"access","client_id":"https://api.example","client_id":"b""#,
            "duplicate_member",
        ),
        (
            builder(&key).profile(Profile::okta()),
            r#""cid":"a","jti":"AT.1","jti":"ID.1""#,
            "duplicate_member",
        ),
        (builder(&key).profile(Profile::okta()), r#""cid":"a","cid":"b""#, "duplicate_member"),
    ] {
        let payload = format!("{{{members},{}", &claims().to_string()[1..]);
        let token = key.sign(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, &payload);
        assert_eq!(rule(&builder.build().await.unwrap(), &token).await, expected, "{members}");
    }
}

/// CVE-2024-51744 (golang-jwt): a forged and expired token was reported as expired, and callers who
/// tolerate expiry accepted it.
#[tokio::test]
async fn forged_expired_token_is_not_reported_as_expired() {
    let (key, forger) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("k", Algorithm::Es256));
    let auth = auth(&key).await;
    let mut old = claims();
    old["exp"] = json!(NOW - 1000);
    for (key, expected, description) in [
        (&forger, "signature", "The access token is invalid"),
        (&key, "exp", "The access token expired"),
    ] {
        let token = key.token(&old);
        assert_eq!(rule(&auth, &token).await, expected);
        let refusal = auth.authenticate(&bearer(&token)).await.unwrap_err();
        let challenge = refusal.challenge().unwrap();
        assert!(challenge.to_str().unwrap().contains(description), "{challenge:?}");
    }
}

/// RFC 8725 §3.12: another kind of token of the same issuer, with the same key and audience.
#[tokio::test]
async fn token_of_another_kind_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    // Two of the claims are accepted in a token that is typed as an access token, by its header or
    // by Keycloak's claim.
    for (name, value, overridden) in [
        ("nonce", json!("n"), true),
        ("at_hash", json!("x"), true),
        ("c_hash", json!("x"), false),
        ("s_hash", json!("x"), false),
        ("htm", json!("GET"), false),
        ("token_use", json!("id"), false),
        ("token_use", json!("refresh"), false),
        ("token_use", json!("another"), false),
        ("events", json!({}), false),
    ] {
        for (typ, bearer) in [("JWT", false), ("at+jwt", false), ("JWT", true)] {
            let mut claims: Value = claims();
            claims[name] = value.clone();
            if bearer {
                claims["typ"] = json!("Bearer");
            }
            let header = json!({"alg": "ES256", "kid": "k", "typ": typ}).to_string();
            let is_typed = bearer || typ == "at+jwt";
            let expected = if overridden && is_typed { "accepted" } else { "access_token" };
            let verdict = rule(&auth, &key.sign(&header, &claims.to_string())).await;
            assert_eq!(verdict, expected, "{name} {typ} {bearer}");
        }
    }
    for typ in ["access", "bearer", "JWT"] {
        let claims = merged(&json!({"typ": typ, "nonce": "n"})).to_string();
        let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &claims);
        assert_eq!(rule(&auth, &token).await, "access_token", "{typ}");
    }
    for typ in ["Refresh", "ID", "Offline", "Logout", "Serialized-ID", "DPoP"] {
        let mut claims: Value = claims();
        claims["typ"] = json!(typ);
        assert_eq!(rule(&auth, &key.token(&claims)).await, "access_token", "{typ}");
    }
    for typ in ["logout+jwt", "secevent+jwt", "dpop+jwt", "id+jwt", "statuslist+jwt", "jwt "] {
        let header = json!({"alg": "ES256", "kid": "k", "typ": typ}).to_string();
        assert_eq!(rule(&auth, &key.sign(&header, &claims().to_string())).await, "typ", "{typ}");
    }
}

/// An ID token of a code flow without `nonce`, with the audience of Spring's access tokens.
#[tokio::test]
async fn unmarked_id_token_is_recognized_by_its_claims() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let id_token = json!({"azp": AUDIENCE, "auth_time": NOW, "sid": "s"});
    let access_token = json!({"scope": ["orders:read"], "jti": "j"});
    for (profile, changes, expected) in [
        (Profile::jwt(), &id_token, "access_token"),
        (Profile::auth0(), &id_token, "access_token"),
        (Profile::spring(), &id_token, "access_token"),
        (Profile::dex(), &id_token, "access_token"),
        (Profile::dex(), &access_token, "access_token"),
        (Profile::hydra(), &id_token, "access_token"),
        (Profile::okta(), &id_token, "access_token"),
        (Profile::entra_b2c(), &id_token, "access_token"),
        (dangerous::accept_id_tokens(Profile::jwt()), &id_token, "accepted"),
        (dangerous::accept_id_tokens(Profile::dex()), &id_token, "accepted"),
        (Profile::jwt(), &access_token, "accepted"),
        (Profile::spring(), &access_token, "accepted"),
        (Profile::spring(), &json!({"sid": "s"}), "access_token"),
        (Profile::spring(), &json!({"auth_time": "2027-01-15T08:00:00Z"}), "access_token"),
        // Zitadel's access tokens, and Keycloak's if the API is the client.
        (Profile::jwt(), &json!({"azp": AUDIENCE}), "accepted"),
        (Profile::jwt(), &json!({"azp": AUDIENCE, "auth_time": NOW, "typ": "Bearer"}), "accepted"),
        (Profile::jwt(), &json!({"azp": AUDIENCE, "auth_time": NOW, "scope": "a"}), "accepted"),
    ] {
        let auth = builder(&key).profile(profile.clone()).build().await.unwrap();
        for header in [r#"{"alg":"ES256","kid":"k"}"#, r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#] {
            let token = key.sign(header, &merged(changes).to_string());
            assert_eq!(rule(&auth, &token).await, expected, "{} {changes}", profile.name());
        }
    }
}

/// A claim that marks a token as an access token is read as strictly as a claim that causes a
/// rejection.
#[tokio::test]
async fn empty_or_mistyped_scope_does_not_make_an_id_token_an_access_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let azp = format!(r#""azp":"{AUDIENCE}""#);
    for (members, expected) in [
        (format!(r#"{azp},"auth_time":1"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":"""#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":" ""#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":"\t""#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":[]"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":[""]"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":0"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":{{"a":1}}"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":["a",0]"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":["a b"]"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scope":"a","scope":null"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scp":"""#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scp":[]"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scp":7"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scp":["a",null]"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"scp":"x","scp":null"#), "access_token"),
        (format!(r#"{azp},"auth_time":null,"auth_time":1"#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"auth_time":null"#), "access_token"),
        (format!(r#"{azp},"auth_time":"yesterday""#), "access_token"),
        (format!(r#""azp":["{AUDIENCE}"],"auth_time":1"#), "access_token"),
        (r#""azp":7,"auth_time":1"#.to_owned(), "access_token"),
        (format!(r#"{azp},"auth_time":1,"typ":"x""#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"typ":"""#), "access_token"),
        (format!(r#"{azp},"auth_time":1,"typ":"Bearer""#), "accepted"),
        (format!(r#"{azp},"auth_time":1,"scope":"a""#), "accepted"),
        (format!(r#"{azp},"auth_time":1,"scope":["a"]"#), "accepted"),
        (format!(r#"{azp},"auth_time":1,"scp":"a""#), "accepted"),
        (format!(r#"{azp},"auth_time":1,"scp":["a"]"#), "accepted"),
        (format!(r#"{azp},"auth_time":1,"scope":"","scp":"a""#), "accepted"),
        (r#""azp":"another","auth_time":1"#.to_owned(), "accepted"),
        (r#""azp":null,"auth_time":1"#.to_owned(), "accepted"),
        (format!(r#"{azp},"auth_time":null"#), "accepted"),
        // In a token without `azp`, these claims do not mark an ID token, whatever their type.
        (r#""auth_time":"yesterday","scope":0"#.to_owned(), "accepted"),
    ] {
        let payload = format!("{{{members},{}", &claims().to_string()[1..]);
        let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &payload);
        assert_eq!(rule(&auth, &token).await, expected, "{members}");
    }
}

/// Only Keycloak writes the claim `typ` with the value `Bearer` by itself. With another issuer, a
/// mapper or customizer may put this claim into ID tokens.
#[tokio::test]
async fn claim_typ_bearer_is_a_mark_only_for_issuers_that_write_it() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let id_token = json!({
        "nonce": "n", "at_hash": "h", "azp": "c", "client_id": AUDIENCE, "cid": "c", "appid": "c",
        "uid": "u", "typ": "Bearer", "kubernetes.io": {}, "session_id": "s", "sid": "s",
        "token_use": "access",
    });
    for name in Profile::names() {
        let profile: Profile = name.parse().unwrap();
        if profile.accepts_id_tokens() {
            continue;
        }
        let mut claims = merged(&id_token);
        match name {
            "clerk" => claims["azp"] = json!(AUDIENCE),
            "entra-v1" => claims["ver"] = json!("1.0"),
            "entra-v2" => claims["ver"] = json!("2.0"),
            _ => {}
        }
        let auth = builder(&key).profile(profile).build().await.unwrap();
        let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &claims.to_string());
        let expected = match name {
            "jwt" | "keycloak" => "accepted",
            "rfc9068" => "typ",
            _ => "access_token",
        };
        assert_eq!(rule(&auth, &token).await, expected, "{name}");
    }
}

/// Returns the claims of a valid token with these changes.
fn merged(changes: &Value) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims
}

/// A requirement of the operator applies to every token, and an absent claim does not meet it.
#[tokio::test]
async fn requirement_is_not_met_by_an_absent_claim() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let long_lived = || builder(&key).max_token_lifetime(minutes(15));
    let old = || builder(&key).max_token_age(minutes(15));
    let required = || builder(&key).required_claims(["tenant"]);
    let rfc9068 = || builder(&key).profile(Profile::rfc9068());
    let whole = json!({"client_id": "c", "jti": "j"});
    let demands: [(AuthenticatorBuilder, Value, &str); 14] = [
        (long_lived(), json!({}), "accepted"),
        (long_lived(), json!({"exp": NOW + 901}), "lifetime"),
        (long_lived(), json!({"iat": null}), "missing_claim"),
        (old(), json!({"iat": NOW - 900, "exp": NOW + 90_000}), "accepted"),
        (old(), json!({"iat": NOW - 910, "exp": NOW + 90_000}), "token_age"),
        (old(), json!({"iat": null}), "missing_claim"),
        (required(), json!({"tenant": "t"}), "accepted"),
        (required(), json!({"Tenant": "t"}), "required_claim"),
        (required(), json!({}), "required_claim"),
        (rfc9068(), whole.clone(), "accepted"),
        (rfc9068(), json!({"client_id": "c"}), "missing_claim"),
        (rfc9068(), json!({"jti": "j"}), "missing_claim"),
        (rfc9068(), json!({"client_id": "c", "jti": "j", "iat": null}), "missing_claim"),
        (rfc9068(), json!({"client_id": "c", "jti": "j", "sub": null}), "missing_claim"),
    ];
    for (builder, changes, expected) in demands {
        let mut claims = claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        // `null` is an absent claim.
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let auth = builder.build().await.unwrap();
        let token = key.sign(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, &claims.to_string());
        assert_eq!(rule(&auth, &token).await, expected, "{changes}");
    }
}

/// The marks by which providers distinguish their access tokens from their other tokens.
#[tokio::test]
async fn other_tokens_of_a_provider_are_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let kubernetes = json!({"kubernetes.io": {"namespace": "n"}});
    for (profile, changes, expected) in [
        (Profile::keycloak(), json!({"typ": "Bearer"}), "accepted"),
        (Profile::keycloak(), json!({}), "claim_value"),
        (Profile::keycloak(), json!({"typ": "Bearer", "nonce": "n"}), "accepted"),
        (Profile::auth0(), json!({"azp": "c"}), "accepted"),
        (Profile::auth0(), json!({"client_id": "c"}), "accepted"),
        (Profile::auth0(), json!({}), "access_token"),
        (Profile::entra_v2(), json!({"ver": "2.0", "azp": "c"}), "accepted"),
        (Profile::entra_v2(), json!({"ver": "2.0"}), "access_token"),
        (Profile::entra_v2(), json!({"ver": "1.0"}), "claim_value"),
        (Profile::entra_v1(), json!({"ver": "1.0", "appid": "c"}), "accepted"),
        (Profile::entra_v1(), json!({"ver": "1.0", "azp": "c"}), "access_token"),
        (Profile::entra_b2c(), json!({"azp": "c", "nonce": "n"}), "accepted"),
        (Profile::entra_b2c(), json!({"azp": "c", "at_hash": "h"}), "access_token"),
        (Profile::entra_b2c(), json!({"nonce": "n"}), "access_token"),
        (Profile::authentik(), json!({"azp": "c", "uid": "u", "nonce": "n"}), "accepted"),
        (Profile::authentik(), json!({"azp": "c"}), "access_token"),
        (Profile::authentik(), json!({"azp": "c", "uid": null}), "access_token"),
        // An ID token with a claim of a scope mapping.
        (Profile::authentik(), json!({"uid": "u", "nonce": "n"}), "access_token"),
        // No token can contain a hash of itself.
        (Profile::authentik(), json!({"azp": "c", "uid": "u", "at_hash": "h"}), "access_token"),
        (Profile::hydra(), json!({"client_id": "c"}), "accepted"),
        (Profile::hydra(), json!({}), "access_token"),
        (Profile::cognito(), json!({"token_use": "access", "client_id": AUDIENCE}), "accepted"),
        (Profile::cognito(), json!({"client_id": AUDIENCE}), "claim_value"),
        (Profile::okta(), json!({"jti": "AT.1", "cid": "c"}), "accepted"),
        (Profile::okta(), json!({"jti": "AT.1"}), "access_token"),
        (Profile::okta(), json!({"jti": "ID.1", "cid": "c"}), "access_token"),
        (Profile::clerk(), json!({"azp": AUDIENCE, "sid": "s"}), "accepted"),
        (Profile::clerk(), json!({"azp": AUDIENCE, "sid": "s", "sts": "pending"}), "access_token"),
        (Profile::clerk(), json!({"azp": AUDIENCE, "sid": "s", "sts": ["pending"]}), "wrong_type"),
        (Profile::clerk(), json!({"azp": AUDIENCE, "sid": "s", "sts": null}), "accepted"),
        (Profile::kubernetes(), kubernetes, "accepted"),
        (Profile::kubernetes(), json!({}), "missing_claim"),
        (Profile::kubernetes(), json!({"kubernetes.io": null}), "missing_claim"),
    ] {
        let auth = builder(&key).profile(profile.clone()).build().await.unwrap();
        let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &merged(&changes).to_string());
        assert_eq!(rule(&auth, &token).await, expected, "{} {changes}", profile.name());
    }
}

/// RFC 7519 §4, within a claim: if two members have one name, two parsers may take different ones.
/// If a rule reads the claim, the token is rejected; for a policy, the claim is unknown (class 15).
#[tokio::test]
async fn claim_with_duplicate_member_is_rejected_if_a_rule_reads_it() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let plain = || builder(&key);
    let keycloak = || plain().profile(Profile::keycloak());
    let kubernetes = || plain().profile(Profile::kubernetes());
    let twice = "duplicate_member";
    for (builder, members, expected) in [
        (kubernetes(), r#""kubernetes.io":{"namespace":"n"}"#, "accepted"),
        (kubernetes(), r#""kubernetes.io":{"namespace":"n","namespace":"m"}"#, twice),
        (kubernetes(), r#""kubernetes.io":{"pod":[{"a":1,"\u0061":1}]}"#, twice),
        (plain(), r#""cnf":{"jkt":"a","jkt":"b"}"#, "cnf"),
        (plain().required_claims(["tenant"]), r#""tenant":{"id":1}"#, "accepted"),
        (plain().required_claims(["tenant"]), r#""tenant":{"id":1,"id":1}"#, twice),
        (plain().required_claims(["tenant"]), r#""tenant":[[{"id":1,"id":1}]]"#, twice),
        // No rule reads these claims.
        (keycloak(), r#""realm_access":{"roles":["user"],"roles":["admin"]}"#, "accepted"),
        (plain(), r#""roles":{"a":1,"a":1}"#, "accepted"),
        (plain(), r#""status":{"status_list":{"idx":1,"idx":2,"uri":"u"}}"#, "accepted"),
        (plain(), r#""tenant":{"id":1,"id":2}"#, "accepted"),
        (plain(), r#""realm_access":{"roles":["a"],"roles":["b"]}"#, "accepted"),
        (keycloak(), r#""tenant":{"id":1,"id":2}"#, "accepted"),
        (keycloak(), r#""tenant":1e999"#, "accepted"),
    ] {
        let auth = builder.build().await.unwrap();
        let mut good = claims();
        good["typ"] = json!("Bearer");
        let payload = format!("{{{members},{}", &good.to_string()[1..]);
        let token = key.sign(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, &payload);
        assert_eq!(rule(&auth, &token).await, expected, "{members}");
    }
}

/// Without an audience all other rules apply, and the claim that the profile reads instead of `aud`
/// is required.
#[tokio::test]
async fn any_audience_keeps_all_other_rules() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let any = async |profile: Profile| {
        let settings = dangerous::any_audience(ISSUER).profile(profile);
        let keys = SharedKeySet::new(TestKey::key_set([&key]));
        let builder = AuthenticatorBuilder::new(settings.key_source(keys));
        builder.clock(ManualClock::at(NOW)).build().await
    };
    let auth = any(Profile::jwt()).await.unwrap();
    for aud in [None, Some(r#""https://other.example""#), Some("[]"), Some(r#"["a","b"]"#)] {
        assert_eq!(verdict(&auth, &key, "aud", aud).await, "accepted", "{aud:?}");
    }
    // RFC 7519 §4.1.3: `aud` is a string, or an array of strings.
    for aud in ["null", "7", "{}", "[7]", r#"["a",null]"#, "true"] {
        assert_eq!(verdict(&auth, &key, "aud", Some(aud)).await, "wrong_type", "{aud}");
    }
    for aud in [r#""a","aud":"b""#, r#""a","aud":["a"]"#] {
        assert_eq!(verdict(&auth, &key, "aud", Some(aud)).await, "duplicate_member", "{aud}");
    }
    for name in ["iss", "exp"] {
        assert_eq!(verdict(&auth, &key, name, None).await, "missing_claim", "{name}");
    }
    assert_eq!(verdict(&auth, &key, "iss", Some(r#""https://other.example""#)).await, "iss");
    assert_eq!(verdict(&auth, &key, "exp", Some("1")).await, "exp");
    assert_eq!(verdict(&auth, &key, "events", Some("{}")).await, "access_token");

    let cognito = any(Profile::cognito()).await.unwrap();
    let mut claims = claims();
    claims["token_use"] = json!("access");
    for (client_id, expected) in [(json!("c"), "accepted"), (json!(null), "wrong_type")] {
        claims["client_id"] = client_id;
        assert_eq!(rule(&cognito, &key.token(&claims)).await, expected);
    }
    claims.as_object_mut().unwrap().remove("client_id");
    assert_eq!(rule(&cognito, &key.token(&claims)).await, "missing_claim");
    // With any audience, these profiles would accept the ID tokens of every client.
    for profile in [
        Profile::google_identity(),
        Profile::github_actions(),
        dangerous::accept_id_tokens(Profile::dex()),
    ] {
        let error = any(profile).await.unwrap_err().to_string();
        assert!(error.contains("audience") && error.contains("profile"), "{error}");
    }
}

/// A named audience always applies: no combination of settings means "any".
#[tokio::test]
async fn audience_together_with_any_audience_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let keys = SharedKeySet::new(TestKey::key_set([&key]));
    let built = async |settings: IssuerSettings| {
        AuthenticatorBuilder::new(settings.key_source(keys.clone())).build().await
    };
    let error = built(dangerous::any_audience(ISSUER).also_audience(AUDIENCE)).await.unwrap_err();
    assert!(error.to_string().contains("any_audience"), "{error}");
    for audience in ["*", "any"] {
        let auth = built(IssuerSettings::new(ISSUER, audience)).await.unwrap();
        assert!(!auth.status()[0].accepts_any_audience);
        assert_eq!(rule(&auth, &key.token(&claims())).await, "aud");
    }
    assert!(built(IssuerSettings::new(ISSUER, "")).await.is_err());
    // Another issuer of the same service keeps its own rule.
    let other = TestKey::generate("k", Algorithm::Es256);
    let of_other = dangerous::any_audience("https://other.example")
        .key_source(SharedKeySet::new(TestKey::key_set([&other])));
    let auth = builder(&key).also_issuer(of_other).build().await.unwrap();
    let mut theirs = claims();
    theirs["aud"] = json!("https://elsewhere.example");
    assert_eq!(rule(&auth, &key.token(&theirs)).await, "aud");
    theirs["iss"] = json!("https://other.example");
    assert_eq!(rule(&auth, &other.token(&theirs)).await, "accepted");
    assert_eq!(rule(&auth, &key.token(&theirs)).await, "signature");
    let any: Vec<_> = auth.status().iter().map(|issuer| issuer.accepts_any_audience).collect();
    assert_eq!(any, [false, true]);
}
