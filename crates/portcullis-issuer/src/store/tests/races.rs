//! Changes that wait for a transaction of another process, and then see its result. Only PostgreSQL
//! is tested, since SQLite has one writer at a time.

use std::sync::Arc;
use std::time::Duration;

use portcullis::clock::SystemClock;
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;

use super::{Place, folded, login, session, token, with_alice};
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::keys::KeyEncryptionKey;
use crate::domain::people::{Change, Kept, UserRef};
use crate::domain::rekey::Rekeyer;

const LONG_ENOUGH: Duration = Duration::from_millis(300);

/// Runs `work` while a transaction of another process is open. That transaction runs `first` before
/// `work` starts, and `then` while `work` waits.
async fn beside<T: Send + 'static>(
    place: &Place,
    (first, then): (&'static str, &'static str),
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let Place::Postgres(url) = place else { panic!("SQLite has one writer") };
    let mut connection = PgConnection::connect(url.reveal()).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::raw_sql(first).execute(&mut *tx).await.unwrap();
    let work = tokio::spawn(work);
    sleep(LONG_ENOUGH).await;
    sqlx::raw_sql(then).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    work.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn on_postgres_user_who_is_being_disabled_gets_no_session() {
    let place = Place::postgres().await;
    let store = with_alice(&place).await;
    let disables = ("UPDATE users SET disabled_at = 1", "SELECT 1");
    let begun = beside(&place, disables, async move {
        store.start_session(&session("t"), 0, &token(11), &login()).await.unwrap()
    });
    assert!(!begun.await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn on_postgres_session_that_is_being_ended_cannot_change_the_password() {
    let place = Place::postgres().await;
    let store = with_alice(&place).await;
    let ends = (
        "SELECT 1 FROM users FOR UPDATE",
        "UPDATE sessions SET ended_at = 1, end_reason = 'deleted'",
    );
    beside(&place, ends, async move {
        let kept = Kept { session_id: "s".to_owned(), credentials: 0 };
        let change = Change::Password { hash: "new".to_owned(), keeps: Some(kept) };
        let event = NewEvent::new(EventKind::PasswordChanged, 1500).user("id of alice");
        store
            .change_account(&UserRef::Named(folded("alice")), &change, &event, None)
            .await
            .unwrap();
    })
    .await;
    let store = place.open().await;
    let stored = store.user_named(&folded("alice")).await.unwrap().unwrap();
    assert_eq!(stored.password_hash, "hash");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn on_postgres_rekey_includes_a_signing_key_that_is_being_added() {
    let place = Place::postgres().await;
    // This key cannot be unsealed, so the rekey fails if it reads the key.
    let adds = (
        "SELECT version FROM key_ring FOR UPDATE",
        "INSERT INTO signing_keys (kid, algorithm, state, public_jwk, sealed_private_key, \
         created_at, signs_from, longest_token_secs, longest_max_age_secs) \
         VALUES ('k', 'ES256', 'active', '{}', '\\x01', 1, 1, 1, 1)",
    );
    let key = |text: &str| KeyEncryptionKey::from_base64(text).unwrap();
    let old = key("a2V5LWVuY3J5cHRpb24ta2V5LWZvci10ZXN0cy0hISE=");
    let new = key("bmV3IGtleS1lbmNyeXB0aW9uIGtleSBmb3IgdGVzdHM=");
    let rekeyer = Rekeyer {
        store: place.open().await as _,
        key: old,
        session_max: Duration::from_secs(1000),
        clock: Arc::new(SystemClock::new()),
    };
    let changed = beside(&place, adds, async move { rekeyer.rekey(&new).await });
    changed.await.unwrap_err();
}
