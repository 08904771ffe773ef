//! The issuer's store: one SQLite file, or a PostgreSQL database that several processes share.
//!
//! Only the modules below this one contain SQL. `sql` has the statements that both databases share,
//! `dialect` defines what differs, and `sqlite` and `postgres` implement it. Times are NumericDates
//! (whole seconds since 1970), except `refresh_budget_until`, which is in milliseconds.

mod dialect;
mod migrations;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod sql;
pub(crate) mod sqlite;
#[cfg(test)]
#[cfg(feature = "postgres")]
mod tests;

use std::pin::Pin;

use self::dialect::Database;
use crate::domain::audit::AuditStore;
use crate::domain::clients::ClientStore;
use crate::domain::housekeeping::HousekeepingStore;
use crate::domain::keys::KeyStore;
use crate::domain::logouts::LogoutStore;
use crate::domain::messages::UserTokenStore;
use crate::domain::passkeys::PasskeyStore;
use crate::domain::people::PeopleStore;
use crate::domain::rekey::RekeyStore;
use crate::domain::second_factor::SecondFactorStore;
use crate::domain::sessions::SessionStore;
use crate::domain::tokens::TokenStore;
use crate::domain::users::UserStore;
use crate::error::StoreError;

/// All parts of the store.
pub(crate) trait Store:
    AuditStore
    + ClientStore
    + HousekeepingStore
    + KeyStore
    + LogoutStore
    + PasskeyStore
    + PeopleStore
    + RekeyStore
    + SecondFactorStore
    + SessionStore
    + TokenStore
    + UserStore
    + UserTokenStore
{
    /// Finishes the changes in progress, and closes the connections.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let problem = match &error {
            // The pool does not report the reason. The server may also be refusing connections.
            sqlx::Error::PoolTimedOut => {
                "no connection to the database became free in time; it is unreachable or overloaded"
            }
            error if sqlite::is_locked(error) => sqlite::LOCKED,
            _ => "the store failed",
        };
        Self::because(problem, error)
    }
}

impl<D: Database> Store for D {
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.close_all())
    }
}
