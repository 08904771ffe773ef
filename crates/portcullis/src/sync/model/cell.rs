//! `ArcSwapOption` as an atomic cell: the number of the current value, in the order of the stores.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use super::atomic::{AtomicUsize, Ordering};

/// Loads acquire, and stores acquire and release. The real type orders more (`SeqCst`), so code that
/// is correct with the model is correct with the real type.
pub(crate) struct ArcSwapOption<T> {
    current: AtomicUsize,
    /// All values so far. The lock is no part of the model: no operation of loom runs under it.
    values: Mutex<Vec<Option<Arc<T>>>>,
}

/// A loaded value.
pub(crate) struct Guard<T>(Option<Arc<T>>);

impl<T> Deref for Guard<T> {
    type Target = Option<Arc<T>>;

    fn deref(&self) -> &Option<Arc<T>> {
        &self.0
    }
}

/// What `compare_and_swap` compares with.
pub(crate) trait Compared<T> {
    fn is(&self, current: Option<&Arc<T>>) -> bool;
}

impl<T> Compared<T> for Arc<T> {
    fn is(&self, current: Option<&Self>) -> bool {
        current.is_some_and(|current| Arc::ptr_eq(current, self))
    }
}

impl<T> Compared<T> for Option<Arc<T>> {
    fn is(&self, current: Option<&Arc<T>>) -> bool {
        self.as_ref().map_or(current.is_none(), |wanted| wanted.is(current))
    }
}

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Self { current: AtomicUsize::new(0), values: Mutex::new(vec![None]) }
    }

    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.at(self.current.load(Ordering::Acquire))
    }

    pub(crate) fn load(&self) -> Guard<T> {
        Guard(self.load_full())
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        self.swap(value);
    }

    pub(crate) fn swap(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        let number = self.add(value);
        self.at(self.current.swap(number, Ordering::AcqRel))
    }

    /// Returns the value before, which is the compared one if the swap took place.
    pub(crate) fn compare_and_swap(
        &self,
        compared: &impl Compared<T>,
        value: Option<Arc<T>>,
    ) -> Guard<T> {
        let number = self.add(value);
        loop {
            let current = self.current.load(Ordering::Acquire);
            let before = self.at(current);
            let swap = || {
                let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
                self.current.compare_exchange(current, number, success, failure).is_ok()
            };
            if !compared.is(before.as_ref()) || swap() {
                return Guard(before);
            }
        }
    }

    fn add(&self, value: Option<Arc<T>>) -> usize {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.push(value);
        values.len() - 1
    }

    fn at(&self, number: usize) -> Option<Arc<T>> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(number).cloned().flatten()
    }
}

impl<T> Default for ArcSwapOption<T> {
    fn default() -> Self {
        Self::empty()
    }
}
