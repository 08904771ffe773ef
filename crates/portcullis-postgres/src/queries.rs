//! The statements that append, read and delete entries.

use portcullis::feed::{Appended, Changes, Entry, StoreError, Target};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::position::{Place, Position};
use crate::problem::Problem;

/// The maximum number of entries in a response.
const PAGE: usize = 1000;

/// The number of entries that one statement deletes, so that each statement is short.
const PRUNED_AT_ONCE: u64 = 5000;

/// If the entry is already stored, sets it to its own values. This commit then also waits for the
/// disk and the standbys, because the commit that stored the entry may have ended without waiting.
const APPEND: &str = "WITH stored AS ( \
        INSERT INTO portcullis_revocations AS entry (id, issuer, kind, value, at, until) \
        VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (id) DO UPDATE SET id = entry.id \
        RETURNING xid = pg_current_xact_id() AS is_new \
    ) \
    SELECT is_new, (SELECT pg_notify('portcullis_revocations', '') WHERE is_new)::text FROM stored";

/// Selects the rows of transactions that were not visible in the snapshot `$1`, after the row (`$2`,
/// `$3`). The first two columns describe the read itself, so there is at least one row.
const CHANGES: &str = "SELECT pg_current_snapshot()::text, \
        concat_ws('.', extract(epoch FROM pg_postmaster_start_time()), \
            (SELECT oid FROM pg_database WHERE datname = current_database()), \
            'portcullis_revocations'::regclass::oid), \
        pg_is_in_recovery(), \
        entry.* \
    FROM (VALUES (1)) AS once LEFT JOIN ( \
        SELECT xid::text, id, issuer, kind, value, at, until FROM portcullis_revocations \
        WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) \
            AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
            AND (xid, id) > ($2::text::xid8, $3::text) \
        ORDER BY portcullis_revocations.xid, id LIMIT $4 \
    ) AS entry ON true";

const PRUNE: &str = "DELETE FROM portcullis_revocations WHERE id IN ( \
        SELECT id FROM portcullis_revocations WHERE until < $1 \
        ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)";

pub(crate) async fn rows_after(client: &Client, position: &Position) -> Result<Vec<Row>, Problem> {
    let (xid, id) = match &position.page {
        Some(page) => (page.xid.to_string(), &*page.id),
        None => ("0".to_owned(), ""),
    };
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&position.base, Type::TEXT), (&xid, Type::TEXT), (&id, Type::TEXT), (&limit, Type::INT8)];
    Ok(client.query_typed(CHANGES, &parameters).await?)
}

pub(crate) fn changes_of(
    mut rows: Vec<Row>,
    position: &Position,
    wakes: u64,
) -> Result<Changes, StoreError> {
    let Some(row) = rows.first() else { return Err(Problem::Row.into()) };
    let get = |column| row.try_get::<_, String>(column).map_err(Problem::from);
    let (snapshot, origin) = (get(0)?, get(1)?);
    if row.try_get(2).map_err(Problem::from)? {
        return Err(Problem::Standby.into());
    }
    // Another server or table, or the same server after a restart, may assign the same numbers again.
    if !position.origin.is_empty() && position.origin != origin {
        return Err(StoreError::cursor_lost());
    }
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let mut entries = Vec::with_capacity(rows.len());
    let (mut largest, mut last) = (None, None);
    for row in &rows {
        // A read without entries returns one row, in which this column is NULL.
        let Some(xid) = row.try_get::<_, Option<&str>>(3).map_err(Problem::from)? else { break };
        let xid: u64 = xid.parse().map_err(|_| Problem::Row)?;
        largest = largest.max(Some(xid));
        let entry = entry_of(row)?;
        last = Some(Place { xid, id: entry.id.clone() });
        entries.push(entry);
    }
    let next = position.next(&snapshot, largest, last.filter(|_| has_more));
    let (mut next, has_more) = next.ok_or(Problem::Row)?;
    (next.origin, next.wakes) = (origin, wakes);
    Ok(Changes { entries, cursor: next.to_cursor(), has_more })
}

fn entry_of(row: &Row) -> Result<Entry, Problem> {
    let target = Target::from_parts(row.try_get(6)?, row.try_get(7)?).ok_or(Problem::Row)?;
    let seconds = |column| -> Result<u64, Problem> {
        u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| Problem::Row)
    };
    let mut entry = Entry::new(row.try_get::<_, String>(5)?, target, seconds(8)?, seconds(9)?);
    entry.id = row.try_get(4)?;
    Ok(entry)
}

pub(crate) async fn append(client: &Client, entry: &Entry) -> Result<Appended, Problem> {
    let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let (at, until) = (seconds(entry.at), seconds(entry.until));
    let (kind, value) = (entry.target.kind(), entry.target.value());
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&entry.id, Type::TEXT),
        (&entry.issuer, Type::TEXT),
        (&kind, Type::TEXT),
        (&value, Type::TEXT),
        (&at, Type::INT8),
        (&until, Type::INT8),
    ];
    let row = client.query_typed_one(APPEND, &parameters).await?;
    Ok(if row.try_get(0)? { Appended::New } else { Appended::Known })
}

/// Deletes the entries that end before `before`.
pub(crate) async fn prune(client: &Client, before: u64) -> Result<(), Problem> {
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let limit = i64::try_from(PRUNED_AT_ONCE).unwrap_or(i64::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&before, Type::INT8), (&limit, Type::INT8)];
    while client.execute_typed(PRUNE, &parameters).await? >= PRUNED_AT_ONCE {}
    Ok(())
}
