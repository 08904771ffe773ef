//! Ory Hydra, started as on its page. These functions are its login and consent app.

use std::time::Duration;

use portcullis::Policy;
use portcullis::feed::LogoutMatch;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{Facts, Issuer, LOGOUT, LOGOUT_PATH, Login, Logouts, SECRET, Start, next_number};
use crate::failure::{Failure, Outcome};
use crate::http::{self, Browser, Step, parameter, post_form, with_json};
use crate::instances::API;

const PUBLIC: &str = "http://127.0.0.1:4444";
const ADMIN: &str = "http://127.0.0.1:4445";
const CALLBACK: &str = "http://127.0.0.1:4447/callback";

#[derive(Debug, Clone)]
pub(crate) struct Hydra;

impl Issuer for Hydra {
    fn facts() -> Facts {
        Facts {
            name: "Ory Hydra",
            version: "2.3.0",
            page: "hydra",
            profile: "hydra",
            indistinct: false,
            issuer: PUBLIC,
            // The first request for Hydra's keys creates the keys.
            ready: "http://127.0.0.1:4444/.well-known/jwks.json",
            ready_within: Duration::from_secs(60),
            start: Start::Page(&[]),
            policies: [Policy::scopes(["orders:read"]), Policy::scopes(["orders:write"])],
            policy_words: "`scp`, an array",
            algorithms: &["RS256", "ES256", "EdDSA"],
            about_algorithms: "",
            rotates_within: Duration::from_secs(5),
            logouts: Some(Logouts {
                session_at: &["ext", "sid"],
                matches: LogoutMatch::Session,
                untyped: true,
                omitted: &["sub", "exp"],
                ways: &["`DELETE` of the session at the admin port"],
            }),
        }
    }

    async fn set_up(&self) -> Outcome<()> {
        let machine = json!({
            "client_id": "shipping", "client_secret": SECRET,
            "grant_types": ["client_credentials"], "audience": [API],
            "scope": "orders:read orders:write",
            "token_endpoint_auth_method": "client_secret_post",
        });
        let web = json!({
            "client_id": API, "client_secret": SECRET, "grant_types": ["authorization_code"],
            "response_types": ["code"], "redirect_uris": [CALLBACK], "scope": "openid",
            "backchannel_logout_uri": format!("http://{LOGOUT}{LOGOUT_PATH}"),
            "audience": [API],
            "token_endpoint_auth_method": "client_secret_post",
        });
        for client in [machine, web] {
            admin(Method::POST, "/clients", &client).await?;
        }
        Ok(())
    }

    async fn access_token(&self) -> Outcome<String> {
        machine_token(&[("audience", API)]).await
    }

    async fn sign_with(&self, algorithm: &str) -> Outcome<()> {
        new_key(algorithm).await
    }

    async fn id_token(&self) -> Outcome<String> {
        Ok(self.log_in().await?.id_token)
    }

    async fn rotate(&self) -> Outcome<()> {
        new_key("RS256").await
    }

    async fn other_tokens(&self) -> Outcome<Vec<(&'static str, String)>> {
        let login = self.log_in().await?;
        let logout = http::logout_token(LOGOUT, self.end_session(&login, "")).await?;
        Ok(vec![
            ("access token with an empty `aud`", machine_token(&[]).await?),
            ("logout token", logout),
        ])
    }

    async fn log_in(&self) -> Outcome<Login> {
        let query = http::form(&[
            ("response_type", "code"),
            ("client_id", API),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("audience", API),
            ("state", "at-least-8-characters"),
        ]);
        let start = Url::parse(&format!("{PUBLIC}/oauth2/auth?{query}"))?;
        let mut browser = Browser::new()?;
        let login = redirect(&mut browser, &start).await?;
        let challenge = parameter(&login, "login_challenge")?;
        let next =
            accept("login", &challenge, &json!({"subject": "alice", "remember": true})).await?;
        let consent = redirect(&mut browser, &next).await?;
        let challenge = parameter(&consent, "consent_challenge")?;
        let consent = json!({
            "grant_scope": ["openid"], "grant_access_token_audience": [API],
            // The access token then names its session, as `ext.sid`.
            "session": {"access_token": {"sid": session_of(&challenge).await?}},
        });
        let next = accept("consent", &challenge, &consent).await?;
        let callback = redirect(&mut browser, &next).await?;
        let code = parameter(&callback, "code")?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", API),
            ("client_secret", SECRET),
            ("code", &code),
            ("redirect_uri", CALLBACK),
        ];
        let url = format!("{PUBLIC}/oauth2/token");
        Login::of(&http::json(post_form(&http::client()?, &url, &fields)).await?)
    }

    async fn end_session(&self, login: &Login, _: &str) -> Outcome<()> {
        let query = http::form(&[("sid", &*login.session()?)]);
        let url = format!("{ADMIN}/admin/oauth2/auth/sessions/login?{query}");
        http::text(http::client()?.delete(url)).await.map(drop)
    }
}

/// The session of the login that a consent request belongs to.
async fn session_of(challenge: &str) -> Outcome<String> {
    let query = http::form(&[("consent_challenge", challenge)]);
    let url = format!("{ADMIN}/admin/oauth2/auth/requests/consent?{query}");
    http::string(http::client()?.get(url), "login_session_id").await
}

async fn machine_token(more: &[(&str, &str)]) -> Outcome<String> {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", "shipping"),
        ("client_secret", SECRET),
        ("scope", "orders:read"),
    ];
    fields.extend(more);
    token(&fields, "access_token").await
}

async fn token(fields: &[(&str, &str)], member: &str) -> Outcome<String> {
    let url = format!("{PUBLIC}/oauth2/token");
    http::string(post_form(&http::client()?, &url, fields), member).await
}

/// Creates a key. The newest key of the set signs.
async fn new_key(algorithm: &str) -> Outcome<()> {
    let key = json!({"alg": algorithm, "use": "sig", "kid": format!("k{}", next_number())});
    admin(Method::POST, "/keys/hydra.jwt.access-token", &key).await.map(drop)
}

async fn admin(method: Method, path: &str, body: &Value) -> Outcome<Value> {
    let url = format!("{ADMIN}/admin{path}");
    http::json(with_json(&http::client()?, method, &url, None, body)).await
}

/// Accepts a request as a login or consent app does, and returns the next URL of the browser.
async fn accept(what: &str, challenge: &str, body: &Value) -> Outcome<Url> {
    let query = http::form(&[(&*format!("{what}_challenge"), challenge)]);
    let path = format!("/oauth2/auth/requests/{what}/accept?{query}");
    let answer = admin(Method::PUT, &path, body).await?;
    let next = answer.get("redirect_to").and_then(Value::as_str);
    Ok(Url::parse(next.ok_or_else(|| Failure::new(format!("no redirect_to of the {what}")))?)?)
}

async fn redirect(browser: &mut Browser, url: &Url) -> Outcome<Url> {
    match browser.get(url).await? {
        Step::Redirect(to) => Ok(to),
        Step::Page { url, .. } => Err(Failure::new(format!("{url} should redirect"))),
    }
}
