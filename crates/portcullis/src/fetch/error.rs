//! The errors of a fetch.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use super::RefusedAddress;
use crate::causes::debug_with_causes;
use crate::duration::InSeconds;
use crate::key::KeySetError;
use crate::settings::{self, Setting};

/// Why a document could not be fetched. All requests that waited for the fetch share the error.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There was no complete response. A custom [`KeySource`](crate::keys::KeySource) with its own
    /// client returns this variant, too.
    #[error("{url}: {reason}")]
    Transport {
        /// The URL of the request.
        url: String,
        /// The error of the HTTP client, including its causes.
        reason: String,
    },
    /// The deadline passed.
    #[error(
        "{url}: no complete response within {}; raise {} if the server needs longer",
        InSeconds(*.after), settings::FETCH_TIMEOUT
    )]
    #[non_exhaustive]
    Timeout {
        /// The URL, or the issuer whose documents were fetched.
        url: String,
        /// The deadline of the whole fetch.
        after: Duration,
    },
    /// The status is not 200.
    #[error("{url} responded with {status}")]
    #[non_exhaustive]
    Status {
        /// The URL of the request.
        url: String,
        /// The status of the response.
        status: StatusCode,
        /// The delay before a retry, if the server sent `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The introspection endpoint rejected the client ID or the secret.
    #[error(
        "{url} responded with 401 to the client's HTTP Basic authentication; check `introspection_client_id` \
         and `introspection_secret_file`, and that the issuer lets this client use `client_secret_basic` (id \
         and secret are sent percent-encoded, RFC 6749 §2.3.1)"
    )]
    #[non_exhaustive]
    ClientRefused {
        /// The URL of the request.
        url: String,
    },
    /// The server responded with a redirect. Redirects are not followed: only the configuration
    /// decides where documents come from.
    #[error(
        "{url} responded with {status}, a redirect to {target:?}, which is not followed; if that is \
         the correct URL, set {setting} to it"
    )]
    #[non_exhaustive]
    Redirect {
        /// The URL of the request.
        url: String,
        /// The status of the response.
        status: StatusCode,
        /// The redirect target, without its query.
        target: String,
        /// The setting that determines the URL.
        setting: &'static Setting,
    },
    /// The body exceeds the limit.
    #[error("{url} returned more than {limit} bytes{}", raise(*.setting))]
    #[non_exhaustive]
    TooLong {
        /// The URL of the request.
        url: String,
        /// The limit, in bytes, of the decoded body.
        limit: usize,
        /// The setting for the limit, if there is one.
        setting: Option<&'static Setting>,
    },
    /// The coding of the body is not supported, or the body does not match the coding in its
    /// header.
    #[error("{url}: the response cannot be decoded: {problem}")]
    #[non_exhaustive]
    ContentEncoding {
        /// The URL of the request.
        url: String,
        /// The reason.
        problem: String,
    },
    /// The body is not a key set.
    #[error("{url} is not a key set")]
    #[non_exhaustive]
    NotAKeySet {
        /// The URL of the request.
        url: String,
        /// The reason.
        source: KeySetError,
    },
    /// The body is not a valid status list (draft-ietf-oauth-status-list §8.3).
    #[error("{url} is not a valid status list: {problem}")]
    #[non_exhaustive]
    NotAStatusList {
        /// The URL of the request.
        url: String,
        /// The reason.
        problem: String,
    },
    /// The body is not an introspection response (RFC 7662 §2.2).
    #[error("{url} returned no introspection response: {problem}")]
    #[non_exhaustive]
    NotAnIntrospection {
        /// The URL of the request.
        url: String,
        /// The reason.
        problem: String,
    },
    /// The body is not issuer metadata (RFC 8414 §3.2).
    #[error("{url} is not issuer metadata: {problem}")]
    #[non_exhaustive]
    NotMetadata {
        /// The URL of the request.
        url: String,
        /// The reason.
        problem: String,
    },
    /// The metadata is of another issuer (RFC 8414 §3.3).
    #[error("{url} is the metadata of {found:?}, not of {expected:?}{}", slash(.expected, .found))]
    #[non_exhaustive]
    OtherIssuer {
        /// The URL of the request.
        url: String,
        /// The configured issuer.
        expected: String,
        /// The issuer in the document.
        found: String,
    },
    /// No metadata location returned usable metadata.
    #[error("no usable metadata for {issuer}: {}", list(.attempts))]
    #[non_exhaustive]
    NoMetadata {
        /// The configured issuer.
        issuer: String,
        /// The error of each location, in the order of the attempts.
        attempts: Vec<FetchError>,
    },
    /// The URL is neither https nor on the loopback interface.
    #[error("{url} is neither https nor on this machine")]
    #[non_exhaustive]
    Insecure {
        /// The URL.
        url: String,
    },
    /// The URL leads to an address that is not public, while only public ones are allowed because
    /// tenants may choose the URL.
    #[error("{url} is not fetched: {refused}")]
    #[non_exhaustive]
    AddressRefused {
        /// The URL of the request.
        url: String,
        /// The host, and the kind of its address.
        refused: RefusedAddress,
    },
    /// A file cannot be read.
    #[error("{}: {reason}", .path.display())]
    #[non_exhaustive]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        reason: String,
    },
    /// There is no tokio runtime to fetch on.
    #[error("a fetch requires a tokio runtime")]
    NoRuntime,
    /// The fetch was aborted: its runtime has shut down, or the HTTP client panicked.
    #[error("the fetch was aborted: its runtime shut down, or the HTTP client panicked")]
    Abandoned,
}

debug_with_causes!(FetchError);

impl FetchError {
    /// Returns whether the server is unreachable or temporarily failing; otherwise its response is
    /// wrong.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Timeout { .. } | Self::Abandoned => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::NoMetadata { attempts, .. } => {
                let is_absent = |error: &Self| matches!(error, Self::Status { .. });
                attempts.iter().any(Self::is_outage)
                    && attempts.iter().all(|error| error.is_outage() || is_absent(error))
            }
            _ => false,
        }
    }

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

/// Returns advice for two issuers that differ only in a trailing slash.
fn slash(expected: &str, found: &str) -> String {
    let remedy = if expected.strip_suffix('/') == Some(found) {
        "remove the trailing slash of"
    } else if found.strip_suffix('/') == Some(expected) {
        "add a trailing slash to"
    } else {
        return String::new();
    };
    format!("; {remedy} {} if the token's `iss` is {found:?}", settings::ISSUER)
}

fn raise(setting: Option<&'static Setting>) -> String {
    setting
        .map_or_else(String::new, |setting| format!("; raise {setting} if this size is expected"))
}

fn list(attempts: &[FetchError]) -> String {
    let attempts: Vec<_> = attempts.iter().map(ToString::to_string).collect();
    attempts.join("; ")
}
