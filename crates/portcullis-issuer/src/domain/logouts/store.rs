//! Logout messages as they are stored. Triggers write them in the transaction that ends a session.

use std::fmt;
use std::pin::Pin;

use crate::domain::audit::NewEvent;
use crate::domain::{Answer, Member};

/// The messages that report ended sessions to clients.
pub(crate) trait LogoutStore: Member + fmt::Debug {
    /// Waits until this process has ended a session.
    fn session_ended(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Returns the enabled clients with a URI for which a message is due.
    fn clients_to_notify(&self, due: Due) -> Answer<'_, Vec<LogoutClient>>;
    /// Claims at most `limit` due messages of a client until the second `until`, and counts the
    /// attempt. Of concurrent callers, one claims a message.
    fn claim_logouts<'a>(
        &'a self,
        client_id: &'a str,
        due: Due,
        until: i64,
        limit: i64,
    ) -> Answer<'a, Vec<LogoutMessage>>;
    /// Makes a claimed message due at `next_at`.
    fn retry_logout<'a>(&'a self, message: &'a LogoutMessage, next_at: i64) -> Answer<'a, ()>;
    /// Deletes a message, and records `event`, if there is one.
    fn finish_logout<'a>(
        &'a self,
        message: &'a LogoutMessage,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, ()>;
    /// Returns the number of messages for each client.
    fn waiting_logouts(&self) -> Answer<'_, Vec<(String, i64)>>;
    /// Deletes at most `limit` messages, those that expire first, and records their number for each
    /// client at the time `at`. Returns the number of deleted messages.
    fn drop_logouts(&self, which: Undeliverable, at: i64, limit: i64) -> Answer<'_, u64>;
}

/// The messages that are due now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) now: i64,
    /// Messages that expire at this time or before are not sent any more.
    pub(crate) expired: i64,
}

/// The messages that are dropped.
#[derive(Debug, Clone)]
pub(crate) enum Undeliverable {
    /// Messages that expire at this time or before.
    Expired(i64),
    /// Messages for this client.
    Of(String),
}

/// A client that receives logout tokens.
#[derive(Debug)]
pub(crate) struct LogoutClient {
    pub(crate) id: String,
    pub(crate) uri: String,
}

/// A message that reports an ended session to a client.
#[derive(Debug, Clone)]
pub(crate) struct LogoutMessage {
    /// The `jti` of all attempts.
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) session_id: String,
    pub(crate) user_id: String,
    pub(crate) ended_at: i64,
    /// The number of attempts, including the current one.
    pub(crate) attempts: i64,
}
