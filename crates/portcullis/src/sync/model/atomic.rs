//! loom's atomic numbers, whose loads may be exact.
//!
//! For each object, loom remembers only the last access. So a load and a later store of one thread
//! can hide that the store depends on an earlier load of another thread, and loom does not try
//! the other order. An exact load is a compare-and-exchange that fails, which every other access
//! depends on, and which never returns an older value. So each model runs twice: with loads that may
//! return older values, and with exact loads.

use std::cell::Cell;
use std::ops::Deref;

pub(crate) use loom::sync::atomic::Ordering;

thread_local! {
    static EXACT: Cell<bool> = const { Cell::new(false) };
}

/// Makes the loads of the following executions on this thread exact, or not.
pub(super) fn loads_are_exact(exact: bool) {
    EXACT.set(exact);
}

macro_rules! number {
    ($name:ident, $number:ty) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        impl $name {
            /// A value that no model stores.
            const NEVER: $number = <$number>::MAX - 7;

            pub(crate) fn new(number: $number) -> Self {
                Self(loom::sync::atomic::$name::new(number))
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $number {
                if !EXACT.get() {
                    return self.0.load(ordering);
                }
                let never = Self::NEVER;
                let failed = self.0.compare_exchange(never, never, ordering, ordering);
                failed.unwrap_or_else(|number| number)
            }
        }

        impl Deref for $name {
            type Target = loom::sync::atomic::$name;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    };
}

number!(AtomicU8, u8);
number!(AtomicU32, u32);
number!(AtomicU64, u64);
number!(AtomicUsize, usize);

/// A number, because an exact load needs a value that is never stored.
#[derive(Debug, Default)]
pub(crate) struct AtomicBool(AtomicU8);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(AtomicU8::new(value.into()))
    }

    pub(crate) fn load(&self, ordering: Ordering) -> bool {
        self.0.load(ordering) != 0
    }

    pub(crate) fn store(&self, value: bool, ordering: Ordering) {
        self.0.store(value.into(), ordering);
    }

    pub(crate) fn swap(&self, value: bool, ordering: Ordering) -> bool {
        self.0.swap(value.into(), ordering) != 0
    }
}
