//! A time-out that does not count while a request's body is being sent.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// When a request's body last made progress.
pub(super) struct Progress(Arc<Mutex<Instant>>);

/// A body that notes its progress.
struct Watched {
    body: Body,
    last: Arc<Mutex<Instant>>,
}

impl Progress {
    pub(super) fn of(body: Body) -> (Body, Self) {
        let last = Arc::new(Mutex::new(Instant::now()));
        let progress = Self(last.clone());
        if http_body::Body::is_end_stream(&body) {
            return (body, progress);
        }
        (Body::new(Watched { body, last }), progress)
    }

    /// Waits for the response. `None` if it did not begin within this time after the last progress
    /// of the body.
    pub(super) async fn within<T>(
        &self,
        timeout: Duration,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let deadline = self.last() + timeout;
            tokio::select! {
                answer = answer.as_mut() => return Some(answer),
                () = sleep_until(deadline) => if self.last() + timeout <= Instant::now() {
                    return None;
                },
            }
        }
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    // Without the length, hyper would send every body in chunks.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
