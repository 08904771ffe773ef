//! Streams that end with their session: WebSockets, server-sent events, streamed bodies, gRPC
//! streams.
//!
//! A request is validated once, but its stream may live for hours. An [`OpenStream`] ends when the
//! caller's token has expired, its session was revoked or its key was withdrawn. The client can renew
//! the token without a new connection. [The guide](crate::guide::streams) states the bounds, and
//! describes the helpers of each adapter.
//!
//! ```
//! use std::time::Duration;
//!
//! use portcullis::streams::{Ended, NotRenewed};
//! use portcullis::testing::Scene;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let scene = Scene::new().await;
//! let who = scene.gate().authenticate(&scene.token("alice").headers()).await?;
//! let stream = who.open_stream();
//! let ended = stream.ended();
//!
//! // The client sends a new token before the old one expires.
//! scene.clock.advance(Duration::from_secs(600));
//! stream.renew(&scene.token("alice").sign()).await?;
//! let refused = stream.renew(&scene.token("mallory").sign()).await.unwrap_err();
//! assert!(matches!(refused, NotRenewed::OtherSubject));
//!
//! scene.clock.advance(Duration::from_secs(1000));
//! assert_eq!(ended.await, Ended::Expired);
//! # Ok(()) }
//! ```
//!
//! All streams of an authenticator share one background task. It runs while there are streams: once a
//! second, and immediately when a key set, a status list or the feed has changed.

mod ended;
mod entry;
mod group;
#[cfg(all(test, portcullis_loom))]
mod models;
mod names;
mod registry;
mod renew;
mod standing;
mod suspects;
mod table;
mod task;
#[cfg(test)]
mod tests;
mod until_ended;
#[cfg(feature = "streams")]
mod wrappers;

use std::fmt;
use std::sync::Arc;

use crate::authenticated::Authenticated;
use entry::Entry;

pub use ended::Ended;
pub(crate) use registry::SessionsUnderWay;
pub use renew::NotRenewed;
pub(crate) use renew::Renews;
pub use until_ended::UntilEnded;
#[cfg(feature = "streams")]
pub use wrappers::{EndingBody, EndingStream, StreamEnded};

/// A stream of an authenticated caller. It is watched until it is dropped. Clones refer to the same stream.
///
/// [`Authenticated::open_stream`] creates it.
#[derive(Clone)]
pub struct OpenStream {
    entry: Arc<Entry>,
    /// `None` if there is no runtime on which the stream can be watched.
    registry: Option<Arc<SessionsUnderWay>>,
}

impl Authenticated {
    /// Opens a stream for this caller, which is watched until it ends or is dropped.
    ///
    /// The stream ends when a request with its token would be rejected: see [`Ended`]. The requirements
    /// of the gate and the route, a policy and a [`Revocation`](crate::Revocation), also apply to the
    /// stream and to each token that [renews](OpenStream::renew) it. A handler adds its own
    /// requirements with [`requiring`](Self::requiring).
    ///
    /// The stream is watched on the tokio runtime on which the authenticator was built, or on the
    /// current one. If neither runs, the stream ends immediately, as [`Ended::Unwatched`].
    #[must_use]
    pub fn open_stream(&self) -> OpenStream {
        let registry = self.space().streams.clone().downcast::<SessionsUnderWay>().ok();
        let entry = match &registry {
            Some(registry) => registry.open(self.clone()),
            None => Entry::unwatched(self.clone()),
        };
        OpenStream { entry, registry }
    }
}

impl OpenStream {
    /// Returns a future that completes when the stream must end, with the reason. After a
    /// [renewal](Self::renew), the same future waits for the new expiry.
    pub fn ended(&self) -> UntilEnded {
        UntilEnded::new(self.entry.clone())
    }

    /// Returns the reason if the stream must end, without waiting.
    #[must_use]
    pub fn has_ended(&self) -> Option<Ended> {
        self.entry.ended()
    }

    /// Returns the caller as of the last renewal.
    #[must_use]
    pub fn caller(&self) -> Authenticated {
        self.entry.caller()
    }
}

impl fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStream").field("ended", &self.has_ended()).finish_non_exhaustive()
    }
}
