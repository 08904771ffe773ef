//! The synchronization primitives of the parts whose interleavings are checked exhaustively.
//!
//! Each name is the type of std, arc-swap or tokio. With `--cfg portcullis_loom`, which only
//! `cargo xtask proof` sets, it is a type of [loom](https://docs.rs/loom), or a model on top of
//! loom's types. So the models run the code that ships. `docs/reference/proofs.md` describes them.

#[cfg(portcullis_loom)]
pub(crate) mod model;

#[cfg(not(portcullis_loom))]
pub(crate) use {
    arc_swap::ArcSwapOption,
    std::sync::{Mutex, MutexGuard, RwLock, atomic},
    tokio::{
        runtime::Handle,
        sync::{Notify, watch},
        time::{sleep, timeout},
    },
};

#[cfg(portcullis_loom)]
pub(crate) use {
    loom::sync::{Mutex, MutexGuard, RwLock},
    model::{ArcSwapOption, Handle, Notify, atomic, sleep, timeout, watch},
};
