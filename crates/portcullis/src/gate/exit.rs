//! How a response changes on its way out of a gate, and which body a refusal has.

use bytes::Bytes;
use http::Response;
use http::header::{HeaderValue, VARY};

use super::Gate;
use crate::refusal::{Protocol, Refusal, with_body};
use crate::request::RequestView;

/// The facts about a request by which a [`Gate`] completes the response.
#[derive(Debug, Clone)]
pub struct Exit {
    pub(super) vary: Option<HeaderValue>,
    pub(super) protocol: Protocol,
}

impl Exit {
    /// Returns what to append to the `Vary` header of the response.
    ///
    /// Do not append it to a refusal by the code behind the gate, because a refusal is never
    /// cached. `None` if only Authorization is read, because shared caches do not store such
    /// responses ([RFC 9111 §3.5]), or if no header is read.
    ///
    /// [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5
    #[must_use]
    pub fn vary(&self) -> Option<HeaderValue> {
        self.vary.clone()
    }

    /// Returns the gRPC form of `refusal`, if the gate is for gRPC and `refusal` is not. Answer
    /// with the gRPC form instead of `refusal`, which comes from the code behind the gate.
    ///
    /// `None` if the response can stay as it is.
    ///
    /// This method is for adapters whose responses are not [`http::Response`]s. For
    /// [`http::Response`]s, use [`Bodies::passed`].
    #[must_use]
    pub fn instead_of(&self, refusal: &Refusal) -> Option<Refusal> {
        let is_in_other_words =
            self.protocol == Protocol::Grpc && refusal.protocol() != Protocol::Grpc;
        is_in_other_words.then(|| refusal.clone().into_grpc())
    }

    /// Puts a refusal from the code behind the gate into the protocol of this request.
    fn restate<B: Default>(&self, mut response: Response<B>) -> Response<B> {
        let Some(refusal) = response.extensions_mut().get_mut::<Refusal>() else { return response };
        if let Some(refusal) = self.instead_of(refusal) {
            return refusal.rewrite(response);
        }
        if refusal.protocol() == Protocol::Http {
            *refusal = refusal.clone().in_protocol(self.protocol);
        }
        response
    }

    fn with_vary<B>(&self, mut response: Response<B>) -> Response<B> {
        let refused = response.extensions().get::<Refusal>().is_some();
        if let Some(vary) = self.vary().filter(|_| !refused) {
            response.headers_mut().append(VARY, vary);
        }
        response
    }
}

/// How the gate makes the response bodies of a service, for adapters whose services have responses
/// of any type. [`NoBodies`] and [`FromBytes`] implement the trait.
#[diagnostic::on_unimplemented(
    message = "the gate cannot make a response body `{B}`",
    label = "`{B}` is not `Default`, or not `From<bytes::Bytes>`",
    note = "without `with_bodies` refusals have no body, and `{B}: Default` is enough; with it the inner \
            service's body must also be `From<bytes::Bytes>`"
)]
pub trait Bodies<B>: Sealed {
    /// Returns [`Gate::metadata`], if a body can be made.
    fn metadata(gate: &Gate, request: &(impl RequestView + ?Sized)) -> Option<Response<B>>;

    /// Returns the response to a refused request.
    fn refused(refusal: Refusal) -> Response<B>;

    /// Returns the response to a request that was let through.
    fn passed(response: Response<B>, exit: &Exit) -> Response<B>;
}

/// Only [`NoBodies`] and [`FromBytes`] implement [`Bodies`], so the trait can grow.
pub trait Sealed {}

impl Sealed for NoBodies {}
impl Sealed for FromBytes {}

/// Makes refusals with headers and no body, for any body type that is `Default`.
#[derive(Debug, Clone, Copy)]
pub struct NoBodies(());

/// Makes refusals with the configured bodies, and serves the metadata.
#[derive(Debug, Clone, Copy)]
pub struct FromBytes(());

// This attribute makes the compiler name the body and the remedy, instead of a bound of this
// implementation.
#[diagnostic::do_not_recommend]
impl<B: Default> Bodies<B> for NoBodies {
    fn metadata(gate: &Gate, _: &(impl RequestView + ?Sized)) -> Option<Response<B>> {
        if let Some(resource) = gate.resource() {
            resource.report_unserved();
        }
        None
    }

    fn refused(refusal: Refusal) -> Response<B> {
        refusal.into_response()
    }

    fn passed(response: Response<B>, exit: &Exit) -> Response<B> {
        exit.with_vary(exit.restate(response))
    }
}

#[diagnostic::do_not_recommend]
impl<B: Default + From<Bytes>> Bodies<B> for FromBytes {
    fn metadata(gate: &Gate, request: &(impl RequestView + ?Sized)) -> Option<Response<B>> {
        gate.metadata(request)
    }

    fn refused(refusal: Refusal) -> Response<B> {
        refusal.into_full_response()
    }

    fn passed(response: Response<B>, exit: &Exit) -> Response<B> {
        exit.with_vary(with_body(exit.restate(response)))
    }
}
