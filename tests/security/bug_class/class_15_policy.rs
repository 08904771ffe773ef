//! A policy that is met by an unreadable claim.
//!
//! A policy is three-valued: met, not met or unknown. An unreadable claim makes the rule that reads
//! it unknown, `not` leaves it unknown, and only a met policy accepts a request.

use portcullis::testing::TestKey;
use portcullis::{Algorithm, Authenticated, Authenticator, Policy, Profile};
use serde_json::{Value, json};

use super::support::{auth, bearer, builder, claims};

/// The caller of a valid token that also has `members`, given as text.
async fn caller(auth: &Authenticator, key: &TestKey, members: &str) -> Authenticated {
    let whole = claims().to_string();
    let payload = format!("{{{members},{}", &whole[1..]);
    let token = key.sign(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, &payload);
    let who = auth.authenticate(&bearer(&token)).await;
    assert!(who.is_ok(), "{members}: {who:?}");
    who.unwrap()
}

fn verdict(who: &Authenticated, policy: &Policy) -> &'static str {
    match who.require(policy) {
        Ok(()) => "met",
        Err(refusal) => {
            assert_eq!(refusal.status(), 403, "{policy}");
            refusal.rule()
        }
    }
}

/// Two parsers may read these texts as different numbers. No number is compared as a float.
#[tokio::test]
async fn unrepresentable_number_meets_neither_a_policy_nor_its_negation() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for number in [
        "18446744073709551616",
        "18446744073709551617",
        "18446744073709551616.0",
        "-9223372036854775809",
        "1e20",
        "1e300",
        "1e999",
        "-1e999",
        "1e-999",
        "1e99999999999999999999999999",
        "1e-99999999999999999999999999",
        "0.10000000000000000001",
        "100.00000000000000000001",
        "18446744073709551615.5",
    ] {
        for claim in [number.to_owned(), format!("[{number}]"), format!(r#"{{"a":[0,{number}]}}"#)]
        {
            let who = caller(&auth, &key, &format!(r#""n":{claim}"#)).await;
            for value in [
                json!(1),
                json!(u64::MAX),
                json!(1.8446744073709552e19),
                json!(1e300),
                json!(0.1),
                json!(0),
                json!(100),
                json!([1.8446744073709552e19]),
                json!([7]),
                json!({"a": [0, 1e300]}),
            ] {
                let policy = Policy::claim("n", value);
                assert_eq!(verdict(&who, &policy), "unreadable_claim", "{policy}: {claim}");
                let not = policy.not();
                assert_eq!(verdict(&who, &not), "unreadable_claim", "{not}: {claim}");
            }
        }
    }
}

/// Representable numbers are compared exactly, in every notation.
#[tokio::test]
async fn numbers_are_equal_by_value() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for (number, value, equal) in [
        ("1", json!(1), true),
        ("1.0", json!(1), true),
        ("1e0", json!(1), true),
        ("10e-1", json!(1), true),
        ("1", json!(1.0), true),
        ("0", json!(-0.0), true),
        ("-0", json!(0), true),
        ("-0.0", json!(0), true),
        ("0e99999999999999999999", json!(0), true),
        ("1.50", json!(1.5), true),
        ("15e-1", json!(1.5), true),
        ("0.1", json!(0.1), true),
        ("-1", json!(1), false),
        ("9007199254740993", json!(9_007_199_254_740_992_u64), false),
        ("9007199254740993", json!(9_007_199_254_740_993_u64), true),
        ("9007199254740993.0", json!(9_007_199_254_740_993_u64), true),
        ("9007199254740993.0", json!(9_007_199_254_740_992_u64), false),
        ("18446744073709551615", json!(u64::MAX), true),
        ("1.8446744073709551615e19", json!(u64::MAX), true),
        ("18446744073709551615", json!(u64::MAX - 1), false),
        ("18446744073709551615", json!(-1), false),
        ("-9223372036854775808", json!(i64::MIN), true),
        ("-9223372036854775808", json!(i64::MIN + 1), false),
        ("9223372036854775808", json!(9_223_372_036_854_775_808_u64), true),
    ] {
        let who = caller(&auth, &key, &format!(r#""n":[{number}]"#)).await;
        let policy = Policy::claim("n", json!([value]));
        let (plain, negated) = if equal { ("met", "policy") } else { ("policy", "met") };
        assert_eq!(verdict(&who, &policy), plain, "{policy}: {number}");
        let not = policy.not();
        assert_eq!(verdict(&who, &not), negated, "{not}: {number}");
    }
}

/// A policy's own number may have been rounded when it was parsed, like 2^53 + 1 as a float.
#[tokio::test]
async fn policy_with_a_rounded_number_is_never_met() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let who = caller(&auth, &key, r#""n":9007199254740992,"m":5"#).await;
    for value in [json!(9_007_199_254_740_992.0), json!(1e300), json!([1e300]), json!({"a": -1e16})]
    {
        for name in ["n", "m"] {
            let policy = Policy::claim(name, value.clone());
            assert_eq!(verdict(&who, &policy), "unreadable_claim", "{policy}");
            assert_eq!(verdict(&who, &policy.not()), "unreadable_claim", "{value}");
        }
        let data = json!({"claim": {"name": "n", "value": value}}).to_string();
        assert!(serde_json::from_str::<Policy>(&data).is_err(), "{data}");
    }
    for number in ["9007199254740993.0", "18446744073709551616", "1e300"] {
        let data = format!(r#"{{"not":{{"claim":{{"name":"n","value":[{number}]}}}}}}"#);
        assert!(serde_json::from_str::<Policy>(&data).is_err(), "{data}");
    }
}

/// If two members of a claim have one name, two parsers may take different ones.
#[tokio::test]
async fn claim_with_duplicate_member_meets_neither_a_policy_nor_its_negation() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for claim in [
        r#"{"id":7,"id":8}"#,
        r#"{"id":8,"id":7}"#,
        r#"{"id":7,"\u0069d":7}"#,
        r#"{"id":7,"x":[{"a":1,"a":1}]}"#,
        r#"[{"id":7,"id":7}]"#,
    ] {
        let who = caller(&auth, &key, &format!(r#""tenant":{claim}"#)).await;
        for value in [json!({"id": 7}), json!({"id": 8}), json!("x"), json!([{"id": 7}])] {
            let policy = Policy::claim("tenant", value);
            assert_eq!(verdict(&who, &policy), "unreadable_claim", "{policy}: {claim}");
            let not = policy.not();
            assert_eq!(verdict(&who, &not), "unreadable_claim", "{not}: {claim}");
        }
        // Unread members are ignored.
        assert_eq!(verdict(&who, &Policy::claim("sub", "alice")), "met", "{claim}");
    }
}

/// A policy cannot compare a flag that is a string, or a role list that is an object.
#[tokio::test]
async fn claim_of_wrong_type_meets_no_negation() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for (claim, value) in [
        (r#""true""#, json!(true)),
        ("1", json!(true)),
        ("7", json!("7")),
        (r#"["a"]"#, json!("a")),
        (r#"{"a":"7"}"#, json!({"a": 7})),
    ] {
        let who = caller(&auth, &key, &format!(r#""x":{claim}"#)).await;
        let policy = Policy::claim("x", value);
        assert_eq!(verdict(&who, &policy), "unreadable_claim", "{policy}: {claim}");
        assert_eq!(verdict(&who, &policy.not()), "unreadable_claim", "{claim}");
    }
    // `null` counts as an absent claim, and not as a claim of the wrong type.
    let who = caller(&auth, &key, r#""x":null"#).await;
    assert_eq!(verdict(&who, &Policy::claim("x", true)), "policy");
    assert_eq!(verdict(&who, &Policy::claim("x", true).not()), "met");
    assert_eq!(verdict(&who, &Policy::claim("x", Value::Null)), "met");
}

#[tokio::test]
async fn roles_of_wrong_shape_meet_no_negation() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key)
        .profile(Profile::jwt().roles_at(["realm_access", "roles"]))
        .build()
        .await
        .unwrap();
    let suspended = Policy::roles(["suspended"]);
    for members in [
        r#""roles":{"suspended":true}"#,
        r#""roles":[["suspended"]]"#,
        r#""roles":["clerk",{"name":"suspended"}]"#,
        r#""roles":7"#,
        r#""realm_access":["suspended"]"#,
        r#""realm_access":"suspended""#,
        r#""realm_access":{"roles":{"suspended":true}}"#,
        r#""roles":["clerk"],"realm_access":{"roles":[7]}"#,
    ] {
        let who = caller(&auth, &key, members).await;
        assert_eq!(verdict(&who, &suspended), "unreadable_claim", "{members}");
        assert_eq!(verdict(&who, &suspended.clone().not()), "unreadable_claim", "{members}");
        let either = Policy::any_role(["suspended", "banned"]);
        assert_eq!(verdict(&who, &either.not()), "unreadable_claim", "{members}");
    }
    // A policy that requires a role is met if the list has the role, whatever other elements the
    // list has.
    let who = caller(&auth, &key, r#""roles":["clerk",7]"#).await;
    assert_eq!(verdict(&who, &Policy::roles(["clerk"])), "met");
    assert_eq!(verdict(&who, &Policy::roles(["clerk"]).not()), "policy");
    // A policy that requires an absent role is not met, so its negation is met.
    for members in [r#""x":0"#, r#""roles":null"#, r#""roles":[]"#, r#""realm_access":{}"#] {
        let who = caller(&auth, &key, members).await;
        assert_eq!(verdict(&who, &suspended), "policy", "{members}");
        assert_eq!(verdict(&who, &suspended.clone().not()), "met", "{members}");
    }
    for members in [r#""permissions":7"#, r#""permissions":[["a"]]"#] {
        let who = caller(&auth, &key, members).await;
        let policy = Policy::any_permission(["a"]);
        assert_eq!(verdict(&who, &policy), "unreadable_claim", "{members}");
        assert_eq!(verdict(&who, &policy.not()), "unreadable_claim", "{members}");
    }
}

/// RFC 7519 §4: if a claim, or a member on the path to a claim, is duplicated, two parsers may take
/// different values.
#[tokio::test]
async fn duplicate_claim_meets_neither_a_policy_nor_its_negation() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let client = Profile::keycloak().roles_at(["resource_access", "orders.api", "roles"]);
    let roles = || Policy::roles(["user"]);
    let scope = || Policy::scopes(["read"]);
    for (profile, members, policy) in [
        (Profile::jwt(), r#""roles":["user"],"roles":["user"]"#, roles()),
        (Profile::jwt(), r#""roles":["user"],"r\u006fles":["user"]"#, roles()),
        (Profile::jwt(), r#""roles":{"a":1,"a":1}"#, roles()),
        (Profile::jwt(), r#""roles":["a",{"a":1,"a":1}]"#, roles()),
        (Profile::jwt(), r#""scope":"read","scope":"read""#, scope()),
        (Profile::jwt(), r#""permissions":[],"permissions":[]"#, Policy::permissions(["user"])),
        (Profile::jwt(), r#""permissions":[[{"a":1,"a":1}]]"#, Policy::permissions(["user"])),
        (Profile::jwt(), r#""tenant":"a","tenant":"a""#, Policy::claim("tenant", "a")),
        (Profile::jwt(), r#""acr":"gold","acr":"gold""#, Policy::acr(["gold"])),
        (Profile::jwt(), r#""auth_time":1800000000,"auth_time":1"#, max_auth_age()),
        (Profile::okta(), r#""scp":["read"],"scp":["read"]"#, scope()),
        (Profile::okta(), r#""scp":{"a":1,"a":1}"#, scope()),
        (Profile::jwt().scopes_at(["ext", "scp"]), r#""ext":{"scp":"read","scp":"read"}"#, scope()),
        (Profile::okta(), r#""groups":["user"],"groups":["user"]"#, roles()),
        (Profile::keycloak(), r#""realm_access":{"roles":["user"],"roles":["user"]}"#, roles()),
        (Profile::keycloak(), r#""realm_access":{"roles":["user"],"r\u006fles":["a"]}"#, roles()),
        (Profile::keycloak(), r#""realm_access":{"x":1,"x":2,"roles":["user"]}"#, roles()),
        (Profile::keycloak(), r#""realm_access":{"roles":[{"a":1,"a":2}]}"#, roles()),
        (
            client.clone(),
            r#""resource_access":{"orders.api":{"roles":["user"]},"orders.api":{"roles":["b"]}}"#,
            roles(),
        ),
        (client, r#""resource_access":{"orders.api":{"roles":["user"],"roles":["b"]}}"#, roles()),
    ] {
        let auth = builder(&key).profile(profile).build().await.unwrap();
        let who = caller(&auth, &key, &format!(r#""typ":"Bearer","cid":"c",{members}"#)).await;
        assert_eq!(verdict(&who, &policy), "unreadable_claim", "{members}");
        let reason = who.require(&policy).unwrap_err().reason().to_string();
        assert!(reason.contains("claim `") && reason.contains("duplicated"), "{members}: {reason}");
        assert_eq!(verdict(&who, &policy.not()), "unreadable_claim", "{members}");
        // Unread members are ignored.
        assert_eq!(verdict(&who, &Policy::claim("sub", "alice")), "met", "{members}");
    }
}

fn max_auth_age() -> Policy {
    Policy::max_auth_age(std::time::Duration::from_secs(300))
}

/// AD FS writes `auth_time` as a string. Another login would not change the type.
#[tokio::test]
async fn auth_time_or_acr_of_wrong_type_meets_no_policy() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for (members, policy) in [
        (r#""auth_time":"2027-01-15T08:00:00.000Z""#, max_auth_age()),
        (r#""auth_time":-1"#, max_auth_age()),
        (r#""acr":["gold"]"#, Policy::acr(["gold"])),
        (r#""acr":7"#, Policy::acr(["7"])),
    ] {
        let who = caller(&auth, &key, members).await;
        assert_eq!(verdict(&who, &policy), "unreadable_claim", "{members}");
        assert_eq!(verdict(&who, &policy.not()), "unreadable_claim", "{members}");
    }
}

/// A list has one scope per element: a space does not split an element.
#[tokio::test]
async fn scope_list_element_is_not_split() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let admin = || Policy::scopes(["admin"]);
    let who = caller(&auth, &key, r#""scope":["read admin"]"#).await;
    for policy in [admin(), admin().not(), Policy::scopes(["read admin"])] {
        assert_eq!(verdict(&who, &policy), "unreadable_claim", "{policy}");
    }
    for (scope, expected) in [
        (r#"["read","admin"]"#, "met"),
        (r#""read admin""#, "met"),
        (r#"["read"]"#, "scope"),
        ("[]", "scope"),
        ("null", "scope"),
    ] {
        let who = caller(&auth, &key, &format!(r#""scope":{scope},"scp":"admin""#)).await;
        assert_eq!(verdict(&who, &admin()), expected, "{scope}");
    }
}

#[tokio::test]
async fn unknown_scope_meets_no_negation() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key).profile(Profile::okta()).build().await.unwrap();
    for scp in ["7", "{}", r#"["read",7]"#, "[[]]"] {
        let who = caller(&auth, &key, &format!(r#""scp":{scp}"#)).await;
        let policy = Policy::scopes(["admin"]);
        assert_eq!(verdict(&who, &policy), "unreadable_claim", "{scp}");
        assert_eq!(verdict(&who, &policy.not()), "unreadable_claim", "{scp}");
    }
    let who = caller(&auth, &key, r#""scp":["read"]"#).await;
    assert_eq!(verdict(&who, &Policy::scopes(["admin"]).not()), "met");
}

/// Kleene's logic: a verdict that does not depend on the unknown part is decided.
#[tokio::test]
async fn unknown_part_is_ignored_if_the_verdict_is_certain_without_it() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let who = caller(&auth, &key, r#""x":1e999"#).await;
    let unknown = || Policy::claim("x", 1);
    let (yes, no) = (|| Policy::claim("sub", "alice"), || Policy::claim("sub", "bob"));
    for (policy, expected) in [
        (unknown(), "unreadable_claim"),
        (unknown().not(), "unreadable_claim"),
        (unknown().not().not(), "unreadable_claim"),
        (unknown().or(yes()), "met"),
        (yes().or(unknown()), "met"),
        (unknown().or(no()), "unreadable_claim"),
        (no().or(unknown()), "unreadable_claim"),
        (unknown().or(yes()).not(), "policy"),
        (no().or(unknown()).not(), "unreadable_claim"),
        (unknown().and(yes()), "unreadable_claim"),
        (yes().and(unknown()), "unreadable_claim"),
        (unknown().and(no()), "policy"),
        (no().and(unknown()), "policy"),
        (unknown().and(no()).not(), "met"),
        (no().and(unknown()).not(), "met"),
        (yes().and(unknown()).not(), "unreadable_claim"),
    ] {
        assert_eq!(verdict(&who, &policy), expected, "{policy}");
    }
    let reason = who.require(&unknown()).unwrap_err().reason().to_string();
    assert!(reason.contains("`x`") && !reason.contains("999"), "{reason}");
}
