//! What the issuer keeps, as a trait: one SQLite file, or a PostgreSQL that several processes
//! share.
//!
//! Only the modules below this one know SQL. The statements stand once, in `sql`, and are compiled
//! for each of the two; what differs between them is in `sqlite` and `postgres`. Times are
//! NumericDates: whole seconds since 1970.

pub(crate) mod postgres;
mod records;
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::time::Instant;

pub(crate) use self::records::{
    Credential, KeyTable, NewKey, Place, Promises, Refreshed, Rotation, Session, StoredKey,
    TokenHash, Until,
};
pub use self::records::{KeyState, RegisteredClient, User};
pub(crate) use self::sqlite::PLACES;

pub(crate) use crate::domain::audit::event::NewEvent;
pub use crate::domain::audit::event::{Event, EventKind};
use crate::error::StoreError;
use crate::metrics;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let problem = if sqlite::is_locked(&error) {
            "the database is locked by another program. Close open sqlite3 shells and backups, \
             and try again"
        } else {
            "the store failed"
        };
        Self::because(problem, error)
    }
}

/// What a machine client is called as the owner of a place; a session is called by its id.
pub(crate) fn client_owner(client_id: &str) -> String {
    format!("client {client_id}")
}

/// What a method of [`Store`] returns: boxed, so that the store can be chosen at run time.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Boxes the work of one method, and measures how long it takes.
pub(crate) fn timed<'a, T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> Answer<'a, T> {
    Box::pin(async move {
        let begun = Instant::now();
        let outcome = work.await;
        metrics::store(operation, begun.elapsed(), outcome.is_ok());
        outcome
    })
}

/// Everything that outlives a request. Each method is one transaction, and what it changes is in
/// the audit log when it commits.
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Counts the changes of the key table; two equal answers mean that nothing changed between.
    /// The answer may be a second old where other processes tell of their changes.
    fn key_version(&self) -> Answer<'_, i64>;
    /// Whether this process is the one that does what is due about the keys.
    fn leads(&self) -> bool;
    /// All keys, the newest first.
    fn keys(&self) -> Answer<'_, KeyTable>;
    /// Makes `key` the active one if there is none; otherwise changes nothing.
    fn add_first_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()>;
    /// Publishes `key` as the next one, unless there is a next one for the same algorithm; one
    /// for another algorithm, which has signed nothing, is withdrawn.
    fn publish_next_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()>;
    /// Makes the next key the active one, if it is still this one, and retires its predecessor,
    /// which stays published until the last token that it signed has expired, and `margin`
    /// seconds more.
    fn promote_key<'a>(&'a self, kid: &'a str, now: i64, margin: i64) -> Answer<'a, ()>;
    /// The same for a key that was not published before; a next one, if any, is withdrawn.
    fn rotate_key<'a>(&'a self, key: &'a NewKey, now: i64, margin: i64) -> Answer<'a, ()>;
    /// Notes on this key that it signs tokens that live this long from now on, and that key sets
    /// may be cached so long; `false` if it is not the active key (any more), and must sign none.
    fn note_promises<'a>(&'a self, kid: &'a str, promised: Promises) -> Answer<'a, bool>;
    /// Marks the retired keys whose time is over as withdrawn.
    fn withdraw_due_keys(&self, now: i64) -> Answer<'_, ()>;
    /// Withdraws a key that does not sign (any more) before its time; `false` if there is none.
    fn withdraw_key<'a>(&'a self, kid: &'a str, now: i64) -> Answer<'a, bool>;

    /// Adds a user; `false` if the name is taken.
    fn add_user<'a>(&'a self, user: &'a User, password_hash: &'a str) -> Answer<'a, bool>;
    /// The user of that name, with the password hash.
    fn user_named<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(User, String)>>;
    /// All users, by name.
    fn users(&self) -> Answer<'_, Vec<User>>;
    /// Puts another hash of the same password in place of this one, if it is still there.
    fn rehash_password<'a>(
        &'a self,
        user_id: &'a str,
        old: &'a str,
        new: &'a str,
        now: i64,
    ) -> Answer<'a, ()>;

    /// Keeps the sealed secret of a second factor, in place of one that never counted; `false` if
    /// there is one that counts.
    fn enrol_second_factor<'a>(&'a self, user_id: &'a str, sealed: &'a [u8]) -> Answer<'a, bool>;
    /// The sealed secret of a user's second factor.
    fn second_factor<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<Vec<u8>>>;
    /// The code of this time step was shown in the session of `event`; `false` if that one or a
    /// later one was before, or if it was made from another secret.
    fn step_up<'a>(&'a self, sealed: &'a [u8], step: i64, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Forgets the second factor of the user of `event`; `false` if there is none.
    fn remove_second_factor<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;

    /// Records a session, whose place in a status list was taken before, and its first refresh
    /// token, and forgets sessions long expired.
    fn start_session<'a>(
        &'a self,
        session: &'a Session,
        token: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, ()>;
    /// Exchanges one refresh token for its successor, at most once.
    fn rotate_refresh<'a>(&'a self, rotation: &'a Rotation) -> Answer<'a, Refreshed>;
    /// Ends the session that a refresh token, current or not, belongs to, and records `event` with
    /// the session and its user; nothing if there is none, or it has ended.
    fn end_session_of<'a>(&'a self, token: &'a TokenHash, event: &'a NewEvent) -> Answer<'a, ()>;
    /// The live session whose current refresh token this is.
    fn session_of<'a>(
        &'a self,
        token: &'a TokenHash,
        now: i64,
    ) -> Answer<'a, Option<(Session, User)>>;
    /// The session with its user, if it has neither ended nor expired.
    fn live_session<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, Option<(Session, User)>>;
    /// A user's live sessions, the latest first.
    fn live_sessions<'a>(&'a self, user_id: &'a str, now: i64) -> Answer<'a, Vec<Session>>;
    /// Ends one of a user's own live sessions, and records `event`; `false` if there is no such
    /// session.
    fn delete_session<'a>(
        &'a self,
        user_id: &'a str,
        session_id: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Ends all live sessions of a user, and says how many those were.
    fn end_all_sessions<'a>(&'a self, user_id: &'a str, event: &'a NewEvent) -> Answer<'a, u64>;

    /// The place in a status list of a session or of a [machine client](client_owner), which is its
    /// own for that long at least.
    fn take_place<'a>(&'a self, owner: &'a str, until: Until) -> Answer<'a, Place>;
    /// Counts the revocations; two equal answers mean that there was none between.
    fn status_version(&self) -> Answer<'_, i64>;
    /// The revoked places of a status list whose last token had not expired at `epoch`, in order;
    /// `None` if there is no such list.
    fn revoked_places(&self, list: i64, epoch: i64) -> Answer<'_, Option<Vec<i64>>>;

    /// Adds a machine client, and records `event`; `false` if there is one of that id.
    fn add_client<'a>(
        &'a self,
        client: &'a RegisteredClient,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// The machine client of that id, enabled or not.
    fn client<'a>(&'a self, id: &'a str) -> Answer<'a, Option<RegisteredClient>>;
    /// All machine clients, by id.
    fn clients(&self) -> Answer<'_, Vec<RegisteredClient>>;
    /// Replaces what the client of `event` proves itself with; `false` if there is no such client.
    fn set_credential<'a>(
        &'a self,
        credential: &'a Credential,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Disables the client of `event` from that time on, or enables it; `false` if there is no
    /// such client.
    fn set_disabled<'a>(&'a self, disabled: bool, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Forgets the client of `event`; `false` if there is no such client.
    fn remove_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;

    /// Remembers until `expires_at` that a JWT is good no more, and records `event`, if any;
    /// `false`, and no event, if that was known. Forgets those that have expired `now`.
    fn spend_jwt<'a>(
        &'a self,
        jwt: &'a TokenHash,
        expires_at: i64,
        now: i64,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool>;
    /// Whether that is remembered of a JWT.
    fn is_spent<'a>(&'a self, jwt: &'a TokenHash) -> Answer<'a, bool>;

    /// Records an event that changed nothing else.
    fn record<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()>;
    /// The events after this serial number, in their order.
    fn events(&self, after: i64, limit: i64) -> Answer<'_, Vec<Event>>;
    /// Forgets the events before this second.
    fn forget_events(&self, before: i64) -> Answer<'_, ()>;

    /// Waits for what is under way, and leaves everything in good order.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
