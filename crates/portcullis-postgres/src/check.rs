//! Checks the settings of the server that could make it lose an acknowledged entry.

use portcullis::feed::StoreError;
use tokio_postgres::Client;

use crate::problem::Problem;

const SETTINGS: &str = "SELECT current_setting('fsync'), relpersistence::text \
    FROM pg_class WHERE oid = 'portcullis_revocations'::regclass";

/// The values that [`SETTINGS`] returned.
pub(crate) struct Found {
    fsync: String,
    persistence: String,
}

pub(crate) async fn find(client: &Client) -> Result<Found, Problem> {
    let row = client.query_typed_one(SETTINGS, &[]).await?;
    Ok(Found { fsync: row.try_get(0)?, persistence: row.try_get(1)? })
}

impl Found {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.fsync != "on" {
            let wrong = format!("PostgreSQL's `fsync` is {}; set it to on", self.fsync);
            return Err(StoreError::unsuitable(wrong));
        }
        if self.persistence != "p" {
            let wrong = "the table `portcullis_revocations` is unlogged or temporary; run ALTER TABLE \
                         portcullis_revocations SET LOGGED";
            return Err(StoreError::unsuitable(wrong));
        }
        Ok(())
    }
}
