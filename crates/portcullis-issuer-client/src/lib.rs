#![doc = include_str!("../README.md")]

mod client;
mod error;
mod token;

pub use self::client::{IssuerClient, Me, Session};
pub use self::error::ClientError;
pub use self::token::CallerToken;
