//! Users' accounts, which administrators and operators read and change.

mod ends;
mod passkeys;

pub(super) use self::ends::end_of_user;
use super::{audit, retried, rows, timed};
use crate::domain::Answer;
use crate::domain::audit::{Authority, NewEvent};
use crate::domain::people::{ADMIN_SCOPE, AccountInfo, Change, Changed, PeopleStore, UserRef};
use crate::domain::users::User;
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, Row, query};

impl<D: Database> PeopleStore for D {
    fn account<'a>(&'a self, user_ref: &'a UserRef) -> Answer<'a, Option<AccountInfo>> {
        timed("account", async move {
            let row = find(&mut *self.reader().await?, user_ref).await?;
            row.as_ref().map(info_from).transpose()
        })
    }

    fn accounts<'a>(&'a self, after: &'a str, limit: i64) -> Answer<'a, Vec<AccountInfo>> {
        timed("accounts", async move {
            if !rows::can_be_stored(after) {
                return Ok(Vec::new());
            }
            let rows = query("SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(after)
                .bind(limit)
                .fetch_all(&mut *self.reader().await?)
                .await?;
            rows.iter().map(info_from).collect()
        })
    }

    fn change_account<'a>(
        &'a self,
        user_ref: &'a UserRef,
        change: &'a Change,
        event: &'a NewEvent,
        authority: Option<Authority<'a>>,
    ) -> Answer<'a, Changed> {
        retried("change_account", move || async move {
            let mut tx = self.begin().await?;
            let Some(user) = find(&mut *tx, user_ref).await? else { return Ok(Changed::NotFound) };
            let User { id, name, .. } = rows::user_from(&user)?;
            let is_there = lock(&mut *tx, &id, authority).await?;
            if !is_authorized(&mut *tx, authority, event.at).await? {
                return Ok(Changed::NotAnAdministrator);
            }
            if !is_there {
                return Ok(Changed::NotFound);
            }
            // The session was checked before this transaction. An operator may have set another
            // password or disabled the user since then, which ended the session. This change must
            // not overwrite that password.
            if let Change::Password { keeps: Some(kept), .. } = change {
                let live = query(rows::SESSION_AND_USER).bind(&kept.session_id).bind(event.at);
                let credentials: Option<i64> = query("SELECT credentials FROM users WHERE id = $1")
                    .bind(&id)
                    .scalar_optional(&mut *tx)
                    .await?;
                if live.fetch_optional(&mut *tx).await?.is_none()
                    || credentials != Some(kept.credentials)
                {
                    return Ok(Changed::NotFound);
                }
            }
            let event = match change {
                Change::Removed => event.clone().user(&id).user_name(&name),
                _ => event.clone().user(&id),
            };
            let ended = apply(&mut *tx, &id, change, &event).await?;
            tx.commit().await?;
            self.ended_sessions().notify_one();
            Ok(Changed::Done(ended))
        })
    }

    fn end_some_sessions<'a>(
        &'a self,
        now: i64,
        limit: i64,
        begins: Option<&'a NewEvent>,
        authority: Option<Authority<'a>>,
    ) -> Answer<'a, Changed> {
        retried("end_some_sessions", move || async move {
            let mut tx = self.begin().await?;
            if !lock_authority(&mut *tx, authority, now).await? {
                return Ok(Changed::NotAnAdministrator);
            }
            if let Some(event) = begins {
                audit::insert(&mut *tx, event).await?;
            }
            let ended = ends::end_some(&mut *tx, now, limit).await?;
            tx.commit().await?;
            self.ended_sessions().notify_one();
            Ok(Changed::Done(ended))
        })
    }
}

async fn find<C: Dialect>(
    connection: &mut C,
    user_ref: &UserRef,
) -> Result<Option<C::Row>, StoreError> {
    match user_ref {
        UserRef::Named(name) => {
            query(C::USER_NAMED).bind(name.as_str()).fetch_optional(connection).await
        }
        UserRef::WithId(id) if !rows::can_be_stored(id) => Ok(None),
        UserRef::WithId(id) => {
            query("SELECT * FROM users WHERE id = $1").bind(id).fetch_optional(connection).await
        }
    }
}

/// Locks the rows of the user and of the administrator until the transaction ends. Returns whether
/// the user still exists.
async fn lock<C: Dialect>(
    connection: &mut C,
    id: &str,
    authority: Option<Authority<'_>>,
) -> Result<bool, StoreError> {
    let mut ids = vec![id];
    ids.extend(authority.map(|by| by.user_id));
    // In the order of ids, so that two administrators who change each other's accounts cannot
    // deadlock.
    ids.sort_unstable();
    ids.dedup();
    let mut is_there = false;
    for locked in ids {
        let row = query(C::LOCK_USER).bind(locked).fetch_optional(connection).await?;
        is_there |= locked == id && row.is_some();
    }
    Ok(is_there)
}

/// Locks the administrator's row until the transaction ends. Returns whether the change may be made.
pub(super) async fn lock_authority<C: Dialect>(
    connection: &mut C,
    authority: Option<Authority<'_>>,
    now: i64,
) -> Result<bool, StoreError> {
    if let Some(by) = authority {
        query(C::LOCK_USER).bind(by.user_id).fetch_optional(connection).await?;
    }
    is_authorized(connection, authority, now).await
}

/// Returns whether the administrator's session is live and its user has the scope. The request was
/// checked before this transaction, and an operator may have withdrawn the administrator's rights
/// since then.
async fn is_authorized(
    connection: &mut impl Dialect,
    authority: Option<Authority<'_>>,
    now: i64,
) -> Result<bool, StoreError> {
    let Some(by) = authority else { return Ok(true) };
    let live = query(rows::SESSION_AND_USER).bind(by.session_id).bind(now);
    let Some(row) = live.fetch_optional(connection).await? else { return Ok(false) };
    let (_, user) = rows::session_and_user_from(&row)?;
    Ok(user.id == by.user_id && user.scopes.iter().any(|scope| scope == ADMIN_SCOPE))
}

/// Applies a change to a user, and returns the number of sessions that it ended.
async fn apply(
    connection: &mut impl Dialect,
    id: &str,
    change: &Change,
    event: &NewEvent,
) -> Result<u64, StoreError> {
    let mut ended = 0;
    let changed = match change {
        Change::Password { hash, keeps } => {
            set_password(connection, id, hash).await?;
            let kept = keeps.as_ref().map(|kept| kept.session_id.as_str());
            ended = end_of_user(connection, id, kept, event.at).await?;
            1
        }
        Change::Disabled(true) => {
            ended = end_of_user(connection, id, None, event.at).await?;
            query("UPDATE users SET disabled_at = $1 WHERE id = $2 AND disabled_at IS NULL")
                .bind(event.at)
                .bind(id)
                .execute(connection)
                .await?
        }
        Change::Disabled(false) => {
            query("UPDATE users SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL")
                .bind(id)
                .execute(connection)
                .await?
        }
        Change::Removed => {
            ended = end_of_user(connection, id, None, event.at).await?;
            query("DELETE FROM users WHERE id = $1").bind(id).execute(connection).await?
        }
        Change::LoggedOut => {
            ended = end_of_user(connection, id, None, event.at).await?;
            1
        }
        Change::Address(address) => {
            query("DELETE FROM user_tokens WHERE user_id = $1")
                .bind(id)
                .execute(connection)
                .await?;
            query(
                "UPDATE users SET address = $1, address_verified_at = $2 WHERE id = $3 \
                 AND (address IS NULL OR address <> $1 OR address_verified_at IS NULL)",
            )
            .bind(address)
            .bind(event.at)
            .bind(id)
            .execute(connection)
            .await?
        }
        Change::Roles(roles) => {
            query("UPDATE users SET roles = $1 WHERE id = $2 AND roles <> $1")
                .bind(rows::names_to_json(roles)?)
                .bind(id)
                .execute(connection)
                .await?
        }
        Change::Scopes(scopes) => {
            query("UPDATE users SET scopes = $1 WHERE id = $2 AND scopes <> $1")
                .bind(rows::names_to_json(scopes)?)
                .bind(id)
                .execute(connection)
                .await?
        }
        Change::NoSecondFactor => return reset_second_factor(connection, id, event).await,
        Change::Unlocked => {
            query("UPDATE users SET totp_failures = 0 WHERE id = $1 AND totp_failures > 0")
                .bind(id)
                .execute(connection)
                .await?
        }
    };
    if changed > 0 || ended > 0 {
        audit::insert(connection, event).await?;
    }
    Ok(ended)
}

/// Sets a user's password, which also accepts an invitation. Deletes the user's tokens of resets
/// and invitations, since they could set the password again.
pub(super) async fn set_password(
    connection: &mut impl Dialect,
    id: &str,
    hash: &str,
) -> Result<(), StoreError> {
    query(
        "UPDATE users SET password_hash = $1, credentials = credentials + 1, \
         awaits = CASE WHEN awaits = 'invitation' THEN NULL ELSE awaits END WHERE id = $2",
    )
    .bind(hash)
    .bind(id)
    .execute(connection)
    .await?;
    query("DELETE FROM user_tokens WHERE user_id = $1 AND purpose <> 'verification'")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes the app's secret, the recovery codes and the passkeys of a user, and undoes the step-up
/// of the user's sessions. Returns the number of sessions that began with a passkey, and so ended.
async fn reset_second_factor(
    connection: &mut impl Dialect,
    id: &str,
    event: &NewEvent,
) -> Result<u64, StoreError> {
    let ended = passkeys::forget(connection, id, event).await?;
    if forget_app(connection, id).await? > 0 {
        audit::insert(connection, event).await?;
    }
    // Wrong codes are also counted for users who have only passkeys.
    query("UPDATE users SET totp_failures = 0 WHERE id = $1").bind(id).execute(connection).await?;
    query("DELETE FROM recovery_codes WHERE user_id = $1").bind(id).execute(connection).await?;
    query(
        "UPDATE sessions SET stepped_up_at = NULL, second_factor = NULL, passkey_id = NULL \
         WHERE user_id = $1",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(ended)
}

/// Deletes the app's secret of a user, and undoes its step-ups of the user's sessions. A user who
/// has passkeys keeps the recovery codes. Returns 1 if there was a secret, and 0 otherwise.
pub(super) async fn forget_second_factor(
    connection: &mut impl Dialect,
    id: &str,
) -> Result<u64, StoreError> {
    let removed = forget_app(connection, id).await?;
    query(
        "DELETE FROM recovery_codes WHERE user_id = $1 \
         AND EXISTS (SELECT 1 FROM users WHERE id = $1 AND passkeys = 0)",
    )
    .bind(id)
    .execute(connection)
    .await?;
    // A session that began with a passkey, or was stepped up with one, keeps its step-up.
    query(
        "UPDATE sessions SET second_factor = NULL, \
         stepped_up_at = CASE WHEN first_factor = 'pwd' THEN NULL ELSE stepped_up_at END \
         WHERE user_id = $1 AND (second_factor IS NULL OR second_factor = 'otp')",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(removed)
}

async fn forget_app(connection: &mut impl Dialect, id: &str) -> Result<u64, StoreError> {
    query(
        "UPDATE users SET sealed_totp_secret = NULL, totp_confirmed_at = NULL, \
         totp_last_step = NULL, totp_failures = 0 \
         WHERE id = $1 AND sealed_totp_secret IS NOT NULL",
    )
    .bind(id)
    .execute(connection)
    .await
}

pub(super) fn info_from(row: &impl Row) -> Result<AccountInfo, StoreError> {
    let User { id, name, roles, scopes, created_at } = rows::user_from(row)?;
    let confirmed_at: Option<i64> = row.column("totp_confirmed_at")?;
    let passkeys: i64 = row.column("passkeys")?;
    Ok(AccountInfo {
        id,
        name,
        roles,
        scopes,
        created_at,
        disabled_at: row.column("disabled_at")?,
        address: row.column("address")?,
        address_verified_at: row.column("address_verified_at")?,
        awaits: row.column("awaits")?,
        has_second_factor: confirmed_at.is_some() || passkeys > 0,
        passkeys,
        wrong_codes: row.column("totp_failures")?,
    })
}
