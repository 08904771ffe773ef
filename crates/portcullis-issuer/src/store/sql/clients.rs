//! Machine clients.

use super::{Connection, events, rows};
use crate::domain::audit::NewEvent;
use crate::domain::clients::{Credential, RegisteredClient};
use crate::error::StoreError;

pub(super) async fn add(
    connection: &mut Connection,
    client: &RegisteredClient,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let (secret_hash, jwks) = columns(&client.credential);
    let added = sqlx::query(
        "INSERT INTO clients (id, secret_hash, jwks, scopes, audiences, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&client.id)
    .bind(secret_hash)
    .bind(jwks)
    .bind(rows::names_to_json(&client.scopes)?)
    .bind(rows::names_to_json(&client.audiences)?)
    .bind(client.created_at)
    .execute(&mut *connection)
    .await?;
    changed(connection, added.rows_affected(), event).await
}

pub(super) async fn of(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<RegisteredClient>, StoreError> {
    let row = sqlx::query("SELECT * FROM clients WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(rows::client_from).transpose()
}

pub(super) async fn all(connection: &mut Connection) -> Result<Vec<RegisteredClient>, StoreError> {
    let rows = sqlx::query("SELECT * FROM clients").fetch_all(connection).await?;
    let mut clients = rows.iter().map(rows::client_from).collect::<Result<Vec<_>, _>>()?;
    // Not by the database, whose order may follow the machine's language.
    clients.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(clients)
}

pub(super) async fn set_credential(
    connection: &mut Connection,
    credential: &Credential,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let (secret_hash, jwks) = columns(credential);
    let set = sqlx::query("UPDATE clients SET secret_hash = $1, jwks = $2 WHERE id = $3")
        .bind(secret_hash)
        .bind(jwks)
        .bind(&event.client_id)
        .execute(&mut *connection)
        .await?;
    changed(connection, set.rows_affected(), event).await
}

pub(super) async fn set_disabled(
    connection: &mut Connection,
    disabled: bool,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let set = sqlx::query("UPDATE clients SET disabled_at = $1 WHERE id = $2")
        .bind(disabled.then_some(event.at))
        .bind(&event.client_id)
        .execute(&mut *connection)
        .await?;
    changed(connection, set.rows_affected(), event).await
}

pub(super) async fn remove(
    connection: &mut Connection,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let removed = sqlx::query("DELETE FROM clients WHERE id = $1")
        .bind(&event.client_id)
        .execute(&mut *connection)
        .await?;
    changed(connection, removed.rows_affected(), event).await
}

fn columns(credential: &Credential) -> (Option<&[u8]>, Option<&str>) {
    match credential {
        Credential::Secret(hash) => (Some(hash), None),
        Credential::Keys(jwks) => (None, Some(jwks)),
    }
}

async fn changed(
    connection: &mut Connection,
    rows: u64,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    if rows == 0 {
        return Ok(false);
    }
    events::insert(connection, event).await?;
    Ok(true)
}
