//! A client for an app that validates tokens itself and leaves single operations to the issuer.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Method, StatusCode};
use reqwest::{Client, Response, redirect};
use serde::Deserialize;
use url::Url;

use crate::config::is_loopback;

/// Far more than the issuer needs; the caller of the app is waiting.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than any user fits in: all roles and scopes have at most 2 KiB.
const MAX_BODY: usize = 64 * 1024;

/// Asks the issuer on behalf of a caller, with the caller's own token: the issuer knows at once
/// whether the session is over, which an app that validates locally learns when the token expires.
///
/// ```no_run
/// use axum::http::HeaderMap;
/// use portcullis_issuer::{ClientError, IssuerClient};
///
/// # async fn f(headers: HeaderMap) -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = IssuerClient::new("https://auth.example")?;
/// // What the caller sent to the app, passed on as it is.
/// let caller = headers.get("authorization").ok_or("no token")?;
/// match issuer.me(caller).await {
///     Ok(me) => println!("{} has the roles {:?}", me.name, me.roles),
///     Err(ClientError::Refused) => println!("the session is over"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
///
/// It follows no redirects: the token goes to the issuer and nowhere else.
#[derive(Debug, Clone)]
pub struct IssuerClient {
    client: Client,
    issuer: Url,
}

/// A user, as the issuer knows them now; their token may remember otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Me {
    /// The `sub` of their tokens.
    pub id: String,
    /// What they log in with.
    pub name: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// Their scopes.
    pub scopes: Vec<String>,
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The issuer's URL can not be used.
    #[error("the issuer's URL is {url:?}: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// What would be right.
        why: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The issuer does not take the token (any more): the session is over.
    #[error("the issuer refuses the token")]
    Refused,
    /// The user has no live session of this id.
    #[error("the user has no such session")]
    NoSuchSession,
    /// The issuer could not be reached in time.
    #[error("the issuer can not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The issuer answered with this status, or with a body that is no answer.
    #[error("the issuer answered {0}, and nothing that is an answer")]
    Unexpected(StatusCode),
}

impl ClientError {
    /// What an app may answer its own caller: 401 for [`Refused`](Self::Refused), 404 for
    /// [`NoSuchSession`](Self::NoSuchSession), 503 where the issuer could not be reached, and 502
    /// for whatever else it said.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused => StatusCode::UNAUTHORIZED,
            Self::NoSuchSession => StatusCode::NOT_FOUND,
            Self::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unexpected(_) => StatusCode::BAD_GATEWAY,
            Self::Url { .. } | Self::Setup(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IssuerClient {
    /// A client of the issuer at this URL, which is the `iss` of its tokens.
    ///
    /// # Errors
    ///
    /// [`ClientError::Url`] if tokens must not be sent there: it is https, or a loopback host.
    pub fn new(issuer: &str) -> Result<Self, ClientError> {
        let wrong = |why| ClientError::Url { url: issuer.to_owned(), why };
        let parsed = Url::parse(issuer)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| wrong("it must be an absolute one, such as https://auth.example"))?;
        if parsed.scheme() == "http" && !is_loopback(&parsed) {
            return Err(wrong("tokens are sent in the clear to a loopback host only; use https"));
        }
        let mut client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        if is_loopback(&parsed) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| ClientError::Setup(error.into()))?;
        Ok(Self { client, issuer: parsed })
    }

    /// `GET /v1/users/me`: the user whose `Authorization` header this is.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] if the session is over, and when the issuer gives no answer.
    pub async fn me(&self, authorization: &HeaderValue) -> Result<Me, ClientError> {
        let mut response = self.send(Method::GET, &["users", "me"], authorization).await?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
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

    /// `DELETE /v1/auth/sessions/{id}`: ends a session of the user whose `Authorization` header
    /// this is. Their refresh token is dead at once, their access tokens when they expire.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoSuchSession`] if the user has none of this `id`,
    /// [`ClientError::Refused`] if their own is over, and when the issuer gives no answer.
    pub async fn end_session(
        &self,
        authorization: &HeaderValue,
        id: &str,
    ) -> Result<(), ClientError> {
        // In a path these mean another place.
        if matches!(id, "" | "." | "..") {
            return Err(ClientError::NoSuchSession);
        }
        let path = ["auth", "sessions", id];
        match self.send(Method::DELETE, &path, authorization).await?.status() {
            StatusCode::NO_CONTENT => Ok(()),
            StatusCode::NOT_FOUND => Err(ClientError::NoSuchSession),
            status => Err(ClientError::Unexpected(status)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        authorization: &HeaderValue,
    ) -> Result<Response, ClientError> {
        let mut url = self.issuer.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        let mut authorization = authorization.clone();
        authorization.set_sensitive(true);
        let request = self.client.request(method, url).header(AUTHORIZATION, authorization);
        let response = request.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ClientError::Refused),
            _ => Ok(response),
        }
    }
}

/// Without the URL, which may have what a caller sent in it.
fn unreachable(error: reqwest::Error) -> ClientError {
    ClientError::Unreachable(error.without_url().into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{Issuer, IssuerConfig, NewUser};

    async fn login(url: &str) -> (HeaderValue, String) {
        let body = json!({"username": "alice", "password": "correct horse battery staple"});
        let answer = Client::new()
            .post(format!("{url}/v1/auth/login"))
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = answer.send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
        (bearer.parse().unwrap(), answer["session_id"].as_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn the_caller_is_known_until_the_session_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Issuer::open(IssuerConfig::new(&url, folder.path().join("db"))).await.unwrap();
        let alice = NewUser::new("alice", "correct horse battery staple").roles(["clerk"]);
        issuer.add_user(alice).await.unwrap();
        let server = issuer.clone();
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });

        let client = IssuerClient::new(&url).unwrap();
        let (phone, phone_session) = login(&url).await;
        let (laptop, laptop_session) = login(&url).await;
        let me = client.me(&phone).await.unwrap();
        assert_eq!((me.name.as_str(), me.roles), ("alice", vec!["clerk".to_owned()]));

        for nobodys in ["", ".", "..", "../../users/me", "?", "nobody's"] {
            let outcome = client.end_session(&laptop, nobodys).await;
            assert!(matches!(outcome, Err(ClientError::NoSuchSession)), "{nobodys}: {outcome:?}");
        }
        client.end_session(&laptop, &phone_session).await.unwrap();
        assert!(matches!(client.me(&phone).await, Err(ClientError::Refused)));
        let outcome = client.end_session(&phone, &laptop_session).await;
        assert!(matches!(outcome, Err(ClientError::Refused)), "{outcome:?}");
        assert_eq!(client.me(&laptop).await.unwrap().name, "alice");
        let forged = HeaderValue::from_static("Bearer forged");
        assert_eq!(client.me(&forged).await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_url_that_tokens_must_not_be_sent_to_is_refused_with_its_reason() {
        for (url, why) in [
            ("http://auth.example", "use https"),
            ("auth.example", "an absolute one"),
            ("ftp://auth.example", "an absolute one"),
        ] {
            let error = IssuerClient::new(url).unwrap_err().to_string();
            assert!(error.contains(url) && error.contains(why), "{error}");
        }
        let nobody = IssuerClient::new("http://127.0.0.1:1").unwrap();
        let error = nobody.me(&HeaderValue::from_static("Bearer a")).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
