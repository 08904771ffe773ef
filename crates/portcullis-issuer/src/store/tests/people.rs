//! Changes of accounts. Each change is made completely, and ends the sessions that it must end.

use std::sync::Arc;

use super::{Place, UNTIL, folded, kinds, login, revoked, session, token, with_alice};
use crate::domain::audit::{Authority, EventKind, NewEvent};
use crate::domain::messages::{Purpose, UserToken};
use crate::domain::people::{ADMIN_SCOPE, Change, Changed, Kept, UserRef};
use crate::domain::users::Added;
use crate::store::Store;

mod sql_on_sqlite {
    #[tokio::test]
    async fn sql_that_deletes_or_disables_a_user_revokes_the_places_first() {
        let place = super::Place::sqlite();
        let super::Place::Sqlite(directory) = &place else { unreachable!() };
        let path = directory.path().join("a.db");
        // The sqlite3 shell does not enforce foreign keys by default, but sqlx does.
        for (enforced, ids) in [(false, ["a", "b", "c", "d"]), (true, ["e", "f", "g", "h"])] {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
            let options = options.foreign_keys(enforced);
            super::sql_revokes_first(&place, ids, async |statement| {
                use sqlx::ConnectOptions as _;
                let mut shell = options.connect().await.unwrap();
                sqlx::query(statement).execute(&mut shell).await.unwrap();
            })
            .await;
        }
    }
}

mod sql_on_postgres {
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs PostgreSQL: run cargo xtask test"]
    async fn sql_that_deletes_or_disables_a_user_revokes_the_places_first() {
        let place = super::Place::postgres().await;
        let super::Place::Postgres(url) = &place else { unreachable!() };
        let run = async |statement| {
            use sqlx::Connection as _;
            let mut shell = sqlx::PgConnection::connect(url.reveal()).await.unwrap();
            sqlx::query(statement).execute(&mut shell).await.unwrap();
        };
        super::sql_revokes_first(&place, ["a", "b", "c", "d"], run).await;
        let (store, places) = super::with_places(&place, ["e", "f"]).await;
        run("TRUNCATE users CASCADE").await;
        assert_eq!(super::revoked(&*store, &places).await, [0, 1]);
    }
}

/// Adds alice with two sessions, and returns the sessions' places.
async fn with_places(
    place: &Place,
    ids: [&str; 2],
) -> (Arc<dyn Store>, Vec<crate::domain::tokens::Place>) {
    let store = place.open().await;
    super::added(&*store, "alice").await;
    let mut places = Vec::new();
    for id in ids {
        places.push(store.take_place(id, UNTIL).await.unwrap());
        let token = crate::domain::hash::hash_of(id);
        store.start_session(&session(id), 0, &token, &login()).await.unwrap();
    }
    (store, places)
}

/// Runs statements that end sessions. Each call needs other session ids: without foreign keys, the
/// refresh tokens of deleted sessions stay in the database.
async fn sql_revokes_first(
    place: &Place,
    [a, b, c, d]: [&str; 4],
    run: impl AsyncFn(&'static str),
) {
    let (store, places) = with_places(place, [a, b]).await;
    let version = store.status_version().await.unwrap();
    run("DELETE FROM sessions WHERE id IN ('a', 'e')").await;
    assert_eq!(revoked(&*store, &places).await, [0]);
    run("DELETE FROM users WHERE name = 'alice'").await;
    assert_eq!(revoked(&*store, &places).await, [0, 1]);
    assert!(store.status_version().await.unwrap() > version);
    assert!(store.live_session(b, 1000).await.unwrap().is_none());

    run("DELETE FROM status_places").await;
    let (store, places) = with_places(place, [c, d]).await;
    run("UPDATE users SET disabled_at = 1000").await;
    assert_eq!(revoked(&*store, &places).await, [0, 1]);
    assert!(store.live_sessions("id of alice", 1000).await.unwrap().is_empty());
    let checked_before = store.start_session(&session("x"), 0, &token(41), &login()).await;
    assert!(!checked_before.unwrap(), "a disabled user");
    run("UPDATE users SET disabled_at = NULL").await;
    let checked_before = store.start_session(&session("x"), 0, &token(41), &login()).await;
    assert!(!checked_before.unwrap(), "a login from before the user was disabled");
    run("DELETE FROM users").await;
    run("DELETE FROM status_places").await;
}

super::on_both!(
    password_change_ends_other_sessions_and_pending_logins,
    removed_user_is_deleted_and_the_removal_is_recorded,
    change_without_effect_is_not_recorded,
    sessions_of_all_users_end_in_batches,
    codes_are_counted_across_processes,
    administrator_without_the_authority_is_rejected,
    concurrent_requests_leave_the_recovery_codes_of_one,
    token_is_invalid_after_its_user_is_disabled_or_moved,
);

fn alice() -> UserRef {
    UserRef::Named(folded("ALICE"))
}

fn event(kind: EventKind) -> NewEvent {
    NewEvent::new(kind, 1500).by("operator")
}

fn own_password(hash: &str, session: &str, credentials: i64) -> Change {
    let kept = Kept { session_id: session.to_owned(), credentials };
    Change::Password { hash: hash.to_owned(), keeps: Some(kept) }
}

async fn password_change_ends_other_sessions_and_pending_logins(place: Place) {
    let store = with_alice(&place).await;
    store.start_session(&session("t"), 0, &token(11), &login()).await.unwrap();
    let change = own_password("new", "t", 0);
    let changed = event(EventKind::PasswordChanged);
    let ended = store.change_account(&alice(), &change, &changed, None).await.unwrap();
    assert_eq!(ended, Changed::Done(1));
    let live = store.live_sessions("id of alice", 1500).await.unwrap();
    assert_eq!(live.into_iter().map(|session| session.id).collect::<Vec<_>>(), ["t"]);
    let stored = store.user_named(&folded("alice")).await.unwrap().unwrap();
    assert_eq!((stored.password_hash.as_str(), stored.credentials), ("new", 1));
    assert!(!store.start_session(&session("u"), 0, &token(21), &login()).await.unwrap());
    assert!(store.start_session(&session("u"), 1, &token(21), &login()).await.unwrap());
    let last = store.events(0, 1000).await.unwrap();
    let changed = last.iter().find(|event| event.kind == "password_changed").unwrap();
    assert_eq!(changed.actor.as_deref(), Some("operator"));
    assert_eq!(changed.user_id.as_deref(), Some("id of alice"));
    let unknown = UserRef::WithId("unknown".to_owned());
    let changed_again = event(EventKind::PasswordChanged);
    let none = store.change_account(&unknown, &change, &changed_again, None).await;
    assert_eq!(none.unwrap(), Changed::NotFound);

    // A change in the same session fails if the password was changed after its proof was checked.
    let raced = store.change_account(&alice(), &change, &changed_again, None).await.unwrap();
    assert_eq!(raced, Changed::NotFound);
    let stored = store.user_named(&folded("alice")).await.unwrap().unwrap();
    assert_eq!((stored.password_hash.as_str(), stored.credentials), ("new", 1));

    // A change in a session fails if an operator has set another password in the meantime.
    let set = Change::Password { hash: "set".to_owned(), keeps: None };
    store.change_account(&alice(), &set, &event(EventKind::PasswordChanged), None).await.unwrap();
    let late = own_password("late", "t", 2);
    let late = store.change_account(&alice(), &late, &changed_again, None).await;
    assert_eq!(late.unwrap(), Changed::NotFound);
    let stored = store.user_named(&folded("alice")).await.unwrap().unwrap();
    assert_eq!(stored.password_hash, "set");
}

async fn removed_user_is_deleted_and_the_removal_is_recorded(place: Place) {
    let store = with_alice(&place).await;
    let removed = event(EventKind::UserRemoved);
    let ended = store.change_account(&alice(), &Change::Removed, &removed, None).await.unwrap();
    assert_eq!(ended, Changed::Done(1));
    assert!(store.account(&alice()).await.unwrap().is_none());
    assert!(store.session_with("s", &token(1), 1500).await.unwrap().is_none());
    assert!(kinds(&*store).await.contains(&"user_removed".to_owned()));
    // A new user with the same name does not get the old session.
    assert!(super::added(&*store, "alice").await);
    assert!(store.live_session("s", 1500).await.unwrap().is_none());
}

async fn change_without_effect_is_not_recorded(place: Place) {
    let store = with_alice(&place).await;
    let before = kinds(&*store).await;
    for change in [
        Change::Disabled(false),
        Change::Unlocked,
        Change::NoSecondFactor,
        Change::Roles(vec!["admin".to_owned()]),
        Change::Scopes(Vec::new()),
    ] {
        let changed =
            store.change_account(&alice(), &change, &event(EventKind::UserEnabled), None).await;
        assert_eq!(changed.unwrap(), Changed::Done(0));
    }
    assert_eq!(kinds(&*store).await, before);
}

async fn sessions_of_all_users_end_in_batches(place: Place) {
    let store = with_alice(&place).await;
    for (id, byte) in [("t", 11), ("u", 21)] {
        store.start_session(&session(id), 0, &token(byte), &login()).await.unwrap();
    }
    let end_some =
        async |limit: i64| store.end_some_sessions(1500, limit, None, None).await.unwrap();
    // The event is in the log although the caller has stopped after a part of the sessions.
    let begins = event(EventKind::AllSessionsEnded);
    let first = store.end_some_sessions(1500, 2, Some(&begins), None).await.unwrap();
    assert_eq!(first, Changed::Done(2));
    let events = store.events(0, 1000).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "all_sessions_ended").count(), 1);
    assert_eq!(end_some(2).await, Changed::Done(1));
    assert_eq!(end_some(2).await, Changed::Done(0));

    // The first session is from a backup of a host whose clock was ahead. The second has expired,
    // but would be live by a clock that is behind.
    let ahead = super::Session { created_at: 90_000, expires_at: 99_000, ..session("ahead") };
    let expired = super::Session { expires_at: 1200, ..session("expired") };
    for (session, byte) in [(ahead, 31), (expired, 41)] {
        store.start_session(&session, 0, &token(byte), &login()).await.unwrap();
    }
    assert_eq!(end_some(9).await, Changed::Done(2));
}

async fn codes_are_counted_across_processes(place: Place) {
    let stores = [with_alice(&place).await, place.open().await];
    let sealed = [7];
    assert!(
        stores[0].enrol_second_factor("id of alice", &sealed, &[token(1)], false).await.unwrap()
    );
    for attempt in 1..=5 {
        let store = &stores[usize::try_from(attempt % 2).unwrap()];
        assert_eq!(store.begin_code("id of alice", 5).await.unwrap(), Some(attempt));
    }
    assert_eq!(stores[0].begin_code("id of alice", 5).await.unwrap(), None);
    let unlocked = event(EventKind::SecondFactorUnlocked);
    stores[1].change_account(&alice(), &Change::Unlocked, &unlocked, None).await.unwrap();
    assert_eq!(stores[0].begin_code("id of alice", 5).await.unwrap(), Some(1));
    let shown = event(EventKind::StepUp).user("id of alice");
    assert!(stores[0].step_up(&sealed, 3, &shown).await.unwrap());
    assert_eq!(stores[1].begin_code("id of alice", 5).await.unwrap(), Some(1), "count reset");
    assert!(stores[0].use_recovery_code(&token(1), &shown).await.unwrap());
    assert!(!stores[1].use_recovery_code(&token(1), &shown).await.unwrap(), "already used");
}

/// The requests passed their check before an operator withdrew the authority.
async fn administrator_without_the_authority_is_rejected(place: Place) {
    let store = with_alice(&place).await;
    assert!(super::added(&*store, "bob").await);
    let scopes = |scopes: &[&str]| Change::Scopes(scopes.iter().map(|s| (*s).to_owned()).collect());
    let changed = event(EventKind::ScopesChanged);
    let operator = async |change: Change| {
        store.change_account(&alice(), &change, &changed, None).await.unwrap()
    };
    let authority = Some(Authority { user_id: "id of alice", session_id: "s" });
    let changes = || [Change::Disabled(false), Change::Removed, scopes(&[ADMIN_SCOPE])];
    let refused = async || {
        for (user_ref, change) in
            ["bob", "alice"].into_iter().flat_map(|w| changes().map(|c| (w, c)))
        {
            let user_ref = UserRef::WithId(format!("id of {user_ref}"));
            let result = store.change_account(&user_ref, &change, &changed, authority).await;
            assert_eq!(result.unwrap(), Changed::NotAnAdministrator);
        }
        let ended = store.end_some_sessions(1500, 9, None, authority).await.unwrap();
        assert_eq!(ended, Changed::NotAnAdministrator);
        let user = super::user("carol");
        let account = super::account(&user);
        let added = store.add_user(&account, &changed, authority).await.unwrap();
        assert_eq!(added, Added::NotAnAdministrator);
    };

    refused().await;
    operator(scopes(&[ADMIN_SCOPE])).await;
    let bob = UserRef::Named(folded("bob"));
    let done = store.change_account(&bob, &scopes(&["a"]), &changed, authority).await.unwrap();
    assert_eq!(done, Changed::Done(0));
    let anothers = Some(Authority { user_id: "id of bob", session_id: "s" });
    let refusal = store.change_account(&bob, &Change::Removed, &changed, anothers).await.unwrap();
    assert_eq!(refusal, Changed::NotAnAdministrator);
    operator(scopes(&["a"])).await;
    refused().await;
    operator(scopes(&[ADMIN_SCOPE])).await;
    operator(Change::Disabled(true)).await;
    refused().await;
    let account = store.account(&alice()).await.unwrap().unwrap();
    assert!(account.disabled_at.is_some());
}

async fn concurrent_requests_leave_the_recovery_codes_of_one(place: Place) {
    let stores = [with_alice(&place).await, place.open().await];
    let stepped_up = event(EventKind::StepUp).user("id of alice");
    let sealed = vec![9; 32];
    stores[0].enrol_second_factor("id of alice", &sealed, &[token(250)], false).await.unwrap();
    assert!(stores[0].step_up(&sealed, 3, &stepped_up).await.unwrap());
    let mut all = tokio::task::JoinSet::new();
    for byte in 0..16 {
        let store = Arc::clone(&stores[usize::from(byte) % 2]);
        all.spawn(async move {
            let made = event(EventKind::RecoveryCodesMade).user("id of alice");
            let codes = [token(2 * byte), token(2 * byte + 1)];
            store.replace_recovery_codes(&codes, &made).await.unwrap()
        });
    }
    while let Some(made) = all.join_next().await {
        assert!(made.unwrap());
    }
    let mut right = 0;
    for byte in 0..32 {
        right += i32::from(stores[0].use_recovery_code(&token(byte), &stepped_up).await.unwrap());
    }
    assert_eq!(right, 2);
}

async fn token_is_invalid_after_its_user_is_disabled_or_moved(place: Place) {
    let store = with_alice(&place).await;
    let keep = async |byte| {
        let kept = UserToken {
            hash: token(byte),
            user_id: "id of alice".to_owned(),
            purpose: Purpose::Reset,
            address: "alice@example.com".to_owned(),
            expires_at: 2000,
        };
        store.add_user_token(&kept, None).await.unwrap()
    };
    let set_address = async |address: &str| {
        let (change, changed) = (Change::Address(address.to_owned()), EventKind::AddressChanged);
        store.change_account(&alice(), &change, &event(changed), None).await.unwrap();
    };
    let set_disabled = async |disabled| {
        let change = Change::Disabled(disabled);
        store
            .change_account(&alice(), &change, &event(EventKind::UserDisabled), None)
            .await
            .unwrap();
    };
    let set = async |byte| {
        let reset = event(EventKind::PasswordReset).user("id of alice");
        store.set_password_by_token(&token(byte), "new", &reset).await.unwrap()
    };
    set_address("alice@example.com").await;
    assert!(keep(51).await);
    set_disabled(true).await;
    assert!(!set(51).await && !keep(52).await, "disabled");
    set_disabled(false).await;
    assert!(!set(51).await, "enabled again");
    // These requests read the account before its address was changed.
    set_address("alice@another.example").await;
    assert!(!keep(53).await && !set(53).await, "the message would go to the old address");
    set_address("alice@example.com").await;
    assert!(keep(54).await && set(54).await);
}
