#![doc = include_str!("../README.md")]

mod check;
mod connection;
mod pool;
mod position;
mod problem;
mod queries;
mod schema;
mod server;
mod store;
mod tls;

pub use portcullis;

pub use self::server::UrlError;
pub use self::store::{PostgresRevocations, PostgresRevocationsBuilder};
