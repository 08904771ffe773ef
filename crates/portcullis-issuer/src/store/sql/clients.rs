//! Machine clients.

use super::{audit, retried, rows, timed};
use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::clients::{ClientStore, ClientUpdate, Credential, LogoutUri, RegisteredClient};
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, query};

impl<D: Database> ClientStore for D {
    fn add_client<'a>(
        &'a self,
        client: &'a RegisteredClient,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("add_client", move || async move {
            let mut tx = self.begin().await?;
            let added = add(&mut *tx, client, event).await?;
            tx.commit().await?;
            Ok(added)
        })
    }

    fn client<'a>(&'a self, id: &'a str) -> Answer<'a, Option<RegisteredClient>> {
        timed("client", async move { of(&mut *self.reader().await?, id).await })
    }

    fn clients(&self) -> Answer<'_, Vec<RegisteredClient>> {
        timed("clients", async { all(&mut *self.reader().await?).await })
    }

    fn update_client<'a>(
        &'a self,
        place_owner: &'a str,
        change: &'a ClientUpdate,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("update_client", move || async move {
            let mut tx = self.begin().await?;
            let found = update(&mut *tx, place_owner, change, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }

    fn set_credential<'a>(
        &'a self,
        credential: &'a Credential,
        old_until: Option<i64>,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("set_credential", move || async move {
            let mut tx = self.begin().await?;
            let found = set_credential(&mut *tx, credential, old_until, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }

    fn disable_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool> {
        retried("disable_client", move || async move {
            let mut tx = self.begin().await?;
            let found = disable(&mut *tx, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }

    fn enable_client<'a>(&'a self, place_owner: &'a str, event: &'a NewEvent) -> Answer<'a, bool> {
        retried("enable_client", move || async move {
            let mut tx = self.begin().await?;
            let found = enable(&mut *tx, place_owner, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }

    fn remove_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool> {
        retried("remove_client", move || async move {
            let mut tx = self.begin().await?;
            let found = remove(&mut *tx, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }
}

async fn add(
    connection: &mut impl Dialect,
    client: &RegisteredClient,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let (secret_hash, jwks) = columns(&client.credential);
    let added = query(
        "INSERT INTO clients (id, secret_hash, jwks, scopes, audiences, created_at, place_owner, \
         resource_servers, rights, backchannel_logout_uri) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&client.id)
    .bind(secret_hash)
    .bind(jwks)
    .bind(rows::names_to_json(&client.scopes)?)
    .bind(rows::names_to_json(&client.audiences)?)
    .bind(client.created_at)
    .bind(&client.place_owner)
    .bind(rows::names_to_json(&client.resource_servers)?)
    .bind(rows::rights_to_json(&client.rights)?)
    .bind(&client.backchannel_logout_uri)
    .execute(connection)
    .await?;
    changed(connection, added, event).await
}

async fn of(
    connection: &mut impl Dialect,
    id: &str,
) -> Result<Option<RegisteredClient>, StoreError> {
    let row =
        query("SELECT * FROM clients WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.as_ref().map(rows::client_from).transpose()
}

async fn all(connection: &mut impl Dialect) -> Result<Vec<RegisteredClient>, StoreError> {
    let rows = query("SELECT * FROM clients").fetch_all(connection).await?;
    let mut clients = rows.iter().map(rows::client_from).collect::<Result<Vec<_>, _>>()?;
    // Sorted here, because the order of the database depends on its locale.
    clients.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(clients)
}

async fn update(
    connection: &mut impl Dialect,
    place_owner: &str,
    change: &ClientUpdate,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let names = |names: &Option<Vec<String>>| names.as_deref().map(rows::names_to_json).transpose();
    // An empty text removes the URI.
    let logout_uri = change.backchannel_logout_uri.as_ref().map(|uri| match uri {
        LogoutUri::Set(uri) => uri.as_str(),
        LogoutUri::Removed => "",
    });
    let updated = query(
        "UPDATE clients SET scopes = COALESCE($1, scopes), audiences = COALESCE($2, audiences), \
         resource_servers = COALESCE($3, resource_servers), rights = COALESCE($4, rights), \
         backchannel_logout_uri = NULLIF(COALESCE($5, backchannel_logout_uri), '') \
         WHERE id = $6 AND place_owner = $7",
    )
    .bind(&names(&change.scopes)?)
    .bind(&names(&change.audiences)?)
    .bind(&names(&change.resource_servers)?)
    .bind(&change.rights.as_deref().map(rows::rights_to_json).transpose()?)
    .bind(logout_uri)
    .bind(&event.client_id)
    .bind(place_owner)
    .execute(connection)
    .await?;
    changed(connection, updated, event).await
}

async fn set_credential(
    connection: &mut impl Dialect,
    credential: &Credential,
    old_until: Option<i64>,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    let (secret_hash, jwks) = columns(credential);
    // In SQL, the right side of an assignment sees the columns' old values.
    let set = query(
        "UPDATE clients SET secret_hash = $1, jwks = $2, old_secret_until = $3, \
         old_secret_hash = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN NULL ELSE secret_hash END \
         WHERE id = $4",
    )
    .bind(secret_hash)
    .bind(jwks)
    .bind(old_until)
    .bind(&event.client_id)
    .execute(connection)
    .await?;
    changed(connection, set, event).await
}

async fn disable(connection: &mut impl Dialect, event: &NewEvent) -> Result<bool, StoreError> {
    let set = query("UPDATE clients SET disabled_at = $1 WHERE id = $2")
        .bind(event.at)
        .bind(&event.client_id)
        .execute(connection)
        .await?;
    changed(connection, set, event).await
}

async fn enable(
    connection: &mut impl Dialect,
    place_owner: &str,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    // In SQL, the right side of an assignment sees the columns' old values.
    let set = query(
        "UPDATE clients SET disabled_at = NULL, \
         place_owner = CASE WHEN disabled_at IS NULL THEN place_owner ELSE $1 END WHERE id = $2",
    )
    .bind(place_owner)
    .bind(&event.client_id)
    .execute(connection)
    .await?;
    changed(connection, set, event).await
}

async fn remove(connection: &mut impl Dialect, event: &NewEvent) -> Result<bool, StoreError> {
    let removed = query("DELETE FROM clients WHERE id = $1")
        .bind(&event.client_id)
        .execute(connection)
        .await?;
    changed(connection, removed, event).await
}

fn columns(credential: &Credential) -> (Option<&[u8]>, Option<&str>) {
    match credential {
        Credential::Secret(hash) => (Some(hash), None),
        Credential::Keys(jwks) => (None, Some(jwks)),
    }
}

async fn changed(
    connection: &mut impl Dialect,
    rows: u64,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    if rows == 0 {
        return Ok(false);
    }
    audit::insert(connection, event).await?;
    Ok(true)
}
