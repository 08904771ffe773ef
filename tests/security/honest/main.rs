//! Tokens as honest issuers write them: whether they are accepted, and the message for the operator
//! if they are not.
//!
//! Each folder beside this file has a key set with throw-away keys, and tokens that are signed with
//! them. The issuer of the tokens is `https://auth.example`, their audience is
//! `https://api.example`, and they are valid at the Unix time 1800000010.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::time::Duration;

use portcullis::testing::{AUDIENCE, ISSUER, ManualClock, NOW, TestKey, bearer, builder, claims};
use portcullis::{
    Algorithm, Authenticated, Authenticator, AuthenticatorBuilder, Policy, Profile, Refusal,
    dangerous,
    keys::{KeySet, SharedKeySet},
};
use serde_json::{Value, json};

fn read(path: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/honest");
    fs::read_to_string(format!("{folder}/{path}")).unwrap().trim().to_owned()
}

/// The verdict on a token of a folder.
async fn judge(
    path: &str,
    profile: Profile,
    algorithms: &[Algorithm],
) -> Result<Authenticated, Refusal> {
    let (folder, _) = path.split_once('/').unwrap();
    let keys = KeySet::from_json_for(read(&format!("{folder}/jwks.json")).as_bytes(), algorithms);
    let auth = Authenticator::builder("https://auth.example", "https://api.example")
        .key_source(SharedKeySet::new(keys.unwrap()))
        .clock(ManualClock::at(1_800_000_010))
        .algorithms(algorithms.iter().copied())
        .profile(profile)
        .build()
        .await
        .unwrap();
    auth.authenticate(&bearer(&read(path))).await
}

#[tokio::test]
async fn list_of_scopes_is_accepted() {
    for profile in [Profile::jwt(), Profile::spring(), Profile::okta().scopes_at(["scope"])] {
        let profile = dangerous::accept_id_tokens(profile);
        let who = judge("scope-array/token.txt", profile, Algorithm::ALL).await.unwrap();
        assert_eq!(who.registered().scope().as_str(), "orders:read openid");
        assert!(who.require(&Policy::scopes(["orders:read", "openid"])).is_ok());
    }
    let who = judge("scope-array/token.txt", Profile::jwt(), Algorithm::ALL).await.unwrap();
    assert_eq!(who.require(&Policy::scopes(["orders:write"])).unwrap_err().status(), 403);
}

#[tokio::test]
async fn typed_access_token_with_nonce_is_accepted() {
    for profile in [Profile::keycloak(), Profile::jwt()] {
        let path = "nonce-in-access-token/keycloak-bearer.txt";
        assert!(judge(path, profile, Algorithm::ALL).await.is_ok());
    }
}

#[tokio::test]
async fn auth_time_as_string_is_accepted_and_meets_no_policy() {
    let path = "auth_time-text/token.txt";
    let who = judge(path, Profile::jwt(), Algorithm::ALL).await.unwrap();
    assert_eq!(who.registered().authenticated_at(), None);
    let recent = Policy::max_auth_age(Duration::from_secs(300));
    for policy in [recent.clone(), recent.not()] {
        let refusal = who.require(&policy).unwrap_err();
        assert_eq!((refusal.status().as_u16(), refusal.rule()), (403, "unreadable_claim"));
        assert!(refusal.reason().to_string().contains("`auth_time`"), "{}", refusal.reason());
    }
}

#[tokio::test]
async fn key_without_alg_verifies_for_any_order_of_algorithms() {
    use Algorithm::{Es256, Ps256, Rs256, Rs512};
    let path = "alg-less-key/rs512.txt";
    for algorithms in [&[Rs512][..], &[Rs256, Rs512], &[Rs512, Rs256], Algorithm::ALL] {
        let who = judge(path, Profile::jwt(), algorithms).await.unwrap();
        assert_eq!(who.algorithm(), Rs512);
    }
    let refusal = judge(path, Profile::jwt(), &[Rs256, Ps256, Es256]).await.unwrap_err();
    assert_eq!(refusal.rule(), "alg");
}

#[tokio::test]
async fn id_token_without_nonce_is_rejected() {
    for name in Profile::names() {
        let profile: Profile = name.parse().unwrap();
        let accepts = profile.accepts_id_tokens();
        let id_token = judge("id-token-without-nonce/id-token.txt", profile, Algorithm::ALL).await;
        assert!(accepts || id_token.is_err(), "{name}");
    }
    for profile in [Profile::jwt(), Profile::spring()] {
        let path = "id-token-without-nonce/access-token.txt";
        let who = judge(path, profile, Algorithm::ALL).await.unwrap();
        assert_eq!(who.registered().scope().as_str(), "orders:read");
    }
}

/// The text for an operator: rule, reason and remedy.
struct Told(String);

impl Told {
    #[track_caller]
    fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.0.contains(part), "{part:?} is missing: {}", self.0);
        }
    }

    #[track_caller]
    fn does_not_say(&self, parts: &[&str]) {
        for part in parts {
            assert!(!self.0.contains(part), "{part:?} is there: {}", self.0);
        }
    }
}

impl From<Refusal> for Told {
    fn from(refusal: Refusal) -> Self {
        Self(format!("{}; {}; {}", refusal.rule(), refusal.reason(), refusal.remedy()))
    }
}

/// Returns a valid token with these claims added; claims that are `null` in `changes` are removed.
fn token(key: &TestKey, changes: &Value) -> String {
    let mut claims = claims();
    let object = claims.as_object_mut().unwrap();
    object.extend(changes.as_object().unwrap().clone());
    object.retain(|_, value| !value.is_null());
    key.sign(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#, &claims.to_string())
}

async fn told(
    change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    claims: Value,
) -> Told {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = change(builder(&key)).build().await.unwrap();
    auth.authenticate(&bearer(&token(&key, &claims))).await.unwrap_err().into()
}

async fn told_of(profile: Profile, claims: Value, policy: Policy) -> Told {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key).profile(profile).build().await.unwrap();
    let who = auth.authenticate(&bearer(&token(&key, &claims))).await.unwrap();
    who.require(&policy).unwrap_err().into()
}

#[tokio::test]
async fn denied_scope_or_role_in_an_unread_claim_is_reported_as_such() {
    let read = || Policy::scopes(["orders:read"]);
    let scp = told_of(Profile::jwt(), json!({"scp": ["orders:read"]}), read()).await;
    scp.says(&["`scp`", "does not read", "scopes_at"]);
    scp.does_not_say(&["grant it"]);
    let clerk = || Policy::roles(["clerk"]);
    let roles = json!({"realm_access": {"roles": ["clerk"]}, "azp": "web"});
    for profile in [Profile::jwt(), Profile::auth0()] {
        let told = told_of(profile, roles.clone(), clerk()).await;
        told.says(&["`realm_access.roles`", "does not read", "roles_at"]);
        told.does_not_say(&["grant it"]);
    }
    told_of(Profile::jwt(), json!({}), clerk()).await.says(&["grant it", "get a new token"]);
    told_of(Profile::jwt(), json!({}), read()).await.says(&["grant it", "get a new token"]);
}

#[tokio::test]
async fn refusal_of_another_kind_of_token_names_the_kind() {
    let none = |builder: AuthenticatorBuilder| builder;
    let dex = json!({"nonce": "n", "at_hash": "h", "email": "a@b.example"});
    told(none, dex.clone()).await.says(&["`dex`", "`authentik`", "`keycloak`", "`entra-b2c`"]);
    let dex = told(|builder| builder.profile(Profile::dex()), dex).await;
    dex.says(&["`dex`", "dangerous::accept_id_tokens"]);
    dex.does_not_say(&["send the access token"]);
    let keycloak = |builder: AuthenticatorBuilder| builder.profile(Profile::keycloak());
    let id_token = told(keycloak, json!({"typ": "ID", "nonce": "n"})).await;
    id_token.says(&["`typ`", "send the access token"]);
    id_token.does_not_say(&["version"]);
    let entra = |builder: AuthenticatorBuilder| builder.profile(Profile::entra_v2());
    told(entra, json!({"ver": "1.0"})).await.says(&["claim_value", "`ver`", "`entra-v1`"]);
    let like = json!({"azp": AUDIENCE, "auth_time": NOW, "sid": "s"});
    told(none, like).await.says(&["access_token", "`authentik`", "dangerous::accept_id_tokens"]);
}

/// Keycloak signs refresh tokens with its own secret.
#[tokio::test]
async fn refusal_of_a_refresh_token_names_its_claim_and_not_its_algorithm() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key).build().await.unwrap();
    let signed = |alg: &str, claims: &Value| {
        let header = json!({"alg": alg, "typ": "JWT", "kid": "secret"}).to_string();
        key.sign(&header, &claims.to_string())
    };
    let refused = async |token: String| {
        let refusal = auth.authenticate(&bearer(&token)).await.unwrap_err();
        assert_eq!(refusal.status(), 401);
        Told::from(refusal)
    };
    for typ in ["Refresh", "Offline"] {
        let told = refused(signed("HS512", &json!({"typ": typ}))).await;
        told.says(&["access_token;", "refresh", "send the access token"]);
        told.does_not_say(&["asymmetric"]);
    }
    for claims in [json!({}), json!({"typ": "Bearer"}), json!({"typ": 7}), json!([])] {
        refused(signed("HS512", &claims)).await.says(&["alg;", "asymmetric"]);
    }
}

#[tokio::test]
async fn remedy_for_absent_audience_or_claims_is_at_the_issuer() {
    let none = |builder: AuthenticatorBuilder| builder;
    let other = told(none, json!({"aud": ["account", "https://api.example/"]})).await;
    other.says(&["aud;", "mapper", "trailing slash"]);
    other.does_not_say(&["account", "have clients ask"]);
    let none_there = told(none, json!({"aud": null})).await;
    none_there.says(&["missing_claim;", "mapper", "lightweight"]);
    let tenant = told(|builder| builder.required_claims(["tenant"]), json!({})).await;
    tenant.says(&["required_claim;", "`tenant`", "lightweight", "mapper"]);
    let slash = told(none, json!({"iss": format!("{ISSUER}/")})).await;
    slash.says(&["iss;", "trailing slash"]);
}

#[tokio::test]
async fn refusals_of_dates_name_claim_range_and_duration() {
    let none = |builder: AuthenticatorBuilder| builder;
    for exp in [json!(-1), json!(1_u64 << 63)] {
        let told = told(none, json!({"exp": exp})).await;
        told.says(&["out_of_range;", "`exp`", "1970", "9999"]);
        told.does_not_say(&["type;", "wrong"]);
    }
    told(none, json!({"exp": NOW - 12})).await.says(&["the token expired 12 s ago (`exp`)"]);
    let minute = Duration::from_secs(60);
    told(|builder| builder.max_token_lifetime(minute), json!({}))
        .await
        .says(&["lifetime is 900 s, which exceeds the maximum of 60 s"]);
    let old = json!({"iat": NOW - 600});
    told_of(Profile::jwt(), old, Policy::max_token_age(minute)).await.says(&["more than 60 s ago"]);
    let step_up = Policy::max_auth_age(minute).and(Policy::acr(["gold"]));
    told_of(Profile::jwt(), json!({}), step_up)
        .await
        .says(&["`auth_time` at most 60 s ago", r#"`acr` one of ["gold"]"#]);
}

/// 401 would make a client refresh forever.
#[tokio::test]
async fn unfit_claims_are_403_and_the_log_names_the_field() {
    #[derive(Debug)]
    struct User;
    impl<'de> serde::Deserialize<'de> for User {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let _: std::collections::BTreeMap<String, Option<u64>> =
                serde::Deserialize::deserialize(from)?;
            Ok(Self)
        }
    }
    #[derive(Debug, serde::Deserialize)]
    struct Shop {
        #[serde(rename = "aud")]
        _audience: u64,
    }
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key).build().await.unwrap();
    let who = auth.authenticate(&bearer(&token(&key, &json!({})))).await.unwrap();
    let refusal = who.claims::<Shop>().unwrap_err();
    assert_eq!((refusal.status().as_u16(), refusal.challenge()), (403, None));
    Told::from(refusal).says(&["claims;", "`aud`: expected u64 at line 1 column "]);
    // This type has no fields of its own, so the sender chooses the names of the claims.
    let refusal = who.claims::<User>().unwrap_err();
    assert_eq!((refusal.status().as_u16(), refusal.challenge()), (403, None));
    Told::from(refusal).says(&["claims;", "expected u64 at line 1 column "]);
}
