//! The building blocks of an adapter for a web framework.
//!
//! An adapter passes its request to a [`Gate`](crate::Gate) as a
//! [`RequestView`](crate::RequestView) and applies the gate's verdict. It makes no decisions about
//! tokens itself. The verdict is a [`MaybeReady`]: usually it is ready at once, and no future is
//! allocated. Code that is not middleware calls [`Gate::authenticate`](crate::Gate::authenticate).
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use portcullis::Gate;
//! use portcullis::adapter::{Bodies, FromBytes};
//!
//! /// A middleware around `inner`, without a framework.
//! async fn serve(
//!     gate: &Gate,
//!     mut request: Request<Bytes>,
//!     inner: impl AsyncFn(Request<Bytes>) -> Response<Bytes>,
//! ) -> Response<Bytes> {
//!     if let Some(metadata) = gate.metadata(&request) {
//!         return metadata;
//!     }
//!     let exit = gate.exit(&request);
//!     match gate.enter(&request).await {
//!         Ok(visitor) => {
//!             visitor.mark(request.extensions_mut());
//!             FromBytes::passed(inner(request).await, &exit)
//!         }
//!         Err(refusal) => FromBytes::refused(refusal),
//!     }
//! }
//! ```

pub use crate::caller::{admit, claims, optional_caller, required_caller, shared_claims};
pub use crate::gate::{Bodies, Exit, FromBytes, NoBodies, Visitor};
pub use crate::maybe_ready::{Answer, MaybeReady, Pending};
pub use crate::refusal::{RouteFrom, Site};
pub use crate::request::Connection;
pub use crate::requirement::{Requirement, note_requirement};
