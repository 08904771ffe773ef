//! The embedded store: one SQLite file, in write-ahead mode.

mod open;
mod problem;
mod rows;

use std::pin::Pin;

use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use self::rows::{SESSION_AND_USER, key_from, names_to_json, session_and_user_from, user_from};
use super::{
    Answer, KeyState, KeyTable, NewKey, Promises, Refreshed, Rotation, Session, Store, StoreError,
    TokenHash, User,
};

/// Connections to one SQLite file: whoever reads never waits for whoever writes.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl SqliteStore {
    /// Starts a transaction that holds the write lock from its first statement, so that what it
    /// reads is still true when it writes.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// The session of a refresh token, looked up without a lock: tokens that somebody made up
    /// must not keep writers waiting.
    async fn session_of(&self, token: &TokenHash) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT session_id FROM refresh_tokens WHERE hash = ?")
            .bind(token.as_slice())
            .fetch_optional(&self.readers)
            .await
    }
}

impl Store for SqliteStore {
    fn key_version(&self) -> Answer<'_, i64> {
        Box::pin(async {
            Ok(sqlx::query_scalar("SELECT version FROM key_ring").fetch_one(&self.readers).await?)
        })
    }

    fn keys(&self) -> Answer<'_, KeyTable> {
        Box::pin(async {
            // One transaction: the version must belong to the rows.
            let mut tx = self.readers.begin().await?;
            let version =
                sqlx::query_scalar("SELECT version FROM key_ring").fetch_one(&mut *tx).await?;
            let rows =
                sqlx::query("SELECT * FROM signing_keys ORDER BY created_at DESC, rowid DESC")
                    .fetch_all(&mut *tx)
                    .await?;
            let keys = rows.iter().map(key_from).collect::<Result<_, _>>()?;
            Ok(KeyTable { version, keys })
        })
    }

    fn add_first_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()> {
        Box::pin(async {
            let mut tx = self.begin().await?;
            let active: i64 =
                sqlx::query_scalar("SELECT count(*) FROM signing_keys WHERE state = 'active'")
                    .fetch_one(&mut *tx)
                    .await?;
            if active == 0 {
                insert_key(&mut tx, key, KeyState::Active).await?;
            }
            Ok(tx.commit().await?)
        })
    }

    fn publish_next_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let same: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM signing_keys WHERE state = 'next' AND algorithm = ?",
            )
            .bind(key.algorithm.as_str())
            .fetch_one(&mut *tx)
            .await?;
            if same == 0 {
                withdraw_next_key(&mut tx, key.created_at).await?;
                insert_key(&mut tx, key, KeyState::Next).await?;
            }
            Ok(tx.commit().await?)
        })
    }

    fn promote_key<'a>(&'a self, kid: &'a str, now: i64, margin: i64) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let is_next: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM signing_keys WHERE state = 'next' AND kid = ?",
            )
            .bind(kid)
            .fetch_one(&mut *tx)
            .await?;
            if is_next == 1 {
                retire_active_key(&mut tx, now, margin).await?;
                sqlx::query(
                    "UPDATE signing_keys SET state = 'active', signs_from = ? WHERE kid = ?",
                )
                .bind(now)
                .bind(kid)
                .execute(&mut *tx)
                .await?;
                count_up_key_version(&mut tx).await?;
            }
            Ok(tx.commit().await?)
        })
    }

    fn rotate_key<'a>(&'a self, key: &'a NewKey, now: i64, margin: i64) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            withdraw_next_key(&mut tx, now).await?;
            retire_active_key(&mut tx, now, margin).await?;
            insert_key(&mut tx, key, KeyState::Active).await?;
            Ok(tx.commit().await?)
        })
    }

    fn note_promises<'a>(&'a self, kid: &'a str, promised: Promises) -> Answer<'a, bool> {
        Box::pin(async move {
            let noted = sqlx::query(
                "UPDATE signing_keys SET longest_token_secs = max(longest_token_secs, ?), \
                 longest_max_age_secs = max(longest_max_age_secs, ?) \
                 WHERE kid = ? AND state = 'active'",
            )
            .bind(promised.token_secs)
            .bind(promised.max_age_secs)
            .bind(kid)
            .execute(&self.writer)
            .await?;
            Ok(noted.rows_affected() == 1)
        })
    }

    fn withdraw_due_keys(&self, now: i64) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let withdrawn = sqlx::query(
                "UPDATE signing_keys SET state = 'withdrawn' \
                 WHERE state = 'retired' AND published_until <= ?",
            )
            .bind(now)
            .execute(&mut *tx)
            .await?;
            if withdrawn.rows_affected() > 0 {
                count_up_key_version(&mut tx).await?;
            }
            Ok(tx.commit().await?)
        })
    }

    fn withdraw_key<'a>(&'a self, kid: &'a str, now: i64) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let withdrawn = sqlx::query(
                "UPDATE signing_keys SET state = 'withdrawn', sealed_private_key = NULL, \
                 published_until = ? WHERE kid = ? AND state IN ('next', 'retired')",
            )
            .bind(now)
            .bind(kid)
            .execute(&mut *tx)
            .await?;
            let found = withdrawn.rows_affected() == 1;
            if found {
                count_up_key_version(&mut tx).await?;
            }
            tx.commit().await?;
            Ok(found)
        })
    }

    fn add_user<'a>(&'a self, user: &'a User, password_hash: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let added = sqlx::query(
                "INSERT INTO users (id, name, password_hash, roles, scopes, created_at) \
                 VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
            )
            .bind(&user.id)
            .bind(&user.name)
            .bind(password_hash)
            .bind(names_to_json(&user.roles)?)
            .bind(names_to_json(&user.scopes)?)
            .bind(user.created_at)
            .execute(&self.writer)
            .await?;
            Ok(added.rows_affected() == 1)
        })
    }

    fn user_named<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(User, String)>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT * FROM users WHERE name = ?")
                .bind(name)
                .fetch_optional(&self.readers)
                .await?;
            row.map(|row| Ok((user_from(&row)?, row.try_get("password_hash")?))).transpose()
        })
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        Box::pin(async {
            let rows =
                sqlx::query("SELECT * FROM users ORDER BY name").fetch_all(&self.readers).await?;
            rows.iter().map(user_from).collect()
        })
    }

    fn start_session<'a>(&'a self, session: &'a Session, token: &'a TokenHash) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            // The only place where sessions are made is a fair place to forget the dead ones.
            sqlx::query("DELETE FROM sessions WHERE expires_at <= ?")
                .bind(session.created_at)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, \
                 user_agent) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(&session.id)
            .bind(&session.user_id)
            .bind(session.created_at)
            .bind(session.last_used_at)
            .bind(session.expires_at)
            .bind(&session.user_agent)
            .execute(&mut *tx)
            .await?;
            insert_refresh_token(&mut tx, token, &session.id, session.created_at).await?;
            Ok(tx.commit().await?)
        })
    }

    fn rotate_refresh<'a>(&'a self, rotation: &'a Rotation) -> Answer<'a, Refreshed> {
        Box::pin(async move {
            let now = rotation.now;
            if self.session_of(&rotation.presented).await?.is_none() {
                return Ok(Refreshed::Refused);
            }
            let mut tx = self.begin().await?;
            let Some(row) = sqlx::query(
                "SELECT session_id, rotated_at IS NOT NULL AS spent FROM refresh_tokens \
                 WHERE hash = ?",
            )
            .bind(rotation.presented.as_slice())
            .fetch_optional(&mut *tx)
            .await?
            else {
                return Ok(Refreshed::Refused);
            };
            let session_id: String = row.try_get("session_id")?;
            if row.try_get("spent")? {
                end_session(&mut tx, &session_id, "reuse", now).await?;
                tx.commit().await?;
                return Ok(Refreshed::Reused { session_id });
            }
            let Some((mut session, user)) = live_session(&mut tx, &session_id, now).await? else {
                return Ok(Refreshed::Refused);
            };
            let longest = session.created_at.saturating_add(rotation.max_secs);
            session.last_used_at = now;
            session.expires_at = now.saturating_add(rotation.idle_secs).min(longest);
            if session.expires_at <= now {
                return Ok(Refreshed::Refused);
            }
            // It stays here, spent, until its session is forgotten: whoever presents it again
            // ends the session, however late.
            sqlx::query("UPDATE refresh_tokens SET rotated_at = ? WHERE hash = ?")
                .bind(now)
                .bind(rotation.presented.as_slice())
                .execute(&mut *tx)
                .await?;
            insert_refresh_token(&mut tx, &rotation.successor, &session_id, now).await?;
            sqlx::query("UPDATE sessions SET last_used_at = ?, expires_at = ? WHERE id = ?")
                .bind(session.last_used_at)
                .bind(session.expires_at)
                .bind(&session_id)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(Refreshed::Rotated(session, user))
        })
    }

    fn end_session_of<'a>(&'a self, token: &'a TokenHash, now: i64) -> Answer<'a, ()> {
        Box::pin(async move {
            // A token never changes its session, so what is read here stays true.
            if let Some(session_id) = self.session_of(token).await? {
                let mut connection = self.writer.acquire().await?;
                end_session(&mut connection, &session_id, "logout", now).await?;
            }
            Ok(())
        })
    }

    fn live_session<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, Option<(Session, User)>> {
        Box::pin(async move {
            let mut connection = self.readers.acquire().await?;
            live_session(&mut connection, id, now).await
        })
    }

    fn live_sessions<'a>(&'a self, user_id: &'a str, now: i64) -> Answer<'a, Vec<Session>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT * FROM sessions WHERE user_id = ? AND ended_at IS NULL \
                 AND expires_at > ? ORDER BY last_used_at DESC, id",
            )
            .bind(user_id)
            .bind(now)
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(rows::session_from).collect()
        })
    }

    fn delete_session<'a>(
        &'a self,
        user_id: &'a str,
        session_id: &'a str,
        now: i64,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let ended = sqlx::query(
                "UPDATE sessions SET ended_at = ?1, end_reason = 'deleted' \
                 WHERE id = ?2 AND user_id = ?3 AND ended_at IS NULL AND expires_at > ?1",
            )
            .bind(now)
            .bind(session_id)
            .bind(user_id)
            .execute(&self.writer)
            .await?;
            Ok(ended.rows_affected() == 1)
        })
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            self.readers.close().await;
            // The last connection carries everything over into the main file.
            self.writer.close().await;
        })
    }
}

async fn insert_key(
    connection: &mut sqlx::SqliteConnection,
    key: &NewKey,
    state: KeyState,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO signing_keys (kid, algorithm, state, public_jwk, sealed_private_key, \
         created_at, signs_from, longest_token_secs, longest_max_age_secs) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    count_up_key_version(connection).await
}

async fn retire_active_key(
    connection: &mut sqlx::SqliteConnection,
    now: i64,
    margin: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE signing_keys SET state = 'retired', sealed_private_key = NULL, \
         retired_at = ?1, published_until = ?1 + longest_token_secs + ?2 \
         WHERE state = 'active'",
    )
    .bind(now)
    .bind(margin)
    .execute(connection)
    .await?;
    Ok(())
}

/// The caller counts up the version, by putting another key in its place.
async fn withdraw_next_key(
    connection: &mut sqlx::SqliteConnection,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE signing_keys SET state = 'withdrawn', sealed_private_key = NULL, \
         published_until = ? WHERE state = 'next'",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn count_up_key_version(connection: &mut sqlx::SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("UPDATE key_ring SET version = version + 1").execute(connection).await?;
    Ok(())
}

async fn insert_refresh_token(
    connection: &mut sqlx::SqliteConnection,
    token: &TokenHash,
    session_id: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO refresh_tokens (hash, session_id, created_at) VALUES (?, ?, ?)")
        .bind(token.as_slice())
        .bind(session_id)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

async fn live_session(
    connection: &mut sqlx::SqliteConnection,
    id: &str,
    now: i64,
) -> Result<Option<(Session, User)>, StoreError> {
    let row = sqlx::query(SESSION_AND_USER).bind(id).bind(now).fetch_optional(connection).await?;
    row.as_ref().map(session_and_user_from).transpose()
}

async fn end_session(
    connection: &mut sqlx::SqliteConnection,
    id: &str,
    reason: &'static str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE sessions SET ended_at = ?, end_reason = ? WHERE id = ? AND ended_at IS NULL",
    )
    .bind(now)
    .bind(reason)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_ring::SigningAlgorithm;

    fn promised(token_secs: i64) -> Promises {
        Promises { token_secs, max_age_secs: 300 }
    }

    fn key(kid: &str) -> NewKey {
        NewKey {
            kid: kid.to_owned(),
            algorithm: SigningAlgorithm::Es256,
            public_jwk: "{}".to_owned(),
            sealed: vec![1],
            created_at: 1000,
            signs_from: 1000,
            promises: promised(60),
        }
    }

    /// A process that has not noticed a rotation yet must not note its tokens on the new key.
    #[tokio::test]
    async fn a_lifetime_is_noted_on_the_key_that_signs() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("a.db")).await.unwrap();
        store.add_first_key(&key("old")).await.unwrap();
        assert!(store.note_promises("old", promised(600)).await.unwrap());
        assert!(store.note_promises("old", promised(60)).await.unwrap(), "lower, and kept");
        store.rotate_key(&key("new"), 2000, 100).await.unwrap();
        assert!(!store.note_promises("old", promised(9000)).await.unwrap());
        store.rotate_key(&key("newest"), 2000, 100).await.unwrap();
        let ends: Vec<_> =
            store.keys().await.unwrap().keys.iter().map(|key| key.published_until).collect();
        assert!(ends.contains(&Some(2700)) && ends.contains(&Some(2160)), "{ends:?}");
    }
}
