//! The issuer's services, without HTTP and SQL. Each service has a trait for its part of the store.

pub(crate) mod audit;
pub(crate) mod background;
pub(crate) mod clients;
pub(crate) mod hash;
pub(crate) mod host_cookie;
pub(crate) mod housekeeping;
pub(crate) mod introspection;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod login;
pub(crate) mod logouts;
pub(crate) mod messages;
pub(crate) mod network;
pub(crate) mod passkeys;
pub(crate) mod peer;
pub(crate) mod people;
pub(crate) mod registration;
pub(crate) mod rekey;
pub(crate) mod scope;
pub(crate) mod second_factor;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod users;

use std::pin::Pin;
use std::sync::Arc;

use self::audit::Audit;
use self::background::Background;
use self::clients::Clients;
use self::host_cookie::HostCookies;
use self::housekeeping::Housekeeping;
use self::introspection::Introspection;
use self::keys::KeyRing;
use self::login::Logins;
use self::logouts::Logouts;
use self::messages::Messages;
use self::passkeys::Passkeys;
use self::people::People;
use self::registration::Registrations;
use self::rekey::Rekeyer;
use self::second_factor::SecondFactors;
use self::sessions::Sessions;
use self::tokens::StatusLists;
use self::users::Users;
use crate::error::StoreError;

/// All services.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) audit: Arc<Audit>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) host_cookies: HostCookies,
    pub(crate) housekeeping: Arc<Housekeeping>,
    pub(crate) housekeeper: Background,
    pub(crate) introspection: Introspection,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) keeper: Background,
    pub(crate) logins: Logins,
    pub(crate) logouts: Logouts,
    /// The messages to users; `None` without a notifier.
    pub(crate) messages: Option<Arc<Messages>>,
    pub(crate) passkeys: Arc<Passkeys>,
    pub(crate) people: Arc<People>,
    pub(crate) registrations: Registrations,
    pub(crate) rekeyer: Rekeyer,
    pub(crate) second_factors: Arc<SecondFactors>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) status_lists: Arc<StatusLists>,
    pub(crate) users: Arc<Users>,
}

/// The future that a method of a store returns. It is boxed, because the database is chosen at run
/// time.
///
/// Each method is one transaction, which also writes the audit log.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A process that may share its store with others.
pub(crate) trait Member: Send + Sync {
    /// Returns whether this process does the periodic work: rotating keys, housekeeping.
    fn leads(&self) -> bool;
    /// Returns the time of the last run of housekeeping, if there was one.
    fn heartbeat(&self) -> Answer<'_, Option<i64>>;
}
