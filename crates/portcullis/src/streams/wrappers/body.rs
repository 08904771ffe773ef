//! A body.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::streams::{Ended, OpenStream, UntilEnded};

/// The error of a body that ended with its session.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream ended with its session: {0}")]
pub struct StreamEnded(pub Ended);

crate::causes::debug_with_causes!(StreamEnded);

/// How the body ends.
enum Form<D> {
    Error,
    Last(fn(Ended) -> D),
    Grpc,
    /// The body has ended.
    Done,
}

pin_project! {
    /// A body that ends with its session.
    ///
    /// By default, the body ends with the error [`StreamEnded`]. The server then aborts the response,
    /// so the client does not mistake it for a complete response. [`last`](Self::last) and
    /// [`grpc`](Self::grpc) end the body regularly instead.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use portcullis::streams::{EndingBody, OpenStream};
    /// # use http_body::Body;
    ///
    /// /// Server-sent events: a last event, then the end of the body.
    /// fn events<B: Body<Data = Bytes>>(events: B, stream: &OpenStream) -> EndingBody<B> {
    ///     EndingBody::new(events, stream).last(|reason| {
    ///         format!("event: session-ended\ndata: {}\n\n", reason.as_str()).into()
    ///     })
    /// }
    /// ```
    pub struct EndingBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: B,
        ended: UntilEnded,
        form: Form<B::Data>,
    }
}

impl<B: Body> EndingBody<B> {
    /// Passes on the frames of `inner` until `stream` ends. Then fails with [`StreamEnded`].
    pub fn new(inner: B, stream: &OpenStream) -> Self {
        Self { inner, ended: stream.ended(), form: Form::Error }
    }

    /// Ends the body regularly, with this as the last data.
    #[must_use]
    pub fn last(self, last: fn(Ended) -> B::Data) -> Self {
        Self { form: Form::Last(last), ..self }
    }

    /// Ends the body regularly, with the trailers of gRPC: `grpc-status: 16` (`UNAUTHENTICATED`), or 14
    /// (`UNAVAILABLE`) if the service cannot check the session.
    #[must_use]
    pub fn grpc(self) -> Self {
        Self { form: Form::Grpc, ..self }
    }
}

impl<B> Body for EndingBody<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let this = self.project();
        if matches!(this.form, Form::Done) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(reason) = Pin::new(this.ended).poll(context) {
            return Poll::Ready(Some(match std::mem::replace(this.form, Form::Done) {
                Form::Last(last) => Ok(Frame::data(last(reason))),
                Form::Grpc => Ok(Frame::trailers(trailers(reason))),
                Form::Error | Form::Done => Err(StreamEnded(reason).into()),
            }));
        }
        let frame = ready!(this.inner.poll_frame(context));
        if frame.is_none() {
            *this.form = Form::Done;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.form, Form::Done) || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // The body may end early, and the last data is not part of the inner body.
        SizeHint::default()
    }
}

fn trailers(reason: Ended) -> HeaderMap {
    let (status, message) = match reason {
        Ended::Expired | Ended::SessionRevoked | Ended::KeyWithdrawn | Ended::IssuerForgotten => {
            (HeaderValue::from_static("16"), "The session has ended")
        }
        Ended::KeysUnavailable | Ended::StatusUnknown | Ended::Unwatched => {
            (HeaderValue::from_static("14"), "The session cannot be checked")
        }
    };
    // Spaces are percent-encoded only outside the printable ASCII range.
    let message = HeaderValue::from_static(message);
    [("grpc-status", status), ("grpc-message", message)]
        .map(|(name, value)| (http::HeaderName::from_static(name), value))
        .into_iter()
        .collect()
}

impl<B: Body> fmt::Debug for EndingBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndingBody").field("ended", &self.ended).finish_non_exhaustive()
    }
}
