//! Places in the status lists, with their owners and their revocation.

use crate::domain::tokens::{PLACES, Place, Revoked, Until, is_client};
use crate::error::StoreError;
use crate::random;
use crate::store::dialect::{Dialect, Row, query};

/// The number of random places that are tried before a list is added. In practice, a list is added
/// when about half of all places are taken.
const TRIES: usize = 16;

/// Selects the revoked places of a list. The query runs after each revocation, and reads only an
/// index.
pub(in crate::store) const REVOKED: &str = "\
    SELECT place FROM status_places WHERE list = $1 AND revoked = 1 AND taken_until > $2 \
    ORDER BY place";

/// Returns the owner's place, and keeps it taken at least until `until.expiry`. A new place is
/// random, so it does not reveal how many places are taken, or in which order.
pub(in crate::store::sql) async fn take<C: Dialect>(
    connection: &mut C,
    owner: &str,
    until: Until,
) -> Result<Place, StoreError> {
    loop {
        if let Some(place) = extend(connection, owner, until).await? {
            return Ok(place);
        }
        let (first, lists) = numbers(connection).await?;
        let choice = u32::try_from(lists.saturating_sub(first)).unwrap_or(u32::MAX);
        for _ in 0..TRIES {
            let list = first + i64::from(random::below(choice).map_err(StoreError::new)?);
            let place =
                Place { list, index: i64::from(random::below(PLACES).map_err(StoreError::new)?) };
            if insert(connection, owner, place, until).await? {
                return Ok(place);
            }
        }
        // The condition fails if another process has added a list meanwhile.
        query("UPDATE status_lists SET lists = lists + 1 WHERE lists = $1")
            .bind(lists)
            .execute(connection)
            .await?;
    }
}

async fn extend<C: Dialect>(
    connection: &mut C,
    owner: &str,
    until: Until,
) -> Result<Option<Place>, StoreError> {
    let row = query(
        "UPDATE status_places \
         SET taken_until = CASE WHEN taken_until < $1 THEN $2 ELSE taken_until END \
         WHERE owner = $3 RETURNING list, place",
    )
    .bind(until.expiry)
    .bind(until.extend_to)
    .bind(owner)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(place_from).transpose()
}

pub(super) async fn of(
    connection: &mut impl Dialect,
    owner: &str,
) -> Result<Option<Place>, StoreError> {
    let row = query("SELECT list, place FROM status_places WHERE owner = $1")
        .bind(owner)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(place_from).transpose()
}

fn place_from(row: &impl Row) -> Result<Place, StoreError> {
    Ok(Place { list: row.column("list")?, index: row.column("place")? })
}

/// Takes a place for an owner. Returns `false` if the place is taken, or the owner has a place
/// already.
async fn insert<C: Dialect>(
    connection: &mut C,
    owner: &str,
    place: Place,
    until: Until,
) -> Result<bool, StoreError> {
    // The client was authenticated before this transaction. If it was disabled or removed in the
    // meantime, it had no place yet that could be revoked, so the new place is revoked now.
    let revoked = is_client(owner) && {
        let enabled: Option<String> =
            query(C::HOLD_CLIENT).bind(owner).scalar_optional(connection).await?;
        enabled.is_none()
    };
    let inserted = query(
        "INSERT INTO status_places (list, place, owner, taken_until, revoked) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(place.list)
    .bind(place.index)
    .bind(owner)
    .bind(until.extend_to)
    .bind(i64::from(revoked))
    .execute(connection)
    .await?;
    if inserted == 1 && revoked {
        query("UPDATE status_lists SET version = version + 1").execute(connection).await?;
    }
    Ok(inserted == 1)
}

pub(super) async fn version(connection: &mut impl Dialect) -> Result<i64, StoreError> {
    query("SELECT version FROM status_lists").scalar(connection).await
}

pub(super) async fn revoked(
    connection: &mut impl Dialect,
    list: i64,
    epoch: i64,
) -> Result<Option<Revoked>, StoreError> {
    let (first, lists) = numbers(connection).await?;
    if !(0..lists).contains(&list) {
        return Ok(None);
    }
    if list < first {
        return Ok(Some(Revoked::All));
    }
    let revoked = query(REVOKED).bind(list).bind(epoch).scalars(connection).await?;
    Ok(Some(Revoked::Places(revoked)))
}

/// Returns the first list in which places are taken, and the number of lists.
async fn numbers<C: Dialect>(connection: &mut C) -> Result<(i64, i64), StoreError> {
    let row =
        query("SELECT first_list, lists FROM status_lists").fetch_optional(connection).await?;
    let row = row.ok_or_else(|| StoreError::new("the table of status lists is empty"))?;
    Ok((row.column("first_list")?, row.column("lists")?))
}

/// Starts new lists after a backup was restored. Lists that were added after the backup was made
/// are unknown, so 16 numbers are skipped. That is enough, since a list is added only when about
/// half a million more places are taken.
pub(super) async fn start_new_lists(connection: &mut impl Dialect) -> Result<(), StoreError> {
    query("DELETE FROM status_places").execute(connection).await?;
    // The version must not reach a number that it had after the backup was made: a process that
    // read this number then would consider its cached list as current.
    query(
        "UPDATE status_lists SET first_list = lists + 16, lists = lists + 17, \
         version = version + 4294967296",
    )
    .execute(connection)
    .await?;
    Ok(())
}
