//! How documents are fetched: the HTTP client as a trait, and the errors of a fetch.
//!
//! ```
//! use bytes::Bytes;
//! use http::Response;
//! use portcullis::Authenticator;
//! use portcullis::fetch::{Fetch, FetchRequest, Fetching};
//!
//! /// Answers from memory what a client of your own would fetch.
//! #[derive(Debug)]
//! struct Canned;
//!
//! impl Fetch for Canned {
//!     fn get(&self, request: FetchRequest) -> Fetching<'_> {
//!         Box::pin(async move {
//!             assert_eq!(request.url, "https://auth.example/keys");
//!             Ok(Response::new(Bytes::from_static(br#"{"keys":[]}"#)))
//!         })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .jwks_url("https://auth.example/keys")
//!     .fetch(Canned)
//!     .build()
//!     .await?;
//! assert_eq!(auth.status()[0].keys.as_ref().unwrap().keys, 0);
//! # Ok(()) }
//! ```

#[cfg(feature = "reqwest")]
mod reqwest_fetch;
pub(crate) mod url;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::url::{Origin, Url};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use self::url::UrlPolicy;
use crate::causes::{debug_with_causes, with_causes};
use crate::duration::InSeconds;
use crate::key::KeySetError;

#[cfg(feature = "reqwest")]
pub use reqwest_fetch::ReqwestFetch;

/// An HTTP client for key sets, metadata, status lists and introspection.
///
/// [`ReqwestFetch`] is the default. An implementation of your own decides on TLS, proxies and
/// connections. The caller decides which URLs are fetched, sets the deadline and checks the
/// response. An implementation must not follow redirects: the keys are where the configuration
/// says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an HTTP client that Portcullis can fetch with",
    label = "not a `Fetch`",
    note = "leave out `fetch` to use `portcullis::fetch::ReqwestFetch`; for another client, implement \
            `portcullis::fetch::Fetch` for a type of your own around it"
)]
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// Sends one GET request.
    ///
    /// # Errors
    ///
    /// When there is no whole answer; [`BodyTooLong`] when its body is longer than
    /// [`max_body`](FetchRequest::max_body). An answer with any status is no error.
    fn get(&self, request: FetchRequest) -> Fetching<'_>;

    /// Sends one POST request, whose headers say what `body` is. For
    /// [introspection](crate::Revocation::live) only: without an implementation, which then asks
    /// for one, every question fails.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn post(&self, request: FetchRequest, body: Bytes) -> Fetching<'_> {
        drop((request, body));
        let unable = "this HTTP client sends no POST: implement `Fetch::post` for introspection";
        Box::pin(std::future::ready(Err(unable.into())))
    }
}

/// An answer that is on its way.
pub type Fetching<'f> = Pin<Box<dyn Future<Output = Fetched> + Send + 'f>>;

/// An answer, or why there is none.
pub(crate) type Fetched = Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;

/// One request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchRequest {
    /// What to ask for: https, or http on this machine.
    pub url: String,
    /// The headers to send.
    pub headers: HeaderMap,
    /// The longest body to read, in bytes.
    pub max_body: usize,
}

impl FetchRequest {
    /// A request without headers, for the tests of an implementation of [`Fetch`].
    #[must_use]
    pub fn new(url: impl Into<String>, max_body: usize) -> Self {
        Self { url: url.into(), headers: HeaderMap::new(), max_body }
    }
}

/// What a [`Fetch`] answers when a body is longer than it was allowed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is longer than allowed")]
pub struct BodyTooLong;

/// Why a key set could not be fetched. Shared by all who waited for it.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There was no whole answer. A [`KeySource`](crate::keys::KeySource) with a client of its own
    /// answers this, too.
    #[error("{url}: {reason}")]
    Transport {
        /// What was asked for.
        url: String,
        /// What the HTTP client says, causes included.
        reason: String,
    },
    /// The deadline passed.
    #[error("no whole answer within {}", InSeconds(*.after))]
    #[non_exhaustive]
    Timeout {
        /// The deadline of the whole fetch.
        after: Duration,
    },
    /// The answer is not 200.
    #[error("{url} answered {status}")]
    #[non_exhaustive]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: StatusCode,
        /// When the server asks to be left alone until.
        retry_after: Option<Duration>,
    },
    /// The body is too long.
    #[error("{url} answered more than {limit} bytes")]
    #[non_exhaustive]
    TooLong {
        /// What was asked for.
        url: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body is no key set.
    #[error("{url} is no key set")]
    #[non_exhaustive]
    NotAKeySet {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: KeySetError,
    },
    /// The body is no status list that is to be believed (draft-ietf-oauth-status-list §8.3).
    #[error("{url} is no status list: {problem}")]
    #[non_exhaustive]
    NotAStatusList {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The body is no answer about a token (RFC 7662 §2.2).
    #[error("{url} answered with no introspection: {problem}")]
    #[non_exhaustive]
    NotAnIntrospection {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The body is no issuer metadata (RFC 8414 §3.2).
    #[error("{url} is no issuer metadata: {problem}")]
    #[non_exhaustive]
    NotMetadata {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The metadata is another issuer's (RFC 8414 §3.3).
    #[error("{url} is the metadata of {found:?}, not of {expected:?}")]
    #[non_exhaustive]
    OtherIssuer {
        /// What was asked for.
        url: String,
        /// The configured issuer.
        expected: String,
        /// The issuer that the document names.
        found: String,
    },
    /// None of the locations where the metadata may be has it.
    #[error("no usable metadata of {issuer}: {}", list(.attempts))]
    #[non_exhaustive]
    NoMetadata {
        /// The configured issuer.
        issuer: String,
        /// Why, for each location in the order in which they were tried.
        attempts: Vec<FetchError>,
    },
    /// The URL is neither https nor on this machine.
    #[error("{url} is neither https nor on this machine")]
    #[non_exhaustive]
    Insecure {
        /// The URL.
        url: String,
    },
    /// A file can not be read.
    #[error("{}: {reason}", .path.display())]
    #[non_exhaustive]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// There is no tokio runtime to fetch on.
    #[error("there is no tokio runtime to fetch on")]
    NoRuntime,
    /// The fetch broke off: its runtime has ended, or the HTTP client panicked.
    #[error("the fetch broke off: its runtime has ended, or the HTTP client panicked")]
    Abandoned,
}

debug_with_causes!(FetchError);

impl FetchError {
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::NoMetadata { attempts, .. } => {
                attempts.iter().filter_map(Self::retry_after).max()
            }
            _ => None,
        }
    }
}

fn list(attempts: &[FetchError]) -> String {
    let attempts: Vec<_> = attempts.iter().map(ToString::to_string).collect();
    attempts.join("; ")
}

/// The HTTP client and what is demanded of every answer to it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) max_body: usize,
    pub(crate) urls: UrlPolicy,
    pub(crate) token: Option<OriginToken>,
}

/// A bearer token for fetching, and the one origin that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginToken {
    pub(crate) origin: Origin,
    pub(crate) file: PathBuf,
}

impl OriginToken {
    /// The header, if `url` is of the origin. The file is read each time: tokens in files rotate.
    async fn authorization(&self, url: &Url) -> Result<Option<HeaderValue>, FetchError> {
        if url.origin() != self.origin {
            return Ok(None);
        }
        let unreadable = |reason| FetchError::File { path: self.file.clone(), reason };
        let text = tokio::fs::read_to_string(&self.file)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", text.trim()))
            .map_err(|_| unreadable("it holds no token".to_owned()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// An answer of any status, read to its end.
pub(crate) struct Document {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// Asks for `url`, under these conditions (RFC 9110 §13).
    pub(crate) async fn get(
        &self,
        url: &Url,
        conditions: HeaderMap,
    ) -> Result<Document, FetchError> {
        let mut headers = conditions;
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        // RFC 9111 §5.2.1.4: a cache on the way would stretch every bound by its own.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(token) = &self.token
            && let Some(authorization) = token.authorization(url).await?
        {
            headers.insert(AUTHORIZATION, authorization);
        }
        self.read(url, self.fetch.get(self.request(url, headers)).await)
    }

    /// Posts a form to `url`, which does nothing but answer: it is asked once more if a connection
    /// that was kept turns out to be closed.
    pub(crate) async fn post(
        &self,
        url: &Url,
        authorization: HeaderValue,
        form: Bytes,
    ) -> Result<Document, FetchError> {
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/json")),
            (CONTENT_TYPE, form_type),
            (AUTHORIZATION, authorization),
        ]);
        let request = self.request(url, headers);
        let first = self.fetch.post(request.clone(), form.clone()).await;
        match self.read(url, first) {
            Err(FetchError::Transport { .. }) => {
                self.read(url, self.fetch.post(request, form).await)
            }
            settled => settled,
        }
    }

    fn request(&self, url: &Url, headers: HeaderMap) -> FetchRequest {
        FetchRequest { url: url.to_string(), headers, max_body: self.max_body }
    }

    fn read(&self, url: &Url, answer: Fetched) -> Result<Document, FetchError> {
        let too_long = || FetchError::TooLong { url: url.to_string(), limit: self.max_body };
        let answer = answer.map_err(|error| {
            if error.is::<BodyTooLong>() {
                return too_long();
            }
            FetchError::Transport { url: url.to_string(), reason: with_causes(&*error) }
        })?;
        // Asked of the client already; made sure of for any client.
        if answer.body().len() > self.max_body {
            return Err(too_long());
        }
        let (head, body) = answer.into_parts();
        Ok(Document { status: head.status, headers: head.headers, body })
    }
}

impl Document {
    /// Its status as an error.
    pub(crate) fn refused(&self, url: &Url, now: SystemTime) -> FetchError {
        let retry_after = retry_after(&self.headers, now);
        FetchError::Status { url: url.to_string(), status: self.status, retry_after }
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 2027-01-15T08:00:00Z, a Friday.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (value, secs) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Fri, 15 Jan 2027 08:01:00 GMT", Some(60)),
            ("Fri, 15 Jan 2027 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now).map(|after| after.as_secs()), secs, "{value}");
        }
    }
}
