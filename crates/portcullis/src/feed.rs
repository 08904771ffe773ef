//! The revocation feed: events such as a logout, stored for all instances of a service and applied
//! to the tokens of a session, subject or client.
//!
//! Routes with [`Revocation::feed`](crate::Revocation::feed) reject the revoked tokens. The check is
//! local. Give the [`Revocations`] to
//! [`AuthenticatorBuilder::revocations`](crate::AuthenticatorBuilder::revocations).
//!
//! | source of events | how |
//! |---|---|
//! | OpenID Connect Back-Channel Logout | [`LogoutReceiver`], served by each adapter |
//! | security event tokens: CAEP `session-revoked` and `credential-change`, pushed by RFC 8935 | the same |
//! | your own code: a webhook, an administrator's operation | [`Revocations::revoke_session`], [`revoke_subject`](Revocations::revoke_subject), [`revoke_token`](Revocations::revoke_token), [`revoke_client`](Revocations::revoke_client) |
//!
//! | instances of the service | store |
//! |---|---|
//! | one | [`Revocations::in_memory`] |
//! | several | a [`RevocationStore`]: `portcullis-postgres`, `portcullis-redis`, or your own |
//!
//! The [guide](crate::guide::revocation) has the guarantees and what each issuer sends.

pub use crate::logout::LogoutReceiver;
pub use crate::revocation::LogoutMatch;
pub use crate::revocation::feed::{
    Appended, Changes, Cursor, Entry, MemoryStore, RevocationStore, Revocations,
    RevocationsBuilder, RevokeError, StoreError, Storing, Target,
};
