//! Why there is no document.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use super::RefusedAddress;
use crate::causes::debug_with_causes;
use crate::duration::InSeconds;
use crate::key::KeySetError;
use crate::settings::{self, Setting};

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
        "{url}: no whole answer within {}; raise {} if the server needs longer",
        InSeconds(*.after), settings::FETCH_TIMEOUT
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
    /// The introspection endpoint does not know the client that asks, or not with this secret.
    #[error(
        "{url} answered 401 to the client that asks by HTTP Basic: set `introspection_client_id` and \
         `introspection_secret_file` to a client that may do so, `client_secret_basic`, and its secret \
         (both are percent-encoded, RFC 6749 §2.3.1)"
    )]
    #[non_exhaustive]
    ClientRefused {
        /// What was asked.
        url: String,
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
    /// The URL leads to an address that is not public, and tenants may choose the URL.
    #[error("{url} is not fetched: {refused}")]
    #[non_exhaustive]
    AddressRefused {
        /// What was asked for.
        url: String,
        /// The host, and what its address is.
        refused: RefusedAddress,
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
    /// Whether the server cannot be reached, or cannot answer now; otherwise its answer is wrong.
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
