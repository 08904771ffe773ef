//! Single-use tokens that a notifier delivers.

use super::{audit, people, retried, timed};
use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::messages::{Purpose, UserToken, UserTokenStore};
use crate::domain::people::AccountInfo;
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, Row as _, query};

impl<D: Database> UserTokenStore for D {
    fn add_user_token<'a>(
        &'a self,
        token: &'a UserToken,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool> {
        retried("add_user_token", move || async move {
            let mut tx = self.begin().await?;
            // The account was read before this transaction. If its address has changed since then,
            // the token must not be sent to the old address, which may now belong to another
            // person.
            if address_of(&mut *tx, &token.user_id).await?.as_ref() != Some(&token.address) {
                return Ok(false);
            }
            add(&mut *tx, token).await?;
            if let Some(event) = event {
                audit::insert(&mut *tx, event).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
    }

    fn account_of_token<'a>(
        &'a self,
        token: &'a TokenHash,
        purposes: [Purpose; 2],
        now: i64,
    ) -> Answer<'a, Option<(AccountInfo, String)>> {
        timed("account_of_token", async move {
            let row = query(
                "SELECT users.* FROM users JOIN user_tokens ON user_tokens.user_id = users.id \
                 WHERE user_tokens.hash = $1 AND user_tokens.purpose IN ($2, $3) \
                 AND user_tokens.expires_at > $4 AND users.disabled_at IS NULL",
            )
            .bind(token.as_slice())
            .bind(purposes[0].as_str())
            .bind(purposes[1].as_str())
            .bind(now)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some((people::info_from(&row)?, row.column("password_hash")?)))
        })
    }

    fn set_password_by_token<'a>(
        &'a self,
        token: &'a TokenHash,
        password_hash: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("set_password_by_token", move || async move {
            let mut tx = self.begin().await?;
            let Some(id) = redeem(&mut *tx, token, event.at).await? else { return Ok(false) };
            people::set_password(&mut *tx, &id, password_hash).await?;
            // The token was delivered to the address, so its use verifies the address.
            query(
                "UPDATE users SET address_verified_at = $1 \
                 WHERE id = $2 AND address_verified_at IS NULL",
            )
            .bind(event.at)
            .bind(&id)
            .execute(&mut *tx)
            .await?;
            people::end_of_user(&mut *tx, &id, None, event.at).await?;
            audit::insert(&mut *tx, event).await?;
            tx.commit().await?;
            self.ended_sessions().notify_one();
            Ok(true)
        })
    }

    fn verify_address<'a>(&'a self, token: &'a TokenHash, event: &'a NewEvent) -> Answer<'a, bool> {
        retried("verify_address", move || async move {
            let mut tx = self.begin().await?;
            let Some(id) = redeem(&mut *tx, token, event.at).await? else { return Ok(false) };
            query(
                "UPDATE users SET address_verified_at = $1, awaits = NULL \
                 WHERE id = $2 AND awaits = 'verification'",
            )
            .bind(event.at)
            .bind(&id)
            .execute(&mut *tx)
            .await?;
            audit::insert(&mut *tx, event).await?;
            tx.commit().await?;
            Ok(true)
        })
    }
}

/// Locks a user's row until the transaction ends, and returns the user's address, or `None` if the
/// user is disabled. Every transaction locks this row before other rows of the user, to avoid
/// deadlocks.
async fn address_of<C: Dialect>(
    connection: &mut C,
    user_id: &str,
) -> Result<Option<String>, StoreError> {
    let row = query(C::LOCK_USER).bind(user_id).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let disabled_at: Option<i64> = row.column("disabled_at")?;
    let address: Option<String> = row.column("address")?;
    Ok(address.filter(|_| disabled_at.is_none()))
}

async fn add(connection: &mut impl Dialect, token: &UserToken) -> Result<(), StoreError> {
    query("DELETE FROM user_tokens WHERE user_id = $1 AND purpose = $2")
        .bind(&token.user_id)
        .bind(token.purpose.as_str())
        .execute(connection)
        .await?;
    query(
        "INSERT INTO user_tokens (hash, user_id, purpose, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(token.hash.as_slice())
    .bind(&token.user_id)
    .bind(token.purpose.as_str())
    .bind(token.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes a token and returns its user's id, or `None` if the token is unknown or expired, or the
/// user is disabled. Of two concurrent requests, only one gets the id.
async fn redeem<C: Dialect>(
    connection: &mut C,
    token: &TokenHash,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let user_id: Option<String> = query("SELECT user_id FROM user_tokens WHERE hash = $1")
        .bind(token.as_slice())
        .scalar_optional(connection)
        .await?;
    let Some(user_id) = user_id else { return Ok(None) };
    if address_of(connection, &user_id).await?.is_none() {
        return Ok(None);
    }
    query("DELETE FROM user_tokens WHERE hash = $1 AND expires_at > $2 RETURNING user_id")
        .bind(token.as_slice())
        .bind(now)
        .scalar_optional(connection)
        .await
}
