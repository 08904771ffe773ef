//! The revocation feed: events such as a logout, stored for all instances of a service and applied
//! to the tokens of a session, subject or client.
//!
//! A [`RevocationStore`] keeps the [entries](Entry).

pub use crate::revocation::feed::{
    Appended, Changes, Cursor, Entry, MemoryStore, RevocationStore, StoreError, Storing, Target,
};
