//! Transactions that wait for each other on PostgreSQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, Row as _};

use super::{Place, folded, login, session, token, with_alice};
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::people::{Change, Changed, UserRef};
use crate::store::Store;

/// A transaction of another program, for which the store waits.
struct Other(PgConnection);

impl Other {
    async fn begin(place: &Place, statement: &'static str) -> Self {
        let Place::Postgres(url) = place else { unreachable!() };
        let mut connection = PgConnection::connect(url.reveal()).await.unwrap();
        // The store's transaction has the shorter timeout, so PostgreSQL ends it and not this one.
        sqlx::raw_sql("SET deadlock_timeout = '60s'; BEGIN")
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// Returns when a transaction waits for this one.
    async fn is_awaited(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))";
        loop {
            let row = sqlx::query(waiting).fetch_one(&mut self.0).await.unwrap();
            if row.get::<i64, _>(0) > 0 {
                return;
            }
            assert!(Instant::now() < deadline, "the store does not wait");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn run(&mut self, statement: &'static str) {
        sqlx::query(statement).execute(&mut self.0).await.unwrap();
    }
}

async fn with_sessions(place: &Place) -> Arc<dyn Store> {
    let store = with_alice(place).await;
    for (id, byte) in [("t", 11), ("u", 21)] {
        store.start_session(&session(id), 0, &token(byte), &login()).await.unwrap();
    }
    store
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn change_that_postgres_ends_for_a_deadlock_is_retried() {
    let place = Place::postgres().await;
    let store = with_sessions(&place).await;
    let mut other = Other::begin(&place, "SELECT id FROM sessions WHERE id = 's' FOR UPDATE").await;
    let change = tokio::spawn(async move {
        let alice = UserRef::Named(folded("alice"));
        let event = NewEvent::new(EventKind::LogoutEverywhere, 1500);
        store.change_account(&alice, &Change::LoggedOut, &event, None).await
    });
    other.is_awaited().await;
    other.run("SELECT id FROM users FOR UPDATE").await;
    other.run("COMMIT").await;
    assert_eq!(change.await.unwrap().unwrap(), Changed::Done(3));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn sessions_ended_by_another_transaction_do_not_hide_live_ones() {
    let place = Place::postgres().await;
    let store = with_sessions(&place).await;
    let end = "UPDATE sessions SET ended_at = 1400, end_reason = 'logout' WHERE id IN ('s', 't')";
    let mut other = Other::begin(&place, end).await;
    let ended = tokio::spawn(async move { store.end_some_sessions(1500, 2, None, None).await });
    other.is_awaited().await;
    other.run("COMMIT").await;
    assert_eq!(ended.await.unwrap().unwrap(), Changed::Done(1));
}
