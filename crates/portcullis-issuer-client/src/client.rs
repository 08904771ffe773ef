//! The client of the issuer's API.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use reqwest::{Client, Response, redirect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::error::ClientError;
use crate::token::CallerToken;

/// The timeout of a request. It is far longer than the issuer needs, and limits how long the app's
/// caller waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum size of a response, in bytes: that of a list of 2,500 sessions, each with a long
/// `User-Agent`. All roles and scopes of a user have at most 2 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A client that calls the issuer with a caller's own token. Cloning is cheap, and clones share connections.
///
/// ```no_run
/// use portcullis_issuer_client::{CallerToken, ClientError, IssuerClient};
///
/// # async fn f(headers: http::HeaderMap) -> Result<(), ClientError> {
/// let issuer = IssuerClient::new("https://auth.example")?;
/// let caller = CallerToken::from_headers(&headers)?;
/// match issuer.me(&caller).await {
///     Ok(me) => println!("{} has the roles {:?}", me.name, me.roles),
///     Err(ClientError::Rejected) => println!("the session has ended"),
///     Err(error) => return Err(error),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct IssuerClient {
    client: Client,
    issuer: Url,
}

/// The current data of a user. A token contains the data as they were when the token was issued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Me {
    /// The `sub` of the user's tokens.
    pub id: String,
    /// The login name.
    pub name: String,
    /// The user's roles.
    pub roles: Vec<String>,
    /// The user's scopes.
    pub scopes: Vec<String>,
}

/// A live session of a user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// The `sid` of the session's tokens, for [`IssuerClient::end_session`].
    pub id: String,
    /// When the user logged in, in seconds since 1970.
    pub created_at: i64,
    /// The time of the last refresh, in seconds since 1970; up to 5 minutes too early.
    pub last_used_at: i64,
    /// When the session expires if it is not used again, in seconds since 1970.
    pub expires_at: i64,
    /// The `User-Agent` of the login.
    pub user_agent: Option<String>,
    /// Whether the caller's token belongs to this session.
    pub current: bool,
}

/// The response to `GET /v1/auth/sessions`.
#[derive(Deserialize)]
struct Sessions {
    sessions: Vec<Session>,
}

impl IssuerClient {
    /// Creates a client of the issuer at this URL, which is the `iss` of its tokens.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::Url`] unless `issuer` is an https URL, or an http URL of a loopback
    /// host, and [`ClientError::Setup`] if the TLS backend cannot be set up.
    pub fn new(issuer: &str) -> Result<Self, ClientError> {
        let wrong = |why| ClientError::Url { url: issuer.to_owned(), why };
        let parsed = Url::parse(issuer)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| wrong("it must be an absolute URL, such as https://auth.example"))?;
        if parsed.scheme() == "http" && !is_loopback(&parsed) {
            return Err(wrong("plain http is allowed for a loopback host only; use https"));
        }
        // A redirect would send the token to another server.
        let mut client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        if is_loopback(&parsed) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| ClientError::Setup(error.into()))?;
        Ok(Self { client, issuer: parsed })
    }

    /// Returns the user whose token this is (`GET /v1/users/me`).
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::Rejected`] if the session has ended, [`ClientError::Unreachable`] if
    /// there is no response within 5 seconds, and [`ClientError::Unexpected`] for any other response.
    pub async fn me(&self, caller: &CallerToken) -> Result<Me, ClientError> {
        self.get(&["users", "me"], caller).await
    }

    /// Returns the live sessions of the user whose token this is, the most recently used first
    /// (`GET /v1/auth/sessions`).
    ///
    /// # Errors
    ///
    /// The errors of [`me`](Self::me).
    pub async fn sessions(&self, caller: &CallerToken) -> Result<Vec<Session>, ClientError> {
        let Sessions { sessions } = self.get(&["auth", "sessions"], caller).await?;
        Ok(sessions)
    }

    /// Ends a session of the user whose token this is (`DELETE /v1/auth/sessions/{id}`). Its
    /// refresh token stops working at once; apps that validate locally accept its access tokens
    /// until they expire.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::NoSuchSession`] if the user has no session with this `id`, and
    /// [`ClientError::Rejected`] if the session of `caller` has ended. Returns
    /// [`ClientError::Unreachable`] if there is no response within 5 seconds, and
    /// [`ClientError::Unexpected`] for any other response.
    pub async fn end_session(&self, caller: &CallerToken, id: &str) -> Result<(), ClientError> {
        // As path segments, these values would address another resource.
        if matches!(id, "" | "." | "..") {
            return Err(ClientError::NoSuchSession);
        }
        let path = ["auth", "sessions", id];
        match self.send(Method::DELETE, &path, caller).await?.status() {
            StatusCode::NO_CONTENT => Ok(()),
            StatusCode::NOT_FOUND => Err(ClientError::NoSuchSession),
            status => Err(ClientError::Unexpected(status)),
        }
    }

    /// Reads a JSON document.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        caller: &CallerToken,
    ) -> Result<T, ClientError> {
        let mut response = self.send(Method::GET, path, caller).await?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY_BYTES {
                return Err(ClientError::Unexpected(status));
            }
        }
        match status {
            StatusCode::OK => {
                serde_json::from_slice(&body).map_err(|_| ClientError::Unexpected(status))
            }
            _ => Err(ClientError::Unexpected(status)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        caller: &CallerToken,
    ) -> Result<Response, ClientError> {
        let mut url = self.issuer.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        let request = self.client.request(method, url);
        let request = request.header(AUTHORIZATION, caller.authorization());
        let response = request.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ClientError::Rejected),
            _ => Ok(response),
        }
    }
}

/// Whether the host needs no TLS. `*.localhost` needs TLS, because a resolver may map it to another
/// machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Converts the error without its URL, which may contain data that a caller sent.
fn unreachable(error: reqwest::Error) -> ClientError {
    ClientError::Unreachable(error.without_url().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_issuer_url_is_rejected_with_the_reason() {
        for (url, why) in [
            ("http://auth.example", "use https"),
            ("http://auth.localhost", "use https"),
            ("auth.example", "an absolute URL"),
            ("ftp://auth.example", "an absolute URL"),
        ] {
            let error = IssuerClient::new(url).unwrap_err().to_string();
            assert!(error.contains(url) && error.contains(why), "{error}");
        }
        for url in
            ["https://auth.example", "http://127.0.0.1:8080", "http://[::1]", "http://localhost"]
        {
            assert!(IssuerClient::new(url).is_ok(), "{url}");
        }
    }
}
