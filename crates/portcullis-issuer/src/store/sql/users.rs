//! Users.

use super::{audit, people, retried, rows, timed};
use crate::domain::Answer;
use crate::domain::audit::{Authority, EventKind, NewEvent};
use crate::domain::users::{Account, Added, Awaits, FoldedName, StoredUser, User, UserStore};
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, Row, query};

impl<D: Database> UserStore for D {
    fn add_user<'a>(
        &'a self,
        account: &'a Account<'a>,
        event: &'a NewEvent,
        authority: Option<Authority<'a>>,
    ) -> Answer<'a, Added> {
        retried("add_user", move || async move {
            let mut tx = self.begin().await?;
            if !people::lock_authority(&mut *tx, authority, event.at).await? {
                return Ok(Added::NotAnAdministrator);
            }
            let added = add(&mut *tx, account, event).await?;
            tx.commit().await?;
            Ok(if added { Added::Done } else { Added::NameTaken })
        })
    }

    fn user_named<'a>(&'a self, name: &'a FoldedName) -> Answer<'a, Option<StoredUser>> {
        timed("user_named", async move { named(&mut *self.reader().await?, name).await })
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        timed("users", async { all(&mut *self.reader().await?).await })
    }

    fn password_parameters(&self) -> Answer<'_, Vec<String>> {
        timed("password_parameters", async {
            // Cuts off the last 67 characters: `$`, a salt of 16 bytes, `$` and a hash of 32 bytes,
            // both in base64.
            let beginnings = "SELECT DISTINCT CASE WHEN length(password_hash) > 67 \
                THEN substr(password_hash, 1, length(password_hash) - 67) ELSE '' END FROM users";
            query(beginnings).scalars(&mut *self.reader().await?).await
        })
    }

    fn rehash_password<'a>(
        &'a self,
        user_id: &'a str,
        old: &'a str,
        new: &'a str,
        now: i64,
    ) -> Answer<'a, ()> {
        retried("rehash_password", move || async move {
            let mut tx = self.begin().await?;
            rehash(&mut *tx, user_id, old, new, now).await?;
            Ok(tx.commit().await?)
        })
    }
}

async fn add<C: Dialect>(
    connection: &mut C,
    account: &Account<'_>,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let user = account.user;
    for awaits in account.replaces {
        query(C::FORGET_AWAITING)
            .bind(user.name.to_ascii_lowercase())
            .bind(awaits.as_str())
            .execute(connection)
            .await?;
    }
    let added = query(
        "INSERT INTO users (id, name, password_hash, roles, scopes, created_at, address, \
         address_verified_at, awaits) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&user.id)
    .bind(&user.name)
    .bind(account.password_hash)
    .bind(rows::names_to_json(&user.roles)?)
    .bind(rows::names_to_json(&user.scopes)?)
    .bind(user.created_at)
    .bind(account.address)
    .bind(account.address_verified_at)
    .bind(account.awaits.map(Awaits::as_str))
    .execute(connection)
    .await?;
    let added = added == 1;
    if added {
        audit::insert(connection, event).await?;
    } else if account.awaits == Some(Awaits::Verification) {
        // A transaction that writes nothing commits faster, which would reveal that the name is
        // taken.
        let kind = EventKind::RegistrationRefused;
        let refused = NewEvent { kind, user_id: None, ..event.clone() };
        audit::insert(connection, &refused).await?;
    }
    Ok(added)
}

async fn named<C: Dialect>(
    connection: &mut C,
    name: &FoldedName,
) -> Result<Option<StoredUser>, StoreError> {
    let row = query(C::USER_NAMED).bind(name.as_str()).fetch_optional(connection).await?;
    row.as_ref().map(stored_from).transpose()
}

pub(super) fn stored_from(row: &impl Row) -> Result<StoredUser, StoreError> {
    let disabled_at: Option<i64> = row.column("disabled_at")?;
    let awaits: Option<String> = row.column("awaits")?;
    let confirmed_at: Option<i64> = row.column("totp_confirmed_at")?;
    let passkeys: i64 = row.column("passkeys")?;
    Ok(StoredUser {
        user: rows::user_from(row)?,
        password_hash: row.column("password_hash")?,
        credentials: row.column("credentials")?,
        may_log_in: disabled_at.is_none() && awaits.is_none(),
        has_second_factor: confirmed_at.is_some() || passkeys > 0,
    })
}

async fn all(connection: &mut impl Dialect) -> Result<Vec<User>, StoreError> {
    let rows = query("SELECT * FROM users").fetch_all(connection).await?;
    let mut users = rows.iter().map(rows::user_from).collect::<Result<Vec<_>, _>>()?;
    // Sorted here, since the order of the database depends on its locale.
    users.sort_by_key(|user| user.name.to_ascii_lowercase());
    Ok(users)
}

async fn rehash(
    connection: &mut impl Dialect,
    user_id: &str,
    old: &str,
    new: &str,
    now: i64,
) -> Result<(), StoreError> {
    let changed = query("UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3")
        .bind(new)
        .bind(user_id)
        .bind(old)
        .execute(connection)
        .await?;
    if changed == 0 {
        return Ok(());
    }
    let event = NewEvent::new(EventKind::PasswordRehashed, now).user(user_id);
    audit::insert(connection, &event).await
}
