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

mod coding;
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
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use self::url::UrlPolicy;
use crate::causes::{debug_with_causes, with_causes};
use crate::key::KeySetError;
use crate::settings::{self, Setting};

pub use coding::decoded;
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
    ///
    /// A compressed body is handed over as it came, with its `Content-Encoding`; or else decoded,
    /// within the same limit, and without that header.
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
    #[error(
        "{url}: no whole answer within {after:?}; raise {} if the server needs longer",
        settings::FETCH_TIMEOUT
    )]
    #[non_exhaustive]
    Timeout {
        /// What was asked for: a URL, or the issuer whose documents are fetched.
        url: String,
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
    /// The answer leads elsewhere. No redirect is followed: documents come from where the
    /// configuration says.
    #[error(
        "{url} answered {status}, a redirect to {target:?}, which is not followed; if that is the \
         right place, set {setting} to it"
    )]
    #[non_exhaustive]
    Redirect {
        /// What was asked for.
        url: String,
        /// The status.
        status: StatusCode,
        /// Where it leads, without a query.
        target: String,
        /// The setting that decides what is asked for.
        setting: &'static Setting,
    },
    /// The body is too long.
    #[error("{url} answered more than {limit} bytes{}", raise(*.setting))]
    #[non_exhaustive]
    TooLong {
        /// What was asked for.
        url: String,
        /// The limit, in bytes, of the decoded body.
        limit: usize,
        /// The setting that decides the limit, if one does.
        setting: Option<&'static Setting>,
    },
    /// The body has a coding that is not read, or not the one that its header names.
    #[error("{url} can not be decoded: {problem}")]
    #[non_exhaustive]
    ContentEncoding {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        problem: String,
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
        problem: String,
    },
    /// The metadata is another issuer's (RFC 8414 §3.3).
    #[error("{url} is the metadata of {found:?}, not of {expected:?}{}", slash(.expected, .found))]
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

/// What to do where two issuers differ in nothing but the slash at the end.
fn slash(expected: &str, found: &str) -> String {
    let remedy = if expected.strip_suffix('/') == Some(found) {
        "drop the slash at the end of"
    } else if found.strip_suffix('/') == Some(expected) {
        "add a slash at the end of"
    } else {
        return String::new();
    };
    format!("; {remedy} {}, if the tokens spell it so too", settings::ISSUER)
}

fn raise(setting: Option<&'static Setting>) -> String {
    setting.map_or_else(String::new, |setting| format!("; raise {setting} if it is so long"))
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
    /// The setting that decides it, if one does.
    pub(crate) max_body_setting: Option<&'static Setting>,
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

/// What to ask for. Some servers answer 406 where their own type is not named (Kubernetes, whose key
/// set is `application/jwk-set+json` only), and some files have any type at all.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// RFC 7517 §8.5.1.
    KeySet,
    /// RFC 8414 §3.2.
    Metadata,
    /// Of the two forms of a list, the one that is read.
    StatusList,
    /// RFC 7662 §2.2.
    Introspection,
}

impl Kind {
    fn accept(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::KeySet => "application/jwk-set+json, application/json, */*;q=0.1",
            Self::Metadata => "application/json, */*;q=0.1",
            Self::StatusList => "application/statuslist+jwt",
            Self::Introspection => "application/json",
        })
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
        kind: Kind,
        conditions: HeaderMap,
    ) -> Result<Document, FetchError> {
        let mut headers = conditions;
        headers.insert(ACCEPT, kind.accept());
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
            (ACCEPT, Kind::Introspection.accept()),
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
        let too_long = || {
            let (limit, setting) = (self.max_body, self.max_body_setting);
            FetchError::TooLong { url: url.to_string(), limit, setting }
        };
        let mut answer = answer.map_err(|error| {
            if error.is::<BodyTooLong>() {
                return too_long();
            }
            FetchError::Transport { url: url.to_string(), reason: reason(url, &*error) }
        })?;
        // Asked of the client already; made sure of for any client.
        if answer.body().len() > self.max_body {
            return Err(too_long());
        }
        // No other answer is looked into.
        if answer.status() == StatusCode::OK {
            answer = decoded(answer, self.max_body).map_err(|error| {
                if error.is::<BodyTooLong>() {
                    return too_long();
                }
                FetchError::ContentEncoding { url: url.to_string(), problem: error.to_string() }
            })?;
        }
        let (head, body) = answer.into_parts();
        Ok(Document { status: head.status, headers: head.headers, body })
    }
}

/// What the HTTP client says, and what it means where that is a riddle: TLS reads the plain-text
/// answer of an http server as a broken record.
fn reason(url: &Url, error: &(dyn Error + 'static)) -> String {
    let reason = with_causes(error);
    let is_plain_text =
        ["InvalidContentType", "wrong version number"].iter().any(|riddle| reason.contains(riddle));
    if url.scheme() == "https" && is_plain_text {
        format!("the server speaks http there, not https ({reason})")
    } else {
        reason
    }
}

impl Document {
    /// Its status as an error; `setting` decides that `url` is asked for.
    pub(crate) fn refused(
        &self,
        url: &Url,
        setting: &'static Setting,
        now: SystemTime,
    ) -> FetchError {
        let status = self.status;
        if let Some(target) = self.target(url).filter(|_| status.is_redirection()) {
            return FetchError::Redirect { url: url.to_string(), status, target, setting };
        }
        let retry_after = retry_after(&self.headers, now);
        FetchError::Status { url: url.to_string(), status, retry_after }
    }

    /// Where a redirect leads. A query or a password in it may be a secret.
    fn target(&self, url: &Url) -> Option<String> {
        let mut target = url.join(self.headers.get(LOCATION)?.to_str().ok()?).ok()?;
        target.set_query(None);
        target.set_fragment(None);
        let _ = (target.set_username(""), target.set_password(None));
        Some(String::from(target).chars().take(MAX_SHOWN_TARGET).collect())
    }
}

/// The longest target of a redirect that is shown, in characters.
const MAX_SHOWN_TARGET: usize = 200;

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
