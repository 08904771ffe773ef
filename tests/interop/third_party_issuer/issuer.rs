//! `oidc-provider`, and the tokens that it issues.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use portcullis_test_support::process::Process;
use serde_json::Value;
use tokio::process::Command;
use url::form_urlencoded;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/third_party/oidc-provider");

/// The secret of every client in `server.mjs`.
const SECRET: &str = "only-for-tests";

#[derive(Debug)]
pub(crate) struct Issuer {
    url: String,
    client: reqwest::Client,
    _process: Process,
}

impl Issuer {
    /// Starts an issuer on its own port with its own keys.
    pub(crate) async fn start() -> Self {
        // `cargo xtask test` names the Node that it found or installed.
        let node = std::env::var_os("PORTCULLIS_NODE").unwrap_or_else(|| "node".into());
        let mut command = Command::new(node);
        command.arg("server.mjs").current_dir(DIRECTORY);
        let (process, url) = Process::start("oidc-provider", &mut command, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(line.get("issuer")?.as_str()?.to_owned())
        })
        .await;
        Self { url, client: crate::app::http_client(), _process: process }
    }

    /// The issuer's identifier, which is also its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// An access token for a resource (RFC 8707), from the client credentials grant.
    pub(crate) async fn access_token(&self, client: &str, resource: &str, scope: &str) -> String {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("resource", resource)
            .append_pair("scope", scope)
            .finish();
        let request = self
            .client
            .post(format!("{}/token", self.url))
            .basic_auth(client, Some(SECRET))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        token_in(request, "access_token").await
    }

    /// The ID token of a user who logged in to a client whose id is the API's audience.
    pub(crate) async fn id_token(&self) -> String {
        token_in(self.client.get(format!("{}/test/id-token", self.url)), "id_token").await
    }
}

async fn token_in(request: reqwest::RequestBuilder, name: &str) -> String {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.text().await.unwrap();
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// A token's header, unverified.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

/// A token's claims, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a JWT has three parts");
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).expect("its parts are base64url");
    serde_json::from_slice(&json).expect("its header and claims are JSON")
}
