//! The feed: revocations that are stored for all instances of a service, and known to each.

mod entry;
mod follow;
mod known;
mod memory;
mod of_token;
mod revocations;
mod revoke;
mod set;
mod store;

pub use entry::{Entry, Target};
pub use memory::MemoryStore;
pub use revocations::{Revocations, RevocationsBuilder};
pub use revoke::RevokeError;
pub use store::{Appended, Changes, Cursor, RevocationStore, StoreError, Storing};

pub(crate) use entry::rounded_up;
use entry::{MAX_TEXT_BYTES, seconds};
pub(crate) use of_token::TokenFeed;
pub(crate) use revocations::Lifetimes;
pub(crate) use set::IssuerFeed;
use set::TokenNames;
