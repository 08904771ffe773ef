//! The steps of the tour, each with a line of output and a check of its result.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use crate::latency;
use crate::setup::{ALICE, BRIEF, Servers};

/// The issuer's response to a login or a refresh (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

struct Tour<'s> {
    servers: &'s Servers,
    client: Client,
    as_expected: bool,
}

/// Runs every step. Returns `false` if a step has an unexpected result.
pub(crate) async fn run(servers: &Servers) -> Result<bool, Box<dyn Error>> {
    let client = Client::builder().no_proxy().build()?;
    let mut tour = Tour { servers, client, as_expected: true };

    let tokens = tour.log_in(&servers.issuer_url).await?;
    tour.say(
        &format!("login: access token ({} s) and refresh token", tokens.expires_in),
        tokens.expires_in == 900,
        &kid(&tokens.access_token)?,
    );
    let token = tokens.access_token.as_str();
    tour.call("valid token", "/orders", Some(token), 200).await?;

    tour.call("no token", "/orders", None, 401).await?;
    let tampered = tamper(token)?;
    tour.call("tampered token", "/orders", Some(&tampered), 401).await?;
    tour.call("wrong audience", "/billing", Some(token), 401).await?;
    tour.call("missing scope", "/orders/export", Some(token), 403).await?;
    let brief = tour.log_in(&servers.brief_url).await?.access_token;
    tokio::time::sleep(BRIEF).await;
    tour.call("expired token", "/orders", Some(&brief), 401).await?;

    let refreshed = tour.refresh(&tokens.refresh_token).await?;
    tour.call("refreshed token", "/orders", Some(&refreshed.access_token), 200).await?;

    let new_kid = servers.issuer.rotate_keys_now().await?;
    let rotated = tour.refresh(&refreshed.refresh_token).await?;
    let key_id = kid(&rotated.access_token)?;
    tour.say("key rotation: new tokens have the new key", key_id.contains(&new_kid), &key_id);
    tour.call("  token signed by the new key", "/orders", Some(&rotated.access_token), 200).await?;
    tour.call("  token signed by the old key", "/orders", Some(token), 200).await?;

    tour.latency(&rotated.access_token).await;
    tour.cookie_and_logout(&rotated).await?;
    Ok(tour.as_expected)
}

impl Tour<'_> {
    async fn log_in(&self, issuer: &str) -> Result<Tokens, Box<dyn Error>> {
        let (username, password) = ALICE;
        let body = json!({"username": username, "password": password});
        self.tokens(self.client.post(format!("{issuer}/v1/auth/login")).json(&body)).await
    }

    async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Box<dyn Error>> {
        let url = format!("{}/v1/auth/refresh", self.servers.issuer_url);
        self.tokens(self.client.post(url).json(&json!({"refresh_token": refresh_token}))).await
    }

    async fn tokens(&self, request: RequestBuilder) -> Result<Tokens, Box<dyn Error>> {
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Calls the API, and prints the result.
    async fn call(
        &mut self,
        what: &str,
        path: &str,
        token: Option<&str>,
        expected: u16,
    ) -> Result<(), Box<dyn Error>> {
        let mut request = self.client.get(format!("{}{path}", self.servers.api_url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        self.send(what, request, expected).await
    }

    async fn send(
        &mut self,
        what: &str,
        request: RequestBuilder,
        expected: u16,
    ) -> Result<(), Box<dyn Error>> {
        let response = request.send().await?;
        let status = response.status();
        let challenge = response.headers().get("www-authenticate").cloned();
        let mut came_out = status.to_string();
        if let Some(challenge) = &challenge {
            came_out.push_str("\n      ");
            came_out.push_str(challenge.to_str()?);
        }
        // A 401 must have a challenge (RFC 9110 §15.5.2).
        let right = status == expected && (expected != 401 || challenge.is_some());
        self.say(what, right, &came_out);
        Ok(())
    }

    /// Shows the cookie instead of the header, and the effect of a logout.
    async fn cookie_and_logout(&mut self, tokens: &Tokens) -> Result<(), Box<dyn Error>> {
        let issuer = &self.servers.issuer_url;
        let cookie = format!("__Host-portcullis-access={}", tokens.access_token);
        let me = || self.client.get(format!("{issuer}/v1/users/me")).header("cookie", &cookie);
        let orders = self.client.get(format!("{}/orders", self.servers.api_url));
        let with_cookie = orders.header("cookie", &cookie);
        let (before, after) = (me(), me());
        self.send("cookie instead of the header", with_cookie, 200).await?;
        self.send("  the same at the issuer", before, 200).await?;

        let body = json!({"refresh_token": tokens.refresh_token});
        let logout = self.client.post(format!("{issuer}/v1/auth/logout")).json(&body);
        let refresh = self.client.post(format!("{issuer}/v1/auth/refresh")).json(&body);
        self.send("logout", logout, 204).await?;
        self.send("  refresh token revoked", refresh, 401).await?;
        self.send("  session ended at the issuer", after, 401).await?;
        let lag = format!("  API accepts the token until it expires ({} s)", tokens.expires_in);
        self.call(&lag, "/orders", Some(&tokens.access_token), 200).await
    }

    async fn latency(&mut self, token: &str) {
        match latency::measure(&self.servers.auth, token).await {
            Some(measured) => self.say("local validation", true, &measured.to_string()),
            None => self.say("local validation", false, "a valid token was rejected"),
        }
    }

    fn say(&mut self, what: &str, right: bool, came_out: &str) {
        let mark = if right { "ok" } else { "NO" };
        println!("{mark:>3}  {what:<50} {came_out}");
        self.as_expected &= right;
    }
}

/// Changes a character in the middle of the token's payload.
fn tamper(token: &str) -> Result<String, Box<dyn Error>> {
    let (header, rest) = token.split_once('.').ok_or("the access token is not a JWT")?;
    let (payload, signature) = rest.split_once('.').ok_or("the access token is not a JWT")?;
    let (before, after) = payload.split_at(payload.len() / 2);
    let other = if after.starts_with('A') { 'B' } else { 'A' };
    Ok(format!("{header}.{before}{other}{}.{signature}", after.get(1..).unwrap_or_default()))
}

/// Returns `kid …`, from the token's header.
fn kid(token: &str) -> Result<String, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    let encoded = token.split('.').next().unwrap_or_default();
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded)?)?;
    Ok(format!("kid {}", header.kid))
}
