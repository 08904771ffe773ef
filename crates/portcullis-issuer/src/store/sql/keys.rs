//! Signing keys. Whoever changes the table holds the one row of `key_ring` until the end of the
//! transaction, so that there is one change at a time, and counts up the version in it.

use super::{Connection, events, rows};
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::keys::{KeyState, KeyTable, NewKey, Promises};
use crate::error::StoreError;

pub(super) async fn version(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT version FROM key_ring").fetch_one(connection).await?)
}

pub(super) async fn table(connection: &mut Connection) -> Result<KeyTable, StoreError> {
    let version = version(connection).await?;
    let rows = sqlx::query(super::super::NEWEST_KEYS_FIRST).fetch_all(connection).await?;
    let keys = rows.iter().map(rows::key_from).collect::<Result<_, _>>()?;
    Ok(KeyTable { version, keys })
}

pub(super) async fn add_first(connection: &mut Connection, key: &NewKey) -> Result<(), StoreError> {
    lock(connection).await?;
    let active: i64 =
        sqlx::query_scalar("SELECT count(*) FROM signing_keys WHERE state = 'active'")
            .fetch_one(&mut *connection)
            .await?;
    if active == 0 {
        insert(connection, key, KeyState::Active).await?;
        count_up_version(connection).await?;
    }
    Ok(())
}

pub(super) async fn publish_next(
    connection: &mut Connection,
    key: &NewKey,
) -> Result<(), StoreError> {
    lock(connection).await?;
    let same: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM signing_keys WHERE state = 'next' AND algorithm = $1",
    )
    .bind(key.algorithm.as_str())
    .fetch_one(&mut *connection)
    .await?;
    if same == 0 {
        withdraw_next(connection, key.created_at).await?;
        insert(connection, key, KeyState::Next).await?;
        count_up_version(connection).await?;
    }
    Ok(())
}

pub(super) async fn promote(
    connection: &mut Connection,
    kid: &str,
    now: i64,
    margin: i64,
) -> Result<(), StoreError> {
    lock(connection).await?;
    let is_next: i64 =
        sqlx::query_scalar("SELECT count(*) FROM signing_keys WHERE state = 'next' AND kid = $1")
            .bind(kid)
            .fetch_one(&mut *connection)
            .await?;
    if is_next == 1 {
        retire_active(connection, now, margin).await?;
        sqlx::query("UPDATE signing_keys SET state = 'active', signs_from = $1 WHERE kid = $2")
            .bind(now)
            .bind(kid)
            .execute(&mut *connection)
            .await?;
        note(connection, EventKind::KeyActive, kid, now).await?;
        count_up_version(connection).await?;
    }
    Ok(())
}

pub(super) async fn rotate(
    connection: &mut Connection,
    key: &NewKey,
    now: i64,
    margin: i64,
) -> Result<(), StoreError> {
    lock(connection).await?;
    withdraw_next(connection, now).await?;
    retire_active(connection, now, margin).await?;
    insert(connection, key, KeyState::Active).await?;
    count_up_version(connection).await
}

pub(super) async fn note_promises(
    connection: &mut Connection,
    kid: &str,
    promised: Promises,
) -> Result<bool, StoreError> {
    let noted = sqlx::query(
        "UPDATE signing_keys SET \
         longest_token_secs = CASE WHEN longest_token_secs < $1 THEN $1 ELSE longest_token_secs END, \
         longest_max_age_secs = CASE WHEN longest_max_age_secs < $2 THEN $2 \
         ELSE longest_max_age_secs END \
         WHERE kid = $3 AND state = 'active'",
    )
    .bind(promised.token_secs)
    .bind(promised.max_age_secs)
    .bind(kid)
    .execute(connection)
    .await?;
    Ok(noted.rows_affected() == 1)
}

pub(super) async fn withdraw_due(connection: &mut Connection, now: i64) -> Result<(), StoreError> {
    lock(connection).await?;
    let due: Vec<String> = sqlx::query_scalar(
        "UPDATE signing_keys SET state = 'withdrawn' \
         WHERE state = 'retired' AND published_until <= $1 RETURNING kid",
    )
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    for kid in &due {
        note(connection, EventKind::KeyWithdrawn, kid, now).await?;
    }
    if due.is_empty() { Ok(()) } else { count_up_version(connection).await }
}

pub(super) async fn withdraw(
    connection: &mut Connection,
    kid: &str,
    now: i64,
) -> Result<bool, StoreError> {
    lock(connection).await?;
    let withdrawn = sqlx::query(
        "UPDATE signing_keys SET state = 'withdrawn', sealed_private_key = NULL, \
         published_until = $1 WHERE kid = $2 AND state IN ('next', 'retired')",
    )
    .bind(now)
    .bind(kid)
    .execute(&mut *connection)
    .await?;
    let found = withdrawn.rows_affected() == 1;
    if found {
        note(connection, EventKind::KeyWithdrawn, kid, now).await?;
        count_up_version(connection).await?;
    }
    Ok(found)
}

async fn lock(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query(super::super::LOCK_KEYS).fetch_one(connection).await?;
    Ok(())
}

async fn insert(
    connection: &mut Connection,
    key: &NewKey,
    state: KeyState,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO signing_keys (kid, algorithm, state, public_jwk, sealed_private_key, \
         created_at, signs_from, longest_token_secs, longest_max_age_secs) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&key.kid)
    .bind(key.algorithm.as_str())
    .bind(state.as_str())
    .bind(&key.public_jwk)
    .bind(&key.sealed)
    .bind(key.created_at)
    .bind(key.signs_from)
    .bind(key.promises.token_secs)
    .bind(key.promises.max_age_secs)
    .execute(&mut *connection)
    .await?;
    let kind = match state {
        KeyState::Active => EventKind::KeyActive,
        _ => EventKind::KeyPublished,
    };
    note(connection, kind, &key.kid, key.created_at).await
}

async fn retire_active(
    connection: &mut Connection,
    now: i64,
    margin: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE signing_keys SET state = 'retired', sealed_private_key = NULL, \
         retired_at = $1, published_until = $1 + longest_token_secs + $2 WHERE state = 'active'",
    )
    .bind(now)
    .bind(margin)
    .execute(connection)
    .await?;
    Ok(())
}

/// The caller counts up the version, by putting another key in its place.
async fn withdraw_next(connection: &mut Connection, now: i64) -> Result<(), StoreError> {
    let withdrawn: Option<String> = sqlx::query_scalar(
        "UPDATE signing_keys SET state = 'withdrawn', sealed_private_key = NULL, \
         published_until = $1 WHERE state = 'next' RETURNING kid",
    )
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    match withdrawn {
        Some(kid) => note(connection, EventKind::KeyWithdrawn, &kid, now).await,
        None => Ok(()),
    }
}

async fn count_up_version(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("UPDATE key_ring SET version = version + 1").execute(connection).await?;
    Ok(())
}

async fn note(
    connection: &mut Connection,
    kind: EventKind,
    kid: &str,
    now: i64,
) -> Result<(), StoreError> {
    events::insert(connection, &NewEvent::new(kind, now).key(kid)).await
}
