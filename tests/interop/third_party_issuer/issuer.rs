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

/// The tokens of a user who logged in to the web app.
#[derive(Debug)]
pub(crate) struct Login {
    /// For the API.
    pub(crate) access_token: String,
    pub(crate) id_token: String,
}

impl Issuer {
    /// Starts an issuer on its own port with its own keys.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts an issuer that sends logout tokens to this URL.
    pub(crate) async fn with_logout_to(url: &str) -> Self {
        Self::start_with(|command| {
            command.env("BACKCHANNEL_LOGOUT_URI", url).env("no_proxy", "*");
        })
        .await
    }

    async fn start_with(change: impl FnOnce(&mut Command)) -> Self {
        // `cargo xtask test` names the Node that it found or installed.
        let node = std::env::var_os("PORTCULLIS_NODE").unwrap_or_else(|| "node".into());
        let mut command = Command::new(node);
        command.arg("server.mjs").current_dir(DIRECTORY);
        change(&mut command);
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

    /// Logs a user in, in a browser of its own.
    pub(crate) async fn log_in(&self) -> Login {
        let body = json_of(self.client.get(format!("{}/test/login", self.url))).await;
        let [access_token, id_token] =
            ["access_token", "id_token"].map(|name| text_of(&body, name));
        Login { access_token, id_token }
    }

    /// Ends the session of a login, as its browser does.
    pub(crate) async fn log_out(&self, login: &Login) {
        let request = self.client.post(format!("{}/test/logout", self.url));
        let response = request.body(login.id_token.clone()).send().await.unwrap();
        let status = response.status();
        assert_eq!(status, 200, "{}", response.text().await.unwrap());
    }

    /// The ID token of a user who logged in to a client whose id is the API's audience.
    pub(crate) async fn id_token(&self) -> String {
        token_in(self.client.get(format!("{}/test/id-token", self.url)), "id_token").await
    }
}

async fn json_of(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.text().await.unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

async fn token_in(request: reqwest::RequestBuilder, name: &str) -> String {
    text_of(&json_of(request).await, name)
}

fn text_of(body: &Value, name: &str) -> String {
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
