//! The feed: revocations that a store keeps for all instances of a service, and that each instance
//! applies.

mod bounds;
mod builder;
mod entry;
mod follow;
mod fresh;
mod held;
mod known;
mod memory;
mod of_token;
mod revocations;
mod revoke;
mod set;
mod shared;
mod store;

pub use builder::RevocationsBuilder;
pub use entry::{Entry, Target};
pub use memory::MemoryStore;
pub use revocations::Revocations;
pub use revoke::RevokeError;
pub use store::{Appended, Changes, Cursor, RevocationStore, StoreError, Storing};

pub(crate) use entry::rounded_up;
use entry::{MAX_TEXT_BYTES, seconds};
pub(crate) use held::TokenNames;
pub(crate) use of_token::TokenFeed;
pub(crate) use set::IssuerFeed;
pub(crate) use shared::Lifetimes;
