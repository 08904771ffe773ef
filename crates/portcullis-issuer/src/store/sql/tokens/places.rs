//! Places in the status lists: their owners, and which are revoked.

use crate::domain::tokens::{PLACES, Place, Until};
use crate::error::StoreError;
use crate::random;
use crate::store::dialect::{Dialect, Row as _, query};

/// If so many random places are taken, about half of all are, and a list is added.
const TRIES: usize = 16;

/// The revoked places of a list; read after each revocation, from an index alone.
pub(in crate::store) const REVOKED: &str = "\
    SELECT place FROM status_places WHERE list = $1 AND revoked = 1 AND taken_until > $2 \
    ORDER BY place";

/// Returns the owner's place, and has it taken until then at least. A new one is random: it does
/// not tell how many owners there are, or in which order they came.
pub(in crate::store::sql) async fn take<C: Dialect>(
    connection: &mut C,
    owner: &str,
    until: Until,
) -> Result<Place, StoreError> {
    loop {
        if let Some(place) = extend(connection, owner, until).await? {
            return Ok(place);
        }
        let lists: i64 = query("SELECT lists FROM status_lists").scalar(connection).await?;
        for _ in 0..TRIES {
            let list = i64::from(
                random::below(u32::try_from(lists).unwrap_or(u32::MAX)).map_err(StoreError::new)?,
            );
            let place =
                Place { list, index: i64::from(random::below(PLACES).map_err(StoreError::new)?) };
            if insert(connection, owner, place, until).await? {
                return Ok(place);
            }
        }
        // Unless another process has done it meanwhile.
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
    let place = |row: &C::Row| Ok(Place { list: row.column("list")?, index: row.column("place")? });
    row.as_ref().map(place).transpose()
}

/// Returns `false` if the place has another owner.
async fn insert(
    connection: &mut impl Dialect,
    owner: &str,
    place: Place,
    until: Until,
) -> Result<bool, StoreError> {
    let inserted = query(
        "INSERT INTO status_places (list, place, owner, taken_until) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(place.list)
    .bind(place.index)
    .bind(owner)
    .bind(until.extend_to)
    .execute(connection)
    .await?;
    Ok(inserted == 1)
}

pub(super) async fn version(connection: &mut impl Dialect) -> Result<i64, StoreError> {
    query("SELECT version FROM status_lists").scalar(connection).await
}

pub(super) async fn revoked(
    connection: &mut impl Dialect,
    list: i64,
    epoch: i64,
) -> Result<Option<Vec<i64>>, StoreError> {
    let there: Option<i64> = query("SELECT lists FROM status_lists WHERE $1 >= 0 AND lists > $1")
        .bind(list)
        .scalar_optional(connection)
        .await?;
    if there.is_none() {
        return Ok(None);
    }
    let revoked = query(REVOKED).bind(list).bind(epoch).scalars(connection).await?;
    Ok(Some(revoked))
}
