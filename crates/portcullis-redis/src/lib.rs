#![doc = include_str!("../README.md")]

mod append;
mod check;
mod info;
mod listener;
mod pool;
mod position;
mod problem;
mod scripts;
mod server;
mod store;

pub use portcullis;

pub use self::server::UrlError;
pub use self::store::{RedisRevocations, RedisRevocationsBuilder};
