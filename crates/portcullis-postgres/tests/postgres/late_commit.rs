//! Transactions do not commit in the order of their numbers.

use portcullis::feed::{Entry, RevocationStore as _};
use portcullis_test_support::postgres_server::PostgresServer;

use crate::{client, open, read, session};

fn insert(entry: &Entry) -> String {
    format!(
        "INSERT INTO portcullis_revocations (id, issuer, kind, value, at, until) VALUES ('{}', '{}', '{}', '{}', {}, {})",
        entry.id,
        entry.issuer,
        entry.target.kind(),
        entry.target.value(),
        entry.at,
        entry.until
    )
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn transaction_that_commits_late_is_read_after_later_ones() {
    let server = PostgresServer::start(&[]);
    let (store, late) = (open(&server), client(&server).await);
    store.append(&session("before")).await.unwrap();
    late.batch_execute("BEGIN").await.unwrap();
    late.batch_execute(&insert(&session("late"))).await.unwrap();
    store.append(&session("later")).await.unwrap();
    let (found, cursor) = read(&store, None).await;
    assert_eq!(found, ["before", "later"]);
    // The open transaction does not make a reader read the later entry repeatedly.
    let (found, cursor) = read(&store, Some(cursor)).await;
    assert_eq!(found, [""; 0]);
    late.batch_execute("COMMIT").await.unwrap();
    let (found, cursor) = read(&store, Some(cursor)).await;
    assert_eq!(found, ["late"]);
    assert_eq!(read(&store, Some(cursor)).await.0, [""; 0]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn transaction_that_commits_between_two_pages_is_read() {
    const MANY: usize = 2500;
    let server = PostgresServer::start(&[]);
    let (store, late) = (open(&server), client(&server).await);
    store.check().await.unwrap();
    late.batch_execute("BEGIN").await.unwrap();
    late.batch_execute(&insert(&session("late"))).await.unwrap();
    let many: String =
        (0..MANY).map(|number| insert(&session(&format!("{number}"))) + ";").collect();
    client(&server).await.batch_execute(&many).await.unwrap();
    let first = store.changes(None).await.unwrap();
    assert!(first.has_more && first.entries.len() == 1000);
    late.batch_execute("COMMIT").await.unwrap();
    let (found, _) = read(&store, Some(first.cursor)).await;
    assert!(found.contains(&"late".to_owned()), "before `has_more` is false");
    assert_eq!(found.len(), MANY - 1000 + 1);
}
