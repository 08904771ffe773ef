//! The change to another key-encryption key.

use super::keys::table;
use super::{retried, timed};
use crate::domain::Answer;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::rekey::{EarlierMacKey, RekeyStore, Rekeying};
use crate::error::{Error, StoreError};
use crate::store::dialect::{Database, Dialect, Row, query};
use crate::store::sql::audit;

impl<D: Database> RekeyStore for D {
    fn rekey<'a>(&'a self, rekeying: &'a Rekeying) -> Answer<'a, ()> {
        retried("rekey", move || async move {
            let mut tx = self.begin().await?;
            rekey(&mut *tx, rekeying).await?;
            Ok(tx.commit().await?)
        })
    }

    fn earlier_mac_keys(&self) -> Answer<'_, Vec<EarlierMacKey>> {
        timed("earlier_mac_keys", async { earlier(&mut *self.reader().await?).await })
    }
}

/// Seals all secrets under the new key-encryption key. The caller commits the transaction, so
/// either all secrets are sealed again or none.
async fn rekey(connection: &mut impl Dialect, rekeying: &Rekeying) -> Result<(), StoreError> {
    table::lock(connection).await?;
    seal_again(
        connection,
        "SELECT kid AS id, sealed_private_key AS sealed FROM signing_keys \
         WHERE length(sealed_private_key) > 0",
        "UPDATE signing_keys SET sealed_private_key = $1 WHERE kid = $2",
        |kid, sealed| rekeying.signing_key(kid, sealed),
    )
    .await?;
    seal_again(
        connection,
        "SELECT id, sealed_totp_secret AS sealed FROM users WHERE sealed_totp_secret IS NOT NULL",
        "UPDATE users SET sealed_totp_secret = $1 WHERE id = $2",
        |user_id, sealed| rekeying.second_factor(user_id, sealed),
    )
    .await?;
    let mut number = 1;
    for key in earlier(connection).await? {
        let sealed = rekeying.earlier_mac_key(key.number, &key.sealed).map_err(StoreError::new)?;
        query("UPDATE refresh_keys SET sealed = $1 WHERE number = $2")
            .bind(&sealed)
            .bind(key.number)
            .execute(connection)
            .await?;
        number = key.number + 1;
    }
    let sealed = rekeying.mac_key(number).map_err(StoreError::new)?;
    query("INSERT INTO refresh_keys (number, sealed, verify_until) VALUES ($1, $2, $3)")
        .bind(number)
        .bind(&sealed)
        .bind(rekeying.verify_until)
        .execute(connection)
        .await?;
    let event = NewEvent::new(EventKind::KeyEncryptionKeyChanged, rekeying.now).by_operator();
    audit::insert(connection, &event).await?;
    table::count_up_version(connection).await
}

async fn earlier(connection: &mut impl Dialect) -> Result<Vec<EarlierMacKey>, StoreError> {
    let rows = query("SELECT number, sealed, verify_until FROM refresh_keys ORDER BY number")
        .fetch_all(connection)
        .await?;
    rows.iter().map(earlier_from).collect()
}

fn earlier_from(row: &impl Row) -> Result<EarlierMacKey, StoreError> {
    Ok(EarlierMacKey {
        number: row.column("number")?,
        sealed: row.column("sealed")?,
        verify_until: row.column("verify_until")?,
    })
}

async fn seal_again(
    connection: &mut impl Dialect,
    select: &'static str,
    update: &'static str,
    again: impl Fn(&str, &[u8]) -> Result<Vec<u8>, Error> + Send,
) -> Result<(), StoreError> {
    for row in query(select).fetch_all(connection).await? {
        let (id, sealed): (String, Vec<u8>) = (row.column("id")?, row.column("sealed")?);
        let sealed = again(&id, &sealed).map_err(StoreError::new)?;
        query(update).bind(&sealed).bind(&id).execute(connection).await?;
    }
    Ok(())
}
