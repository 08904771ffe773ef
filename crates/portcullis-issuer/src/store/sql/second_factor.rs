//! Second factors: one for a user, in the user's row.

use super::{Connection, events};
use crate::domain::audit::{EventKind, NewEvent};
use crate::error::StoreError;

pub(super) async fn enrol(
    connection: &mut Connection,
    user_id: &str,
    sealed: &[u8],
) -> Result<bool, StoreError> {
    let enrolled = sqlx::query(
        "UPDATE users SET sealed_totp_secret = $1, totp_last_step = NULL \
         WHERE id = $2 AND totp_confirmed_at IS NULL",
    )
    .bind(sealed)
    .bind(user_id)
    .execute(connection)
    .await?;
    Ok(enrolled.rows_affected() == 1)
}

pub(super) async fn sealed(
    connection: &mut Connection,
    user_id: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sealed: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT sealed_totp_secret FROM users WHERE id = $1")
            .bind(user_id)
            .fetch_optional(connection)
            .await?;
    Ok(sealed.flatten())
}

pub(super) async fn step_up(
    connection: &mut Connection,
    sealed: &[u8],
    step: i64,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let first_time = sqlx::query(
        "UPDATE users SET totp_last_step = $1 WHERE id = $2 AND sealed_totp_secret = $3 \
         AND (totp_last_step IS NULL OR totp_last_step < $1)",
    )
    .bind(step)
    .bind(&event.user_id)
    .bind(sealed)
    .execute(&mut *connection)
    .await?;
    if first_time.rows_affected() == 0 {
        return Ok(false);
    }
    let confirmed = sqlx::query(
        "UPDATE users SET totp_confirmed_at = $1 WHERE id = $2 AND totp_confirmed_at IS NULL",
    )
    .bind(event.at)
    .bind(&event.user_id)
    .execute(&mut *connection)
    .await?;
    if confirmed.rows_affected() == 1 {
        let enrolled = NewEvent { kind: EventKind::TotpEnrolled, ..event.clone() };
        events::insert(connection, &enrolled).await?;
    }
    sqlx::query("UPDATE sessions SET stepped_up_at = $1 WHERE id = $2")
        .bind(event.at)
        .bind(&event.session_id)
        .execute(&mut *connection)
        .await?;
    events::insert(connection, event).await?;
    Ok(true)
}

pub(super) async fn remove(
    connection: &mut Connection,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let removed = sqlx::query(
        "UPDATE users SET sealed_totp_secret = NULL, totp_confirmed_at = NULL, \
         totp_last_step = NULL WHERE id = $1 AND sealed_totp_secret IS NOT NULL",
    )
    .bind(&event.user_id)
    .execute(&mut *connection)
    .await?;
    let removed = removed.rows_affected() == 1;
    if removed {
        events::insert(connection, event).await?;
    }
    Ok(removed)
}
