//! Second factors: at most one per user, in the user's row.

use super::{audit, people, retried, timed};
use crate::domain::Answer;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::TokenHash;
use crate::domain::second_factor::{SecondFactorStore, StoredFactor};
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, Row as _, query};

impl<D: Database> SecondFactorStore for D {
    fn enrol_second_factor<'a>(
        &'a self,
        user_id: &'a str,
        sealed: &'a [u8],
        codes: &'a [TokenHash],
        stepped_up: bool,
    ) -> Answer<'a, bool> {
        retried("enrol_second_factor", move || async move {
            let mut tx = self.begin().await?;
            let enrolled = enrol(&mut *tx, user_id, sealed, stepped_up).await?;
            if enrolled {
                replace_codes(&mut *tx, user_id, codes).await?;
            }
            tx.commit().await?;
            Ok(enrolled)
        })
    }

    fn second_factor<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<StoredFactor>> {
        timed("second_factor", async move { factor(&mut *self.reader().await?, user_id).await })
    }

    fn begin_code<'a>(&'a self, user_id: &'a str, most: i64) -> Answer<'a, Option<i64>> {
        timed("begin_code", async move {
            query(
                "UPDATE users SET totp_failures = totp_failures + 1 \
                 WHERE id = $1 AND totp_failures < $2 RETURNING totp_failures",
            )
            .bind(user_id)
            .bind(most)
            .scalar_optional(&mut *self.writer().await?)
            .await
        })
    }

    fn use_recovery_code<'a>(
        &'a self,
        code: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("use_recovery_code", move || async move {
            let mut tx = self.begin().await?;
            let used = use_code(&mut *tx, code, event).await?;
            tx.commit().await?;
            Ok(used)
        })
    }

    fn replace_recovery_codes<'a>(
        &'a self,
        codes: &'a [TokenHash],
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("replace_recovery_codes", move || async move {
            let Some(user_id) = event.user_id.as_deref() else { return Ok(false) };
            let mut tx = self.begin().await?;
            // Locks the user, so that the second of two requests sees the codes of the first and
            // deletes them.
            query(<D::Connection as Dialect>::LOCK_USER)
                .bind(user_id)
                .fetch_optional(&mut *tx)
                .await?;
            let counts =
                factor(&mut *tx, user_id).await?.is_some_and(|factor| factor.has_recovery());
            if counts {
                replace_codes(&mut *tx, user_id, codes).await?;
                audit::insert(&mut *tx, event).await?;
            }
            tx.commit().await?;
            Ok(counts)
        })
    }

    fn step_up<'a>(&'a self, sealed: &'a [u8], step: i64, event: &'a NewEvent) -> Answer<'a, bool> {
        retried("step_up", move || async move {
            let mut tx = self.begin().await?;
            let stepped_up = step_up(&mut *tx, sealed, step, event).await?;
            tx.commit().await?;
            Ok(stepped_up)
        })
    }

    fn remove_second_factor<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool> {
        retried("remove_second_factor", move || async move {
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
    stepped_up: bool,
) -> Result<bool, StoreError> {
    let enrolled = query(
        "UPDATE users SET sealed_totp_secret = $1, totp_last_step = NULL \
         WHERE id = $2 AND totp_confirmed_at IS NULL AND (passkeys = 0 OR $3 = 1)",
    )
    .bind(sealed)
    .bind(user_id)
    .bind(i64::from(stepped_up))
    .execute(connection)
    .await?;
    Ok(enrolled == 1)
}

async fn factor<C: Dialect>(
    connection: &mut C,
    user_id: &str,
) -> Result<Option<StoredFactor>, StoreError> {
    let row =
        query("SELECT sealed_totp_secret, totp_confirmed_at, passkeys FROM users WHERE id = $1")
            .bind(user_id)
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let sealed: Option<Vec<u8>> = row.column("sealed_totp_secret")?;
    let confirmed_at: Option<i64> = row.column("totp_confirmed_at")?;
    let passkeys: i64 = row.column("passkeys")?;
    let factor =
        StoredFactor { sealed, confirmed: confirmed_at.is_some(), has_passkeys: passkeys > 0 };
    Ok(Some(factor).filter(|factor| factor.sealed.is_some() || factor.has_passkeys))
}

pub(super) async fn replace_codes(
    connection: &mut impl Dialect,
    user_id: &str,
    codes: &[TokenHash],
) -> Result<(), StoreError> {
    query("DELETE FROM recovery_codes WHERE user_id = $1")
        .bind(user_id)
        .execute(connection)
        .await?;
    for code in codes {
        query("INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)")
            .bind(user_id)
            .bind(code.as_slice())
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn use_code(
    connection: &mut impl Dialect,
    code: &TokenHash,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let used = query("DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2")
        .bind(&event.user_id)
        .bind(code.as_slice())
        .execute(connection)
        .await?;
    if used == 0 {
        return Ok(false);
    }
    query("UPDATE users SET totp_failures = 0 WHERE id = $1")
        .bind(&event.user_id)
        .execute(connection)
        .await?;
    raise(connection, event).await?;
    Ok(true)
}

/// Marks the session of `event` as stepped up, if the session exists, and records the event.
async fn raise(connection: &mut impl Dialect, event: &NewEvent) -> Result<(), StoreError> {
    query("UPDATE sessions SET stepped_up_at = $1, second_factor = 'otp' WHERE id = $2")
        .bind(event.at)
        .bind(&event.session_id)
        .execute(connection)
        .await?;
    audit::insert(connection, event).await
}

async fn step_up(
    connection: &mut impl Dialect,
    sealed: &[u8],
    step: i64,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let first_time = query(
        "UPDATE users SET totp_last_step = $1, totp_failures = 0 \
         WHERE id = $2 AND sealed_totp_secret = $3 \
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
    raise(connection, event).await?;
    Ok(true)
}

async fn remove(connection: &mut impl Dialect, event: &NewEvent) -> Result<bool, StoreError> {
    let id = event.user_id.as_deref().unwrap_or_default();
    let removed = people::forget_second_factor(connection, id).await? == 1;
    if removed {
        audit::insert(connection, event).await?;
    }
    Ok(removed)
}
