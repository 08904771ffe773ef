//! tokio's `watch` channel: a value behind a lock, and the wakers of the receivers that wait.

use std::future::poll_fn;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};

use loom::sync::{Mutex, MutexGuard};

use super::waiting::{Place, Waiting};

struct Channel<T> {
    value: T,
    version: u64,
    closed: bool,
    waiting: Waiting,
}

pub(crate) struct Sender<T>(Arc<Mutex<Channel<T>>>);

pub(crate) struct Receiver<T> {
    channel: Arc<Mutex<Channel<T>>>,
    seen: u64,
}

/// The sender was dropped.
#[derive(Debug)]
pub(crate) struct RecvError;

pub(crate) struct Ref<'a, T>(MutexGuard<'a, Channel<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), seen: self.seen }
    }
}

pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let channel = Channel { value, version: 0, closed: false, waiting: Waiting::default() };
    let channel = Arc::new(Mutex::new(channel));
    (Sender(channel.clone()), Receiver { channel, seen: 0 })
}

fn locked<T>(channel: &Mutex<Channel<T>>) -> MutexGuard<'_, Channel<T>> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake<T>(mut channel: MutexGuard<'_, Channel<T>>) {
    let woken = channel.waiting.take();
    drop(channel);
    woken.into_iter().for_each(Waker::wake);
}

impl<T> Sender<T> {
    pub(crate) fn send_replace(&self, value: T) -> T {
        let mut channel = locked(&self.0);
        let before = std::mem::replace(&mut channel.value, value);
        channel.version += 1;
        wake(channel);
        before
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut channel = locked(&self.0);
        channel.closed = true;
        wake(channel);
    }
}

impl<T> Receiver<T> {
    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        Ref(locked(&self.channel))
    }

    pub(crate) fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let channel = locked(&self.channel);
        self.seen = channel.version;
        Ref(channel)
    }

    pub(crate) fn has_changed(&self) -> Result<bool, RecvError> {
        let channel = locked(&self.channel);
        if channel.closed { Err(RecvError) } else { Ok(channel.version != self.seen) }
    }

    pub(crate) async fn changed(&mut self) -> Result<(), RecvError> {
        let seen = self.seen;
        self.until(|channel| channel.version != seen).await?;
        drop(self.borrow_and_update());
        Ok(())
    }

    pub(crate) async fn wait_for(
        &mut self,
        mut is_wanted: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        self.until(|channel| is_wanted(&channel.value)).await?;
        Ok(self.borrow_and_update())
    }

    async fn until(&self, mut is_wanted: impl FnMut(&Channel<T>) -> bool) -> Result<(), RecvError> {
        let mut place = Place::new(&*self.channel, |channel| &mut channel.waiting);
        poll_fn(|context| {
            let mut channel = locked(&self.channel);
            if is_wanted(&channel) {
                return Poll::Ready(Ok(()));
            }
            if channel.closed {
                return Poll::Ready(Err(RecvError));
            }
            place.wait(&mut channel, context.waker());
            Poll::Pending
        })
        .await
    }
}
