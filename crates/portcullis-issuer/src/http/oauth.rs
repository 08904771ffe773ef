//! The OAuth endpoints: token (RFC 6749), introspection (RFC 7662) and revocation (RFC 7009).
//! Request bodies are forms, and errors have the format of OAuth.

mod answer;
mod caller;
mod documented;
mod error;
mod exchange;
mod form;
pub(super) mod introspect;
pub(super) mod revoke;
pub(super) mod token;

pub(super) use self::caller::client_of;
pub(super) use self::documented::{OF_REVOCATION, OF_TOKENS, documented};
pub(super) use self::exchange::GRANT;
