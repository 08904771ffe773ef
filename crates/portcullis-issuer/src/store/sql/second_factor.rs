//! Second factors: one for a user, in the user's row.

use super::{audit, timed};
use crate::domain::Answer;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::second_factor::SecondFactorStore;
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, query};

impl<D: Database> SecondFactorStore for D {
    fn enrol_second_factor<'a>(&'a self, user_id: &'a str, sealed: &'a [u8]) -> Answer<'a, bool> {
        timed("enrol_second_factor", async move {
            enrol(&mut *self.writer().await?, user_id, sealed).await
        })
    }

    fn second_factor<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        timed("second_factor", async move { sealed(&mut *self.reader().await?, user_id).await })
    }

    fn step_up<'a>(&'a self, sealed: &'a [u8], step: i64, event: &'a NewEvent) -> Answer<'a, bool> {
        timed("step_up", async move {
            let mut tx = self.begin().await?;
            let stepped_up = step_up(&mut *tx, sealed, step, event).await?;
            tx.commit().await?;
            Ok(stepped_up)
        })
    }

    fn remove_second_factor<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool> {
        timed("remove_second_factor", async move {
            let mut tx = self.begin().await?;
            let removed = remove(&mut *tx, event).await?;
            tx.commit().await?;
            Ok(removed)
        })
    }
}

async fn enrol(
    connection: &mut impl Dialect,
    user_id: &str,
    sealed: &[u8],
) -> Result<bool, StoreError> {
    let enrolled = query(
        "UPDATE users SET sealed_totp_secret = $1, totp_last_step = NULL \
         WHERE id = $2 AND totp_confirmed_at IS NULL",
    )
    .bind(sealed)
    .bind(user_id)
    .execute(connection)
    .await?;
    Ok(enrolled == 1)
}

async fn sealed(
    connection: &mut impl Dialect,
    user_id: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sealed: Option<Option<Vec<u8>>> =
        query("SELECT sealed_totp_secret FROM users WHERE id = $1")
            .bind(user_id)
            .scalar_optional(connection)
            .await?;
    Ok(sealed.flatten())
}

async fn step_up(
    connection: &mut impl Dialect,
    sealed: &[u8],
    step: i64,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let first_time = query(
        "UPDATE users SET totp_last_step = $1 WHERE id = $2 AND sealed_totp_secret = $3 \
         AND (totp_last_step IS NULL OR totp_last_step < $1)",
    )
    .bind(step)
    .bind(&event.user_id)
    .bind(sealed)
    .execute(connection)
    .await?;
    if first_time == 0 {
        return Ok(false);
    }
    let confirmed = query(
        "UPDATE users SET totp_confirmed_at = $1 WHERE id = $2 AND totp_confirmed_at IS NULL",
    )
    .bind(event.at)
    .bind(&event.user_id)
    .execute(connection)
    .await?;
    if confirmed == 1 {
        let enrolled = NewEvent { kind: EventKind::TotpEnrolled, ..event.clone() };
        audit::insert(connection, &enrolled).await?;
    }
    query("UPDATE sessions SET stepped_up_at = $1 WHERE id = $2")
        .bind(event.at)
        .bind(&event.session_id)
        .execute(connection)
        .await?;
    audit::insert(connection, event).await?;
    Ok(true)
}

async fn remove(connection: &mut impl Dialect, event: &NewEvent) -> Result<bool, StoreError> {
    let removed = query(
        "UPDATE users SET sealed_totp_secret = NULL, totp_confirmed_at = NULL, \
         totp_last_step = NULL WHERE id = $1 AND sealed_totp_secret IS NOT NULL",
    )
    .bind(&event.user_id)
    .execute(connection)
    .await?;
    let removed = removed == 1;
    if removed {
        audit::insert(connection, event).await?;
    }
    Ok(removed)
}
