//! The client's requests to the issuer: grants, refreshes and introspections.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Uri};
use portcullis::fetch::{Fetch as _, FetchRequest, ReqwestFetch};
use serde_json::Value;

use super::IssuerArguments;
use super::limited::late;
use crate::exit::Failure;

/// In bytes: enough for metadata, key sets and responses about a token.
const MAX_BODY: usize = 512 * 1024;

/// Sends requests with a timeout, and counts them.
pub(super) struct Http {
    fetch: ReqwestFetch,
    deadline: Duration,
    pub(super) requests: u64,
}

/// The client's credentials. No error and no output contains the secret.
pub(super) struct Client {
    authorization: HeaderValue,
    scope: Option<String>,
    pub(super) user: Option<User>,
}

/// A user's credentials. No error and no output contains the password.
pub(super) struct User {
    name: String,
    password: String,
}

/// The tokens of a response, and the lifetime of the access token (`expires_in`).
pub(super) struct Granted {
    pub(super) access_token: String,
    pub(super) expires_in: Option<f64>,
    pub(super) refresh_token: Option<String>,
}

impl Http {
    pub(super) fn new(fetch: ReqwestFetch, deadline: Duration) -> Self {
        Self { fetch, deadline, requests: 0 }
    }

    pub(super) async fn get(&mut self, what: &str, url: &str) -> Result<Bytes, Failure> {
        self.requests += 1;
        let request = FetchRequest::new(url, MAX_BODY);
        let answer = tokio::time::timeout(self.deadline, self.fetch.get(request)).await;
        whole(what, url, answer, self.deadline)
    }

    async fn post(
        &mut self,
        what: &str,
        url: &str,
        client: &Client,
        fields: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        if !is_private(url) {
            return Err(Failure::wrong(format!(
                "--issuer: the {what} is {url}: a secret is sent only over https or to this machine"
            )));
        }
        self.requests += 1;
        let mut request = FetchRequest::new(url, MAX_BODY);
        request.headers.insert(AUTHORIZATION, client.authorization.clone());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers.insert(CONTENT_TYPE, form);
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let body = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = Bytes::from(body.collect::<Vec<_>>().join("&"));
        let answer = tokio::time::timeout(self.deadline, self.fetch.post(request, body)).await;
        let body = whole(what, url, answer, self.deadline)?;
        serde_json::from_slice(&body).map_err(|_| {
            Failure::wrong(format!("--issuer: the {what} at {url} did not answer with JSON"))
        })
    }

    /// Requests a token with a client-credentials grant.
    pub(super) async fn grant(&mut self, url: &str, client: &Client) -> Result<Granted, Failure> {
        self.tokens(url, client, &with_scope(client, &[("grant_type", "client_credentials")])).await
    }

    /// Logs the user in with the password grant.
    pub(super) async fn log_in(
        &mut self,
        url: &str,
        client: &Client,
        user: &User,
    ) -> Result<Granted, Failure> {
        let fields =
            [("grant_type", "password"), ("username", &user.name), ("password", &user.password)];
        self.tokens(url, client, &with_scope(client, &fields)).await
    }

    /// Refreshes with the scope of the login.
    pub(super) async fn refresh(
        &mut self,
        url: &str,
        client: &Client,
        refresh_token: &str,
    ) -> Result<Granted, Failure> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.tokens(url, client, &fields).await
    }

    async fn tokens(
        &mut self,
        url: &str,
        client: &Client,
        fields: &[(&str, &str)],
    ) -> Result<Granted, Failure> {
        let answer = self.post("token endpoint", url, client, fields).await?;
        let token = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let access_token = token("access_token").ok_or_else(|| {
            Failure::wrong(format!(
                "--issuer: the token endpoint at {url} returned no `access_token`"
            ))
        })?;
        Ok(Granted {
            access_token,
            expires_in: answer.get("expires_in").and_then(Value::as_f64),
            refresh_token: token("refresh_token"),
        })
    }

    /// Returns whether the issuer reports the token as active.
    pub(super) async fn introspect(
        &mut self,
        url: &str,
        client: &Client,
        token: &str,
    ) -> Result<bool, Failure> {
        let answer = self.post("introspection endpoint", url, client, &[("token", token)]).await?;
        Ok(answer.get("active").and_then(Value::as_bool) == Some(true))
    }
}

impl Client {
    /// Returns the client that the options name, if any.
    pub(super) fn read(arguments: &IssuerArguments) -> Result<Option<Self>, Failure> {
        let (Some(id), Some(file)) = (&arguments.client_id, &arguments.client_secret_file) else {
            return Ok(None);
        };
        let secret = first_line("--client-secret-file", file, "the secret")?;
        // RFC 6749 §2.3.1: the id and the secret are form-encoded before they are joined.
        let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(&secret)));
        let mut authorization = HeaderValue::from_str(&format!("Basic {pair}"))
            .map_err(|_| Failure::wrong("--client-id: not valid in a header"))?;
        authorization.set_sensitive(true);
        let user = match (&arguments.username, &arguments.password_file) {
            (Some(name), Some(file)) => Some(User {
                name: name.clone(),
                password: first_line("--password-file", file, "the password")?,
            }),
            _ => None,
        };
        Ok(Some(Self { authorization, scope: arguments.client_scope.clone(), user }))
    }
}

fn with_scope<'a>(client: &'a Client, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let scope = client.scope.as_deref().map(|scope| ("scope", scope));
    fields.iter().copied().chain(scope).collect()
}

fn first_line(option: &str, file: &Path, what: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::wrong(format!("{option}: {}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(wrong(&format!("the first line is empty; it must be {what}")));
    }
    Ok(line.to_owned())
}

/// The header of a JWT. Only the algorithm is read from it.
pub(super) fn header(token: &str) -> Option<Value> {
    part(token, 0)
}

/// The unverified claims of a JWT. Only the lifetime and `status` are read from them.
pub(super) fn claims(token: &str) -> Option<Value> {
    part(token, 1)
}

fn part(token: &str, number: usize) -> Option<Value> {
    let part = token.split('.').nth(number)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

type Answered = Result<
    Result<http::Response<Bytes>, Box<dyn std::error::Error + Send + Sync>>,
    tokio::time::error::Elapsed,
>;

fn whole(what: &str, url: &str, answer: Answered, deadline: Duration) -> Result<Bytes, Failure> {
    let failed = |why: String| Failure::no_keys(format!("--issuer: the {what} at {url}: {why}"));
    let answer =
        answer.map_err(|_| failed(late(deadline)))?.map_err(|error| failed(error.to_string()))?;
    if answer.status().is_success() {
        return Ok(answer.into_body());
    }
    // Shows only the error code of RFC 6749 §5.2: the rest of the response is arbitrary text.
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let name = body.get("error").and_then(Value::as_str).unwrap_or_default();
    let is_name = name.len() < 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let name = if is_name && !name.is_empty() { format!(", {name}") } else { String::new() };
    Err(failed(format!("{}{name}", answer.status())))
}

/// Whether requests to the URL cannot be read by others: https, or a loopback address.
fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => ["localhost", "127.0.0.1", "[::1]"].contains(&host),
        _ => false,
    }
}

/// Encodes the text as `application/x-www-form-urlencoded`.
fn encoded(text: &str) -> String {
    let mut form = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            form.push(char::from(byte));
        } else {
            form.push_str(&format!("%{byte:02X}"));
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_encoded_and_sent_over_private_connections_only() {
        assert_eq!(encoded("a b&c=%é"), "a%20b%26c%3D%25%C3%A9");
        for (url, private) in [
            ("https://auth.example/token", true),
            ("http://127.0.0.1:8180/token", true),
            ("http://localhost/token", true),
            ("http://[::1]:80/token", true),
            ("http://auth.example/token", false),
            ("http://127.0.0.1.example/token", false),
            ("ftp://127.0.0.1/token", false),
            ("/token", false),
        ] {
            assert_eq!(is_private(url), private, "{url}");
        }
    }
}
