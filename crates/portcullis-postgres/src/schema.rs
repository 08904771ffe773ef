//! The table.

use tokio_postgres::Client;

use crate::problem::Problem;

/// The table and its indexes.
pub(crate) const SCHEMA: &str = include_str!("schema.sql");

/// The key of the advisory lock, which has no other use: "portcull" in ASCII.
const LOCK: i64 = 0x706f_7274_6375_6c6c;

/// Creates the table unless it exists.
pub(crate) async fn create(client: &Client) -> Result<(), Problem> {
    // This query comes first, because `CREATE TABLE IF NOT EXISTS` needs the right to create tables
    // even if the table exists.
    let exists = "SELECT to_regclass('portcullis_revocations') IS NOT NULL";
    if client.query_typed_one(exists, &[]).await?.try_get(0)? {
        return Ok(());
    }
    // The lock lets only one instance create the table at a time. Two concurrent attempts would violate
    // a unique index of the catalog.
    let create = format!("SELECT pg_advisory_xact_lock({LOCK}); {SCHEMA}");
    Ok(client.batch_execute(&create).await?)
}

/// Gives new numbers to rows that were restored from another server. The transaction numbers of that server
/// have no meaning here, and a number that this server has not reached would count as new in every read.
pub(crate) async fn renumber(client: &Client) -> Result<(), Problem> {
    let renumber = "UPDATE portcullis_revocations SET xid = DEFAULT \
                    WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())";
    client.execute_typed(renumber, &[]).await?;
    Ok(())
}
