#![doc = include_str!("../README.md")]

mod algorithm;
mod error;
mod keys;
mod settings;

pub use portcullis;

pub use self::error::{DecodeError, DecodingKeyError};
pub use self::keys::DecodingKeySource;
pub use self::settings::{NotExpressible, issuer_settings};
