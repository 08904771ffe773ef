//! A stream of items.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::streams::{Ended, OpenStream, UntilEnded};

pin_project! {
    /// A stream that ends with its session. At that end, it yields the last item, if there is one, and
    /// then no more items.
    ///
    /// For server-sent events, streamed bodies, the messages of a WebSocket, and the streams of gRPC in
    /// both directions. Items that are ready when the session ends are not yielded.
    ///
    /// ```
    /// use portcullis::streams::{EndingStream, OpenStream};
    /// # use futures_core::Stream;
    ///
    /// /// The messages of a gRPC client: `tonic::Streaming` in place of `messages`.
    /// fn messages<T, S: Stream<Item = Result<T, String>>>(
    ///     messages: S,
    ///     stream: &OpenStream,
    /// ) -> impl Stream<Item = Result<T, String>> {
    ///     // tonic: `Err(Status::unauthenticated(reason.to_string()))`.
    ///     EndingStream::new(messages, stream).last(|reason| Some(Err(reason.to_string())))
    /// }
    /// ```
    pub struct EndingStream<S, L = fn(Ended) -> Option<<S as Stream>::Item>>
    where
        S: Stream,
    {
        #[pin]
        inner: S,
        ended: UntilEnded,
        last: Option<L>,
    }
}

impl<S: Stream> EndingStream<S> {
    /// Yields the items of `inner` until `stream` ends, and adds no last item.
    pub fn new(inner: S, stream: &OpenStream) -> Self {
        Self { inner, ended: stream.ended(), last: Some(|_| None) }
    }
}

impl<S: Stream, L> EndingStream<S, L> {
    /// If the stream ends with its session, yields the item that `last` returns as the last item. A
    /// stream that ends by itself has no such item.
    pub fn last<M>(self, last: M) -> EndingStream<S, M>
    where
        M: FnOnce(Ended) -> Option<S::Item>,
    {
        EndingStream { inner: self.inner, ended: self.ended, last: self.last.map(|_| last) }
    }
}

impl<S: Stream, L: FnOnce(Ended) -> Option<S::Item>> Stream for EndingStream<S, L> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if this.last.is_none() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(reason) = Pin::new(this.ended).poll(context) {
            return Poll::Ready(this.last.take().and_then(|last| last(reason)));
        }
        let item = this.inner.poll_next(context);
        if let Poll::Ready(None) = item {
            *this.last = None;
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.last {
            Some(_) => (0, self.inner.size_hint().1.and_then(|most| most.checked_add(1))),
            None => (0, Some(0)),
        }
    }
}

impl<S: Stream, L> fmt::Debug for EndingStream<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndingStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}
