//! A token of each provider's shape is accepted, with its scopes and roles; near misses are
//! rejected.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::claims::{NumericDate, PolicyClaim, RegisteredClaims};
use crate::dangerous;
use crate::issuer::{Audiences, ClaimsRules};
use crate::key::Payload;
use crate::testing::NOW;

/// Validates a token of `issuer` for `audience` and returns its scope and roles.
fn judge(
    profile: &Profile,
    (issuer, audience): (&str, &str),
    claims: &Value,
) -> Result<(String, Vec<String>), TokenError> {
    let rules = ClaimsRules {
        issuer: issuer.to_owned(),
        audiences: Audiences::Named(vec![audience.to_owned()]),
        leeway: Duration::from_secs(10),
        max_token_lifetime: None,
        max_token_age: None,
        required_claims: Vec::new(),
        profile: profile.clone(),
    };
    let mut claims = RegisteredClaims::parse(Payload::for_test(&claims.to_string()))?;
    profile.apply(&mut claims)?;
    rules.check(&claims, TokenType::Jwt, NumericDate::from_secs(NOW))?;
    let roles = claims.roles().map(str::to_owned).collect();
    Ok((claims.scope().as_str().to_owned(), roles))
}

fn accepted(scope: &str, roles: &[&str]) -> Result<(String, Vec<String>), TokenError> {
    Ok((scope.to_owned(), roles.iter().map(|&role| role.to_owned()).collect()))
}

/// Returns the claims with one changed or, for `null`, removed.
fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    let object = claims.as_object_mut().unwrap();
    object.remove(name);
    if !value.is_null() {
        object.insert(name.to_owned(), value);
    }
    claims
}

fn rule(verdict: Result<(String, Vec<String>), TokenError>) -> &'static str {
    verdict.map_or_else(|error| error.rule(), |_| "accepted")
}

#[test]
fn auth0_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://tenant.eu.auth0.com/", "https://api.example");
    let token = json!({
        "iss": who.0, "sub": "auth0|123", "aud": [who.1, "https://tenant.eu.auth0.com/userinfo"],
        "iat": NOW, "exp": NOW + 86_400, "azp": "client", "scope": "openid read:orders",
        "permissions": ["read:orders"], "https://api.example/roles": ["clerk"],
    });
    let profile = Profile::auth0();
    assert_eq!(judge(&profile, who, &token), accepted("openid read:orders", &["read:orders"]));
    let profile = profile.roles_at(["https://api.example/roles"]);
    let both = accepted("openid read:orders", &["read:orders", "clerk"]);
    assert_eq!(judge(&profile, who, &token), both);
    let no_slash = ("https://tenant.eu.auth0.com", who.1);
    assert_eq!(rule(judge(&profile, no_slash, &token)), "iss");
    assert_eq!(rule(judge(&profile, who, &with(&token, "nonce", json!("n")))), "access_token");
    // Each of these claims identifies access tokens in one of Auth0's two token profiles.
    let unmarked = with(&token, "azp", Value::Null);
    let claims = &["azp", "client_id"];
    let expected = TokenError::NoAccessMark { profile: "auth0", claims };
    assert_eq!(judge(&profile, who, &unmarked), Err(expected.clone()));
    assert!(expected.to_string().ends_with("`azp` and `client_id` are absent"), "{expected}");
    assert_eq!(judge(&profile, who, &with(&unmarked, "client_id", json!("client"))), both);
}

#[test]
fn okta_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://dev.okta.com/oauth2/default", "api://default");
    let token = json!({
        "ver": 1, "jti": "AT.abc", "iss": who.0, "aud": who.1, "iat": NOW, "exp": NOW + 3600,
        "cid": "client", "uid": "u", "scp": ["orders:read", "profile"], "sub": "alice@a.example",
        "groups": ["Everyone", "clerks"],
    });
    let profile = Profile::okta();
    let verdict = accepted("orders:read profile", &["Everyone", "clerks"]);
    assert_eq!(judge(&profile, who, &token), verdict);
    assert_eq!(rule(judge(&profile, who, &with(&token, "jti", json!("ID.abc")))), "access_token");
    assert_eq!(rule(judge(&profile, who, &with(&token, "cid", Value::Null))), "access_token");
    let org = ("https://dev.okta.com", who.1);
    assert_eq!(rule(judge(&profile, org, &token)), "iss");
}

#[test]
fn entra_access_token_is_accepted_and_near_misses_are_rejected() {
    let v2 = ("https://login.microsoftonline.com/t/v2.0", "11111111-2222-3333-4444-555555555555");
    let token = json!({
        "aud": v2.1, "iss": v2.0, "iat": NOW, "nbf": NOW, "exp": NOW + 4000, "azp": "client",
        "scp": "Orders.Read Orders.Write", "roles": ["Clerk"], "sub": "s", "tid": "t", "ver": "2.0",
    });
    let profile = Profile::entra_v2();
    assert_eq!(judge(&profile, v2, &token), accepted("Orders.Read Orders.Write", &["Clerk"]));
    // A token of an application has roles and no scopes.
    let application = with(&token, "scp", Value::Null);
    assert_eq!(judge(&profile, v2, &application), accepted("", &["Clerk"]));
    assert_eq!(rule(judge(&profile, v2, &with(&token, "ver", json!("1.0")))), "claim_value");
    assert_eq!(rule(judge(&profile, v2, &with(&token, "ver", Value::Null))), "claim_value");
    assert_eq!(rule(judge(&profile, v2, &with(&token, "azp", Value::Null))), "access_token");
    // An app with a single registration: the client is also the API.
    let one_app = with(&with(&token, "azp", json!(v2.1)), "auth_time", json!(NOW));
    assert_eq!(rule(judge(&profile, v2, &one_app)), "accepted");

    let v1 = ("https://sts.windows.net/t/", "api://orders");
    let token = json!({
        "aud": v1.1, "iss": v1.0, "iat": NOW, "nbf": NOW, "exp": NOW + 4000, "appid": "client",
        "scp": "Orders.Read", "sub": "s", "tid": "t", "ver": "1.0",
    });
    assert_eq!(judge(&Profile::entra_v1(), v1, &token), accepted("Orders.Read", &[]));
    assert_eq!(rule(judge(&Profile::entra_v2(), v1, &token)), "claim_value");
    let unmarked = with(&token, "appid", Value::Null);
    assert_eq!(rule(judge(&Profile::entra_v1(), v1, &unmarked)), "access_token");
}

#[test]
fn cognito_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", "app-client");
    let token = json!({
        "sub": "s", "iss": who.0, "client_id": who.1, "token_use": "access",
        "scope": "orders/read", "auth_time": NOW, "exp": NOW + 3600, "iat": NOW, "jti": "j",
        "username": "alice", "cognito:groups": ["clerks"],
    });
    let profile = Profile::cognito();
    assert_eq!(judge(&profile, who, &token), accepted("orders/read", &["clerks"]));
    for (name, value, broken) in [
        ("token_use", json!("id"), "claim_value"),
        ("token_use", Value::Null, "claim_value"),
        ("client_id", json!("another-client"), "aud"),
        ("client_id", Value::Null, "missing_claim"),
        ("client_id", json!(["app-client"]), "wrong_type"),
    ] {
        assert_eq!(rule(judge(&profile, who, &with(&token, name, value))), broken, "{name}");
    }
    // An `aud` that is present anyway is ignored.
    let other = with(&with(&token, "client_id", json!("other")), "aud", json!(who.1));
    assert_eq!(rule(judge(&profile, who, &other)), "aud");
    // Without the profile such a token has no audience.
    assert_eq!(rule(judge(&Profile::jwt(), who, &token)), "missing_claim");
}

#[test]
fn keycloak_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://sso.example/realms/shop", "orders-api");
    let token = json!({
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW, "jti": "j", "iss": who.0,
        "aud": ["orders-api", "account"], "sub": "s", "typ": "Bearer", "azp": "shop-web",
        "sid": "x", "acr": "1", "realm_access": {"roles": ["offline_access", "clerk"]},
        "resource_access": {"orders.api": {"roles": ["refund"]}, "account": {"roles": ["manage"]}},
        "scope": "openid orders:read",
    });
    let profile = Profile::keycloak();
    let realm = accepted("openid orders:read", &["offline_access", "clerk"]);
    assert_eq!(judge(&profile, who, &token), realm);
    // A client's name may contain dots.
    let profile = profile.roles_at(["resource_access", "orders.api", "roles"]);
    let all = accepted("openid orders:read", &["offline_access", "clerk", "refund"]);
    assert_eq!(judge(&profile, who, &token), all);
    for typ in ["ID", "Refresh", "Offline", "Logout", "Serialized-ID", "DPoP"] {
        let verdict = rule(judge(&profile, who, &with(&token, "typ", json!(typ))));
        assert!(["claim_value", "access_token"].contains(&verdict), "{typ}: {verdict}");
    }
    let no_mapper = with(&token, "aud", Value::Null);
    assert_eq!(rule(judge(&profile, who, &no_mapper)), "missing_claim");
    let fresh_realm = with(&token, "aud", json!("account"));
    assert_eq!(rule(judge(&profile, who, &fresh_realm)), "aud");
    // Access tokens have `nonce` before Keycloak 25, and in later versions with a mapper.
    assert_eq!(rule(judge(&profile, who, &with(&token, "nonce", json!("n")))), "accepted");
    assert_eq!(rule(judge(&profile, who, &with(&token, "c_hash", json!("n")))), "access_token");
    // Roles of another shape are ignored.
    let odd = with(&token, "realm_access", json!({"roles": {"clerk": true}}));
    assert_eq!(judge(&profile, who, &odd), accepted("openid orders:read", &["refund"]));
}

#[test]
fn kubernetes_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://kubernetes.default.svc.cluster.local", "orders-api");
    let token = json!({
        "aud": [who.1], "exp": NOW + 3607, "iat": NOW, "nbf": NOW, "iss": who.0,
        "sub": "system:serviceaccount:shop:web",
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "web", "uid": "u"}},
    });
    let profile = Profile::kubernetes();
    assert_eq!(judge(&profile, who, &token), accepted("", &[]));
    let api_server = with(&token, "aud", json!([who.0]));
    assert_eq!(rule(judge(&profile, who, &api_server)), "aud");
    // A legacy token from a Secret.
    let legacy = json!({
        "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:web",
        "kubernetes.io/serviceaccount/namespace": "shop",
    });
    assert_eq!(rule(judge(&profile, who, &legacy)), "missing_claim");
}

#[test]
fn clerk_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://clerk.shop.example", "https://shop.example");
    let token = json!({
        "azp": who.1, "exp": NOW + 60, "fva": [0, -1], "iat": NOW, "iss": who.0, "nbf": NOW - 10,
        "sid": "sess_1", "sub": "user_1", "v": 2, "jti": "j",
        "o": {"id": "org_1", "slg": "shop", "rol": "admin", "per": "read,manage", "fpm": "1"},
    });
    let profile = Profile::clerk();
    assert_eq!(judge(&profile, who, &token), accepted("", &["admin"]));
    assert_eq!(judge(&profile, who, &with(&token, "o", Value::Null)), accepted("", &[]));
    for (name, value, broken) in [
        ("azp", json!("https://shop.example.evil.example"), "aud"),
        ("azp", Value::Null, "missing_claim"),
        ("sid", Value::Null, "missing_claim"),
        ("sts", json!("pending"), "access_token"),
        ("sts", json!("active"), "accepted"),
    ] {
        assert_eq!(rule(judge(&profile, who, &with(&token, name, value))), broken, "{name}");
    }
    assert_eq!(rule(judge(&Profile::jwt(), who, &token)), "missing_claim");
}

#[test]
fn profile_determines_metadata_url_and_key_hosts() {
    let v1 = Profile::entra_v1();
    assert_eq!(
        v1.metadata_of("https://sts.windows.net/t/").as_deref(),
        Some("https://login.microsoftonline.com/t/.well-known/openid-configuration")
    );
    // Another cloud or a proxy: the metadata is below the issuer's URL.
    assert_eq!(v1.metadata_of("https://sts.example/t/"), None);
    assert_eq!(v1.key_hosts(), Some(&["login.microsoftonline.com"][..]));
    assert_eq!(Profile::google_identity().key_hosts(), Some(&["www.googleapis.com"][..]));
    assert_eq!(Profile::auth0().key_hosts(), Some(&[][..]));
    // These profiles allow any key host, such as the API server's external address or a separate
    // backend hostname.
    for profile in [Profile::jwt(), Profile::rfc9068(), Profile::kubernetes(), Profile::keycloak()]
    {
        assert_eq!((profile.key_hosts(), profile.metadata_of("https://a.example")), (None, None));
    }
}

#[test]
fn supabase_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://ref.supabase.co/auth/v1", "authenticated");
    let token = json!({
        "iss": who.0, "sub": "u", "aud": who.1, "exp": NOW + 3600, "iat": NOW, "role": "authenticated",
        "aal": "aal1", "session_id": "s", "is_anonymous": false,
        "amr": [{"method": "password", "timestamp": NOW}], "app_metadata": {},
    });
    let profile = Profile::supabase();
    assert_eq!(judge(&profile, who, &token), accepted("", &["authenticated"]));
    // The project's API keys are also JWTs.
    let api_key = json!({"iss": "supabase", "ref": "ref", "role": "service_role", "exp": NOW + 9});
    assert_ne!(rule(judge(&profile, who, &api_key)), "accepted");
}

#[test]
fn identity_token_is_accepted_only_by_its_profile() {
    let github = ("https://token.actions.githubusercontent.com", "https://deploy.example");
    let token = json!({
        "iss": github.0, "aud": github.1, "sub": "repo:org/repo:ref:refs/heads/main", "jti": "j",
        "repository_id": "74", "repository_owner_id": "65", "iat": NOW, "nbf": NOW - 600,
        "exp": NOW + 300, "nonce": "n",
    });
    assert_eq!(rule(judge(&Profile::github_actions(), github, &token)), "accepted");
    assert_eq!(rule(judge(&Profile::jwt(), github, &token)), "access_token");
    let anonymous = with(&token, "repository_id", Value::Null);
    assert_eq!(rule(judge(&Profile::github_actions(), github, &anonymous)), "missing_claim");

    let google = ("https://accounts.google.com", "https://service.run.app");
    let token = json!({
        "iss": google.0, "aud": google.1, "azp": "z", "sub": "1", "email": "a@b.example",
        "email_verified": true, "at_hash": "h", "iat": NOW, "exp": NOW + 3600,
    });
    assert_eq!(rule(judge(&Profile::google_identity(), google, &token)), "accepted");
    assert_eq!(rule(judge(&Profile::jwt(), google, &token)), "access_token");
    let logout = with(&token, "events", json!({}));
    assert_eq!(rule(judge(&Profile::google_identity(), google, &logout)), "access_token");
    // A token that is bound to a key is still rejected.
    let bound = with(&token, "cnf", json!({"jkt": "x"}));
    assert_eq!(rule(judge(&Profile::google_identity(), google, &bound)), "cnf");
}

#[test]
fn entra_b2c_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://shop.b2clogin.com/t/v2.0/", "11111111-2222-3333-4444-555555555555");
    let token = json!({
        "iss": who.0, "exp": NOW + 3600, "nbf": NOW, "aud": who.1, "sub": "s", "tfp": "B2C_1_in",
        "nonce": "n", "scp": "orders.read", "azp": "client", "ver": "1.0", "iat": NOW,
        "auth_time": NOW,
    });
    let profile = Profile::entra_b2c();
    assert_eq!(judge(&profile, who, &token), accepted("orders.read", &[]));
    let id_token = with(&with(&token, "azp", Value::Null), "scp", Value::Null);
    for (claims, expected) in [
        (&id_token, "access_token"),
        (&with(&token, "at_hash", json!("h")), "access_token"),
        (&with(&token, "c_hash", json!("h")), "access_token"),
    ] {
        assert_eq!(rule(judge(&profile, who, claims)), expected, "{claims}");
    }
    assert_eq!(rule(judge(&Profile::jwt(), who, &token)), "access_token");
}

/// The tokens that a Spring Authorization Server issues to one client by default.
#[test]
fn spring_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://auth.example", "web");
    let token = json!({
        "iss": who.0, "aud": who.1, "sub": "alice", "iat": NOW, "nbf": NOW, "exp": NOW + 300,
        "jti": "j", "scope": ["orders:read", "openid"],
    });
    let id_token = json!({
        "iss": who.0, "aud": who.1, "azp": who.1, "sub": "alice", "iat": NOW, "exp": NOW + 1800,
        "auth_time": NOW, "sid": "s", "jti": "j",
    });
    for profile in [Profile::spring(), Profile::jwt()] {
        assert_eq!(judge(&profile, who, &token), accepted("orders:read openid", &[]));
        assert_eq!(judge(&profile, who, &with(&token, "scope", Value::Null)), accepted("", &[]));
    }
    for name in Profile::names() {
        let profile: Profile = name.parse().unwrap();
        if profile.accepts_id_tokens() {
            continue;
        }
        assert_ne!(rule(judge(&profile, who, &id_token)), "accepted", "{name}");
    }
    let expected = TokenError::IdentityClaim { profile: "spring", name: "azp" };
    assert_eq!(judge(&Profile::spring(), who, &id_token), Err(expected));
    assert_eq!(judge(&Profile::jwt(), who, &id_token), Err(TokenError::LikeIdToken));
    for name in ["azp", "auth_time", "sid"] {
        let verdict = rule(judge(&Profile::spring(), who, &with(&token, name, json!("web"))));
        assert_eq!(verdict, "access_token", "{name}");
    }
}

#[test]
fn hydra_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://hydra.example", "https://api.example");
    let token = json!({
        "aud": [who.1], "client_id": "web", "exp": NOW + 3600, "ext": {"roles": ["clerk"]},
        "iat": NOW, "iss": who.0, "jti": "j", "nbf": NOW, "scp": ["openid", "orders:read"], "sub": "s",
    });
    let profile = Profile::hydra();
    assert_eq!(judge(&profile, who, &token), accepted("openid orders:read", &[]));
    let profile = profile.roles_at(["ext", "roles"]);
    assert_eq!(judge(&profile, who, &token), accepted("openid orders:read", &["clerk"]));
    assert_eq!(rule(judge(&profile, who, &with(&token, "aud", json!([])))), "aud");
    let id_token = json!({
        "aud": [who.1], "auth_time": NOW, "exp": NOW + 3600, "iat": NOW, "iss": who.0, "jti": "j",
        "rat": NOW, "sid": "s", "sub": "s",
    });
    assert_eq!(rule(judge(&profile, who, &id_token)), "access_token");
    let hashed = with(&token, "at_hash", json!("h"));
    assert_eq!(rule(judge(&profile, who, &hashed)), "access_token");
}

#[test]
fn authentik_access_token_is_accepted_and_near_misses_are_rejected() {
    let who = ("https://sso.example/application/o/shop/", "client");
    let token = json!({
        "iss": who.0, "sub": "s", "aud": who.1, "exp": NOW + 300, "iat": NOW, "auth_time": NOW,
        "acr": "goauthentik.io/providers/oauth2/default", "nonce": "n", "azp": who.1, "uid": "u",
        "groups": ["clerk"],
    });
    let profile = Profile::authentik();
    assert_eq!(judge(&profile, who, &token), accepted("", &["clerk"]));
    for (name, missing) in [("uid", &["uid"]), ("azp", &["azp"])] {
        let error = TokenError::NoAccessMark { profile: "authentik", claims: missing };
        assert_eq!(judge(&profile, who, &with(&token, name, Value::Null)), Err(error));
    }
    let id_token = with(&with(&token, "uid", Value::Null), "azp", Value::Null);
    assert_eq!(rule(judge(&profile, who, &id_token)), "access_token");
    for hash in ["at_hash", "c_hash"] {
        assert_eq!(rule(judge(&profile, who, &with(&token, hash, json!("h")))), "access_token");
    }
    assert_eq!(rule(judge(&Profile::jwt(), who, &token)), "access_token");
    let opted = dangerous::accept_id_tokens(profile);
    assert_eq!(judge(&opted, who, &id_token), accepted("", &["clerk"]));
}

#[test]
fn dex_is_rejected_until_id_tokens_are_accepted() {
    let who = ("https://dex.example", "client");
    let token = json!({
        "iss": who.0, "sub": "s", "aud": who.1, "exp": NOW + 300, "iat": NOW, "nonce": "n",
        "at_hash": "h", "email": "a@b.example", "groups": ["clerk"],
    });
    let profile = Profile::dex();
    for token in [&token, &with(&with(&token, "nonce", Value::Null), "at_hash", Value::Null)] {
        let error = judge(&profile, who, token).unwrap_err();
        assert_eq!(error, TokenError::Indistinct { profile: "dex" });
        assert!(error.remedy().contains("dangerous::accept_id_tokens"), "{error:?}");
    }
    let opted = dangerous::accept_id_tokens(profile.clone());
    assert_ne!(opted, profile);
    assert_eq!(judge(&opted, who, &token), accepted("", &["clerk"]));
    assert_eq!(rule(judge(&opted, who, &with(&token, "events", json!({})))), "access_token");
    assert_eq!(rule(judge(&opted, who, &with(&token, "cnf", json!({})))), "cnf");
    // The default profile's remedy names this profile.
    let error = judge(&Profile::jwt(), who, &token).unwrap_err();
    assert!(error.remedy().contains("`dex`"), "{error:?}");
}

/// The plainest ID token: its audience is the client, and it has no other claims.
#[test]
fn plain_id_token_is_rejected_unless_the_profile_declares_no_mark() {
    let who = ("https://auth.example", "client");
    let id_token = json!({
        "iss": who.0, "aud": who.1, "sub": "s", "iat": NOW, "exp": NOW + 300, "ver": "2.0",
    });
    for name in Profile::names() {
        let profile: Profile = name.parse().unwrap();
        let verdict = rule(judge(&profile, who, &id_token));
        match profile.access_token_mark() {
            // The header is checked before the claims.
            AccessTokenMark::Header => assert_eq!(verdict, "missing_claim", "{name}"),
            AccessTokenMark::NoMarkOfIdTokens | AccessTokenMark::NoneOf(_) => {
                assert_eq!(verdict, "accepted", "{name}");
            }
            AccessTokenMark::IdTokens => assert!(profile.accepts_id_tokens(), "{name}"),
            _ => assert_ne!(verdict, "accepted", "{name}"),
        }
    }
}

/// The profiles that the refusal names accept such a token if it has their mark.
#[test]
fn profile_named_in_a_remedy_accepts_the_token() {
    let who = ("https://auth.example", "client");
    let like = json!({
        "iss": who.0, "aud": who.1, "sub": "s", "iat": NOW, "exp": NOW + 300, "azp": who.1,
        "auth_time": NOW, "ver": "1.0",
    });
    let error = judge(&Profile::jwt(), who, &like).unwrap_err();
    assert_eq!(error, TokenError::LikeIdToken);
    assert!(error.remedy().contains("dangerous::accept_id_tokens"));
    for (name, mark) in
        [("authentik", "uid"), ("okta", "cid"), ("entra-v1", "appid"), ("hydra", "client_id")]
    {
        assert!(error.remedy().contains(&format!("`{name}`")), "{name}");
        let profile: Profile = name.parse().unwrap();
        assert_eq!(
            rule(judge(&profile, who, &with(&like, mark, json!("x")))),
            "accepted",
            "{name}"
        );
        assert_eq!(rule(judge(&profile, who, &like)), "access_token", "{name}");
    }
}

#[test]
fn duplicate_profile_claim_is_rejected() {
    let parse = |profile: &Profile, claims: &str| {
        let mut claims = RegisteredClaims::parse(Payload::for_test(claims)).unwrap();
        profile.apply(&mut claims).map(|()| claims)
    };
    for (profile, claims) in [
        (Profile::okta(), r#"{"cid":"a","cid":"b"}"#),
        (Profile::okta(), r#"{"jti":"AT.","jti":"ID."}"#),
        (Profile::entra_v2(), r#"{"ver":"2.0","ver":"2.0"}"#),
        (Profile::cognito(), r#"{"token_use":"access","client_id":"a","client_id":"a"}"#),
        (Profile::spring(), r#"{"sid":"a","sid":"b"}"#),
        (Profile::authentik(), r#"{"azp":"a","uid":"a","uid":null}"#),
        (Profile::supabase(), r#"{"sub":"s","session_id":"a","session_id":"a"}"#),
    ] {
        let error = parse(&profile, claims).unwrap_err();
        assert_eq!(error.rule(), "duplicate_member", "{claims}");
    }
    // Claims that only policies read do not affect acceptance.
    let twice = r#"{"cid":"a","scp":["a"],"scp":["b"],"groups":[],"groups":["g"],"x":1,"x":2}"#;
    let claims = parse(&Profile::okta(), twice).unwrap();
    for (of, name) in [(PolicyClaim::Scopes, "scp"), (PolicyClaim::Roles, "groups")] {
        assert_eq!(claims.unreadable(of).unwrap().name(), name);
    }
    assert_eq!(claims.scope().iter().count() + claims.roles().count(), 0);
}

#[test]
fn scopes_are_read_from_one_claim() {
    let parse = |profile: &Profile, claims: &str| {
        let mut claims = RegisteredClaims::parse(Payload::for_test(claims)).unwrap();
        profile.apply(&mut claims).unwrap();
        let unreadable = claims.unreadable(PolicyClaim::Scopes).map(|why| why.name().to_owned());
        (claims.scope().as_str().to_owned(), unreadable)
    };
    let both = r#"{"scope":"a","scp":["b"],"ext":{"a.b":"c d"}}"#;
    let nested = Profile::jwt().scopes_at(["ext", "a.b"]);
    for (profile, claims, scope, unreadable) in [
        (&Profile::jwt(), both, "a", None),
        (&Profile::okta(), both, "b", None),
        (&Profile::jwt().scopes_at(["scp"]), both, "b", None),
        (&Profile::okta().scopes_at(["scope"]), both, "a", None),
        (&nested, both, "c d", None),
        (&nested, r#"{"scope":"a"}"#, "", None),
        (&nested, r#"{"scope":"a","ext":{"a":{"b":"c"}}}"#, "", None),
        (&nested, r#"{"ext":{"a.b":["c d"]}}"#, "", Some("ext.a.b")),
        (&nested, r#"{"ext":7}"#, "", Some("ext.a.b")),
        (&nested, r#"{"ext":{"a.b":"c","a.b":"d"}}"#, "", Some("ext.a.b")),
        // Claims that the profile does not read are not reported as unreadable.
        (&Profile::okta(), r#"{"scope":7}"#, "", None),
        (&Profile::okta(), r#"{"scope":"a","scope":"b","scp":"c"}"#, "c", None),
    ] {
        let expected = (scope.to_owned(), unreadable.map(str::to_owned));
        assert_eq!(parse(profile, claims), expected, "{profile:?} {claims}");
    }
    assert_eq!(nested.scopes_place(), ["ext", "a.b"]);
    assert_eq!(Profile::okta().scopes_place(), ["scp"]);
    assert_eq!(Profile::keycloak().roles_places(), [vec!["roles"], vec!["realm_access", "roles"]]);
    assert_eq!(Profile::clerk().audience_claim(), "azp");
}

#[test]
fn every_profile_is_found_by_its_name() {
    for name in Profile::names() {
        assert_eq!(name.parse::<Profile>().unwrap().name(), name);
    }
    let error = "Auth0".parse::<Profile>().unwrap_err();
    assert!(error.to_string().contains("rfc9068, auth0"), "{error}");
}
