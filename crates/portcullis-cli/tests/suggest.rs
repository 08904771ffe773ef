//! `portcullis inspect --suggest`: the printed settings accept the token and reject the issuer's ID token, or
//! the output says why nothing is suggested.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::testing::{Answer, ManualClock, ScriptedFetch, bearer};
use portcullis::{Algorithm, Authenticator, AuthenticatorBuilder, Profile, keys::SharedKeySet};
use portcullis_testing::TestKey;
use serde_json::{Value, json};
use support::{ISSUED, run};

const API: &str = "https://api.example";

/// The tokens of one issuer for one user and client.
struct Row {
    profile: &'static str,
    /// Texts that the output must contain.
    told: &'static [&'static str],
    typ: Option<&'static str>,
    access: Value,
    id: Value,
}

fn row(
    profile: &'static str,
    told: &'static [&'static str],
    (iss, typ): (&str, Option<&'static str>),
    access: Value,
    id: Value,
) -> Row {
    let with = |claims: Value, lifetime: u64| {
        let mut all = json!({"iss": iss, "iat": ISSUED, "exp": ISSUED + lifetime});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    Row { profile, told, typ, access: with(access, 300), id: with(id, 1800) }
}

fn rows() -> Vec<Row> {
    let jwt = Some("JWT");
    let guid = "11111111-2222-3333-4444-555555555555";
    let app = "99999999-2222-3333-4444-555555555555";
    vec![
        row(
            "jwt",
            &["PORTCULLIS_AUDIENCE=https://api.example"],
            ("https://auth.example", jwt),
            json!({"aud": API, "sub": "u", "azp": "web", "scope": "orders:read"}),
            json!({"aud": "web", "sub": "u", "azp": "web", "auth_time": ISSUED}),
        ),
        // An issuer with a list of scopes in `scp` and no claim for the client.
        row(
            "jwt",
            &[".profile(Profile::jwt().scopes_at([\"scp\"]))", "PORTCULLIS_SCOPES_AT=scp"],
            ("https://auth.example", None),
            json!({"aud": [API], "sub": "u", "scp": ["orders:read"]}),
            json!({"aud": "web", "sub": "u", "nonce": "n"}),
        ),
        row(
            "jwt",
            &[],
            ("https://zitadel.example", None),
            json!({"aud": ["urn:shop", "281"], "sub": "u", "client_id": "281", "jti": "j"}),
            json!({"aud": ["281"], "sub": "u", "azp": "281", "auth_time": ISSUED, "at_hash": "h"}),
        ),
        row(
            "rfc9068",
            &[],
            ("https://auth.example", Some("at+jwt")),
            json!({"aud": API, "sub": "u", "client_id": "web", "jti": "j", "scope": ["a", "b"]}),
            json!({"aud": "web", "sub": "u"}),
        ),
        row(
            "auth0",
            &[".roles_at([\"https://shop.example/roles\"])"],
            ("https://shop.eu.auth0.com/", jwt),
            json!({
                "aud": ["https://shop.eu.auth0.com/userinfo", API], "sub": "auth0|1", "azp": "web",
                "scope": "openid orders:read", "permissions": ["orders:read"],
                "https://shop.example/roles": ["clerk"],
            }),
            json!({"aud": "web", "sub": "auth0|1", "nonce": "n", "sid": "s"}),
        ),
        row(
            "okta",
            &["scopes in scp; roles in groups"],
            ("https://shop.okta.com/oauth2/default", None),
            json!({
                "ver": 1, "jti": "AT.x", "aud": "api://default", "cid": "web", "uid": "00u",
                "scp": ["orders:read"], "sub": "u@e.example", "auth_time": ISSUED, "groups": ["g"],
            }),
            json!({
                "ver": 1, "jti": "ID.x", "aud": "web", "sub": "00u", "amr": ["pwd"],
                "auth_time": ISSUED, "at_hash": "h",
            }),
        ),
        row(
            "entra-v2",
            &[],
            ("https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0", jwt),
            json!({
                "aud": guid, "azp": app, "ver": "2.0", "tid": "72f988bf", "oid": "o", "sub": "s",
                "scp": "Orders.Read", "nbf": ISSUED,
            }),
            json!({"aud": app, "ver": "2.0", "tid": "72f988bf", "oid": "o", "sub": "s", "nbf": ISSUED}),
        ),
        // One app registration for the page and the API.
        row(
            "entra-v2",
            &["warning: `aud` names the client itself (`azp`)"],
            ("https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0", jwt),
            json!({"aud": app, "azp": app, "ver": "2.0", "sub": "s", "scp": "Orders.Read"}),
            json!({"aud": app, "ver": "2.0", "sub": "s", "nonce": "n"}),
        ),
        row(
            "entra-v1",
            &[],
            ("https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/", jwt),
            json!({"aud": "api://orders", "appid": app, "ver": "1.0", "sub": "s", "roles": ["R"]}),
            json!({"aud": app, "ver": "1.0", "sub": "s", "nonce": "n"}),
        ),
        row(
            "entra-b2c",
            &["/72f988bf/B2C_1_signin/v2.0/.well-known/openid-configuration"],
            ("https://shop.b2clogin.com/72f988bf/v2.0/", jwt),
            json!({
                "aud": guid, "azp": app, "ver": "1.0", "tfp": "B2C_1_signin", "nonce": "n", "sub": "s",
                "scp": "orders.read", "nbf": ISSUED, "auth_time": ISSUED,
            }),
            json!({
                "aud": app, "ver": "1.0", "tfp": "B2C_1_signin", "nonce": "n", "at_hash": "h",
                "sub": "s", "auth_time": ISSUED,
            }),
        ),
        row(
            "cognito",
            &["PORTCULLIS_AUDIENCE=7ab"],
            ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_X", None),
            json!({
                "sub": "u", "token_use": "access", "client_id": "7ab", "scope": "orders/read",
                "username": "u", "auth_time": ISSUED, "cognito:groups": ["clerk"], "origin_jti": "o",
            }),
            json!({"sub": "u", "token_use": "id", "aud": "7ab", "cognito:username": "u"}),
        ),
        row(
            "keycloak",
            &[
                ".roles_at([\"resource_access\", \"my.api\", \"roles\"])",
                "PORTCULLIS_ROLES_AT='[\"resource_access\",\"my.api\",\"roles\"]'",
                "not read: resource_access.account.roles",
                "`aud` also has [\"account\"]",
            ],
            ("https://sso.example/realms/shop", jwt),
            json!({
                "aud": ["account", API], "typ": "Bearer", "azp": "web", "sub": "u", "jti": "j",
                "sid": "s", "acr": "1", "scope": "openid orders:read", "auth_time": ISSUED,
                "realm_access": {"roles": ["clerk"]},
                "resource_access": {"account": {"roles": ["view"]}, "my.api": {"roles": ["r"]}},
            }),
            json!({
                "aud": "web", "typ": "ID", "azp": "web", "sub": "u", "jti": "j", "sid": "s",
                "auth_time": ISSUED, "at_hash": "h",
            }),
        ),
        row(
            "kubernetes",
            &[],
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/ABC", None),
            json!({
                "aud": ["orders"], "sub": "system:serviceaccount:shop:web", "nbf": ISSUED,
                "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "web", "uid": "1"}},
            }),
            json!({"aud": "web", "sub": "u", "nonce": "n"}),
        ),
        row(
            "clerk",
            &["PORTCULLIS_AUDIENCE=https://app.example"],
            ("https://neat-cat-1.clerk.accounts.dev", jwt),
            json!({
                "azp": "https://app.example", "sub": "user_1", "sid": "sess_1", "v": 2, "sts": "active",
                "o": {"id": "org_1", "rol": "admin"}, "nbf": ISSUED - 10, "fva": [1, -1],
            }),
            json!({"aud": "web", "sub": "user_1", "nonce": "n"}),
        ),
        row(
            "supabase",
            &["roles in role"],
            ("https://abcd.supabase.co/auth/v1", jwt),
            json!({
                "aud": "authenticated", "sub": "u", "role": "authenticated", "session_id": "s",
                "aal": "aal1", "amr": [{"method": "password", "timestamp": ISSUED}],
            }),
            json!({"aud": "web", "sub": "u", "nonce": "n"}),
        ),
        row(
            "github-actions",
            &[],
            ("https://token.actions.githubusercontent.com", jwt),
            json!({
                "aud": API, "sub": "repo:o/r:ref:refs/heads/main", "repository_id": "1",
                "repository_owner_id": "2", "nbf": ISSUED - 600, "jti": "j",
            }),
            json!({
                "aud": "https://github.com/o", "sub": "repo:o/r:ref:refs/heads/main",
                "repository_id": "1", "repository_owner_id": "2", "jti": "j",
            }),
        ),
        row(
            "google-identity",
            &[],
            ("https://accounts.google.com", jwt),
            json!({"aud": "https://orders-x.run.app", "azp": "1", "sub": "1", "email": "a@b.example"}),
            json!({"aud": "1.apps.googleusercontent.com", "azp": "1.apps.googleusercontent.com", "sub": "2"}),
        ),
        row(
            "spring",
            &["warning: `aud` names the client itself (`sub`)"],
            ("https://auth.example", None),
            json!({"aud": "web", "sub": "web", "nbf": ISSUED, "jti": "j", "scope": ["orders:read"]}),
            json!({
                "aud": "web", "azp": "web", "sub": "alice", "auth_time": ISSUED, "sid": "s", "jti": "j",
            }),
        ),
        row(
            "hydra",
            &["scopes in scp", ".roles_at([\"ext\", \"roles\"])"],
            ("https://hydra.example", jwt),
            json!({
                "aud": [API], "client_id": "web", "ext": {"roles": ["clerk"]}, "jti": "j",
                "nbf": ISSUED, "scp": ["openid", "orders:read"], "sub": "s",
            }),
            json!({
                "aud": ["web"], "auth_time": ISSUED, "jti": "j", "rat": ISSUED, "sid": "s", "sub": "s",
                "at_hash": "h",
            }),
        ),
        row(
            "authentik",
            &["PORTCULLIS_AUDIENCE=web", "warning: `aud` names the client itself (`azp`)"],
            ("https://id.example/application/o/shop/", jwt),
            json!({
                "aud": "web", "azp": "web", "uid": "u", "sub": "s", "acr": "a", "amr": ["pwd"],
                "auth_time": ISSUED, "nonce": "n",
            }),
            json!({
                "aud": "web", "sub": "s", "acr": "a", "auth_time": ISSUED, "nonce": "n",
                "at_hash": "h",
            }),
        ),
    ]
}

fn sign(key: &TestKey, typ: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": "ES256", "kid": "k"});
    if let Some(typ) = typ {
        header["typ"] = json!(typ);
    }
    key.sign(&header.to_string(), &claims.to_string())
}

fn suggested(token: &str) -> String {
    run(&["inspect", "--suggest", "-"], token.as_bytes()).expect(0).stdout
}

fn has_settings(printed: &str) -> bool {
    let settings = ["let auth", "PORTCULLIS_"];
    printed.lines().any(|line| settings.iter().any(|start| line.trim().starts_with(start)))
}

/// Builds the service from the printed variables, unquoted as a shell does.
fn from_environment(printed: &str) -> AuthenticatorBuilder {
    let lines = printed.lines().filter_map(|line| line.trim().split_once('='));
    let variables: Vec<_> = lines
        .filter(|(name, _)| name.starts_with("PORTCULLIS_"))
        .map(|(name, value)| (name, value.trim_matches('\'').replace(r"'\''", "'")))
        .collect();
    AuthenticatorBuilder::from_lookup(|wanted| {
        variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone())
    })
    .unwrap()
}

/// Serves the metadata of the token's issuer at this URL, and the key set.
fn published(url: &str, token: &str, key: &TestKey) -> ScriptedFetch {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let keys = format!("{url}/keys");
    let fetch = ScriptedFetch::default();
    fetch.set(url, Answer::ok(json!({"issuer": claims["iss"], "jwks_uri": keys})));
    fetch.set(&keys, Answer::ok(TestKey::jwks([key])));
    fetch
}

/// Builds the service from the printed Rust code.
fn from_rust(printed: &str) -> AuthenticatorBuilder {
    let mut lines = printed.lines().map(str::trim).skip_while(|line| !line.starts_with("let auth"));
    // The printed strings and lists of strings are valid JSON, too.
    let list = |text: &str| -> Vec<String> {
        let items = text.trim_start_matches('[').trim_end_matches(']');
        serde_json::from_str(&format!("[{items}]")).unwrap()
    };
    let first = lines.next().unwrap().strip_prefix("let auth = Authenticator::builder(").unwrap();
    let names = list(first.strip_suffix(')').unwrap());
    let mut builder = Authenticator::builder(&names[0], &names[1]);
    for line in lines {
        if let Some(profile) = line.strip_prefix(".profile(Profile::") {
            let (name, rest) = profile.strip_suffix(')').unwrap().split_once("()").unwrap();
            let mut profile: Profile = name.replace('_', "-").parse().unwrap();
            for call in rest.split(").").map(|call| call.trim_matches(['.', ')'])) {
                match call.split_once('(') {
                    Some(("scopes_at", path)) => profile = profile.scopes_at(list(path)),
                    Some(("roles_at", path)) => profile = profile.roles_at(list(path)),
                    _ => assert_eq!(call, ""),
                }
            }
            builder = builder.profile(profile);
        } else if let Some(url) = line.strip_prefix(".discovery_url(") {
            builder = builder.discovery_url(&list(url.strip_suffix(')').unwrap())[0]);
        } else {
            assert_eq!(line, ".build().await?;");
            return builder;
        }
    }
    unreachable!("{printed}");
}

#[tokio::test]
async fn suggested_settings_accept_the_token_and_reject_the_id_token_of_each_profile() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let mut profiles = Vec::new();
    for Row { profile, told, typ, access, id } in rows() {
        let id_typ = typ.filter(|typ| *typ != "at+jwt");
        let (access, id) = (sign(&key, typ, &access), sign(&key, id_typ, &id));
        let printed = suggested(&access);
        for part in told {
            assert!(printed.contains(part), "{profile}: {part}\n{printed}");
        }
        let function = format!("Profile::{}()", profile.replace('-', "_"));
        assert!(profile == "jwt" || printed.contains(&function), "{profile}: {printed}");
        for builder in [from_environment(&printed), from_rust(&printed)] {
            // If a discovery URL is printed, the keys are discovered there. Otherwise the keys are
            // given directly.
            let place =
                printed.lines().find_map(|line| line.split_once("DISCOVERY_URL=")?.1.into());
            let builder = match place {
                Some(place) => builder.fetch(published(place, &access, &key)),
                None => builder.key_source(SharedKeySet::new(TestKey::key_set([&key]))),
            };
            let auth = builder.clock(ManualClock::at(ISSUED + 60)).build().await;
            let auth = auth.unwrap_or_else(|error| panic!("{profile}: {error}\n{printed}"));
            let accepted = auth.authenticate(&bearer(&access)).await;
            assert!(accepted.is_ok(), "{profile}: {accepted:?}\n{printed}");
            let refused = auth.authenticate(&bearer(&id)).await;
            assert!(refused.is_err(), "{profile}: the ID token\n{printed}");
        }
        profiles.push(profile);
    }
    // No claim distinguishes Dex's ID tokens from its access tokens, so nothing is suggested: see
    // the test below.
    profiles.push("dex");
    for name in Profile::names() {
        assert!(profiles.contains(&name), "{name} is not shown");
    }
}

/// Settings that accept an ID token would accept every ID token of the issuer.
#[test]
fn nothing_is_suggested_for_an_id_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for Row { profile, id, .. } in rows() {
        let printed = suggested(&sign(&key, Some("JWT"), &id));
        assert!(printed.contains("nothing to suggest: "), "{profile}: {printed}");
        assert!(!has_settings(&printed), "{profile}: {printed}");
    }
}

#[test]
fn unsafe_settings_are_not_suggested_and_the_reason_is_given() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let realm = "https://sso.example/realms/shop";
    let keycloak = |changes: Value| {
        let mut claims = json!({
            "iss": realm, "aud": API, "typ": "Bearer", "azp": "web", "sub": "u", "jti": "j",
            "iat": ISSUED, "exp": ISSUED + 300, "scope": "a",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let hydra = json!({
        "iss": "https://hydra.example", "aud": [], "client_id": "web", "scp": ["a"], "ext": {},
        "sub": "s", "iat": ISSUED, "exp": ISSUED + 300, "jti": "j",
    });
    let mut lightweight = keycloak(json!({}));
    for name in ["aud", "sub"] {
        lightweight.as_object_mut().unwrap().remove(name);
    }
    let plain = |changes: Value| {
        let mut claims = json!({
            "iss": "https://auth.example", "aud": API, "sub": "u", "iat": ISSUED, "exp": ISSUED + 300,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let dex =
        plain(json!({"iss": "https://id.example/dex", "aud": "web", "at_hash": "h", "nonce": "n"}));
    for (claims, why, remedy) in [
        (
            keycloak(json!({"aud": "account"})),
            "\"account\" is a built-in client of Keycloak",
            "put your API",
        ),
        (keycloak(json!({"aud": "web"})), "\"web\" is the client's own id", "put your API"),
        (
            keycloak(json!({"aud": realm, "typ": "Refresh"})),
            "refresh token",
            "send the access token",
        ),
        (keycloak(json!({"aud": realm, "typ": "Offline"})), "refresh", "send the access token"),
        (keycloak(json!({"aud": realm})), "is the issuer itself", "put your API"),
        (keycloak(json!({"cnf": {"jkt": "x"}})), "`cnf` binds", "plain bearer"),
        (lightweight, "`aud` is absent", "for lightweight access tokens"),
        (hydra, "`aud` is empty", "request this API's audience"),
        (dex, "profile `dex` cannot tell an access token", "dangerous::accept_id_tokens"),
        (plain(json!({"nonce": "n"})), "`nonce` occurs only in ID tokens", "send the access token"),
        (plain(json!({"aud": "web"})), "may be a client's id", "put your API"),
        (plain(json!({"aud": "u"})), "is the client's own id", "put your API"),
        (plain(json!({"aud": "a,b"})), "cannot be a setting", "put your API"),
        (plain(json!({"iss": "http://auth.example"})), "http", ""),
        (plain(json!({"iss": 1})), "`iss` is missing", ""),
        (plain(json!({"exp": "x"})), "`exp`", ""),
        (
            plain(
                json!({"iss": "https://shop.okta.com", "aud": "https://shop.okta.com", "cid": "web"}),
            ),
            "does not publish",
            "custom authorization server",
        ),
        (
            plain(json!({
                "iss": "https://sts.windows.net/t/", "ver": "1.0", "appid": "x",
                "aud": "00000003-0000-0000-c000-000000000000",
            })),
            "is Microsoft Graph",
            "put your API",
        ),
    ] {
        let printed = suggested(&sign(&key, Some("JWT"), &claims));
        assert!(printed.contains("nothing to suggest: "), "{claims}\n{printed}");
        assert!(printed.contains(why) && printed.contains(remedy), "{claims}: {why}\n{printed}");
        assert!(!has_settings(&printed) && !printed.contains("cognito"), "{printed}");
        let json = &run(
            &["inspect", "--suggest", "--json", "-"],
            sign(&key, Some("JWT"), &claims).as_bytes(),
        )
        .expect(0)
        .json()[0];
        assert!(json["suggestion"]["nothing"]["why"].is_string(), "{json}");
    }
    let symmetric = TestKey::generate("k", Algorithm::Es256)
        .sign(r#"{"alg":"HS256"}"#, &plain(json!({})).to_string());
    let printed = suggested(&symmetric);
    assert!(printed.contains("no published key verifies the token"), "{printed}");
}

#[test]
fn empty_audience_is_not_taken_for_microsoft_graph() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let claims = json!({"iss": "https://hydra.example", "aud": [], "exp": ISSUED, "scp": []});
    let printed = suggested(&sign(&key, Some("JWT"), &claims));
    assert!(!printed.contains("Graph"), "{printed}");
    assert!(printed.contains("`aud` is empty: the client requested no audience"), "{printed}");
}
