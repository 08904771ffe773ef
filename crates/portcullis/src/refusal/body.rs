//! The body of a refusal. It never reveals more than the headers do, and cannot replace any header.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::{Protocol, Refusal};

/// The body of a refusal, with its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalBody {
    /// The `Content-Type`.
    pub content_type: HeaderValue,
    /// The bytes of the body.
    pub bytes: Bytes,
}

impl RefusalBody {
    /// Creates a JSON body (`application/json`). Its parameter is not a type of the `http` crate,
    /// so it works with every framework, including actix-web with its `http` 0.2.
    ///
    /// ```
    /// use portcullis::{Refusal, refusal::RefusalBody};
    /// use serde_json::json;
    ///
    /// fn body(refusal: &Refusal) -> RefusalBody {
    ///     RefusalBody::json(&json!({"error": refusal.error_code(), "message": refusal.detail()}))
    /// }
    /// ```
    #[must_use]
    pub fn json(document: &Value) -> Self {
        Self {
            content_type: HeaderValue::from_static("application/json"),
            bytes: document.to_string().into(),
        }
    }

    /// Creates a problem document ([RFC 9457]): the status and the fixed text of
    /// [`detail`](Refusal::detail).
    ///
    /// [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457
    #[must_use]
    pub fn problem(refusal: &Refusal) -> Self {
        let status = refusal.status();
        let document = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": refusal.detail(),
        });
        Self {
            content_type: HeaderValue::from_static("application/problem+json"),
            bytes: document.to_string().into(),
        }
    }
}

type Write = dyn Fn(&Refusal) -> RefusalBody + Send + Sync;

/// The function that writes the bodies of a service's refusals.
#[derive(Clone)]
pub(crate) struct WriteBody(Arc<Write>);

impl WriteBody {
    pub(crate) fn new(write: impl Fn(&Refusal) -> RefusalBody + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }
}

impl fmt::Debug for WriteBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBody").finish_non_exhaustive()
    }
}

impl Refusal {
    /// Returns the body that the authenticator's settings give this refusal.
    ///
    /// `None` by default and [for gRPC](Refusal::into_grpc), whose refusals have no body. For a
    /// `HEAD` request, [`with_body`] sends only its `Content-Type`.
    #[must_use]
    pub fn body(&self) -> Option<RefusalBody> {
        let write = self.0.space.as_ref()?.write_body.as_ref()?;
        (self.1 != Protocol::Grpc).then(|| write.0(self))
    }
}

/// Adds the configured body to the response of a [`Refusal`]. Other responses are returned
/// unchanged.
///
/// Use it in adapters that can make a body from bytes: a layer, extractor or handler that refuses a
/// request then need not know the configured body. A response that has a `Content-Type` keeps its
/// body.
#[must_use]
pub fn with_body<B: From<Bytes>>(mut response: Response<B>) -> Response<B> {
    let Some(refusal) = response.extensions().get::<Refusal>() else { return response };
    if response.headers().contains_key(CONTENT_TYPE) {
        return response;
    }
    let is_head = refusal.1 == Protocol::Head;
    if let Some(body) = refusal.body() {
        response.headers_mut().insert(CONTENT_TYPE, body.content_type);
        if !is_head {
            *response.body_mut() = body.bytes.into();
        }
    }
    response
}
