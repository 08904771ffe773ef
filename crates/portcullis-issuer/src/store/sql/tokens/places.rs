//! Places in the status lists: who has which, and which are revoked.

use crate::domain::tokens::{PLACES, Place, Until};
use crate::error::StoreError;
use crate::random;
use crate::store::dialect::{Dialect, Row, query};

/// So many places in a row that are taken mean that about half of all are: time for a new list, in
/// which a free one is found at once.
const TRIES: usize = 16;

/// What a list says; read after each revocation, from an index alone.
pub(in crate::store) const REVOKED: &str = "\
    SELECT place FROM status_places WHERE list = $1 AND revoked = 1 AND taken_until > $2 \
    ORDER BY place";

/// The owner's place, which is taken until then at least. A new one is where chance will have it:
/// it tells nobody how many there are, or who was first.
pub(in crate::store::sql) async fn take<C: Dialect>(
    connection: &mut C,
    owner: &str,
    until: Until,
) -> Result<Place, StoreError> {
    loop {
        if let Some(place) = extend(connection, owner, until).await? {
            return Ok(place);
        }
        // The only place where places are taken is a fair place to give back those that are free.
        query(C::FREE_PLACES).bind(until.free).execute(connection).await?;
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
        // Unless somebody else has done it meanwhile.
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
         SET taken_until = CASE WHEN taken_until < $1 THEN $1 ELSE taken_until END \
         WHERE owner = $2 RETURNING list, place",
    )
    .bind(until.expiry)
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

/// `false` if the place is somebody else's.
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
    .bind(until.expiry)
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
