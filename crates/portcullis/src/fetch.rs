//! The HTTP client as a trait, and the errors of a fetch.
//!
//! ```
//! use bytes::Bytes;
//! use http::Response;
//! use portcullis::Authenticator;
//! use portcullis::fetch::{Fetch, FetchRequest, Fetching};
//!
//! /// Returns a response from memory instead of fetching it.
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

mod address;
mod client;
mod coding;
mod credential;
mod error;
#[cfg(feature = "reqwest-no-provider")]
mod names;
mod reach;
#[cfg(feature = "reqwest-no-provider")]
mod reqwest_fetch;
pub(crate) mod url;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Response};

use crate::causes::debug_with_causes;

pub(crate) use client::{Client, Kind};
pub use coding::decoded;
pub(crate) use credential::{ClientCredential, Credential, NO_SECRET, OriginCredential};
pub use error::FetchError;
#[cfg(all(feature = "reqwest-no-provider", any(test, feature = "test-util")))]
pub(crate) use names::script;
pub(crate) use reach::Reach;
pub use reach::RefusedAddress;
#[cfg(feature = "reqwest-no-provider")]
pub use reqwest_fetch::ReqwestFetch;

/// An HTTP client for key sets, metadata, status lists and introspection.
///
/// [`ReqwestFetch`] is the default. A custom implementation is responsible for TLS, proxies and
/// connections. The caller decides which URLs are fetched, sets the deadline and checks the
/// response. An implementation must not follow redirects: only the configuration decides where keys
/// come from.
///
/// If tenants choose URLs, an implementation must also check the addresses it connects to. The
/// caller rejects URLs with a literal private address. The implementation must reject names that
/// resolve to a private address, with [`RefusedAddress`] or an error caused by it.
/// [`ReqwestFetch::public_addresses_only`] does so.
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
    /// Returns an error if there is no complete response, and [`BodyTooLong`] if the body is longer
    /// than [`max_body`](FetchRequest::max_body). A response with any status is not an error.
    ///
    /// A compressed body is returned either as received, with its `Content-Encoding`, or decoded
    /// within the same limit and without that header.
    fn get(&self, request: FetchRequest) -> Fetching<'_>;

    /// Sends one POST request. The headers describe `body`. Only
    /// [introspection](crate::Revocation::live) uses it. The default returns an error that asks for
    /// an implementation, so every introspection request fails.
    ///
    /// # Errors
    ///
    /// See [`get`](Self::get).
    fn post(&self, request: FetchRequest, body: Bytes) -> Fetching<'_> {
        drop((request, body));
        let unable = "this HTTP client does not send POST requests; implement `Fetch::post` for introspection";
        Box::pin(std::future::ready(Err(unable.into())))
    }
}

/// A future that completes with the response.
pub type Fetching<'f> = Pin<Box<dyn Future<Output = Fetched> + Send + 'f>>;

/// A response, or the reason why there is none.
pub(crate) type Fetched = Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;

/// An HTTP request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchRequest {
    /// The URL to fetch: https, or http to the loopback interface or an explicitly allowed host.
    pub url: String,
    /// The headers to send.
    pub headers: HeaderMap,
    /// The maximum length of the body, in bytes.
    pub max_body: usize,
}

impl FetchRequest {
    /// Creates a request without headers, for tests of a [`Fetch`] implementation.
    #[must_use]
    pub fn new(url: impl Into<String>, max_body: usize) -> Self {
        Self { url: url.into(), headers: HeaderMap::new(), max_body }
    }
}

/// The error that a [`Fetch`] returns if a body exceeds its limit.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body exceeds the size limit")]
pub struct BodyTooLong;

debug_with_causes!(BodyTooLong);
