//! A policy agrees with a naive evaluator of three-valued logic, for any policy and any token.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use portcullis::testing::{TestKey, attempt_now, bearer, builder, claims};
use portcullis::{Algorithm, Authenticated, Authenticator, Policy, Profile};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

static KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate("k", Algorithm::Ed25519));

static AUTH: LazyLock<Authenticator> = LazyLock::new(|| {
    let builder = builder(&KEY).profile(Profile::jwt().roles_at(["realm", "roles"]));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(builder.build()).unwrap()
});

/// Kleene's three values, in the order in which `and` is the minimum and `or` the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    NotMet,
    Unknown,
    Met,
}

impl Verdict {
    fn not(self) -> Self {
        match self {
            Self::NotMet => Self::Met,
            Self::Unknown => Self::Unknown,
            Self::Met => Self::NotMet,
        }
    }

    fn all(verdicts: impl Iterator<Item = Self>) -> Self {
        verdicts.fold(Self::Met, Ord::min)
    }

    fn any(verdicts: impl Iterator<Item = Self>) -> Self {
        verdicts.fold(Self::NotMet, Ord::max)
    }
}

impl From<bool> for Verdict {
    fn from(met: bool) -> Self {
        if met { Self::Met } else { Self::NotMet }
    }
}

/// The meaning of a JSON value. Numbers are in thousandths, so that they are compared without
/// floats.
#[derive(Debug, Clone)]
enum Json {
    Null,
    Bool(bool),
    Thousandths(i128),
    Text(&'static str),
    Array(Vec<Json>),
    Object(BTreeMap<&'static str, Json>),
    /// The text of an unreadable value.
    Unreadable(&'static str),
}

impl Json {
    fn is_readable(&self) -> bool {
        match self {
            Self::Unreadable(_) => false,
            Self::Array(items) => items.iter().all(Self::is_readable),
            Self::Object(members) => members.values().all(Self::is_readable),
            _ => true,
        }
    }

    /// Formats the value as JSON. `style` selects one of several notations for numbers.
    fn write(&self, style: u8) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Thousandths(number) => thousandths(*number, style),
            Self::Text(text) => json!(text).to_string(),
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| item.write(style)).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(members) => {
                let member = |(name, value): (&&str, &Json)| {
                    format!("{}:{}", json!(name), value.write(style))
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            Self::Unreadable(text) => (*text).to_owned(),
        }
    }

    fn equals(&self, other: &Self) -> Verdict {
        match (self, other) {
            (Self::Null, Self::Null) => Verdict::Met,
            (Self::Null, _) | (_, Self::Null) => Verdict::NotMet,
            (Self::Bool(one), Self::Bool(other)) => (one == other).into(),
            (Self::Thousandths(one), Self::Thousandths(other)) => (one == other).into(),
            (Self::Text(one), Self::Text(other)) => (one == other).into(),
            (Self::Array(one), Self::Array(other)) if one.len() != other.len() => Verdict::NotMet,
            (Self::Array(one), Self::Array(other)) => {
                Verdict::all(one.iter().zip(other).map(|(one, other)| one.equals(other)))
            }
            (Self::Object(one), Self::Object(other)) if !one.keys().eq(other.keys()) => {
                Verdict::NotMet
            }
            (Self::Object(one), Self::Object(other)) => {
                Verdict::all(one.values().zip(other.values()).map(|(one, other)| one.equals(other)))
            }
            _ => Verdict::Unknown,
        }
    }
}

fn thousandths(number: i128, style: u8) -> String {
    match style {
        _ if number % 1000 == 0 && style.is_multiple_of(3) => (number / 1000).to_string(),
        0..64 => format!("{number}e-3"),
        64..128 => format!("{}E-4", number * 10),
        128..192 => format!("{number}.000e-3"),
        _ => {
            let (sign, size) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
            format!("{sign}{}.{:03}", size / 1000, size % 1000)
        }
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        prop::sample::select(vec![0_i128, 1000, -1000, 1500]).prop_map(Json::Thousandths),
        (-3_000_i128..3000).prop_map(Json::Thousandths),
        prop::sample::select(vec![
            9_007_199_254_740_992_000,
            9_007_199_254_740_993_000,
            i128::from(u64::MAX) * 1000,
            i128::from(u64::MAX - 1) * 1000,
            i128::from(i64::MIN) * 1000,
            i128::from(i64::MAX) * 1000,
        ])
        .prop_map(Json::Thousandths),
        prop::sample::select(vec!["", "a", "b", "1", "true"]).prop_map(Json::Text),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::Array),
            btree_map(prop::sample::select(vec!["a", "b"]), inner, 0..3).prop_map(Json::Object),
        ]
    })
}

/// Like [`any_json`], with some unreadable values.
fn any_claim() -> impl Strategy<Value = Json> {
    let unreadable = prop::sample::select(vec![
        "1e999",
        "18446744073709551616",
        "-9223372036854775809",
        "0.10000000000000000001",
        "1e-999",
        r#"{"a":1,"a":1}"#,
        r#"[{"a":1,"\u0061":2}]"#,
        r#""\ud800""#,
    ])
    .prop_map(Json::Unreadable);
    let claim = prop_oneof![4 => any_json().boxed(), 1 => unreadable.boxed()];
    prop_oneof![
        4 => claim.clone(),
        1 => vec(claim.clone(), 0..3).prop_map(Json::Array),
        1 => btree_map(prop::sample::select(vec!["a", "b"]), claim, 0..3).prop_map(Json::Object),
    ]
}

/// The content of a token: three claims, and roles in two places.
#[derive(Debug, Clone)]
struct Said {
    claims: BTreeMap<&'static str, Json>,
    roles: Option<Json>,
    realm: Option<Json>,
    style: u8,
}

fn any_said() -> impl Strategy<Value = Said> {
    let name = prop::sample::select(vec!["x", "y", "z"]);
    let roles = || {
        let role = prop::sample::select(vec!["a", "b"]).prop_map(Json::Text);
        let one = prop_oneof![5 => role.boxed(), 1 => any_json().boxed()];
        let list = vec(one.clone(), 0..3).prop_map(Json::Array);
        prop::option::of(prop_oneof![5 => list.boxed(), 1 => one.boxed()])
    };
    (btree_map(name, any_claim(), 0..4), roles(), roles(), any::<u8>())
        .prop_map(|(claims, roles, realm, style)| Said { claims, roles, realm, style })
}

impl Said {
    fn caller(&self) -> Authenticated {
        let mut members = vec![claims().to_string().trim_matches(['{', '}']).to_owned()];
        let mut add = |name: &str, text: String| members.push(format!("{}:{text}", json!(name)));
        for (name, claim) in &self.claims {
            add(name, claim.write(self.style));
        }
        if let Some(roles) = &self.roles {
            add("roles", roles.write(self.style));
        }
        if let Some(realm) = &self.realm {
            add("realm", format!(r#"{{"roles":{}}}"#, realm.write(self.style)));
        }
        let payload = format!("{{{}}}", members.join(","));
        let token = KEY.sign(r#"{"alg":"EdDSA","kid":"k"}"#, &payload);
        match attempt_now(&AUTH, &bearer(&token)) {
            Ok(Ok(Some(who))) => who,
            other => panic!("{payload}: {other:?}"),
        }
    }

    /// Whether the caller has this role.
    fn has(&self, role: &str) -> Verdict {
        let is = |item: &Json| match item {
            Json::Text(text) => (*text == role).into(),
            _ => Verdict::Unknown,
        };
        Verdict::any([&self.roles, &self.realm].into_iter().flatten().map(|claim| match claim {
            Json::Null => Verdict::NotMet,
            Json::Array(items) => Verdict::any(items.iter().map(is)),
            one => is(one),
        }))
    }
}

#[derive(Debug, Clone)]
enum Rule {
    Claim(&'static str, Json),
    Roles(Vec<&'static str>),
    AnyRole(Vec<&'static str>),
    Custom(bool),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
    Not(Box<Rule>),
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let names = || vec(prop::sample::select(vec!["a", "b"]), 0..3);
    let leaf = prop_oneof![
        4 => (prop::sample::select(vec!["x", "y", "z"]), any_json())
            .prop_map(|(name, value)| Rule::Claim(name, value)),
        1 => names().prop_map(Rule::Roles),
        1 => names().prop_map(Rule::AnyRole),
        1 => any::<bool>().prop_map(Rule::Custom),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let two = || (inner.clone(), inner.clone());
        prop_oneof![
            two().prop_map(|(one, other)| Rule::And(Box::new(one), Box::new(other))),
            two().prop_map(|(one, other)| Rule::Or(Box::new(one), Box::new(other))),
            inner.clone().prop_map(|rule| Rule::Not(Box::new(rule))),
        ]
    })
}

impl Rule {
    fn policy(&self) -> Policy {
        match self {
            Self::Claim(name, value) => {
                // Whole numbers are written as integers, because floats are rounded when a policy
                // is built.
                let value: Value = serde_json::from_str(&value.write(0)).unwrap();
                Policy::claim(*name, value)
            }
            Self::Roles(names) => Policy::roles(names.iter().copied()),
            Self::AnyRole(names) => Policy::any_role(names.iter().copied()),
            Self::Custom(met) => {
                let met = *met;
                Policy::custom("c", move |_| met)
            }
            Self::And(one, other) => one.policy().and(other.policy()),
            Self::Or(one, other) => one.policy().or(other.policy()),
            Self::Not(rule) => rule.policy().not(),
        }
    }

    fn judge(&self, said: &Said) -> Verdict {
        match self {
            Self::Claim(name, value) => match said.claims.get(name) {
                None => Verdict::NotMet,
                Some(claim) if !claim.is_readable() => Verdict::Unknown,
                Some(claim) => value.equals(claim),
            },
            Self::Roles(names) => Verdict::all(names.iter().map(|name| said.has(name))),
            Self::AnyRole(names) => Verdict::any(names.iter().map(|name| said.has(name))),
            Self::Custom(met) => (*met).into(),
            Self::And(one, other) => one.judge(said).min(other.judge(said)),
            Self::Or(one, other) => one.judge(said).max(other.judge(said)),
            Self::Not(rule) => rule.judge(said).not(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn policy_agrees_with_a_naive_evaluator(said in any_said(), rules in vec(any_rule(), 1..8)) {
        let who = said.caller();
        for rule in rules {
            let policy = rule.policy();
            let verdict = match who.require(&policy) {
                Ok(()) => Verdict::Met,
                Err(refusal) => {
                    prop_assert_eq!(refusal.status(), 403);
                    let unknown = refusal.rule() == "unreadable_claim";
                    if unknown { Verdict::Unknown } else { Verdict::NotMet }
                }
            };
            prop_assert_eq!(verdict, rule.judge(&said), "{}", policy);
        }
    }
}
