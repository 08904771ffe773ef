//! Conversions between rows and values.

use crate::domain::clients::{ClientRight, Credential, OldSecret, RegisteredClient};
use crate::domain::hash::TokenHash;
use crate::domain::keys::{KeyState, StoredKey};
use crate::domain::sessions::{Factor, Methods, Session};
use crate::domain::users::User;
use crate::error::StoreError;
use crate::store::dialect::Row;

/// The columns of a session and of its user. `users.created_at` is renamed, since both tables have
/// a column of this name.
macro_rules! session_and_user {
    () => {
        "sessions.*, users.name, users.roles, users.scopes, users.created_at AS user_created_at"
    };
}

/// Selects a session, its user and its place in a status list, for a rotation.
macro_rules! session_to_rotate {
    () => {
        concat!(
            "SELECT ",
            crate::store::sql::rows::session_and_user!(),
            ", status_places.list, status_places.place, status_places.taken_until FROM sessions \
             JOIN users ON users.id = sessions.user_id \
             LEFT JOIN status_places ON status_places.owner = sessions.id WHERE sessions.id = $1"
        )
    };
}

pub(in crate::store) use {session_and_user, session_to_rotate};

/// Selects a live session with its user.
pub(super) const SESSION_AND_USER: &str = concat!(
    "SELECT ",
    session_and_user!(),
    " FROM sessions JOIN users ON users.id = sessions.user_id \
     WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > $2"
);

pub(super) fn key_from(row: &impl Row) -> Result<StoredKey, StoreError> {
    let algorithm: String = row.column("algorithm")?;
    let state: String = row.column("state")?;
    Ok(StoredKey {
        kid: row.column("kid")?,
        algorithm: algorithm.parse().map_err(StoreError::new)?,
        state: match state.as_str() {
            "next" => KeyState::Next,
            "active" => KeyState::Active,
            "retired" => KeyState::Retired,
            "withdrawn" => KeyState::Withdrawn,
            other => return Err(StoreError::new(format!("unknown key state {other:?}"))),
        },
        public_jwk: row.column("public_jwk")?,
        sealed: row.column("sealed_private_key")?,
        created_at: row.column("created_at")?,
        signs_from: row.column("signs_from")?,
        longest_max_age_secs: row.column("longest_max_age_secs")?,
        published_until: row.column("published_until")?,
    })
}

pub(super) fn user_from(row: &impl Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.column("id")?,
        name: row.column("name")?,
        roles: names_from_json(row.column("roles")?)?,
        scopes: names_from_json(row.column("scopes")?)?,
        created_at: row.column("created_at")?,
    })
}

pub(super) fn session_from(row: &impl Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.column("id")?,
        user_id: row.column("user_id")?,
        created_at: row.column("created_at")?,
        last_used_at: row.column("last_used_at")?,
        expires_at: row.column("expires_at")?,
        user_agent: row.column("user_agent")?,
        stepped_up_at: row.column("stepped_up_at")?,
        methods: methods_from(row)?,
        place: None,
    })
}

fn methods_from(row: &impl Row) -> Result<Methods, StoreError> {
    let named = |name: &str| {
        Factor::named(name).ok_or_else(|| StoreError::new(format!("unknown factor {name:?}")))
    };
    let first: String = row.column("first_factor")?;
    let second: Option<String> = row.column("second_factor")?;
    Ok(Methods {
        first: named(&first)?,
        second: second.as_deref().map(named).transpose()?,
        passkey_id: row.column("passkey_id")?,
    })
}

pub(in crate::store) fn session_and_user_from(
    row: &impl Row,
) -> Result<(Session, User), StoreError> {
    let session = session_from(row)?;
    let user = User {
        id: session.user_id.clone(),
        name: row.column("name")?,
        roles: names_from_json(row.column("roles")?)?,
        scopes: names_from_json(row.column("scopes")?)?,
        created_at: row.column("user_created_at")?,
    };
    Ok((session, user))
}

/// Returns whether a text can be stored. PostgreSQL rejects a text that contains NUL, so on both
/// databases no row has such a name or id, and none is looked up.
pub(super) fn can_be_stored(text: &str) -> bool {
    !text.contains('\0')
}

pub(super) fn client_from(row: &impl Row) -> Result<RegisteredClient, StoreError> {
    let hash: Option<Vec<u8>> = row.column("secret_hash")?;
    let keys: Option<String> = row.column("jwks")?;
    let credential = match (hash, keys) {
        (Some(hash), None) => {
            let hash = TokenHash::try_from(hash.as_slice()).map_err(StoreError::new)?;
            Credential::Secret(hash)
        }
        (None, Some(keys)) => Credential::Keys(keys),
        _ => return Err(StoreError::new("a client must have exactly one credential")),
    };
    let old_hash: Option<Vec<u8>> = row.column("old_secret_hash")?;
    let old_secret = match (old_hash, row.column("old_secret_until")?) {
        (Some(hash), Some(valid_until)) => {
            let hash = TokenHash::try_from(hash.as_slice()).map_err(StoreError::new)?;
            Some(OldSecret { hash, valid_until })
        }
        _ => None,
    };
    Ok(RegisteredClient {
        id: row.column("id")?,
        place_owner: row.column("place_owner")?,
        credential,
        old_secret,
        resource_servers: names_from_json(row.column("resource_servers")?)?,
        rights: rights_from_json(row.column("rights")?)?,
        backchannel_logout_uri: row.column("backchannel_logout_uri")?,
        scopes: names_from_json(row.column("scopes")?)?,
        audiences: names_from_json(row.column("audiences")?)?,
        created_at: row.column("created_at")?,
        disabled_at: row.column("disabled_at")?,
    })
}

/// Returns a stored hash, or `None` for NULL.
pub(super) fn hash_from(bytes: Option<Vec<u8>>) -> Result<Option<TokenHash>, StoreError> {
    let hash = |bytes: Vec<u8>| TokenHash::try_from(bytes.as_slice()).map_err(StoreError::new);
    bytes.map(hash).transpose()
}

pub(super) fn names_to_json(names: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(names).map_err(StoreError::new)
}

pub(super) fn rights_to_json(rights: &[ClientRight]) -> Result<String, StoreError> {
    let names: Vec<_> = rights.iter().map(|right| right.as_str()).collect();
    serde_json::to_string(&names).map_err(StoreError::new)
}

/// Parses the rights of a client. An unknown right, such as a newer version's, is an error, since
/// it may be a restriction.
fn rights_from_json(json: String) -> Result<Vec<ClientRight>, StoreError> {
    let names = names_from_json(json)?;
    names.iter().map(|name| name.parse().map_err(StoreError::new)).collect()
}

fn names_from_json(json: String) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(&json).map_err(StoreError::new)
}
