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

mod address;
mod client;
mod coding;
mod error;
#[cfg(feature = "reqwest")]
mod names;
mod reach;
#[cfg(feature = "reqwest")]
mod reqwest_fetch;
pub(crate) mod url;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Response};

use crate::causes::debug_with_causes;

pub(crate) use client::{Client, Kind, OriginToken};
pub use coding::decoded;
pub use error::FetchError;
#[cfg(all(feature = "reqwest", any(test, feature = "test-util")))]
pub(crate) use names::script;
pub(crate) use reach::Reach;
pub use reach::RefusedAddress;
#[cfg(feature = "reqwest")]
pub use reqwest_fetch::ReqwestFetch;

/// An HTTP client for key sets, metadata, status lists and introspection.
///
/// [`ReqwestFetch`] is the default. An implementation of your own decides on TLS, proxies and
/// connections. The caller decides which URLs are fetched, sets the deadline and checks the
/// response. An implementation must not follow redirects: the keys are where the configuration
/// says.
///
/// For URLs that tenants choose, an implementation also decides which addresses it connects to. The
/// caller refuses URLs that show a private address themselves; a name that resolves to one is left to
/// the implementation, which answers [`RefusedAddress`] or an error that it causes.
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
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is longer than allowed")]
pub struct BodyTooLong;

debug_with_causes!(BodyTooLong);
