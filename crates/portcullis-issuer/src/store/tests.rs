//! The tests of both stores. Each test runs on SQLite and, with `cargo xtask test`, on PostgreSQL.

mod conditions;
mod housekeeping;
mod locks;
mod passkeys;
mod past;
mod people;
mod races;
mod refresh;
mod renaming;

use std::sync::Arc;

use sqlx::Connection as _;
use tempfile::TempDir;

use super::Store;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use crate::config::DatabaseUrl;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::clients::{ClientRight, ClientUpdate, Credential, RegisteredClient};
use crate::domain::hash::TokenHash;
use crate::domain::housekeeping::Chore;
use crate::domain::keys::{ChangedBy, KeyState, NewKey, Promises, SigningAlgorithm};
use crate::domain::messages::{Purpose, UserToken};
use crate::domain::sessions::{
    Budget, Methods, Refreshed, Rotation, Rules, SESSIONS_PER_USER, Session,
};
use crate::domain::tokens::{Revoked, Until, client_owner};
use crate::domain::users::{Account, Added, Awaits, FoldedName, User};

/// The location of a database, on which any number of stores can be opened.
enum Place {
    Sqlite(TempDir),
    Postgres(DatabaseUrl),
}

impl Place {
    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// Creates a new schema on the server that `cargo xtask test` has started.
    async fn postgres() -> Self {
        let server = std::env::var("PORTCULLIS_POSTGRES").expect("run `cargo xtask test`");
        let name = format!("store_{}", crate::random::hex_id().unwrap());
        let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let url = format!("{server}?options=-c%20search_path={name}");
        Self::Postgres(DatabaseUrl::new(url).unwrap())
    }

    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(directory) => {
                Arc::new(SqliteStore::open(&directory.path().join("a.db")).await.unwrap())
            }
            Self::Postgres(url) => Arc::new(PostgresStore::open(url).await.unwrap()),
        }
    }
}

/// Defines a test per store for each named function. The functions take a [`Place`].
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name($crate::store::tests::Place::sqlite()).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs PostgreSQL: run cargo xtask test"]
                async fn $name() {
                    super::$name($crate::store::tests::Place::postgres().await).await;
                }
            )*
        }
    };
}

use on_both;

on_both!(
    token_lifetime_is_recorded_on_the_active_key_only,
    concurrent_requests_create_and_promote_one_key,
    key_change_is_announced_to_other_stores,
    name_that_differs_in_case_only_is_taken,
    concurrent_refreshes_store_one_successor,
    refresh_can_be_repeated_until_the_successor_is_used,
    late_repeats_in_three_generations_end_the_session,
    refreshes_over_the_budget_are_limited,
    rotation_with_another_key_version_is_rejected,
    last_use_has_a_resolution_of_300_s,
    housekeeping_deletes_expired_rows_in_batches,
    events_are_in_the_audit_log_in_order,
    stores_opened_concurrently_share_a_schema_and_a_leader,
    sessions_can_be_ended_singly_or_all_at_once,
    a_user_has_a_bounded_number_of_sessions,
    unverified_accounts_are_deleted_in_batches_when_due,
    session_is_found_by_its_current_refresh_token_only,
    machine_client_is_stored_changed_and_removed,
    concurrent_requests_spend_a_jwt_once,
    every_way_to_end_a_session_revokes_its_place,
    place_is_reused_only_after_its_last_token_has_expired,
    place_of_a_disabled_or_removed_client_is_revoked,
    first_place_of_a_client_that_was_disabled_meanwhile_is_revoked,
    status_lists_from_before_a_restored_backup_are_revoked,
);

fn promised(token_secs: i64) -> Promises {
    Promises { token_secs, max_age_secs: 300 }
}

fn key(kid: &str) -> NewKey {
    NewKey {
        kid: kid.to_owned(),
        algorithm: SigningAlgorithm::Es256,
        public_jwk: "{}".to_owned(),
        sealed: vec![1],
        created_at: 1000,
        signs_from: 1000,
        promises: promised(60),
    }
}

fn user(name: &str) -> User {
    User {
        id: format!("id of {name}"),
        name: name.to_owned(),
        roles: vec!["admin".to_owned()],
        scopes: vec![],
        created_at: 900,
    }
}

fn folded(name: &str) -> FoldedName {
    FoldedName::of(name).unwrap()
}

fn account(user: &User) -> Account<'_> {
    Account {
        user,
        password_hash: "hash",
        address: None,
        address_verified_at: None,
        awaits: None,
        replaces: &[],
    }
}

async fn added(store: &dyn Store, name: &str) -> bool {
    let user = user(name);
    let account = account(&user);
    let event = NewEvent::new(EventKind::UserAdded, user.created_at).user(&user.id);
    store.add_user(&account, &event, None).await.unwrap() == Added::Done
}

fn session(id: &str) -> Session {
    Session {
        id: id.to_owned(),
        user_id: "id of alice".to_owned(),
        created_at: 1000,
        last_used_at: 1000,
        expires_at: 9000,
        user_agent: Some("curl".to_owned()),
        stepped_up_at: None,
        methods: Methods::password(None),
        place: None,
    }
}

const UNTIL: Until = Until { expiry: 1900, extend_to: 1900, free: 1000 };

fn login() -> NewEvent {
    NewEvent::new(EventKind::Login, 1000).user("id of alice").address(Some("192.0.2.1"))
}

const fn token(byte: u8) -> TokenHash {
    [byte; 32]
}

/// Returns the rotation of a session's token. The token of generation 1 is `token(first)`, that of
/// generation 2 is `token(first + 1)`, and so on.
fn rotation_of(session_id: &str, first: u8, generation: u8, now: i64) -> Rotation {
    let presented = first + generation - 1;
    Rotation {
        session_id: session_id.to_owned(),
        presented: token(presented),
        generation: i64::from(generation),
        successor: token(presented + 1),
        sealed: vec![presented + 1],
        former_successor: None,
        now,
        now_millis: now * 1000,
        until: Until { expiry: now + 900, extend_to: now + 900, free: now },
        rules: Rules { idle_secs: 8000, max_secs: 20_000, grace_secs: 10, budget: Budget::new(0) },
        key_version: None,
        address: Some("192.0.2.9".to_owned()),
        user_agent: Some("thief/1".to_owned()),
    }
}

/// Returns the rotation of a token of the session `s`.
fn rotation(generation: u8, now: i64) -> Rotation {
    rotation_of("s", 1, generation, now)
}

/// Starts a session. Its place is reserved for long enough that a refresh does not write it again,
/// as in most refreshes.
async fn start(store: &dyn Store, id: &str, first: u8) {
    let long = Until { expiry: 100_000, extend_to: 100_000, free: 1000 };
    store.take_place(id, long).await.unwrap();
    store.start_session(&session(id), 0, &token(first), &login()).await.unwrap();
}

async fn with_alice(place: &Place) -> Arc<dyn Store> {
    let store = place.open().await;
    assert!(added(&*store, "alice").await);
    start(&*store, "s", 1).await;
    store
}

async fn kinds(store: &dyn Store) -> Vec<String> {
    store.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect()
}

/// A process that has not seen a rotation yet must not record its token lifetime on the new key.
async fn token_lifetime_is_recorded_on_the_active_key_only(place: Place) {
    let store = place.open().await;
    store.add_first_key(&key("old")).await.unwrap();
    assert!(store.note_promises("old", promised(600)).await.unwrap());
    assert!(store.note_promises("old", promised(60)).await.unwrap(), "a shorter lifetime");
    store.rotate_key(&key("new"), ChangedBy::Operator.at(2000), 100).await.unwrap();
    assert!(!store.note_promises("old", promised(9000)).await.unwrap());
    store.rotate_key(&key("newest"), ChangedBy::Operator.at(2000), 100).await.unwrap();
    let ends: Vec<_> =
        store.keys().await.unwrap().keys.iter().map(|key| key.published_until).collect();
    assert!(ends.contains(&Some(2700)) && ends.contains(&Some(2160)), "{ends:?}");
}

/// Several processes may try at the same time to create or promote a key.
async fn concurrent_requests_create_and_promote_one_key(place: Place) {
    let stores = [place.open().await, place.open().await, place.open().await];
    let mut all = tokio::task::JoinSet::new();
    for (n, store) in stores.iter().cycle().take(12).enumerate() {
        let store = Arc::clone(store);
        all.spawn(async move {
            store.add_first_key(&key(&format!("first-{n}"))).await.unwrap();
            let next = key(&format!("next-{n}"));
            store.publish_next_key(&next, ChangedBy::Schedule.at(2000)).await.unwrap();
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    let table = stores[0].keys().await.unwrap();
    let states: Vec<_> = table.keys.iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Next, KeyState::Active]);
    assert_eq!(table.version, 2);

    let next = table.keys[0].kid.clone();
    for store in stores.iter().cycle().take(12) {
        let (store, next) = (Arc::clone(store), next.clone());
        all.spawn(async move {
            let change = ChangedBy::Schedule.at(2000);
            store.promote_key(&next, change, 100).await.unwrap();
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    let table = stores[1].keys().await.unwrap();
    let states: Vec<_> = table.keys.iter().map(|key| (key.kid == next, key.state)).collect();
    assert_eq!(states, [(true, KeyState::Active), (false, KeyState::Retired)]);
    assert_eq!(table.version, 3);
    assert_eq!(kinds(&*stores[2]).await, ["key_active", "key_published", "key_active"]);
}

async fn key_change_is_announced_to_other_stores(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    one.add_first_key(&key("first")).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while other.key_version().await.unwrap() != 1 {
        assert!(std::time::Instant::now() < deadline, "the key change was not announced");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn name_that_differs_in_case_only_is_taken(place: Place) {
    let store = place.open().await;
    assert!(added(&*store, "alice").await);
    assert!(!added(&*store, "ALICE").await);
    assert!(added(&*store, "Bob").await);
    let found = store.user_named(&folded("Alice")).await.unwrap().unwrap();
    assert_eq!((found.user, found.password_hash.as_str()), (user("alice"), "hash"));
    assert!(found.may_log_in && !found.has_second_factor);
    assert!(store.user_named(&folded("alice2")).await.unwrap().is_none());
    let names: Vec<_> = store.users().await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["alice", "Bob"]);
    assert_eq!(kinds(&*store).await, ["user_added", "user_added"]);
    store.rehash_password("id of alice", "another", "new", 1000).await.unwrap();
    store.rehash_password("id of alice", "hash", "new", 1000).await.unwrap();
    store.rehash_password("id of alice", "hash", "newer", 1000).await.unwrap();
    assert_eq!(store.user_named(&folded("alice")).await.unwrap().unwrap().password_hash, "new");
    assert_eq!(kinds(&*store).await[2..], ["password_rehashed"]);
}

/// Each request proposes another successor, and the store keeps one of them.
async fn concurrent_refreshes_store_one_successor(place: Place) {
    let first = with_alice(&place).await;
    let stores = [first, place.open().await];
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16_u8 {
        let store = Arc::clone(&stores[usize::from(n % 2)]);
        let (successor, sealed) = (token(100 + n), vec![100 + n]);
        let rotation = Rotation { successor, sealed, ..rotation(1, 2000) };
        all.spawn(async move { (n, store.rotate_refresh(rotation).await.unwrap()) });
    }
    let (mut rotated, mut repeated) = (Vec::new(), Vec::new());
    while let Some(done) = all.join_next().await {
        match done.unwrap() {
            (n, Refreshed::Rotated(..)) => rotated.push(100 + n),
            (_, Refreshed::Repeated { sealed, .. }) => repeated.extend(sealed.unwrap()),
            (n, other) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(rotated.len(), 1, "{rotated:?}");
    assert_eq!(repeated, [rotated[0]; 15], "the other requests get the same one");
    assert!(stores[0].live_session("s", 2000).await.unwrap().is_some());
    assert_eq!(kinds(&*stores[1]).await, ["user_added", "login"], "no refresh event");
}

async fn refresh_can_be_repeated_until_the_successor_is_used(place: Place) {
    let store = with_alice(&place).await;
    let ask = async |rotation: Rotation| store.rotate_refresh(rotation).await.unwrap();
    assert!(matches!(ask(rotation(1, 2000)).await, Refreshed::Rotated(..)));
    let Refreshed::Repeated { sealed, .. } = ask(rotation(1, 2010)).await else {
        panic!("not repeated")
    };
    assert_eq!(sealed, Some(vec![2]));
    // The successor is still the current token, and can be rotated.
    assert!(matches!(ask(rotation(2, 2010)).await, Refreshed::Rotated(..)));
    // The successor has been used by now.
    assert!(matches!(ask(rotation(1, 2010)).await, Refreshed::Reused));
    assert!(store.live_session("s", 2010).await.unwrap().is_none());
    assert!(matches!(ask(rotation(3, 2010)).await, Refreshed::Refused), "its session has ended");

    let start = async |id: &str, first| {
        start(&*store, id, first).await;
        ask(rotation_of(id, first, 1, 2000)).await
    };
    assert!(matches!(start("t", 51).await, Refreshed::Rotated(..)));
    assert!(matches!(ask(rotation_of("t", 51, 1, 2011)).await, Refreshed::Reused), "too old");
    assert!(matches!(start("u", 61).await, Refreshed::Rotated(..)));
    let newer = ask(rotation_of("u", 61, 3, 2001)).await;
    assert!(matches!(newer, Refreshed::Diverged), "newer than the store");
    assert!(store.live_session("u", 2001).await.unwrap().is_none());
    let kinds = kinds(&*store).await;
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    let all = ["refresh_repeated", "refresh_reused", "refresh_diverged"].map(counted);
    assert_eq!(all, [1, 2, 1], "{kinds:?}");
    let events = store.events(0, 1000).await.unwrap();
    let reused = events.iter().find(|event| event.kind == "refresh_reused").unwrap();
    let told = (reused.address.as_deref(), reused.user_agent.as_deref());
    assert_eq!(told, (Some("192.0.2.9"), Some("thief/1")));
    assert_eq!(reused.user_id.as_deref(), Some("id of alice"));
}

async fn late_repeats_in_three_generations_end_the_session(place: Place) {
    let store = with_alice(&place).await;
    let ask = async |rotation: Rotation| store.rotate_refresh(rotation).await.unwrap();
    for generation in 1..=2 {
        let now = 2000 + i64::from(generation) * 60;
        assert!(matches!(ask(rotation(generation, now)).await, Refreshed::Rotated(..)));
        let late = ask(rotation(generation, now + 5)).await;
        assert!(matches!(late, Refreshed::Repeated { .. }), "{generation}");
    }
    assert!(matches!(ask(rotation(3, 2180)).await, Refreshed::Rotated(..)));
    assert!(matches!(ask(rotation(3, 2182)).await, Refreshed::Repeated { .. }), "not late");
    assert!(matches!(ask(rotation(3, 2183)).await, Refreshed::Reused));
    assert!(store.live_session("s", 2183).await.unwrap().is_none());
}

async fn refreshes_over_the_budget_are_limited(place: Place) {
    let store = with_alice(&place).await;
    let ask = async |generation, now| {
        let rules = Rules { budget: Budget::new(2), ..rotation(1, 0).rules };
        let rotation = Rotation { rules, ..rotation(generation, now) };
        store.rotate_refresh(rotation).await.unwrap()
    };
    assert!(matches!(ask(1, 2000).await, Refreshed::Rotated(..)));
    assert!(matches!(ask(2, 2000).await, Refreshed::Rotated(..)));
    for presented in [2, 3] {
        let limited = ask(presented, 2000).await;
        assert!(matches!(limited, Refreshed::Limited { retry_after_secs: 150 }), "{limited:?}");
    }
    assert!(matches!(ask(3, 2149).await, Refreshed::Limited { retry_after_secs: 1 }));
    assert!(matches!(ask(3, 2150).await, Refreshed::Rotated(..)));
}

/// A caller with another version of the keys would sign with the wrong key.
async fn rotation_with_another_key_version_is_rejected(place: Place) {
    let store = with_alice(&place).await;
    let version = store.key_version().await.unwrap();
    let ask = async |version| {
        let rotation = Rotation { key_version: Some(version), ..rotation(1, 2000) };
        store.rotate_refresh(rotation).await.unwrap()
    };
    assert!(matches!(ask(version + 1).await, Refreshed::KeysChanged));
    assert!(matches!(ask(version).await, Refreshed::Rotated(..)));
}

async fn last_use_has_a_resolution_of_300_s(place: Place) {
    let store = with_alice(&place).await;
    let last_used_at = async |generation, now| {
        store.rotate_refresh(rotation(generation, now)).await.unwrap();
        let session = store.live_session("s", now).await.unwrap().unwrap().0;
        (session.last_used_at, session.expires_at)
    };
    // For an idle time of 8000 s, the last use has a resolution of 300 s.
    assert_eq!(last_used_at(1, 1299).await, (1000, 9000));
    assert_eq!(last_used_at(2, 1300).await, (1300, 9300));
    assert_eq!(last_used_at(3, 1599).await, (1300, 9300));
    assert_eq!(last_used_at(4, 1700).await, (1700, 9700));
}

/// Housekeeping erases sealed successors, and deletes expired tokens and sessions.
async fn housekeeping_deletes_expired_rows_in_batches(place: Place) {
    let store = with_alice(&place).await;
    for (id, first) in [("t", 51), ("u", 61)] {
        start(&*store, id, first).await;
        store.rotate_refresh(rotation_of(id, first, 1, 2000)).await.unwrap();
    }
    let tidy = async |chore, before| store.tidy(chore, before, 2).await.unwrap();
    assert_eq!(tidy(Chore::EraseSuccessors, 2000).await, 0);
    assert_eq!(tidy(Chore::EraseSuccessors, 2001).await, 2);
    assert_eq!(tidy(Chore::EraseSuccessors, 2001).await, 0);
    let repeated = store.rotate_refresh(rotation_of("t", 51, 1, 2001)).await.unwrap();
    assert!(matches!(repeated, Refreshed::Reused), "the successor is erased");
    assert_eq!(tidy(Chore::ForgetFormerTokens, 20_000).await, 0);
    assert_eq!(tidy(Chore::ForgetSessions, 8999).await, 0);
    // The two sessions that were refreshed expire later, at 10,000 s.
    assert_eq!(tidy(Chore::ForgetSessions, 9000).await, 1);
    assert_eq!(tidy(Chore::ForgetSessions, 10_000).await, 2);
    assert_eq!(store.heartbeat().await.unwrap(), None);
    store.beat(2000).await.unwrap();
    store.beat(3000).await.unwrap();
    assert_eq!(store.heartbeat().await.unwrap(), Some(3000));
}

/// The session that was used least recently ends, with its place.
async fn a_user_has_a_bounded_number_of_sessions(place: Place) {
    let store = with_alice(&place).await;
    let bound = i64::try_from(SESSIONS_PER_USER).unwrap();
    let places = [store.take_place("s", UNTIL).await.unwrap()];
    for n in 1..=bound {
        let id = format!("t{n}");
        let session = Session { last_used_at: 1000 + n, ..session(&id) };
        let hash = crate::domain::hash::hash_of(&id);
        assert!(store.start_session(&session, 0, &hash, &login()).await.unwrap());
    }
    let live = store.live_sessions("id of alice", 1500).await.unwrap();
    let ids: Vec<_> = live.iter().map(|session| session.id.as_str()).collect();
    assert_eq!((ids.len(), ids.first().copied()), (SESSIONS_PER_USER, Some("t100")));
    assert!(!ids.contains(&"s"));
    assert_eq!(revoked(&*store, &places).await, [0]);
    let events = store.events(0, 1000).await.unwrap();
    let ended: Vec<_> = events.iter().filter(|event| event.kind == "session_deleted").collect();
    assert_eq!((ended.len(), ended[0].session_id.as_deref()), (1, Some("s")));
}

async fn unverified_accounts_are_deleted_in_batches_when_due(place: Place) {
    let store = with_alice(&place).await;
    for (n, awaits) in ["a", "b", "c", "d"].into_iter().zip([
        Some(Awaits::Verification),
        Some(Awaits::Verification),
        Some(Awaits::Invitation),
        Some(Awaits::Verification),
    ]) {
        let user = user(n);
        let address = "a@example.com";
        let account = Account { awaits, address: Some(address), ..account(&user) };
        store.add_user(&account, &login(), None).await.unwrap();
        let kept = UserToken {
            hash: token(n.as_bytes()[0]),
            user_id: user.id.clone(),
            purpose: Purpose::Verification,
            address: address.to_owned(),
            expires_at: if n == "d" { 3000 } else { 2000 },
        };
        assert!(store.add_user_token(&kept, None).await.unwrap());
    }
    let tidy = async |chore, before| store.tidy(chore, before, 2).await.unwrap();
    assert_eq!(tidy(Chore::ForgetUnverified, 2000).await, 0, "their tokens are there");
    assert_eq!(tidy(Chore::ForgetUserTokens, 1999).await, 0);
    assert_eq!(tidy(Chore::ForgetUserTokens, 2000).await, 2);
    assert_eq!(tidy(Chore::ForgetUserTokens, 2000).await, 1);
    assert_eq!(tidy(Chore::ForgetUnverified, 899).await, 0, "added later");
    assert_eq!(tidy(Chore::ForgetUnverified, 2000).await, 2);
    let left: Vec<_> = store.users().await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(left, ["alice", "c", "d"]);
}

async fn events_are_in_the_audit_log_in_order(place: Place) {
    let store = with_alice(&place).await;
    let failed = NewEvent::new(EventKind::LoginFailed, 1500).address(Some("192.0.2.7"));
    store.record(&failed).await.unwrap();
    let logout = |at| NewEvent::new(EventKind::Logout, at).address(Some("192.0.2.1"));
    store.log_out("s", &logout(1600)).await.unwrap();
    store.log_out("s", &logout(1700)).await.unwrap();
    store.log_out("none", &logout(1700)).await.unwrap();
    let events = store.events(0, 1000).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.at, event.kind.as_str(), event.user_id.as_deref()))
        .collect();
    let alice = Some("id of alice");
    assert_eq!(
        told,
        [
            (900, "user_added", alice),
            (1000, "login", alice),
            (1500, "login_failed", None),
            (1600, "logout", alice),
        ]
    );
    assert_eq!(events[3].session_id.as_deref(), Some("s"));
    assert_eq!(events[3].address.as_deref(), Some("192.0.2.1"));
    assert_eq!(store.events(events[1].serial, 1).await.unwrap(), events[2..3]);
    assert_eq!(store.tidy(Chore::ForgetEvents, 1500, 200).await.unwrap(), 2);
    assert_eq!(store.events(0, 1000).await.unwrap(), events[2..]);
}

/// One of the stores creates the schema, and one of them leads.
async fn stores_opened_concurrently_share_a_schema_and_a_leader(place: Place) {
    let place = Arc::new(place);
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let place = Arc::clone(&place);
            tokio::spawn(async move { place.open().await })
        })
        .collect();
    let mut stores = Vec::new();
    for store in opening {
        stores.push(store.await.unwrap());
    }
    stores[0].add_first_key(&key("first")).await.unwrap();
    for store in &stores {
        assert_eq!(store.keys().await.unwrap().keys.len(), 1);
    }
    if matches!(*place, Place::Postgres(_)) {
        let leaders =
            |stores: &[Arc<dyn Store>]| stores.iter().filter(|store| store.leads()).count();
        assert_eq!(leaders(&stores), 1);
        let leading = stores.iter().position(|store| store.leads()).unwrap();
        stores.remove(leading).close().await;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while leaders(&stores) == 0 {
            assert!(std::time::Instant::now() < deadline, "no store becomes the new leader");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(leaders(&stores), 1);
    }
}

async fn sessions_can_be_ended_singly_or_all_at_once(place: Place) {
    let store = with_alice(&place).await;
    for (id, byte) in [("t", 21), ("u", 31)] {
        store.start_session(&session(id), 0, &token(byte), &login()).await.unwrap();
    }
    let live = async |now| {
        let sessions = store.live_sessions("id of alice", now).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(live(1000).await, ["s", "t", "u"]);
    let deleted = NewEvent::new(EventKind::SessionDeleted, 1100);
    assert!(!store.delete_session("id of bob", "s", &deleted).await.unwrap());
    assert!(store.delete_session("id of alice", "s", &deleted).await.unwrap());
    assert!(!store.delete_session("id of alice", "s", &deleted).await.unwrap());
    assert_eq!(live(1100).await, ["t", "u"]);
    let everywhere = NewEvent::new(EventKind::LogoutEverywhere, 1200);
    assert_eq!(store.end_all_sessions("id of alice", &everywhere).await.unwrap(), 2);
    assert!(live(1200).await.is_empty());
    assert_eq!(store.tidy(Chore::ForgetSessions, 9000, 200).await.unwrap(), 3);
    assert!(matches!(store.rotate_refresh(rotation(1, 9000)).await, Ok(Refreshed::Refused)));
}

async fn session_is_found_by_its_current_refresh_token_only(place: Place) {
    let store = with_alice(&place).await;
    let session_of = async |byte, now| {
        let found = store.session_with("s", &token(byte), now).await.unwrap();
        found.map(|(session, user)| (session.id, user.name))
    };
    let alices = Some(("s".to_owned(), "alice".to_owned()));
    assert_eq!(session_of(1, 8999).await, alices);
    assert_eq!(session_of(1, 9000).await, None, "the session has expired");
    assert_eq!(session_of(2, 2000).await, None, "the token does not exist yet");
    store.rotate_refresh(rotation(1, 2000)).await.unwrap();
    assert_eq!(session_of(1, 2000).await, None, "the token is spent");
    assert_eq!(session_of(2, 2000).await, alices);
    let logout = NewEvent::new(EventKind::Logout, 2000);
    store.log_out("s", &logout).await.unwrap();
    assert_eq!(session_of(2, 2000).await, None, "the session has ended");
}

fn machine(id: &str, credential: Credential) -> RegisteredClient {
    RegisteredClient {
        id: id.to_owned(),
        place_owner: client_owner(id, "1"),
        credential,
        old_secret: None,
        resource_servers: vec!["https://api.example".to_owned()],
        rights: vec![ClientRight::IntrospectAll, ClientRight::ExchangeTokens],
        scopes: vec!["a:read".to_owned()],
        audiences: vec!["https://api.example".to_owned()],
        backchannel_logout_uri: Some("https://app.example/logout".to_owned()),
        created_at: 900,
        disabled_at: None,
    }
}

async fn machine_client_is_stored_changed_and_removed(place: Place) {
    let store = place.open().await;
    let about = |kind, id: &str| NewEvent::new(kind, 900).client(id);
    let keyed = machine("b", Credential::Keys("{}".to_owned()));
    let secret = machine("a", Credential::Secret(token(1)));
    for client in [&keyed, &secret] {
        let added = about(EventKind::ClientAdded, &client.id);
        assert!(store.add_client(client, &added).await.unwrap());
    }
    let impostor = machine("a", Credential::Secret(token(2)));
    let added = about(EventKind::ClientAdded, "a");
    assert!(!store.add_client(&impostor, &added).await.unwrap());
    assert_eq!(store.client("a").await.unwrap(), Some(secret.clone()));
    // A client's id is case-sensitive, unlike a user's name.
    assert_eq!(store.client("A").await.unwrap(), None);
    assert_eq!(store.clients().await.unwrap(), [secret, keyed]);

    // Two concurrent changes of different attributes: both began from the same state.
    let updated = about(EventKind::ClientUpdated, "a");
    for change in [ClientUpdate::new().rights([]), ClientUpdate::new().scopes(["b"])] {
        assert!(store.update_client("client a 1", &change, &updated).await.unwrap());
    }
    let found = store.client("a").await.unwrap().unwrap();
    assert_eq!((found.scopes, found.rights), (vec!["b".to_owned()], Vec::new()));
    assert_eq!(found.audiences, ["https://api.example"]);
    assert!(!store.update_client("client a 0", &ClientUpdate::new(), &updated).await.unwrap());

    let other = Credential::Keys("{\"keys\":[]}".to_owned());
    let changed = about(EventKind::ClientCredentialChanged, "a");
    assert!(store.set_credential(&other, None, &changed).await.unwrap());
    let disabled = about(EventKind::ClientDisabled, "a");
    assert!(store.disable_client(&disabled).await.unwrap());
    let found = store.client("a").await.unwrap().unwrap();
    assert_eq!((found.credential, found.disabled_at), (other.clone(), Some(900)));
    let enabled = about(EventKind::ClientEnabled, "a");
    assert!(store.enable_client("client a 2", &enabled).await.unwrap());
    assert_eq!(store.client("a").await.unwrap().unwrap().disabled_at, None);
    assert!(store.remove_client(&about(EventKind::ClientRemoved, "a")).await.unwrap());

    // For a client that does not exist, nothing is changed and no event is recorded.
    let gone = about(EventKind::ClientRemoved, "a");
    assert!(!store.set_credential(&other, None, &gone).await.unwrap());
    assert!(!store.disable_client(&gone).await.unwrap());
    assert!(!store.enable_client("client a 3", &gone).await.unwrap());
    assert!(!store.remove_client(&gone).await.unwrap());
    assert_eq!(store.clients().await.unwrap().len(), 1);
    let events = store.events(0, 1000).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.kind.as_str(), event.client_id.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("client_added", "b"),
            ("client_added", "a"),
            ("client_updated", "a"),
            ("client_updated", "a"),
            ("client_credential_changed", "a"),
            ("client_disabled", "a"),
            ("client_enabled", "a"),
            ("client_removed", "a"),
        ]
    );
}

async fn concurrent_requests_spend_a_jwt_once(place: Place) {
    let stores = [place.open().await, place.open().await];
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16 {
        let store = Arc::clone(&stores[n % 2]);
        all.spawn(async move {
            let event = NewEvent::new(EventKind::TokenRevoked, 1000);
            store.spend_jwt(&token(1), 1300, Some(&event)).await.unwrap()
        });
    }
    let mut firsts = 0;
    while let Some(done) = all.join_next().await {
        firsts += usize::from(done.unwrap());
    }
    assert_eq!(firsts, 1);
    let store = &stores[0];
    assert_eq!(kinds(&**store).await, ["token_revoked"], "one event");
    assert!(store.is_spent(&token(1)).await.unwrap());
    assert!(!store.is_spent(&token(2)).await.unwrap());
    assert!(store.spend_jwt(&token(2), 1400, None).await.unwrap());
    assert_eq!(store.tidy(Chore::ForgetJwts, 1299, 200).await.unwrap(), 0);
    assert!(store.is_spent(&token(1)).await.unwrap(), "the JWT has not expired");
    assert_eq!(store.tidy(Chore::ForgetJwts, 1300, 200).await.unwrap(), 1);
    assert!(!store.is_spent(&token(1)).await.unwrap(), "forgotten");
    assert!(store.is_spent(&token(2)).await.unwrap());
}

async fn places_of(store: &dyn Store, epoch: i64) -> Vec<i64> {
    match store.revoked_places(0, epoch).await.unwrap().unwrap() {
        Revoked::Places(places) => places,
        Revoked::All => panic!("all are revoked"),
    }
}

/// Returns the indexes of those of `places` that are revoked.
async fn revoked(store: &dyn Store, places: &[crate::domain::tokens::Place]) -> Vec<usize> {
    let list = places_of(store, 1000).await;
    assert!(list.is_sorted());
    places
        .iter()
        .enumerate()
        .filter(|(_, place)| place.list == 0 && list.contains(&place.index))
        .map(|(at, _)| at)
        .collect()
}

async fn every_way_to_end_a_session_revokes_its_place(place: Place) {
    let store = with_alice(&place).await;
    let mut places = Vec::new();
    for (id, byte) in [("a", 21), ("b", 31), ("c", 41), ("d", 51)] {
        places.push(store.take_place(id, UNTIL).await.unwrap());
        store.start_session(&session(id), 0, &token(byte), &login()).await.unwrap();
    }
    assert_eq!(places.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert!(revoked(&*store, &places).await.is_empty());
    let mut version = store.status_version().await.unwrap();
    let mut is_new = async |now| {
        let before = std::mem::replace(&mut version, store.status_version().await.unwrap());
        assert_eq!(version > before, now);
    };
    // A refresh keeps the session and its place.
    let Refreshed::Rotated(refreshed, _) =
        store.rotate_refresh(rotation_of("a", 21, 1, 1100)).await.unwrap()
    else {
        panic!("not rotated")
    };
    assert_eq!(refreshed.place, Some(places[0]));
    is_new(false).await;
    store.log_out("b", &NewEvent::new(EventKind::Logout, 1200)).await.unwrap();
    assert_eq!(revoked(&*store, &places).await, [1]);
    is_new(true).await;
    // The spent token of the session `a` is presented again.
    store.rotate_refresh(rotation_of("a", 21, 1, 1300)).await.unwrap();
    assert_eq!(revoked(&*store, &places).await, [0, 1]);
    is_new(true).await;
    let deleted = NewEvent::new(EventKind::SessionDeleted, 1400);
    store.delete_session("id of alice", "c", &deleted).await.unwrap();
    assert_eq!(revoked(&*store, &places).await, [0, 1, 2]);
    is_new(true).await;
    let everywhere = NewEvent::new(EventKind::LogoutEverywhere, 1500);
    store.end_all_sessions("id of alice", &everywhere).await.unwrap();
    assert_eq!(revoked(&*store, &places).await, [0, 1, 2, 3]);
    is_new(true).await;
    // After the last token that names a place has expired, the list omits the place.
    let later = places_of(&*store, 2300).await;
    assert!(places.iter().all(|place| !later.contains(&place.index)), "{later:?}");
    assert!(store.revoked_places(1, 1000).await.unwrap().is_none(), "only list 0 exists");
    assert!(store.revoked_places(-1, 1000).await.unwrap().is_none());
}

async fn place_is_reused_only_after_its_last_token_has_expired(place: Place) {
    let store = with_alice(&place).await;
    let until = |free, expiry| Until { expiry, extend_to: expiry, free };
    let first = until(1000, 2000);
    let taken = store.take_place("one", first).await.unwrap();
    // A token that expires later reserves the place for longer; one that expires earlier does not
    // shorten the reservation.
    let later = until(1500, 2500);
    assert_eq!(store.take_place("one", later).await.unwrap(), taken);
    assert_eq!(store.take_place("one", first).await.unwrap(), taken);
    // The place is freed when the last token expires, and not before.
    assert_eq!(store.tidy(Chore::FreePlaces, 2499, 200).await.unwrap(), 0);
    assert_eq!(store.take_place("one", until(2499, 2500)).await.unwrap(), taken);
    assert_eq!(store.tidy(Chore::FreePlaces, 2500, 200).await.unwrap(), 1);
    let another = store.take_place("one", until(2500, 3500)).await.unwrap();
    assert_ne!(another, taken, "a new place is chosen at random");
}

async fn place_of_a_disabled_or_removed_client_is_revoked(place: Place) {
    let store = with_alice(&place).await;
    let client = machine("reports", Credential::Secret([7; 32]));
    let event = |kind| NewEvent::new(kind, 1000).client("reports");
    assert!(store.add_client(&client, &event(EventKind::ClientAdded)).await.unwrap());
    let places = [store.take_place(&client.place_owner, UNTIL).await.unwrap()];
    assert!(revoked(&*store, &places).await.is_empty());
    let enabled = event(EventKind::ClientEnabled);
    let owner = async || store.client("reports").await.unwrap().unwrap().place_owner;
    assert!(store.enable_client("client reports 2", &enabled).await.unwrap());
    assert_eq!(owner().await, client.place_owner, "it was enabled");
    let version = store.status_version().await.unwrap();
    assert!(store.disable_client(&event(EventKind::ClientDisabled)).await.unwrap());
    assert_eq!(revoked(&*store, &places).await, [0]);
    assert!(store.status_version().await.unwrap() > version);

    // Tokens from before the client was disabled stay revoked.
    assert!(store.enable_client("client reports 2", &enabled).await.unwrap());
    assert_eq!(owner().await, "client reports 2");
    let places = [places[0], store.take_place("client reports 2", UNTIL).await.unwrap()];
    assert_eq!(revoked(&*store, &places).await, [0]);
    assert!(store.remove_client(&event(EventKind::ClientRemoved)).await.unwrap());
    assert_eq!(revoked(&*store, &places).await, [0, 1]);
}

/// The request for the client's first token was authenticated before the client was disabled.
async fn first_place_of_a_client_that_was_disabled_meanwhile_is_revoked(place: Place) {
    let store = place.open().await;
    let client = machine("reports", Credential::Secret([7; 32]));
    let event = |kind| NewEvent::new(kind, 1000).client("reports");
    assert!(store.add_client(&client, &event(EventKind::ClientAdded)).await.unwrap());
    assert!(store.disable_client(&event(EventKind::ClientDisabled)).await.unwrap());
    let version = store.status_version().await.unwrap();
    let places = [store.take_place(&client.place_owner, UNTIL).await.unwrap()];
    assert_eq!(revoked(&*store, &places).await, [0]);
    assert!(store.status_version().await.unwrap() > version);
    store.remove_client(&event(EventKind::ClientRemoved)).await.unwrap();
    store.tidy(Chore::FreePlaces, 2000, 9).await.unwrap();
    let places = [store.take_place(&client.place_owner, UNTIL).await.unwrap()];
    assert_eq!(revoked(&*store, &places).await, [0], "removed");
}

async fn status_lists_from_before_a_restored_backup_are_revoked(place: Place) {
    let store = with_alice(&place).await;
    let before = store.take_place("one", UNTIL).await.unwrap();
    let version = store.status_version().await.unwrap();
    let restored = NewEvent::new(EventKind::Restored, 1000);
    store.start_new_lists(&restored).await.unwrap();
    assert!(store.status_version().await.unwrap() > version + 1_000_000);
    let after = store.take_place("one", UNTIL).await.unwrap();
    assert!(after.list > before.list);
    // Lists that were begun after the backup are not in the restored database. Their places are
    // revoked, too.
    for list in 0..after.list {
        assert_eq!(store.revoked_places(list, 1000).await.unwrap(), Some(Revoked::All), "{list}");
    }
    let new = store.revoked_places(after.list, 1000).await.unwrap();
    assert_eq!(new, Some(Revoked::Places(Vec::new())));
    assert_eq!(store.revoked_places(after.list + 1, 1000).await.unwrap(), None);
    store.start_new_lists(&restored).await.unwrap();
    assert_eq!(store.revoked_places(after.list, 1000).await.unwrap(), Some(Revoked::All));
}
