//! The feed: revocations that are stored for all instances of a service, and known to each.

mod entry;
mod memory;
mod store;

pub use entry::{Entry, Target};
pub use memory::MemoryStore;
pub use store::{Appended, Changes, Cursor, RevocationStore, StoreError, Storing};
