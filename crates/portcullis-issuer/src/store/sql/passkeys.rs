//! Passkeys and their ceremonies. A user's row has the number of passkeys, so that every change of
//! them locks it.

use super::{audit, retried, rows, timed, users};
use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::passkeys::{
    Ceremony, NewPasskey, PASSKEYS_PER_USER, PasskeyStore, PasskeyUser, Registered, StoredPasskey,
    Use, UsedPasskey,
};
use crate::domain::sessions::{Factor, Methods, Session};
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, Row, query};

impl<D: Database> PasskeyStore for D {
    fn begin_ceremony<'a>(&'a self, ceremony: &'a Ceremony) -> Answer<'a, ()> {
        retried("begin_ceremony", move || async move {
            let mut tx = self.begin().await?;
            begin(&mut *tx, ceremony).await?;
            Ok(tx.commit().await?)
        })
    }

    fn take_ceremony<'a>(
        &'a self,
        hash: &'a TokenHash,
        registrar: Option<(&'a str, &'a str)>,
        now: i64,
    ) -> Answer<'a, Option<String>> {
        timed("take_ceremony", async move {
            let (user_id, session_id) = registrar.unwrap_or_default();
            query(
                "DELETE FROM passkey_ceremonies WHERE hash = $1 AND expires_at > $2 \
                 AND COALESCE(user_id, '') = $3 AND COALESCE(session_id, '') = $4 RETURNING state",
            )
            .bind(hash.as_slice())
            .bind(now)
            .bind(user_id)
            .bind(session_id)
            .scalar_optional(&mut *self.writer().await?)
            .await
        })
    }

    fn passkey_handle<'a>(
        &'a self,
        user_id: &'a str,
        new: &'a [u8],
    ) -> Answer<'a, Option<Vec<u8>>> {
        timed("passkey_handle", async move {
            query(
                "UPDATE users SET passkey_handle = COALESCE(passkey_handle, $1) WHERE id = $2 \
                 RETURNING passkey_handle",
            )
            .bind(new)
            .bind(user_id)
            .scalar_optional(&mut *self.writer().await?)
            .await
        })
    }

    fn passkeys_of<'a>(&'a self, user_id: &'a str) -> Answer<'a, Vec<StoredPasskey>> {
        timed("passkeys_of", async move {
            let rows = query("SELECT * FROM passkeys WHERE user_id = $1 ORDER BY created_at, id")
                .bind(user_id)
                .fetch_all(&mut *self.reader().await?)
                .await?;
            rows.iter().map(passkey_from).collect()
        })
    }

    fn passkey_with<'a>(
        &'a self,
        credential_id: &'a [u8],
    ) -> Answer<'a, Option<(StoredPasskey, PasskeyUser)>> {
        timed("passkey_with", async move { with(&mut *self.reader().await?, credential_id).await })
    }

    fn add_passkey<'a>(
        &'a self,
        passkey: &'a NewPasskey,
        codes: &'a [TokenHash],
        event: &'a NewEvent,
    ) -> Answer<'a, Registered> {
        retried("add_passkey", move || async move {
            let mut tx = self.begin().await?;
            let registered = add(&mut *tx, passkey, codes, event).await?;
            if matches!(registered, Registered::Done { .. }) {
                tx.commit().await?;
            }
            Ok(registered)
        })
    }

    fn use_passkey<'a>(
        &'a self,
        used: &'a UsedPasskey,
        raises: Option<&'a Session>,
        event: &'a NewEvent,
    ) -> Answer<'a, Use> {
        retried("use_passkey", move || async move {
            let mut tx = self.begin().await?;
            let outcome = mark_used(&mut *tx, used, raises, event).await?;
            tx.commit().await?;
            Ok(outcome)
        })
    }

    fn rename_passkey<'a>(
        &'a self,
        id: &'a str,
        name: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("rename_passkey", move || async move {
            if !rows::can_be_stored(id) {
                return Ok(false);
            }
            let mut tx = self.begin().await?;
            let renamed = query(
                "UPDATE passkeys SET name = $1 WHERE id = $2 AND user_id = $3 AND name <> $1",
            )
            .bind(name)
            .bind(id)
            .bind(&event.user_id)
            .execute(&mut *tx)
            .await?;
            if renamed == 1 {
                audit::insert(&mut *tx, event).await?;
            }
            let there: Option<String> =
                query("SELECT id FROM passkeys WHERE id = $1 AND user_id = $2")
                    .bind(id)
                    .bind(&event.user_id)
                    .scalar_optional(&mut *tx)
                    .await?;
            tx.commit().await?;
            Ok(there.is_some())
        })
    }

    fn remove_passkey<'a>(
        &'a self,
        id: &'a str,
        keeps: Option<&'a str>,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("remove_passkey", move || async move {
            if !rows::can_be_stored(id) {
                return Ok(false);
            }
            let mut tx = self.begin().await?;
            let removed = remove(&mut *tx, id, keeps, event).await?;
            tx.commit().await?;
            self.ended_sessions().notify_one();
            Ok(removed)
        })
    }
}

async fn begin(connection: &mut impl Dialect, ceremony: &Ceremony) -> Result<(), StoreError> {
    let registrar = ceremony.registrar.as_ref();
    if let Some((_, session_id)) = registrar {
        query("DELETE FROM passkey_ceremonies WHERE session_id = $1")
            .bind(session_id)
            .execute(connection)
            .await?;
    }
    query(
        "INSERT INTO passkey_ceremonies (hash, state, user_id, session_id, expires_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(ceremony.hash.as_slice())
    .bind(&ceremony.state)
    .bind(registrar.map(|(user_id, _)| user_id.as_str()))
    .bind(registrar.map(|(_, session_id)| session_id.as_str()))
    .bind(ceremony.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn with<C: Dialect>(
    connection: &mut C,
    credential_id: &[u8],
) -> Result<Option<(StoredPasskey, PasskeyUser)>, StoreError> {
    let passkey = query("SELECT * FROM passkeys WHERE credential_id = $1")
        .bind(credential_id)
        .fetch_optional(connection)
        .await?;
    let Some(passkey) = passkey else { return Ok(None) };
    let user_id: String = passkey.column("user_id")?;
    let user =
        query("SELECT * FROM users WHERE id = $1").bind(user_id).fetch_optional(connection).await?;
    let Some(user) = user else { return Ok(None) };
    let handle = user.column("passkey_handle")?;
    let user = PasskeyUser { stored: users::stored_from(&user)?, handle };
    Ok(Some((passkey_from(&passkey)?, user)))
}

fn passkey_from(row: &impl Row) -> Result<StoredPasskey, StoreError> {
    let is = |name| row.column::<i64>(name).map(|flag| flag != 0);
    Ok(StoredPasskey {
        id: row.column("id")?,
        name: row.column("name")?,
        credential: row.column("credential")?,
        synced: is("synced")?,
        backed_up: is("backed_up")?,
        created_at: row.column("created_at")?,
        last_used_at: row.column("last_used_at")?,
    })
}

async fn add<C: Dialect>(
    connection: &mut C,
    new: &NewPasskey,
    codes: &[TokenHash],
    event: &NewEvent,
) -> Result<Registered, StoreError> {
    let user = query(C::LOCK_USER).bind(&new.user_id).fetch_optional(connection).await?;
    let live = query(rows::SESSION_AND_USER).bind(&new.session_id).bind(event.at);
    let (Some(user), Some(live)) = (user, live.fetch_optional(connection).await?) else {
        return Ok(Registered::Refused);
    };
    let has_second_factor = users::stored_from(&user)?.has_second_factor;
    if has_second_factor && !new.stepped_up {
        return Ok(Registered::Refused);
    }
    // The factor of the step-up may have been removed since the registration began.
    if new.stepped_up && rows::session_from(&live)?.stepped_up_at.is_none() {
        return Ok(Registered::Refused);
    }
    let counted = query("UPDATE users SET passkeys = passkeys + 1 WHERE id = $1 AND passkeys < $2")
        .bind(&new.user_id)
        .bind(PASSKEYS_PER_USER)
        .execute(connection)
        .await?;
    if counted == 0 {
        return Ok(Registered::TooMany);
    }
    let StoredPasskey { id, name, credential, synced, backed_up, created_at, last_used_at } =
        &new.passkey;
    let added = query(
        "INSERT INTO passkeys (id, user_id, credential_id, name, credential, counter, synced, \
         backed_up, created_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(&new.user_id)
    .bind(&new.credential_id)
    .bind(name)
    .bind(credential)
    .bind(new.counter)
    .bind(i64::from(*synced))
    .bind(i64::from(*backed_up))
    .bind(*created_at)
    .bind(*last_used_at)
    .execute(connection)
    .await?;
    if added == 0 {
        return Ok(Registered::Refused);
    }
    if !has_second_factor {
        super::second_factor::replace_codes(connection, &new.user_id, codes).await?;
        // A thief with only the password may have created the secret of an app. It must not
        // become a second factor now.
        query(
            "UPDATE users SET sealed_totp_secret = NULL, totp_last_step = NULL, totp_failures = 0 \
             WHERE id = $1 AND totp_confirmed_at IS NULL",
        )
        .bind(&new.user_id)
        .execute(connection)
        .await?;
    }
    audit::insert(connection, event).await?;
    Ok(Registered::Done { with_codes: !has_second_factor })
}

async fn mark_used(
    connection: &mut impl Dialect,
    used: &UsedPasskey,
    raises: Option<&Session>,
    event: &NewEvent,
) -> Result<Use, StoreError> {
    let StoredPasskey { id, credential, backed_up, .. } = &used.passkey;
    // Of two authentications at once with the same counter, only one counts: a copy of the key may
    // have made the other. A counter of 0 means that the authenticator does not count.
    let counts = query(
        "UPDATE passkeys SET credential = $1, counter = $2, backed_up = $3, last_used_at = $4 \
         WHERE id = $5 AND (counter < $2 OR (counter = 0 AND $2 = 0))",
    )
    .bind(credential)
    .bind(used.counter)
    .bind(i64::from(*backed_up))
    .bind(event.at)
    .bind(id)
    .execute(connection)
    .await?;
    if counts == 0 {
        let there: Option<String> = query("SELECT id FROM passkeys WHERE id = $1")
            .bind(id)
            .scalar_optional(connection)
            .await?;
        return Ok(if there.is_some() { Use::Cloned } else { Use::Removed });
    }
    if let Some(session) = raises {
        let Methods { first, second, passkey_id } = &session.methods;
        query(
            "UPDATE sessions SET stepped_up_at = $1, first_factor = $2, second_factor = $3, \
             passkey_id = $4 WHERE id = $5",
        )
        .bind(event.at)
        .bind(first.as_str())
        .bind(second.map(Factor::as_str))
        .bind(passkey_id)
        .bind(&session.id)
        .execute(connection)
        .await?;
    }
    audit::insert(connection, event).await?;
    Ok(Use::Counted)
}

async fn remove<C: Dialect>(
    connection: &mut C,
    id: &str,
    keeps: Option<&str>,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let user_id = event.user_id.as_deref().unwrap_or_default();
    query(C::LOCK_USER).bind(user_id).fetch_optional(connection).await?;
    let removed = query("DELETE FROM passkeys WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user_id)
        .execute(connection)
        .await?;
    if removed == 0 {
        return Ok(false);
    }
    // A login with this passkey that is under way must not start a session.
    query("UPDATE users SET passkeys = passkeys - 1, credentials = credentials + 1 WHERE id = $1")
        .bind(user_id)
        .execute(connection)
        .await?;
    query(
        "UPDATE sessions SET ended_at = $1, end_reason = 'deleted' WHERE passkey_id = $2 \
         AND user_id = $3 AND first_factor <> 'pwd' AND id <> $4 AND ended_at IS NULL",
    )
    .bind(event.at)
    .bind(id)
    .bind(user_id)
    .bind(keeps.unwrap_or_default())
    .execute(connection)
    .await?;
    query(
        "UPDATE sessions SET stepped_up_at = NULL, second_factor = NULL, passkey_id = NULL \
         WHERE passkey_id = $1 AND user_id = $2",
    )
    .bind(id)
    .bind(user_id)
    .execute(connection)
    .await?;
    query(
        "DELETE FROM recovery_codes WHERE user_id = $1 AND EXISTS (SELECT 1 FROM users \
         WHERE id = $1 AND passkeys = 0 AND totp_confirmed_at IS NULL)",
    )
    .bind(user_id)
    .execute(connection)
    .await?;
    audit::insert(connection, event).await?;
    Ok(true)
}
