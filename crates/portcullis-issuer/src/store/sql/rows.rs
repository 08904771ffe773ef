//! Rows to values and back.

use sqlx::Row as _;

use super::DbRow;
use crate::domain::clients::{Credential, RegisteredClient};
use crate::domain::hash::TokenHash;
use crate::domain::keys::{KeyState, StoredKey};
use crate::domain::sessions::Session;
use crate::domain::users::User;
use crate::error::StoreError;

/// A live session with its user; the user's columns that clash are prefixed.
pub(super) const SESSION_AND_USER: &str = "SELECT sessions.*, users.name, users.roles, \
    users.scopes, users.created_at AS user_created_at FROM sessions \
    JOIN users ON users.id = sessions.user_id \
    WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > $2";

pub(super) fn key_from(row: &DbRow) -> Result<StoredKey, StoreError> {
    let algorithm: String = row.try_get("algorithm")?;
    let state: String = row.try_get("state")?;
    Ok(StoredKey {
        kid: row.try_get("kid")?,
        algorithm: algorithm.parse().map_err(StoreError::new)?,
        state: match state.as_str() {
            "next" => KeyState::Next,
            "active" => KeyState::Active,
            "retired" => KeyState::Retired,
            "withdrawn" => KeyState::Withdrawn,
            other => return Err(StoreError::new(format!("unknown key state {other:?}"))),
        },
        public_jwk: row.try_get("public_jwk")?,
        sealed: row.try_get("sealed_private_key")?,
        created_at: row.try_get("created_at")?,
        signs_from: row.try_get("signs_from")?,
        longest_max_age_secs: row.try_get("longest_max_age_secs")?,
        published_until: row.try_get("published_until")?,
    })
}

pub(super) fn user_from(row: &DbRow) -> Result<User, StoreError> {
    Ok(User {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        roles: names_from_json(row.try_get("roles")?)?,
        scopes: names_from_json(row.try_get("scopes")?)?,
        created_at: row.try_get("created_at")?,
    })
}

pub(super) fn session_from(row: &DbRow) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.try_get("id")?,
        user_id: row.try_get("user_id")?,
        created_at: row.try_get("created_at")?,
        last_used_at: row.try_get("last_used_at")?,
        expires_at: row.try_get("expires_at")?,
        user_agent: row.try_get("user_agent")?,
        stepped_up_at: row.try_get("stepped_up_at")?,
        place: None,
    })
}

pub(super) fn session_and_user_from(row: &DbRow) -> Result<(Session, User), StoreError> {
    let session = session_from(row)?;
    let user = User {
        id: session.user_id.clone(),
        name: row.try_get("name")?,
        roles: names_from_json(row.try_get("roles")?)?,
        scopes: names_from_json(row.try_get("scopes")?)?,
        created_at: row.try_get("user_created_at")?,
    };
    Ok((session, user))
}

/// PostgreSQL refuses a text with a NUL in it: so it is nobody's name, wherever it is looked up.
pub(super) fn can_be_stored(text: &str) -> bool {
    !text.contains('\0')
}

pub(super) fn client_from(row: &DbRow) -> Result<RegisteredClient, StoreError> {
    let hash: Option<Vec<u8>> = row.try_get("secret_hash")?;
    let keys: Option<String> = row.try_get("jwks")?;
    let credential = match (hash, keys) {
        (Some(hash), None) => {
            let hash = TokenHash::try_from(hash.as_slice()).map_err(StoreError::new)?;
            Credential::Secret(hash)
        }
        (None, Some(keys)) => Credential::Keys(keys),
        _ => return Err(StoreError::new("a client has one credential")),
    };
    Ok(RegisteredClient {
        id: row.try_get("id")?,
        credential,
        scopes: names_from_json(row.try_get("scopes")?)?,
        audiences: names_from_json(row.try_get("audiences")?)?,
        created_at: row.try_get("created_at")?,
        disabled_at: row.try_get("disabled_at")?,
    })
}

pub(super) fn names_to_json(names: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(names).map_err(StoreError::new)
}

fn names_from_json(json: String) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(&json).map_err(StoreError::new)
}
