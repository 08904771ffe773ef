use serde_json::json;

use super::*;
use crate::testing::NOW;

fn who(text: &str) -> Authenticated {
    Authenticated::for_test(text)
}

fn verdict(policy: &Policy) -> Result<(), Denial> {
    policy
        .check(&who(r#"{"scope":"a b","roles":["clerk","temp"],"permissions":["read:x","write:x"],
            "tenant":{"id":7},"tags":["x","y"],"acr":"silver","auth_time":1799999700,"iat":1799999940}"#))
}

fn scope_denial(needed: &str) -> Result<(), Denial> {
    Err(Denial::Scope { needed: needed.split(' ').collect(), unread: None })
}

fn forbidden(rule: &str) -> Result<(), Denial> {
    Err(Denial::Forbidden { rule: rule.to_owned(), unread: None })
}

fn step_up(acr_values: &[&str], max_age: Option<u64>) -> Result<(), Denial> {
    Err(Denial::Authentication {
        acr_values: acr_values.iter().map(ToString::to_string).collect(),
        max_age: max_age.map(Duration::from_secs),
    })
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn scope_policy_is_met_by_granted_scopes() {
    assert_eq!(verdict(&Policy::scopes(["a"])), Ok(()));
    assert_eq!(verdict(&Policy::scopes(["b", "a"])), Ok(()));
    assert_eq!(verdict(&Policy::scopes(["a", "c"])), scope_denial("a c"));
    assert_eq!(verdict(&Policy::any_scope(["c", "b"])), Ok(()));
    assert_eq!(verdict(&Policy::any_scope(["c", "d"])), scope_denial("c d"));
    assert_eq!(verdict(&Policy::any_scope([""; 0])), scope_denial(""));
    // A rule with the value of an unset variable or with an unsplit list must not be met by
    // accident.
    for name in ["", " ", "a b", "a "] {
        assert!(verdict(&Policy::scopes([name])).is_err(), "{name:?}");
        assert!(verdict(&Policy::any_scope([name])).is_err(), "{name:?}");
    }
}

#[test]
fn role_policy_is_met_by_roles() {
    assert_eq!(verdict(&Policy::roles(["temp", "clerk"])), Ok(()));
    assert_eq!(verdict(&Policy::roles(["clerk", "admin"])), forbidden("roles(clerk, admin)"));
    assert_eq!(verdict(&Policy::any_role(["admin", "clerk"])), Ok(()));
    assert_eq!(verdict(&Policy::any_role(["admin", "Clerk"])), forbidden("any_role(admin, Clerk)"));
    assert_eq!(verdict(&Policy::any_role([""; 0])), forbidden("any_role()"));
}

#[test]
fn permission_policy_is_met_by_permissions() {
    assert_eq!(verdict(&Policy::permissions(["write:x", "read:x"])), Ok(()));
    let policy = Policy::permissions(["read:x", "read:y"]);
    assert_eq!(verdict(&policy), forbidden("permissions(read:x, read:y)"));
    assert_eq!(verdict(&Policy::any_permission(["read:y", "read:x"])), Ok(()));
    let policy = Policy::any_permission(["clerk", "a"]);
    assert_eq!(verdict(&policy), forbidden("any_permission(clerk, a)"));
}

#[test]
fn claims_are_equal_in_type_and_value() {
    assert_eq!(verdict(&Policy::claim("tenant", json!({"id": 7}))), Ok(()));
    assert_eq!(verdict(&Policy::claim("tags", json!(["x", "y"]))), Ok(()));
    assert_eq!(verdict(&Policy::claim("acr", "silver")), Ok(()));
    for (name, value) in [
        ("tenant", json!({"id": 8})),
        ("tenant", json!({"id": 7, "x": 1})),
        ("tags", json!(["y", "x"])),
        ("id", json!(7)),
        ("absent", json!(null)),
        ("acr", json!("Silver")),
    ] {
        let policy = Policy::claim(name, value);
        assert_eq!(verdict(&policy), forbidden(&policy.to_string()));
        assert_eq!(verdict(&policy.not()), Ok(()));
    }
}

#[test]
fn claim_of_another_type_is_unknown_and_named_in_the_denial() {
    for (name, value, expected) in [
        ("tenant", json!({"id": "7"}), "a string"),
        ("tenant", json!([7]), "an array"),
        ("tags", json!("x"), "a string"),
        ("acr", json!(1), "a number"),
        ("acr", json!(true), "a boolean"),
    ] {
        let policy = Policy::claim(name, value);
        let denial = verdict(&policy).unwrap_err();
        assert_eq!(denial.rule(), "unreadable_claim", "{policy}");
        let text = format!("claim `{name}` cannot be read: it is not {expected}");
        assert_eq!(denial.to_string(), text, "{policy}");
        assert_eq!(verdict(&policy.not()), Err(denial));
    }
}

/// All pairs and triples of met, not met and unknown.
#[test]
fn and_or_and_not_follow_kleene_logic() {
    #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
    enum Verdict {
        NotMet,
        Unknown,
        Met,
    }
    use Verdict::{Met, NotMet, Unknown};
    let part = |verdict| match verdict {
        Met => Policy::roles(["clerk"]),
        NotMet => Policy::roles(["x"]),
        Unknown => Policy::claim("tags", 7),
    };
    let comes_to = |policy: &Policy| match verdict(policy) {
        Ok(()) => Met,
        Err(Denial::UnreadableClaim(claim)) => {
            assert_eq!(claim.name(), "tags", "{policy}");
            Unknown
        }
        Err(_) => NotMet,
    };
    let not = |verdict| match verdict {
        Met => NotMet,
        Unknown => Unknown,
        NotMet => Met,
    };
    let all = [Met, NotMet, Unknown];
    for (one, other) in all.into_iter().flat_map(|one| all.map(|other| (one, other))) {
        // The lesser and the greater of the two, in the order above.
        let (lesser, greater) = if one < other { (one, other) } else { (other, one) };
        let (and, or) = (part(one).and(part(other)), part(one).or(part(other)));
        assert_eq!(comes_to(&and), lesser, "{and}");
        assert_eq!(comes_to(&or), greater, "{or}");
        assert_eq!(comes_to(&and.clone().not()), not(lesser), "not {and}");
        assert_eq!(comes_to(&or.clone().not()), not(greater), "not {or}");
        for third in all {
            let lesser = if third < lesser { third } else { lesser };
            let greater = if third > greater { third } else { greater };
            assert_eq!(comes_to(&and.clone().and(part(third))), lesser, "{and} and {third:?}");
            assert_eq!(comes_to(&or.clone().or(part(third))), greater, "{or} or {third:?}");
        }
    }
}

/// An empty list is decided without reading the claim.
#[test]
fn empty_list_is_never_unknown() {
    let malformed = who(r#"{"roles":7,"permissions":{}}"#);
    for (met, not_met) in [
        (Policy::roles([""; 0]), Policy::any_role([""; 0])),
        (Policy::permissions([""; 0]), Policy::any_permission([""; 0])),
    ] {
        assert_eq!(met.check(&malformed), Ok(()));
        assert!(matches!(not_met.check(&malformed), Err(Denial::Forbidden { .. })), "{not_met}");
        assert_eq!(not_met.not().check(&malformed), Ok(()));
    }
}

#[test]
fn numbers_are_compared_by_value() {
    let read = r#"{"claim":{"name":"limit","value":1.50}}"#;
    for policy in [Policy::claim("limit", 1.5), serde_json::from_str(read).unwrap()] {
        for (claims, met) in [(r#"{"limit":15e-1}"#, true), (r#"{"limit":15}"#, false)] {
            assert_eq!(policy.check(&who(claims)).is_ok(), met, "{policy} {claims}");
        }
    }
}

#[test]
fn step_up_denial_names_the_missing_requirements() {
    assert_eq!(verdict(&Policy::acr(["gold", "silver"])), Ok(()));
    assert_eq!(verdict(&Policy::acr(["gold"])), step_up(&["gold"], None));
    assert_eq!(verdict(&Policy::max_auth_age(secs(300))), Ok(()));
    assert_eq!(verdict(&Policy::max_auth_age(secs(299))), step_up(&[], Some(299)));
    let both = Policy::acr(["gold"]).and(Policy::max_auth_age(secs(60)));
    assert_eq!(verdict(&both), step_up(&["gold"], Some(60)));
    let twice = Policy::max_auth_age(secs(60)).and(Policy::max_auth_age(secs(30)));
    assert_eq!(verdict(&twice), step_up(&[], Some(30)));
}

#[test]
fn absent_or_absurd_auth_time_or_iat_is_not_recent() {
    for claims in [
        "{}".to_owned(),
        format!(r#"{{"auth_time":{0},"iat":{0}}}"#, NOW + 301),
        r#"{"auth_time":0,"iat":0}"#.to_owned(),
    ] {
        let who = who(&claims);
        for policy in [
            Policy::acr(["silver"]),
            Policy::max_auth_age(secs(300)),
            Policy::max_token_age(secs(300)),
        ] {
            assert!(policy.check(&who).is_err(), "{policy} {claims}");
        }
    }
    // The issuer's clock may be ahead a little.
    let ahead = who(&format!(r#"{{"auth_time":{0},"iat":{0}}}"#, NOW + 300));
    assert_eq!(Policy::max_auth_age(secs(0)).check(&ahead), Ok(()));
    assert_eq!(Policy::max_token_age(secs(0)).check(&ahead), Ok(()));
}

/// Authenticating again would not help, so the refusal is not a step-up challenge.
#[test]
fn unreadable_auth_time_or_acr_is_unknown() {
    let (age, acr) = (Policy::max_auth_age(secs(300)), Policy::acr(["silver"]));
    for (claims, policy, name) in [
        (r#"{"auth_time":"2027-01-15T08:00:00.000Z"}"#, &age, "auth_time"),
        (r#"{"auth_time":-1}"#, &age, "auth_time"),
        (r#"{"auth_time":1800000000,"auth_time":1800000000}"#, &age, "auth_time"),
        (r#"{"acr":1}"#, &acr, "acr"),
        (r#"{"acr":["silver"]}"#, &acr, "acr"),
        (r#"{"acr":"silver","acr":"silver"}"#, &acr, "acr"),
    ] {
        let who = who(claims);
        for policy in [policy.clone(), policy.clone().not()] {
            let Err(Denial::UnreadableClaim(claim)) = policy.check(&who) else {
                panic!("{policy} {claims}")
            };
            assert_eq!(claim.name(), name, "{claims}");
        }
        // No other rule reads the claim.
        assert_eq!(Policy::roles(["x"]).not().check(&who), Ok(()));
    }
}

#[test]
fn duplicate_claim_is_unknown() {
    for (claims, policy) in [
        (r#"{"scope":"a","scope":"a"}"#, Policy::scopes(["a"])),
        (r#"{"scope":"a","s\u0063ope":"b"}"#, Policy::any_scope(["c"])),
        (r#"{"roles":["a"],"roles":["b"]}"#, Policy::roles(["a"])),
        (r#"{"permissions":[],"permissions":[]}"#, Policy::any_permission(["a"])),
        (r#"{"tenant":"a","tenant":"a"}"#, Policy::claim("tenant", "a")),
        (r#"{"roles":{"a":1,"a":1}}"#, Policy::roles(["a"])),
    ] {
        let who = who(claims);
        for policy in [policy.clone(), policy.not()] {
            let denial = policy.check(&who).unwrap_err();
            assert_eq!(denial.rule(), "unreadable_claim", "{policy} {claims}");
            assert!(denial.to_string().contains("duplicated"), "{denial}");
        }
    }
}

/// The operator learns that the issuer has granted the scope, in a claim that the profile does not
/// read.
#[test]
fn denial_names_the_unread_claim_that_grants_it() {
    let scope = Policy::scopes(["orders:read"]);
    let role = Policy::any_role(["clerk"]);
    for (claims, policy, place) in [
        (r#"{"scp":"openid orders:read"}"#, &scope, Some("scp")),
        (r#"{"scp":["orders:read"]}"#, &scope, Some("scp")),
        (r#"{"scope":"x","permissions":["orders:read"]}"#, &scope, Some("permissions")),
        (r#"{"scp":"orders:reads"}"#, &scope, None),
        (r#"{"scope":"x"}"#, &scope, None),
        (r#"{"realm_access":{"roles":["clerk"]}}"#, &role, Some("realm_access.roles")),
        (
            r#"{"resource_access":{"app":{"roles":["x"]},"o.api":{"roles":["clerk"]}}}"#,
            &role,
            Some("resource_access.CLIENT.roles"),
        ),
        (r#"{"groups":["clerk"]}"#, &role, Some("groups")),
        (r#"{"groups":["clerk"]}"#, &Policy::any_role(["admin", "clerk"]), Some("groups")),
        (r#"{"groups":["clerk"]}"#, &Policy::roles(["admin", "clerk"]), None),
        (
            r#"{"groups":["clerk"],"roles":["admin"]}"#,
            &Policy::roles(["admin", "clerk"]),
            Some("groups"),
        ),
        (r#"{"realm_access":{"roles":["x"]},"resource_access":7}"#, &role, None),
    ] {
        let denial = policy.check(&who(claims)).unwrap_err();
        let told = (denial.to_string(), denial.remedy());
        match place {
            Some(place) => {
                assert!(told.0.contains(&format!("`{place}`")), "{told:?}");
                assert!(told.1.contains("s_at") && told.1.contains("PORTCULLIS_"), "{told:?}");
            }
            None => assert!(told.1.contains("get a new token"), "{told:?}"),
        }
    }
}

#[test]
fn old_token_denial_requests_a_refresh() {
    assert_eq!(verdict(&Policy::max_token_age(secs(60))), Ok(()));
    let max = secs(59);
    assert_eq!(verdict(&Policy::max_token_age(max)), Err(Denial::TokenAge { max }));
}

#[test]
fn custom_checks_see_the_caller() {
    let tenant = |id: u64| {
        Policy::custom("tenant", move |who| who.claim("tenant") == Ok(Some(json!({"id": id}))))
    };
    assert_eq!(verdict(&tenant(7)), Ok(()));
    assert_eq!(verdict(&tenant(8)), forbidden("custom(tenant)"));
}

#[test]
fn and_requires_both_and_or_requires_either() {
    let (yes, no) = (|| Policy::scopes(["a"]), || Policy::scopes(["x"]));
    let also_no = || Policy::roles(["x"]);
    assert_eq!(verdict(&yes().and(yes())), Ok(()));
    assert_eq!(verdict(&yes().and(no())), scope_denial("x"));
    assert_eq!(verdict(&yes().and(yes()).and(no())), scope_denial("x"));
    assert_eq!(verdict(&also_no().and(no())), forbidden("roles(x)"));
    assert_eq!(verdict(&no().or(yes())), Ok(()));
    assert_eq!(verdict(&also_no().or(no()).or(yes())), Ok(()));
    assert_eq!(verdict(&no().or(also_no())), scope_denial("x"));
    // Without claims, no rule can be met.
    let without_claims = who("{}");
    assert!(
        yes().check(&without_claims).is_err()
            && Policy::any_role(["a"]).check(&without_claims).is_err()
    );
}

#[test]
fn denial_names_all_missing_requirements_at_once() {
    let scopes = Policy::scopes(["a", "x"]).and(Policy::scopes(["y", "x"]));
    assert_eq!(verdict(&scopes), scope_denial("a x y"));
    // The client is not asked for a step that cannot help.
    let (acr, old) = (|| Policy::acr(["gold"]), || Policy::max_token_age(secs(1)));
    assert_eq!(verdict(&acr().and(Policy::roles(["x"]))), forbidden("roles(x)"));
    assert_eq!(verdict(&Policy::roles(["x"]).and(acr())), forbidden("roles(x)"));
    assert_eq!(verdict(&old().and(Policy::scopes(["x"]))), scope_denial("x"));
}

#[test]
fn not_inverts_the_verdict() {
    assert_eq!(verdict(&Policy::roles(["admin"]).not()), Ok(()));
    assert_eq!(verdict(&Policy::roles(["temp"]).not()), forbidden("not roles(temp)"));
    assert_eq!(verdict(&Policy::roles(["temp"]).not().not()), Ok(()));
}

#[test]
fn unbound_check_is_neither_met_nor_unmet() {
    let unbound = || serde_json::from_str::<Policy>(r#"{"custom":"x"}"#).unwrap();
    let (yes, no) = (|| Policy::scopes(["a"]), || Policy::roles(["x"]));
    for policy in [
        unbound(),
        unbound().not(),
        unbound().and(yes()),
        no().and(unbound()),
        no().and(unbound()).not(),
        no().or(unbound()),
        unbound().or(no()),
        no().or(unbound()).not(),
        unbound().or(no()).not(),
    ] {
        let denial = verdict(&policy).unwrap_err();
        assert_eq!(denial, Denial::UnboundCheck { name: "x".to_owned() }, "{policy}");
        assert_eq!(policy.unbound().collect::<Vec<_>>(), ["x"], "{policy}");
        let bound = policy.bind("y", |_| true);
        assert_eq!(bound.unbound().count(), 1, "another check was bound");
        assert_eq!(bound.bind("x", |_| true).unbound().count(), 0);
    }
    assert_eq!(verdict(&unbound().bind("x", |_| true)), Ok(()));
    assert!(verdict(&unbound().bind("x", |_| false)).is_err());
}

#[test]
fn every_rule_is_displayed_and_serialized() {
    let all = Policy::scopes(["a", "b"])
        .and(Policy::any_scope(["c"]).or(Policy::roles(["r"])))
        .and(Policy::any_role(["s"]))
        .and(Policy::permissions(["p"]))
        .and(Policy::any_permission(["q"]))
        .and(Policy::claim("tenant", json!({"id": 7})))
        .and(Policy::acr(["gold"]))
        .and(Policy::max_auth_age(secs(300)))
        .and(Policy::max_token_age(Duration::from_millis(60_999)))
        .and(Policy::custom("hours", |_| true))
        .and(Policy::roles(["t"]).or(Policy::roles(["u"])).not());
    assert_eq!(
        all.to_string(),
        "scopes(a, b) and (any_scope(c) or roles(r)) and any_role(s) and permissions(p) and \
         any_permission(q) and claim(tenant = {\"id\":7}) and acr(gold) and max_auth_age(300s) and \
         max_token_age(60s) and custom(hours) and not (roles(t) or roles(u))"
    );
    let data = serde_json::to_value(&all).unwrap();
    assert_eq!(
        data,
        json!({"and": [
            {"scopes": ["a", "b"]},
            {"or": [{"any_scope": ["c"]}, {"roles": ["r"]}]},
            {"any_role": ["s"]},
            {"permissions": ["p"]},
            {"any_permission": ["q"]},
            {"claim": {"name": "tenant", "value": {"id": 7}}},
            {"acr": ["gold"]},
            {"max_auth_age_secs": 300},
            {"max_token_age_secs": 60},
            {"custom": "hours"},
            {"not": {"or": [{"roles": ["t"]}, {"roles": ["u"]}]}},
        ]})
    );
    assert_eq!(serde_json::from_value::<Policy>(data).unwrap(), all);
}

#[test]
fn invalid_policy_data_is_rejected() {
    for text in [
        r#"{"scopes":[]}"#,
        r#"{"any_role":[]}"#,
        r#"{"acr":[]}"#,
        r#"{"and":[]}"#,
        r#"{"or":[]}"#,
        r#"{"not":[]}"#,
        r#"{"scope":["a"]}"#,
        r#"{"scopes":"a"}"#,
        r#"{"scopes":["a"],"roles":["b"]}"#,
        r#"{"claim":{"name":"a"}}"#,
        r#"{"claim":{"name":"a","value":1,"values":2}}"#,
        r#"{"claim":{"name":"a","value":18446744073709551616}}"#,
        r#"{"claim":{"name":"a","value":[1,{"b":-9223372036854775809}]}}"#,
        r#"{"claim":{"name":"a","value":9007199254740993.0}}"#,
        r#"{"claim":{"name":"a","value":1e300}}"#,
        r#"{"claim":{"name":"a","value":1e999}}"#,
        r#"{"max_auth_age_secs":-1}"#,
        r#"{"max_auth_age":300}"#,
        "{}",
        "[]",
        "null",
    ] {
        assert!(serde_json::from_str::<Policy>(text).is_err(), "{text}");
    }
}
