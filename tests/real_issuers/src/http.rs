//! Requests to an issuer, and the part of a browser that a login needs.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::failure::{Failure, Outcome};

/// A client that follows no redirects and ignores the proxy settings of the environment.
pub(crate) fn client() -> Outcome<Client> {
    let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    Ok(builder.timeout(Duration::from_secs(30)).build()?)
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(crate) fn post_form(client: &Client, url: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let request = client.post(url).header("content-type", "application/x-www-form-urlencoded");
    request.body(form(fields))
}

/// Sends JSON, with a bearer token if there is one.
pub(crate) fn with_json(
    client: &Client,
    method: Method,
    url: &str,
    token: Option<&str>,
    body: &Value,
) -> RequestBuilder {
    let mut request = client.request(method, url).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.body(body.to_string())
}

/// The text of a successful response.
pub(crate) async fn text(request: RequestBuilder) -> Outcome<String> {
    let response = request.send().await?;
    let (status, url) = (response.status(), response.url().clone());
    let body = response.text().await?;
    if !status.is_success() {
        return Err(Failure::new(format!("{url} answered {status}: {body}")));
    }
    Ok(body)
}

/// The JSON of a successful response.
pub(crate) async fn json(request: RequestBuilder) -> Outcome<Value> {
    Ok(serde_json::from_str(&text(request).await?)?)
}

/// A string member of the JSON.
pub(crate) async fn string(request: RequestBuilder, member: &str) -> Outcome<String> {
    let json = json(request).await?;
    let value = json.get(member).and_then(Value::as_str).map(str::to_owned);
    value.ok_or_else(|| Failure::new(format!("no {member} among {:?}", names(&json))))
}

fn names(json: &Value) -> Vec<&String> {
    json.as_object().map(|object| object.keys().collect()).unwrap_or_default()
}

/// A token's header, unverified.
pub(crate) fn header(token: &str) -> Outcome<Value> {
    part(token, 0)
}

/// A token's claims, unverified.
pub(crate) fn claims(token: &str) -> Outcome<Value> {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Outcome<Value> {
    let part = token.split('.').nth(index).ok_or_else(|| Failure::new("not a JWT"))?;
    Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part)?)?)
}

/// Keeps the cookies of one host.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

/// The result of a browser's request: the target of a redirect, or a page.
pub(crate) enum Step {
    Redirect(Url),
    Page { url: Url, body: String },
}

impl Browser {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self { client: client()?, cookies: BTreeMap::new() })
    }

    pub(crate) async fn get(&mut self, url: &Url) -> Outcome<Step> {
        self.send(self.client.get(url.clone())).await
    }

    pub(crate) async fn post(&mut self, url: &Url, fields: &[(&str, &str)]) -> Outcome<Step> {
        self.send(post_form(&self.client, url.as_str(), fields)).await
    }

    pub(crate) async fn json(&mut self, method: Method, url: &Url, body: &Value) -> Outcome<Step> {
        self.send(with_json(&self.client, method, url.as_str(), None, body)).await
    }

    async fn send(&mut self, request: RequestBuilder) -> Outcome<Step> {
        let cookies: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = request.header("cookie", cookies.join("; "));
        let response = request.header("accept", "text/html").send().await?;
        self.keep_cookies(&response);
        let url = response.url().clone();
        let location = response.headers().get("location").and_then(|value| value.to_str().ok());
        if let Some(location) = location {
            return Ok(Step::Redirect(url.join(location)?));
        }
        let status = response.status();
        let body = response.text().await?;
        if status.is_success() {
            return Ok(Step::Page { url, body });
        }
        Err(Failure::new(format!("{url} answered {status}: {body}")))
    }

    fn keep_cookies(&mut self, response: &Response) {
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.to_owned());
            }
        }
    }
}

/// The text between the two markers.
pub(crate) fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// A parameter of a URL's query.
pub(crate) fn parameter(url: &Url, name: &str) -> Outcome<String> {
    let found = url.query_pairs().find(|(key, _)| key == name);
    let found = found.map(|(_, value)| value.into_owned());
    found.ok_or_else(|| Failure::new(format!("no {name} in {url}")))
}

/// Waits for one logout token (OpenID Connect Back-Channel Logout 1.0) at `http://ADDRESS/logout`, while
/// `end_session` makes the issuer send it.
pub(crate) async fn logout_token(
    address: &str,
    end_session: impl Future<Output = Outcome<()>>,
) -> Outcome<String> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let (sender, mut sent) = tokio::sync::mpsc::channel(1);
    let receive = async move |body: String| {
        let fields = form_urlencoded::parse(body.as_bytes());
        let token = fields.into_iter().find(|(name, _)| name == "logout_token");
        if let Some((_, token)) = token {
            let _ = sender.send(token.into_owned()).await;
        }
        // The issuer must not use this connection for its next logout token, because this server
        // ends.
        [("connection", "close")]
    };
    let app = axum::Router::new().route("/logout", axum::routing::post(receive));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let ended = end_session.await;
    let token = tokio::time::timeout(Duration::from_secs(10), sent.recv()).await;
    server.abort();
    ended?;
    token.ok().flatten().ok_or_else(|| Failure::new("no logout token came within 10 s"))
}
