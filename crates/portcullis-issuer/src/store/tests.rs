//! One suite of tests for both stores: each runs on SQLite, and on PostgreSQL where there is one.

mod renaming;

use std::sync::Arc;

use sqlx::Connection as _;
use tempfile::TempDir;

use super::Store;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use crate::config::DatabaseUrl;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::clients::{ClientRight, Credential, RegisteredClient};
use crate::domain::hash::TokenHash;
use crate::domain::keys::{KeyState, NewKey, Promises, SigningAlgorithm};
use crate::domain::sessions::{Refreshed, Rotation, Session};
use crate::domain::tokens::{Until, client_owner};
use crate::domain::users::User;

/// A place for a database, on which any number of stores can be opened.
enum Place {
    Sqlite(TempDir),
    Postgres(DatabaseUrl),
}

impl Place {
    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// A schema of its own on the server that `cargo xtask test` has started.
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

/// Makes a test for each store of every function that takes a [`Place`].
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Place::sqlite()).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs PostgreSQL: run cargo xtask test"]
                async fn $name() {
                    super::$name(super::Place::postgres().await).await;
                }
            )*
        }
    };
}

on_both!(
    a_lifetime_is_noted_on_the_key_that_signs,
    a_key_follows_another_once_however_many_ask,
    a_change_of_the_keys_is_told_to_the_others,
    a_name_is_taken_whatever_its_capitals,
    a_refresh_token_has_one_successor_however_many_ask,
    a_lost_answer_may_be_asked_again_while_nobody_went_on,
    what_happened_is_in_the_audit_log_in_its_order,
    stores_that_are_opened_at_once_are_one,
    sessions_end_one_by_one_and_all_together,
    the_session_of_a_refresh_token_is_that_of_the_current_one,
    a_machine_client_is_what_it_was_made_until_it_is_removed,
    a_jwt_is_spent_once_however_many_ask,
    a_place_says_that_its_session_has_ended_however_it_did,
    a_place_is_nobody_elses_before_the_last_token_that_names_it_has_expired,
    a_clients_place_says_whether_it_is_disabled_or_gone,
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

fn session(id: &str) -> Session {
    Session {
        id: id.to_owned(),
        user_id: "id of alice".to_owned(),
        created_at: 1000,
        last_used_at: 1000,
        expires_at: 9000,
        user_agent: Some("curl".to_owned()),
        stepped_up_at: None,
        place: None,
    }
}

const UNTIL: Until = Until { expiry: 1900, free: 1000 };

fn login() -> NewEvent {
    NewEvent::new(EventKind::Login, 1000).user("id of alice").address(Some("192.0.2.1"))
}

const fn token(byte: u8) -> TokenHash {
    [byte; 32]
}

fn rotation(presented: u8, now: i64) -> Rotation {
    Rotation {
        presented: token(presented),
        successor: token(presented + 1),
        now,
        until: Until { expiry: now + 900, free: now },
        idle_secs: 8000,
        max_secs: 20_000,
        grace_secs: 10,
        address: None,
    }
}

async fn with_alice(place: &Place) -> Arc<dyn Store> {
    let store = place.open().await;
    assert!(store.add_user(&user("alice"), "hash").await.unwrap());
    store.start_session(&session("s"), &token(1), &login()).await.unwrap();
    store
}

async fn kinds(store: &dyn Store) -> Vec<String> {
    store.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect()
}

/// A process that has not noticed a rotation yet must not note its tokens on the new key.
async fn a_lifetime_is_noted_on_the_key_that_signs(place: Place) {
    let store = place.open().await;
    store.add_first_key(&key("old")).await.unwrap();
    assert!(store.note_promises("old", promised(600)).await.unwrap());
    assert!(store.note_promises("old", promised(60)).await.unwrap(), "lower, and kept");
    store.rotate_key(&key("new"), 2000, 100).await.unwrap();
    assert!(!store.note_promises("old", promised(9000)).await.unwrap());
    store.rotate_key(&key("newest"), 2000, 100).await.unwrap();
    let ends: Vec<_> =
        store.keys().await.unwrap().keys.iter().map(|key| key.published_until).collect();
    assert!(ends.contains(&Some(2700)) && ends.contains(&Some(2160)), "{ends:?}");
}

/// As several processes do that all believe it is their turn.
async fn a_key_follows_another_once_however_many_ask(place: Place) {
    let stores = [place.open().await, place.open().await, place.open().await];
    let mut all = tokio::task::JoinSet::new();
    for (n, store) in stores.iter().cycle().take(12).enumerate() {
        let store = Arc::clone(store);
        all.spawn(async move {
            store.add_first_key(&key(&format!("first-{n}"))).await.unwrap();
            store.publish_next_key(&key(&format!("next-{n}"))).await.unwrap();
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
        all.spawn(async move { store.promote_key(&next, 2000, 100).await.unwrap() });
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

async fn a_change_of_the_keys_is_told_to_the_others(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    one.add_first_key(&key("first")).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while other.key_version().await.unwrap() != 1 {
        assert!(std::time::Instant::now() < deadline, "nobody told of the change");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn a_name_is_taken_whatever_its_capitals(place: Place) {
    let store = place.open().await;
    assert!(store.add_user(&user("alice"), "hash").await.unwrap());
    assert!(!store.add_user(&user("ALICE"), "hash").await.unwrap());
    assert!(store.add_user(&user("Bob"), "hash").await.unwrap());
    let (found, hash) = store.user_named("Alice").await.unwrap().unwrap();
    assert_eq!((found, hash.as_str()), (user("alice"), "hash"));
    assert!(store.user_named("alice2").await.unwrap().is_none());
    let names: Vec<_> = store.users().await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["alice", "Bob"]);
    assert_eq!(kinds(&*store).await, ["user_added", "user_added"]);
    store.rehash_password("id of alice", "another", "new", 1000).await.unwrap();
    store.rehash_password("id of alice", "hash", "new", 1000).await.unwrap();
    store.rehash_password("id of alice", "hash", "newer", 1000).await.unwrap();
    assert_eq!(store.user_named("alice").await.unwrap().unwrap().1, "new");
    assert_eq!(kinds(&*store).await[2..], ["password_rehashed"]);
}

/// Each with a successor of its own, which no issuer would ask for: at most one may be kept.
async fn a_refresh_token_has_one_successor_however_many_ask(place: Place) {
    let first = with_alice(&place).await;
    let stores = [first, place.open().await];
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16_u8 {
        let store = Arc::clone(&stores[usize::from(n % 2)]);
        let rotation = Rotation { successor: token(100 + n), ..rotation(1, 2000) };
        all.spawn(async move { (n, store.rotate_refresh(&rotation).await.unwrap()) });
    }
    let mut rotated = Vec::new();
    while let Some(done) = all.join_next().await {
        match done.unwrap() {
            (n, Refreshed::Rotated(..)) => rotated.push(n),
            (_, Refreshed::Reused { session_id }) => assert_eq!(session_id, "s"),
            (n, other) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(rotated.len(), 1, "{rotated:?}");
    assert!(stores[0].live_session("s", 2000).await.unwrap().is_none(), "it was reused");
    let kinds = kinds(&*stores[1]).await;
    assert_eq!(kinds, ["user_added", "login", "refresh_reused"], "once, and no more");
}

async fn a_lost_answer_may_be_asked_again_while_nobody_went_on(place: Place) {
    let store = with_alice(&place).await;
    let ask = async |rotation: Rotation| store.rotate_refresh(&rotation).await.unwrap();
    assert!(matches!(ask(rotation(1, 2000)).await, Refreshed::Rotated(..)));
    assert!(matches!(ask(rotation(1, 2010)).await, Refreshed::Repeated(..)));
    // The successor is still the one current token, and is good for one.
    assert!(matches!(ask(rotation(2, 2010)).await, Refreshed::Rotated(..)));
    // Now somebody went on with it.
    let other_successor = Rotation { successor: token(9), ..rotation(1, 2010) };
    for too_late in [rotation(1, 2010), other_successor] {
        assert!(matches!(ask(too_late).await, Refreshed::Reused { .. }));
    }
    assert!(store.live_session("s", 2010).await.unwrap().is_none());
    assert!(matches!(ask(rotation(3, 2010)).await, Refreshed::Refused), "its session is over");

    store.start_session(&session("t"), &token(51), &login()).await.unwrap();
    assert!(matches!(ask(rotation(51, 2000)).await, Refreshed::Rotated(..)));
    assert!(matches!(ask(rotation(51, 2011)).await, Refreshed::Reused { .. }), "too late");
    store.start_session(&session("u"), &token(61), &login()).await.unwrap();
    assert!(matches!(ask(rotation(61, 2000)).await, Refreshed::Rotated(..)));
    let off = Rotation { grace_secs: 0, ..rotation(61, 2000) };
    assert!(matches!(ask(off).await, Refreshed::Reused { .. }), "switched off");
    let kinds = kinds(&*store).await;
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((counted("refresh_repeated"), counted("refresh_reused")), (1, 3), "{kinds:?}");
}

async fn what_happened_is_in_the_audit_log_in_its_order(place: Place) {
    let store = with_alice(&place).await;
    let failed = NewEvent::new(EventKind::LoginFailed, 1500).address(Some("192.0.2.7"));
    store.record(&failed).await.unwrap();
    let logout = |at| NewEvent::new(EventKind::Logout, at).address(Some("192.0.2.1"));
    store.end_session_of(&token(1), &logout(1600)).await.unwrap();
    store.end_session_of(&token(1), &logout(1700)).await.unwrap();
    store.end_session_of(&token(99), &logout(1700)).await.unwrap();
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
    store.forget_events(1500).await.unwrap();
    assert_eq!(store.events(0, 1000).await.unwrap(), events[2..]);
}

/// The schema is made once, whoever comes first; and one of them leads.
async fn stores_that_are_opened_at_once_are_one(place: Place) {
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
            assert!(std::time::Instant::now() < deadline, "nobody follows the leader");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(leaders(&stores), 1);
    }
}

async fn sessions_end_one_by_one_and_all_together(place: Place) {
    let store = with_alice(&place).await;
    for (id, byte) in [("t", 21), ("u", 31)] {
        store.start_session(&session(id), &token(byte), &login()).await.unwrap();
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
    // One that begins long after all of them have expired has them forgotten, with their tokens.
    let late = Session { created_at: 9000, expires_at: 9900, ..session("v") };
    store.start_session(&late, &token(41), &login()).await.unwrap();
    assert_eq!(live(9000).await, ["v"]);
    assert!(matches!(store.rotate_refresh(&rotation(1, 9000)).await, Ok(Refreshed::Refused)));
}

async fn the_session_of_a_refresh_token_is_that_of_the_current_one(place: Place) {
    let store = with_alice(&place).await;
    let session_of = async |byte, now| {
        let found = store.session_of(&token(byte), now).await.unwrap();
        found.map(|(session, user)| (session.id, user.name))
    };
    let alices = Some(("s".to_owned(), "alice".to_owned()));
    assert_eq!(session_of(1, 8999).await, alices);
    assert_eq!(session_of(1, 9000).await, None, "it has expired");
    assert_eq!(session_of(2, 2000).await, None, "there is no such token yet");
    store.rotate_refresh(&rotation(1, 2000)).await.unwrap();
    assert_eq!(session_of(1, 2000).await, None, "it is spent");
    assert_eq!(session_of(2, 2000).await, alices);
    let logout = NewEvent::new(EventKind::Logout, 2000);
    store.end_session_of(&token(1), &logout).await.unwrap();
    assert_eq!(session_of(2, 2000).await, None, "it has ended");
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
        created_at: 900,
        disabled_at: None,
    }
}

async fn a_machine_client_is_what_it_was_made_until_it_is_removed(place: Place) {
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
    // Unlike a user's name.
    assert_eq!(store.client("A").await.unwrap(), None);
    assert_eq!(store.clients().await.unwrap(), [secret, keyed]);

    let other = Credential::Keys("{\"keys\":[]}".to_owned());
    let changed = about(EventKind::ClientCredentialChanged, "a");
    assert!(store.set_credential(&other, None, &changed).await.unwrap());
    let disabled = about(EventKind::ClientDisabled, "a");
    assert!(store.set_disabled(true, &disabled).await.unwrap());
    let found = store.client("a").await.unwrap().unwrap();
    assert_eq!((found.credential, found.disabled_at), (other.clone(), Some(900)));
    let enabled = about(EventKind::ClientEnabled, "a");
    assert!(store.set_disabled(false, &enabled).await.unwrap());
    assert_eq!(store.client("a").await.unwrap().unwrap().disabled_at, None);
    assert!(store.remove_client(&about(EventKind::ClientRemoved, "a")).await.unwrap());

    // Nothing happens to a client that there is not, and nothing is told of it.
    let gone = about(EventKind::ClientRemoved, "a");
    assert!(!store.set_credential(&other, None, &gone).await.unwrap());
    assert!(!store.set_disabled(true, &gone).await.unwrap());
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
            ("client_credential_changed", "a"),
            ("client_disabled", "a"),
            ("client_enabled", "a"),
            ("client_removed", "a"),
        ]
    );
}

async fn a_jwt_is_spent_once_however_many_ask(place: Place) {
    let stores = [place.open().await, place.open().await];
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16 {
        let store = Arc::clone(&stores[n % 2]);
        all.spawn(async move {
            let event = NewEvent::new(EventKind::TokenRevoked, 1000);
            store.spend_jwt(&token(1), 1300, 1000, Some(&event)).await.unwrap()
        });
    }
    let mut firsts = 0;
    while let Some(done) = all.join_next().await {
        firsts += usize::from(done.unwrap());
    }
    assert_eq!(firsts, 1);
    let store = &stores[0];
    assert_eq!(kinds(&**store).await, ["token_revoked"], "once");
    assert!(store.is_spent(&token(1)).await.unwrap());
    assert!(!store.is_spent(&token(2)).await.unwrap());
    assert!(store.spend_jwt(&token(2), 1400, 1299, None).await.unwrap());
    assert!(store.is_spent(&token(1)).await.unwrap(), "it has not expired");
    assert!(store.spend_jwt(&token(3), 1400, 1300, None).await.unwrap());
    assert!(!store.is_spent(&token(1)).await.unwrap(), "forgotten");
    assert!(store.is_spent(&token(2)).await.unwrap());
}

/// The revoked ones among these places.
async fn revoked(store: &dyn Store, places: &[crate::domain::tokens::Place]) -> Vec<usize> {
    let list = store.revoked_places(0, 1000).await.unwrap().unwrap();
    assert!(list.is_sorted());
    places
        .iter()
        .enumerate()
        .filter(|(_, place)| place.list == 0 && list.contains(&place.index))
        .map(|(at, _)| at)
        .collect()
}

async fn a_place_says_that_its_session_has_ended_however_it_did(place: Place) {
    let store = with_alice(&place).await;
    let mut places = Vec::new();
    for (id, byte) in [("a", 21), ("b", 31), ("c", 41), ("d", 51)] {
        places.push(store.take_place(id, UNTIL).await.unwrap());
        store.start_session(&session(id), &token(byte), &login()).await.unwrap();
    }
    assert_eq!(places.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert!(revoked(&*store, &places).await.is_empty());
    let mut version = store.status_version().await.unwrap();
    let mut is_new = async |now| {
        let before = std::mem::replace(&mut version, store.status_version().await.unwrap());
        assert_eq!(version > before, now);
    };
    // A refresh ends nothing, and keeps the place.
    let Refreshed::Rotated(refreshed, _) = store.rotate_refresh(&rotation(21, 1100)).await.unwrap()
    else {
        panic!("not rotated")
    };
    assert_eq!(refreshed.place, Some(places[0]));
    is_new(false).await;
    store.end_session_of(&token(31), &NewEvent::new(EventKind::Logout, 1200)).await.unwrap();
    assert_eq!(revoked(&*store, &places).await, [1]);
    is_new(true).await;
    // Its spent token comes again.
    store.rotate_refresh(&rotation(21, 1300)).await.unwrap();
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
    // When no token can name them any more, there is nothing to be said of them.
    assert!(store.revoked_places(0, 2300).await.unwrap().unwrap().is_empty());
    assert!(store.revoked_places(1, 1000).await.unwrap().is_none(), "there is one list");
    assert!(store.revoked_places(-1, 1000).await.unwrap().is_none());
}

async fn a_place_is_nobody_elses_before_the_last_token_that_names_it_has_expired(place: Place) {
    let store = with_alice(&place).await;
    let until = |free, expiry| Until { expiry, free };
    let first = until(1000, 2000);
    let taken = store.take_place("one", first).await.unwrap();
    // A later token keeps it for longer, and an earlier one no less.
    let later = until(1500, 2500);
    assert_eq!(store.take_place("one", later).await.unwrap(), taken);
    assert_eq!(store.take_place("one", first).await.unwrap(), taken);
    // Somebody who comes then gives back what is free, and not before.
    store.take_place("two", until(2499, 3500)).await.unwrap();
    assert_eq!(store.take_place("one", until(2499, 2500)).await.unwrap(), taken);
    store.take_place("three", until(2500, 3500)).await.unwrap();
    let another = store.take_place("one", until(2500, 3500)).await.unwrap();
    assert_ne!(another, taken, "it was free, and chance has it that another is found");
}

async fn a_clients_place_says_whether_it_is_disabled_or_gone(place: Place) {
    let store = with_alice(&place).await;
    let client = machine("reports", Credential::Secret([7; 32]));
    let event = |kind| NewEvent::new(kind, 1000).client("reports");
    assert!(store.add_client(&client, &event(EventKind::ClientAdded)).await.unwrap());
    let places = [store.take_place(&client.place_owner, UNTIL).await.unwrap()];
    assert!(revoked(&*store, &places).await.is_empty());
    for (disabled, answer) in [(true, &[0][..]), (false, &[]), (true, &[0])] {
        let version = store.status_version().await.unwrap();
        let changed = event(EventKind::ClientDisabled);
        assert!(store.set_disabled(disabled, &changed).await.unwrap());
        assert_eq!(revoked(&*store, &places).await, answer);
        assert!(store.status_version().await.unwrap() > version);
    }
    store.set_disabled(false, &event(EventKind::ClientEnabled)).await.unwrap();
    assert!(store.remove_client(&event(EventKind::ClientRemoved)).await.unwrap());
    assert_eq!(revoked(&*store, &places).await, [0]);
}
