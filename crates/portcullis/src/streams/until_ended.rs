//! The future of a stream's end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::ended::Ended;
use super::entry::Entry;

/// Completes with the reason when a stream must end. See
/// [`OpenStream::ended`](super::OpenStream::ended).
#[must_use = "futures do nothing unless they are awaited"]
pub struct UntilEnded {
    entry: Arc<Entry>,
    /// The place of this future's waker.
    place: Option<usize>,
}

impl UntilEnded {
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        Self { entry, place: None }
    }
}

impl Future for UntilEnded {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        match this.entry.wait(&mut this.place, context.waker()) {
            Some(reason) => Poll::Ready(reason),
            None => Poll::Pending,
        }
    }
}

impl Drop for UntilEnded {
    fn drop(&mut self) {
        self.entry.stop_waiting(self.place);
    }
}

impl fmt::Debug for UntilEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilEnded").field("ended", &self.entry.ended()).finish_non_exhaustive()
    }
}
