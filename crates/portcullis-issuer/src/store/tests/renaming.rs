//! A process of this version and a process from before the renaming share a database: only one of
//! them leads, and each receives the other's notifications.
//!
//! The old version is simulated by a connection that sends its statements, copied from commit
//! aa140f7.

use std::time::{Duration, Instant};

use sqlx::postgres::PgListener;
use sqlx::{Connection as _, PgConnection};

use super::{Place, key};

const LEAD: &str = "SELECT pg_try_advisory_lock(hashtextextended('tollgate ' || $1, 0))";
const MIGRATE: &str =
    "SELECT pg_advisory_lock(hashtextextended('tollgate schema ' || current_schema(), 0))";
const CHANNEL: &str = "tollgate_keys";

/// Longer than the interval at which a process tries to lead, or polls the key version.
const A_WHILE: Duration = Duration::from_millis(1500);

struct OldVersion {
    url: String,
    connection: PgConnection,
    schema: String,
}

impl OldVersion {
    async fn on(place: &Place) -> Self {
        let Place::Postgres(url) = place else { unreachable!("it needs PostgreSQL") };
        let url = url.reveal().to_owned();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let schema =
            sqlx::query_scalar("SELECT current_schema()").fetch_one(&mut connection).await.unwrap();
        Self { url, connection, schema }
    }

    async fn leads(&mut self) -> bool {
        let asked = sqlx::query_scalar(LEAD).bind(&self.schema);
        asked.fetch_one(&mut self.connection).await.unwrap()
    }

    async fn end(self) {
        self.connection.close().await.unwrap();
    }
}

async fn until(condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "the condition was not met in 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn process_does_not_lead_while_an_old_version_leads() {
    let place = Place::postgres().await;
    let mut old = OldVersion::on(&place).await;
    assert!(old.leads().await);
    let store = place.open().await;
    assert!(!store.leads());
    tokio::time::sleep(A_WHILE).await;
    assert!(!store.leads(), "both lead");
    old.end().await;
    until(async || store.leads()).await;
    assert!(!OldVersion::on(&place).await.leads().await, "both lead");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn key_change_is_announced_between_the_old_and_this_version() {
    let place = Place::postgres().await;
    let store = place.open().await;
    let old = OldVersion::on(&place).await;
    // This key version is in no table, so it can only come from the notification. The next poll
    // overwrites it, so the notification is repeated.
    let told = format!("{} 1000000", old.schema);
    let pool = sqlx::PgPool::connect(&old.url).await.unwrap();
    until(async || {
        let tell = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(&told);
        tell.execute(&pool).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        store.key_version().await.unwrap() == 1_000_000
    })
    .await;

    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen(CHANNEL).await.unwrap();
    store.add_first_key(&key("first")).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await;
    assert_eq!(heard.unwrap().unwrap().payload(), format!("{} 1", old.schema));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn process_waits_while_an_old_version_migrates_the_schema() {
    let place = Place::postgres().await;
    let mut old = OldVersion::on(&place).await;
    sqlx::query(MIGRATE).execute(&mut old.connection).await.unwrap();
    let opening = place.open();
    tokio::pin!(opening);
    assert!(tokio::time::timeout(A_WHILE, &mut opening).await.is_err(), "the store did not wait");
    old.end().await;
    opening.await;
}
