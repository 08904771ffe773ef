use tempfile::TempDir;

use super::*;
use crate::store::dialect::{Database as _, Dialect, query};
use crate::store::sqlite::SqliteStore;

/// Adds a row, and then fails if `fails` is set.
struct AddRow {
    at: i64,
    fails: bool,
}

impl Change for AddRow {
    type Outcome = i64;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<i64, StoreError> {
        query("INSERT INTO spent_jwts (hash, expires_at) VALUES ($2, $1)")
            .bind(self.at)
            .bind(self.at.to_be_bytes().as_slice())
            .execute(connection)
            .await?;
        if self.fails { Err(StoreError::new("it fails")) } else { Ok(self.at) }
    }
}

async fn opened() -> (TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("a.db")).await.unwrap();
    (folder, Arc::new(store))
}

async fn stored(store: &SqliteStore) -> Vec<i64> {
    let select = query("SELECT expires_at FROM spent_jwts ORDER BY expires_at");
    select.scalars(&mut *store.reader().await.unwrap()).await.unwrap()
}

/// Queues changes while another writer has the turn, and then ends that turn.
async fn at_once(
    store: &Arc<SqliteStore>,
    changes: Vec<AddRow>,
) -> Vec<Result<Answer<i64>, StoreError>> {
    let turn = store.turn.clone().acquire_owned().await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    for change in changes {
        let store = Arc::clone(store);
        all.spawn(async move { store.group.answer_to(change).await });
    }
    // The test has one thread, so all tasks queue their changes now.
    tokio::task::yield_now().await;
    drop(turn);
    all.join_all().await
}

#[tokio::test]
async fn waiting_changes_share_a_commit_and_a_failed_one_is_rolled_back() {
    let (_folder, store) = opened().await;
    let changes = (0..20).map(|at| AddRow { at, fails: at % 5 == 0 }).collect();
    let answers = at_once(&store, changes).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let groups = answers.iter().filter(|answer| answer.is_first).count();
    assert_eq!(groups, 1, "commits");
    let mut made: Vec<_> = answers.into_iter().filter_map(|answer| answer.outcome.ok()).collect();
    made.sort_unstable();
    let expected: Vec<_> = (0..20).filter(|at| at % 5 != 0).collect();
    assert_eq!(made, expected, "acknowledged");
    assert_eq!(stored(&store).await, expected, "stored");
}

/// As when memory runs out between the two passes over a group that SQLite has undone.
#[test]
fn change_that_was_undone_and_could_not_be_made_again_is_an_error() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE spent_jwts (hash BLOB, expires_at INTEGER)").unwrap();
    let (_queue, waiting) = channel();
    let mut writer = Writer::new(connection, waiting, Arc::new(Semaphore::new(1)), || Ok(()));
    let (answer, mut answered) = oneshot::channel();
    let change = AddRow { at: 1, fails: false };
    let mut waiting = Box::new(One { change, outcome: None, answer: Some(answer) });
    writer.connection.execute_batch("BEGIN").unwrap();
    writer.apply(&mut *waiting);
    writer.connection.execute_batch("ROLLBACK").unwrap();

    // No savepoint can be opened while a statement that writes is in progress.
    let insert = "INSERT INTO spent_jwts (expires_at) VALUES (2) RETURNING expires_at";
    let mut writing = writer.connection.prepare(insert).unwrap();
    let mut rows = writing.query([]).unwrap();
    rows.next().unwrap();
    std::mem::forget(rows);
    std::mem::forget(writing);
    writer.apply(&mut *waiting);
    waiting.answer(Ok(()), true);
    assert!(answered.try_recv().unwrap().outcome.is_err(), "acknowledged, and undone");
}

/// Makes the commit fail: the violated constraint is checked only at the commit.
struct Unsound;

impl Change for Unsound {
    type Outcome = u64;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<u64, StoreError> {
        query("PRAGMA defer_foreign_keys = ON").execute(connection).await?;
        query(
            "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) \
             VALUES ('s', 'unknown', 1, 1, 1)",
        )
        .execute(connection)
        .await
    }
}

#[tokio::test]
async fn changes_of_a_failed_commit_are_not_acknowledged() {
    let (_folder, store) = opened().await;
    let turn = store.turn.clone().acquire_owned().await.unwrap();
    let sound = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.change(AddRow { at: 1, fails: false }).await }
    });
    let unsound = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.change(Unsound).await }
    });
    tokio::task::yield_now().await;
    drop(turn);
    assert!(unsound.await.unwrap().is_err());
    assert!(sound.await.unwrap().is_err(), "acknowledged, but not stored");
    assert!(stored(&store).await.is_empty());
    store.change(AddRow { at: 2, fails: false }).await.unwrap();
    assert_eq!(stored(&store).await, [2]);
}

#[tokio::test]
async fn change_of_a_cancelled_caller_is_not_made() {
    let (_folder, store) = opened().await;
    let turn = store.turn.clone().acquire_owned().await.unwrap();
    let first = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.change(AddRow { at: 1, fails: false }).await }
    });
    tokio::task::yield_now().await;
    {
        let gone = pin!(store.change(AddRow { at: 2, fails: false }));
        let polled = gone.poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "the change was made before its turn");
    }
    drop(turn);
    assert_eq!(first.await.unwrap().unwrap(), 1);
    store.change(AddRow { at: 3, fails: false }).await.unwrap();
    assert_eq!(stored(&store).await, [1, 3]);
}

#[tokio::test]
async fn closed_store_makes_no_change() {
    let (_folder, store) = opened().await;
    store.close_all().await;
    let error = store.change(AddRow { at: 1, fails: false }).await.unwrap_err();
    assert_eq!(format!("{error:?}"), "the store failed: the store is closed");
}
