//! A value that is usually ready immediately.

use std::fmt;
use std::future::{Future, IntoFuture, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A value that is ready, or that needs I/O first.
///
/// Most requests are answered from memory, without allocating a future or suspending. Match on the
/// value for that fast path, or await it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use portcullis::adapter::MaybeReady;
///
/// let known = MaybeReady::Ready(7);
/// let asked = MaybeReady::pending(async { 8 });
/// assert_eq!(known.await + asked.map(|number| number + 1).await, 16);
/// # }
/// ```
#[must_use = "a pending answer does nothing unless it is awaited"]
pub enum MaybeReady<T> {
    /// The value is ready.
    Ready(T),
    /// The value needs I/O. The future owns everything that it uses.
    Pending(Pending<T>),
}

/// The boxed future of a value that needs I/O.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T> MaybeReady<T> {
    /// Wraps a future that needs I/O.
    pub fn pending(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Pending(Box::pin(answer))
    }

    /// Applies `change` to the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U + Send + 'static) -> MaybeReady<U>
    where
        T: 'static,
    {
        match self {
            Self::Ready(answer) => MaybeReady::Ready(change(answer)),
            Self::Pending(answer) => MaybeReady::pending(async { change(answer.await) }),
        }
    }
}

impl<T> IntoFuture for MaybeReady<T> {
    type Output = T;
    type IntoFuture = Answer<T>;

    fn into_future(self) -> Answer<T> {
        Answer(match self {
            Self::Ready(answer) => Inner::Ready(ready(answer)),
            Self::Pending(answer) => Inner::Pending(answer),
        })
    }
}

/// The future of a [`MaybeReady`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Answer<T>(Inner<T>);

enum Inner<T> {
    Ready(Ready<T>),
    Pending(Pending<T>),
}

impl<T> Future for Answer<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            Inner::Ready(answer) => Pin::new(answer).poll(context),
            Inner::Pending(answer) => answer.as_mut().poll(context),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for MaybeReady<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(answer) => f.debug_tuple("Ready").field(answer).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}
