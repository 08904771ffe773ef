//! glewlwyd, started as on its page.

use std::path::PathBuf;
use std::time::Duration;

use portcullis::Policy;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{Facts, Issuer, SECRET, Start, next_number};
use crate::failure::{Failure, Outcome};
use crate::http::{self, Browser, Step, parameter, post_form};
use crate::instances::API;
use crate::process::Script;

const SERVER: &str = "http://127.0.0.1:4593/api";
const CALLBACK: &str = "http://127.0.0.1:4594/callback";

/// glewlwyd, and the folder with the key generator that its page unpacks.
#[derive(Debug, Clone)]
pub(crate) struct Glewlwyd {
    pub(crate) folder: PathBuf,
}

impl Issuer for Glewlwyd {
    fn facts() -> Facts {
        Facts {
            name: "glewlwyd",
            version: "2.7.5",
            page: "glewlwyd",
            profile: "rfc9068",
            indistinct: false,
            issuer: "http://127.0.0.1:4593/api/oidc",
            ready: "http://127.0.0.1:4593/api/oidc/jwks",
            ready_within: Duration::from_secs(60),
            start: Start::Page(&[]),
            policies: [Policy::scopes(["orders"]), Policy::scopes(["refunds"])],
            policy_words: "`scope`",
            algorithms: &[
                "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
                "EdDSA",
            ],
            about_algorithms: " (EC keys with shortened coordinates were discarded and generated again)",
            rotates_within: Duration::from_secs(5),
            logouts: None,
        }
    }

    /// Creates a client whose id is the API's audience, with a user, for ID tokens.
    async fn set_up(&self) -> Outcome<()> {
        let client = json!({
            "client_id": API, "name": "Web", "enabled": true, "confidential": true,
            "password": SECRET, "authorization_type": ["code"], "redirect_uri": [CALLBACK],
            "token_endpoint_auth_method": ["client_secret_post"],
        });
        let user = json!({
            "username": "alice", "name": "Alice", "password": SECRET, "enabled": true,
            "scope": ["openid"],
        });
        let mut admin = logged_in("admin", "password").await?;
        call(&mut admin, Method::POST, "/client/", &client).await?;
        call(&mut admin, Method::POST, "/user/", &user).await.map(drop)
    }

    async fn access_token(&self) -> Outcome<String> {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "billing"),
            ("client_secret", SECRET),
            ("resource", API),
            ("scope", "orders"),
        ];
        token(&fields, "access_token").await
    }

    async fn sign_with(&self, algorithm: &str) -> Outcome<()> {
        self.new_key(algorithm).await
    }

    async fn id_token(&self) -> Outcome<String> {
        let mut browser = logged_in("alice", SECRET).await?;
        let consent = json!({"scope": "openid"});
        let path = "/auth/grant/https%3A%2F%2Fapi.example";
        call(&mut browser, Method::PUT, path, &consent).await?;
        let query = http::form(&[
            ("response_type", "code"),
            ("client_id", API),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("state", "some-state"),
            ("nonce", "some-nonce"),
            // glewlwyd's own login page appends this parameter.
            ("g_continue", ""),
        ]);
        match browser.get(&Url::parse(&format!("{SERVER}/oidc/auth?{query}"))?).await? {
            Step::Redirect(callback) => {
                let code = parameter(&callback, "code")?;
                let fields = [
                    ("grant_type", "authorization_code"),
                    ("client_id", API),
                    ("client_secret", SECRET),
                    ("code", &code),
                    ("redirect_uri", CALLBACK),
                ];
                token(&fields, "id_token").await
            }
            Step::Page { url, .. } => Err(Failure::new(format!("{url} should redirect"))),
        }
    }

    async fn rotate(&self) -> Outcome<()> {
        self.new_key("RS256").await
    }
}

impl Glewlwyd {
    /// Puts a new key in front of the others, as its documentation describes.
    async fn new_key(&self, algorithm: &str) -> Outcome<()> {
        let kind = match algorithm {
            "ES256" => "ec256",
            "ES384" => "ec384",
            "ES512" => "ec521",
            "EdDSA" => "ed25519",
            _ => "rsa2048",
        };
        let make = format!(
            "export LD_LIBRARY_PATH=\"$PWD/root/usr/lib/x86_64-linux-gnu\"\n\
             root/usr/bin/rnbyc -j -g {kind} -k k{} -a {algorithm} -p /dev/null -o new.json",
            next_number(),
        );
        let new = loop {
            Script::run(&make, &self.folder, &self.folder.join("keys.log")).await?;
            let new = std::fs::read_to_string(self.folder.join("new.json"))?;
            let new: Value = serde_json::from_str(&new)?;
            if has_whole_coordinates(&new) {
                break new;
            }
        };

        let mut admin = logged_in("admin", "password").await?;
        let found = call(&mut admin, Method::GET, "/mod/plugin/oidc", &Value::Null).await?;
        let mut plugin: Value = serde_json::from_str(&found)?;
        let keys = plugin.pointer_mut("/parameters/jwks-private");
        let keys = keys.ok_or_else(|| Failure::new("the plugin has no `jwks-private`"))?;
        let before: Value = serde_json::from_str(keys.as_str().unwrap_or_default())?;
        let of = |set: &Value| set.get("keys").and_then(Value::as_array).cloned();
        let (Some(mut all), Some(before)) = (of(&new), of(&before)) else {
            return Err(Failure::new("a JWKS without `keys`"));
        };
        all.extend(before);
        *keys = Value::String(json!({ "keys": all }).to_string());
        call(&mut admin, Method::PUT, "/mod/plugin/oidc", &plugin).await?;
        call(&mut admin, Method::PUT, "/mod/plugin/oidc/reset/", &Value::Null).await.map(drop)
    }
}

/// Whether the key's coordinates have their full length, as RFC 7518 section 6.2.1.2 requires. The
/// generator omits leading zeros, which occur in three of four P-521 keys and in one of 128 P-256
/// keys.
fn has_whole_coordinates(set: &Value) -> bool {
    let text = |name| set.pointer(&format!("/keys/0/{name}")).and_then(Value::as_str);
    let length = match text("crv") {
        Some("P-256") => 43,
        Some("P-384") => 64,
        Some("P-521") => 88,
        _ => return true,
    };
    ["x", "y"].into_iter().filter_map(text).all(|coordinate| coordinate.len() == length)
}

async fn token(fields: &[(&str, &str)], member: &str) -> Outcome<String> {
    let url = format!("{SERVER}/oidc/token");
    http::string(post_form(&http::client()?, &url, fields), member).await
}

async fn logged_in(username: &str, password: &str) -> Outcome<Browser> {
    let mut browser = Browser::new()?;
    let login = json!({"username": username, "password": password});
    call(&mut browser, Method::POST, "/auth/", &login).await?;
    Ok(browser)
}

async fn call(browser: &mut Browser, method: Method, path: &str, body: &Value) -> Outcome<String> {
    match browser.json(method, &Url::parse(&format!("{SERVER}{path}"))?, body).await? {
        Step::Page { body, .. } => Ok(body),
        Step::Redirect(to) => Err(Failure::new(format!("a redirect to {to}"))),
    }
}
