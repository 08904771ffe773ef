//! What the issuer keeps: in one SQLite file, or in a PostgreSQL that several processes share.
//!
//! Only the modules below this one know SQL. The statements stand once, in `sql`, for every
//! `dialect`; what differs between the two is in `sqlite` and `postgres`. Times are NumericDates:
//! whole seconds since 1970.

mod dialect;
pub(crate) mod postgres;
mod sql;
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;

use std::pin::Pin;

use self::dialect::Database;
use crate::domain::audit::AuditStore;
use crate::domain::clients::ClientStore;
use crate::domain::housekeeping::HousekeepingStore;
use crate::domain::keys::KeyStore;
use crate::domain::messages::UserTokenStore;
use crate::domain::people::PeopleStore;
use crate::domain::rekey::RekeyStore;
use crate::domain::second_factor::SecondFactorStore;
use crate::domain::sessions::SessionStore;
use crate::domain::tokens::TokenStore;
use crate::domain::users::UserStore;
use crate::error::StoreError;

/// Everything that outlives a request.
pub(crate) trait Store:
    AuditStore
    + ClientStore
    + HousekeepingStore
    + KeyStore
    + PeopleStore
    + RekeyStore
    + SecondFactorStore
    + SessionStore
    + TokenStore
    + UserStore
    + UserTokenStore
{
    /// Waits for what is under way, and leaves everything in good order.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let problem = if sqlite::is_locked(&error) { sqlite::LOCKED } else { "the store failed" };
        Self::because(problem, error)
    }
}

impl<D: Database> Store for D {
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.close_all())
    }
}
