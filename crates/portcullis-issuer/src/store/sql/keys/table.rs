//! The table of signing keys. A change of the keys locks the only row of `key_ring` until the
//! transaction ends, so that changes are made one at a time, and increments the version in that
//! row.

use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::keys::{ChangedBy, KeyChange, KeyState, KeyTable, NewKey, Promises};
use crate::error::StoreError;
use crate::store::dialect::{Dialect, query};
use crate::store::sql::{audit, rows};

pub(super) async fn version(connection: &mut impl Dialect) -> Result<i64, StoreError> {
    query("SELECT version FROM key_ring").scalar(connection).await
}

pub(super) async fn table<C: Dialect>(connection: &mut C) -> Result<KeyTable, StoreError> {
    let version = version(connection).await?;
    let rows = query(C::NEWEST_KEYS_FIRST).fetch_all(connection).await?;
    let keys = rows.iter().map(rows::key_from).collect::<Result<_, _>>()?;
    Ok(KeyTable { version, keys })
}

pub(super) async fn add_first(
    connection: &mut impl Dialect,
    key: &NewKey,
) -> Result<(), StoreError> {
    lock(connection).await?;
    let active: i64 = query("SELECT count(*) FROM signing_keys WHERE state = 'active'")
        .scalar(connection)
        .await?;
    if active == 0 {
        insert(connection, key, KeyState::Active, ChangedBy::Schedule).await?;
        count_up_version(connection).await?;
    }
    Ok(())
}

pub(super) async fn publish_next(
    connection: &mut impl Dialect,
    key: &NewKey,
    change: KeyChange,
) -> Result<(), StoreError> {
    lock(connection).await?;
    let same: i64 =
        query("SELECT count(*) FROM signing_keys WHERE state = 'next' AND algorithm = $1")
            .bind(key.algorithm.as_str())
            .scalar(connection)
            .await?;
    if same == 0 {
        withdraw_next(connection, change).await?;
        insert(connection, key, KeyState::Next, change.by).await?;
        count_up_version(connection).await?;
    }
    Ok(())
}

pub(super) async fn promote(
    connection: &mut impl Dialect,
    kid: &str,
    change: KeyChange,
    margin: i64,
) -> Result<(), StoreError> {
    lock(connection).await?;
    let is_next: i64 = query("SELECT count(*) FROM signing_keys WHERE state = 'next' AND kid = $1")
        .bind(kid)
        .scalar(connection)
        .await?;
    if is_next == 1 {
        retire_active(connection, change.at, margin).await?;
        query("UPDATE signing_keys SET state = 'active', signs_from = $1 WHERE kid = $2")
            .bind(change.at)
            .bind(kid)
            .execute(connection)
            .await?;
        note(connection, EventKind::KeyActive, kid, change).await?;
        count_up_version(connection).await?;
    }
    Ok(())
}

pub(super) async fn rotate(
    connection: &mut impl Dialect,
    key: &NewKey,
    change: KeyChange,
    margin: i64,
) -> Result<(), StoreError> {
    lock(connection).await?;
    withdraw_next(connection, change).await?;
    retire_active(connection, change.at, margin).await?;
    insert(connection, key, KeyState::Active, change.by).await?;
    count_up_version(connection).await
}

pub(super) async fn note_promises(
    connection: &mut impl Dialect,
    kid: &str,
    promised: Promises,
) -> Result<bool, StoreError> {
    let noted = query(
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
    Ok(noted == 1)
}

pub(super) async fn withdraw_due(
    connection: &mut impl Dialect,
    now: i64,
) -> Result<(), StoreError> {
    lock(connection).await?;
    let due: Vec<String> = query(
        "UPDATE signing_keys SET state = 'withdrawn' \
         WHERE state = 'retired' AND published_until <= $1 RETURNING kid",
    )
    .bind(now)
    .scalars(connection)
    .await?;
    for kid in &due {
        let change = ChangedBy::Schedule.at(now);
        note(connection, EventKind::KeyWithdrawn, kid, change).await?;
    }
    if due.is_empty() { Ok(()) } else { count_up_version(connection).await }
}

pub(super) async fn withdraw(
    connection: &mut impl Dialect,
    kid: &str,
    change: KeyChange,
) -> Result<bool, StoreError> {
    lock(connection).await?;
    let withdrawn = query(
        "UPDATE signing_keys SET state = 'withdrawn', sealed_private_key = NULL, \
         published_until = $1 WHERE kid = $2 AND state IN ('next', 'retired')",
    )
    .bind(change.at)
    .bind(kid)
    .execute(connection)
    .await?;
    let found = withdrawn == 1;
    if found {
        note(connection, EventKind::KeyWithdrawn, kid, change).await?;
        count_up_version(connection).await?;
    }
    Ok(found)
}

pub(in crate::store::sql) async fn lock<C: Dialect>(connection: &mut C) -> Result<(), StoreError> {
    query(C::LOCK_KEYS).scalar::<i64>(connection).await?;
    Ok(())
}

async fn insert(
    connection: &mut impl Dialect,
    key: &NewKey,
    state: KeyState,
    by: ChangedBy,
) -> Result<(), StoreError> {
    query(
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
    .execute(connection)
    .await?;
    let kind = match state {
        KeyState::Active => EventKind::KeyActive,
        _ => EventKind::KeyPublished,
    };
    note(connection, kind, &key.kid, by.at(key.created_at)).await
}

async fn retire_active(
    connection: &mut impl Dialect,
    now: i64,
    margin: i64,
) -> Result<(), StoreError> {
    query(
        "UPDATE signing_keys SET state = 'retired', sealed_private_key = NULL, \
         retired_at = $1, published_until = $1 + longest_token_secs + $2 WHERE state = 'active'",
    )
    .bind(now)
    .bind(margin)
    .execute(connection)
    .await?;
    Ok(())
}

/// Withdraws the next key, if there is one. The caller replaces the key, and increments the
/// version.
async fn withdraw_next(connection: &mut impl Dialect, change: KeyChange) -> Result<(), StoreError> {
    let withdrawn: Option<String> = query(
        "UPDATE signing_keys SET state = 'withdrawn', sealed_private_key = NULL, \
         published_until = $1 WHERE state = 'next' RETURNING kid",
    )
    .bind(change.at)
    .scalar_optional(connection)
    .await?;
    match withdrawn {
        Some(kid) => note(connection, EventKind::KeyWithdrawn, &kid, change).await,
        None => Ok(()),
    }
}

pub(in crate::store::sql) async fn count_up_version(
    connection: &mut impl Dialect,
) -> Result<(), StoreError> {
    query("UPDATE key_ring SET version = version + 1").execute(connection).await?;
    Ok(())
}

async fn note(
    connection: &mut impl Dialect,
    kind: EventKind,
    kid: &str,
    change: KeyChange,
) -> Result<(), StoreError> {
    let event = NewEvent::new(kind, change.at).key(kid);
    let event = match change.by {
        ChangedBy::Schedule => event,
        ChangedBy::Operator => event.by_operator(),
    };
    audit::insert(connection, &event).await
}
