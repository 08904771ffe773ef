//! The tasks to notify when keys, a status list or the feed have changed.

use std::sync::{Arc, PoisonError, Weak};

use crate::sync::{Mutex, Notify};

/// The listeners of one source. A dropped listener is removed at the next call of a method.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<Weak<Notify>>>);

impl Listeners {
    pub(crate) fn add(&self, listener: &Arc<Notify>) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|other| other.strong_count() > 0);
        if !listeners.iter().any(|other| other.as_ptr() == Arc::as_ptr(listener)) {
            listeners.push(Arc::downgrade(listener));
        }
    }

    pub(crate) fn notify(&self) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| {
            let listener = listener.upgrade();
            if let Some(listener) = &listener {
                listener.notify_one();
            }
            listener.is_some()
        });
    }
}
