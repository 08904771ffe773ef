//! What the issuer does, without HTTP and SQL.

pub(crate) mod audit;
pub(crate) mod clients;
pub(crate) mod introspection;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod peer;
pub(crate) mod second_factor;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod users;
