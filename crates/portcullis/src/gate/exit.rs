//! What becomes of a response on its way out of a gate, and what a refusal has for a body.

use bytes::Bytes;
use http::Response;
use http::header::{HeaderValue, VARY};

use super::Gate;
use crate::refusal::{Protocol, Refusal, with_body};
use crate::request::RequestView;

/// What a response needs to know of a request that went through a [`Gate`].
#[derive(Debug, Clone)]
pub struct Exit {
    pub(super) vary: Option<HeaderValue>,
    pub(super) protocol: Protocol,
}

impl Exit {
    /// What a response must add to its `Vary` header, unless it is a refusal from within, which is
    /// not stored at all. `None` where the Authorization header alone decides (no shared cache
    /// keeps such a response, [RFC 9111 §3.5]), or no header does.
    ///
    /// [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5
    #[must_use]
    pub fn vary(&self) -> Option<HeaderValue> {
        self.vary.clone()
    }

    /// The refusal to answer with in the place of `refusal`, which comes from within: one of gRPC,
    /// where the gate's service is and `refusal` is not. `None` where the response can stay as it is.
    ///
    /// For adapters whose responses are not those of `http`; [`Bodies::passed`] does it for the
    /// others.
    #[must_use]
    pub fn instead_of(&self, refusal: &Refusal) -> Option<Refusal> {
        let is_in_other_words =
            self.protocol == Protocol::Grpc && refusal.protocol() != Protocol::Grpc;
        is_in_other_words.then(|| refusal.clone().into_grpc())
    }

    /// A refusal from within does not know what it is an answer to.
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

/// Whether a service's responses can have bodies that the gate makes: for adapters whose services
/// have responses of any type. [`NoBodies`] and [`FromBytes`] are the two answers.
#[diagnostic::on_unimplemented(
    message = "the gate cannot make a response body `{B}`",
    label = "`{B}` is not `Default`, or not `From<bytes::Bytes>`",
    note = "without `with_bodies` refusals have no body, and `{B}: Default` is enough; with it the inner \
            service's body must also be `From<bytes::Bytes>`"
)]
pub trait Bodies<B>: Sealed {
    /// [`Gate::metadata`], where a body can be made.
    fn metadata(gate: &Gate, request: &(impl RequestView + ?Sized)) -> Option<Response<B>>;

    /// The response to a refused request.
    fn refused(refusal: Refusal) -> Response<B>;

    /// The response to one that went through.
    fn passed(response: Response<B>, exit: &Exit) -> Response<B>;
}

/// Only [`NoBodies`] and [`FromBytes`] are `Bodies`, so that the trait can grow.
pub trait Sealed {}

impl Sealed for NoBodies {}
impl Sealed for FromBytes {}

/// Refusals have headers and no body, which any type of body can do.
#[derive(Debug, Clone, Copy)]
pub struct NoBodies(());

/// Refusals have the bodies that the settings give them, and metadata are served.
#[derive(Debug, Clone, Copy)]
pub struct FromBytes(());

// So that the compiler names the body, and what to do, instead of a bound of this implementation.
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
