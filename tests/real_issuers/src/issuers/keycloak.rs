//! Keycloak, started as on its page.

use std::time::Duration;

use portcullis::Policy;
use portcullis::feed::LogoutMatch;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Facts, Issuer, LOGOUT, LOGOUT_PATH, Login, Logouts, SECRET, Start, next_number};
use crate::failure::{Failure, Outcome};
use crate::http::{self, post_form, with_json};
use crate::instances::API;

const SERVER: &str = "http://127.0.0.1:8180";

/// The ways to end a session.
const DELETE: &str = "`DELETE` of the session by an administrator";
const REFRESH_TOKEN: &str = "logout by refresh token";

const PASSWORD: &str = "correct horse battery staple";

#[derive(Debug, Clone)]
pub(crate) struct Keycloak;

impl Issuer for Keycloak {
    fn facts() -> Facts {
        Facts {
            name: "Keycloak",
            version: "26.7.3",
            page: "keycloak",
            profile: "keycloak",
            indistinct: false,
            issuer: "http://127.0.0.1:8180/realms/shop",
            ready: "http://127.0.0.1:9100/health/ready",
            ready_within: Duration::from_secs(180),
            start: Start::Page(&[]),
            policies: [
                Policy::scopes(["email"]).and(Policy::roles(["orders"])),
                Policy::scopes(["email"]).and(Policy::any_role(["refunds"])),
            ],
            policy_words: "`scope`, `realm_access.roles`",
            algorithms: &[
                "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
                "EdDSA",
            ],
            about_algorithms: "",
            rotates_within: Duration::from_secs(10),
            logouts: Some(Logouts {
                session_at: &["sid"],
                matches: LogoutMatch::Session,
                untyped: false,
                omitted: &[],
                ways: &[DELETE, REFRESH_TOKEN],
            }),
        }
    }

    /// Creates a client whose id is the API's audience, with a user, for ID tokens.
    async fn set_up(&self) -> Outcome<()> {
        let client = json!({
            "clientId": API, "secret": SECRET, "directAccessGrantsEnabled": true,
            "standardFlowEnabled": false,
            "attributes": {
                "backchannel.logout.url": format!("http://{LOGOUT}{LOGOUT_PATH}"),
                "backchannel.logout.session.required": "true",
            },
            "protocolMappers": [{
                "name": "orders-api", "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": API, "access.token.claim": "true"},
            }],
        });
        admin(Method::POST, "/clients", &client).await?;
        let user = json!({
            "username": "alice", "enabled": true, "email": "alice@example.com",
            "emailVerified": true, "firstName": "Alice", "lastName": "Example",
            "credentials": [{"type": "password", "value": PASSWORD}],
        });
        admin(Method::POST, "/users", &user).await.map(drop)
    }

    async fn access_token(&self) -> Outcome<String> {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "billing"),
            ("client_secret", SECRET),
        ];
        token("shop", &fields, "access_token").await
    }

    async fn sign_with(&self, algorithm: &str) -> Outcome<()> {
        let attributes = json!({"access.token.signed.response.alg": algorithm});
        set_attributes(&attributes).await
    }

    async fn id_token(&self) -> Outcome<String> {
        Ok(self.log_in().await?.id_token)
    }

    /// Creates a key of a higher priority; the previous key stays published.
    async fn rotate(&self) -> Outcome<()> {
        let priority = next_number();
        let key = json!({
            "name": format!("rotated-{priority}"), "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": [priority.to_string()], "algorithm": ["RS256"]},
        });
        admin(Method::POST, "/components", &key).await.map(drop)
    }

    async fn other_tokens(&self) -> Outcome<Vec<(&'static str, String)>> {
        let name = "client.use.lightweight.access.token.enabled";
        set_attributes(&json!({ name: "true" })).await?;
        let lightweight = self.access_token().await?;
        set_attributes(&json!({ name: "false" })).await?;
        let login = self.log_in().await?;
        let logout = http::logout_token(LOGOUT, self.end_session(&login, REFRESH_TOKEN)).await?;
        Ok(vec![
            ("refresh token", login.refresh_token),
            ("logout token", logout),
            ("lightweight access token without `aud`", lightweight),
        ])
    }

    async fn log_in(&self) -> Outcome<Login> {
        let fields = [
            ("grant_type", "password"),
            ("client_id", API),
            ("client_secret", SECRET),
            ("username", "alice"),
            ("password", PASSWORD),
            ("scope", "openid"),
        ];
        let url = format!("{SERVER}/realms/shop/protocol/openid-connect/token");
        Login::of(&http::json(post_form(&http::client()?, &url, &fields)).await?)
    }

    async fn end_session(&self, login: &Login, way: &str) -> Outcome<()> {
        if way == DELETE {
            let path = format!("/sessions/{}", login.session()?);
            return admin(Method::DELETE, &path, &Value::Null).await.map(drop);
        }
        let url = format!("{SERVER}/realms/shop/protocol/openid-connect/logout");
        let refresh_token = ("refresh_token", login.refresh_token.as_str());
        let fields = [("client_id", API), ("client_secret", SECRET), refresh_token];
        http::text(post_form(&http::client()?, &url, &fields)).await.map(drop)
    }
}

async fn token(realm: &str, fields: &[(&str, &str)], member: &str) -> Outcome<String> {
    let url = format!("{SERVER}/realms/{realm}/protocol/openid-connect/token");
    http::string(post_form(&http::client()?, &url, fields), member).await
}

/// Sends a request to the realm's administration API.
async fn admin(method: Method, path: &str, body: &Value) -> Outcome<String> {
    let fields = [
        ("grant_type", "password"),
        ("client_id", "admin-cli"),
        ("username", "admin"),
        ("password", "admin"),
    ];
    let token = token("master", &fields, "access_token").await?;
    let url = format!("{SERVER}/admin/realms/shop{path}");
    http::text(with_json(&http::client()?, method, &url, Some(&token), body)).await
}

/// Sets attributes of the client that requests access tokens.
async fn set_attributes(attributes: &Value) -> Outcome<()> {
    let found = admin(Method::GET, "/clients?clientId=billing", &Value::Null).await?;
    let found: Value = serde_json::from_str(&found)?;
    let id = found.pointer("/0/id").and_then(Value::as_str);
    let id = id.ok_or_else(|| Failure::new("no client `billing`"))?;
    let client = json!({"clientId": "billing", "attributes": attributes});
    admin(Method::PUT, &format!("/clients/{id}"), &client).await.map(drop)
}
