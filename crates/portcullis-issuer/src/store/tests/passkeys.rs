//! Passkeys: what the store contains after two processes have acted at the same time.

use std::sync::Arc;

use super::past::run;
use super::{Place, kinds, login, session, token, with_alice};
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::passkeys::{
    Ceremony, NewPasskey, PASSKEYS_PER_USER, Registered, StoredPasskey, Use, UsedPasskey,
};
use crate::domain::sessions::{KeyKind, Methods, Session};
use crate::store::Store;

super::on_both!(
    login_under_way_starts_no_session_after_its_passkey_was_removed,
    ceremony_is_taken_by_one_process,
    concurrent_registrations_do_not_exceed_the_limit,
);

fn event(kind: EventKind) -> NewEvent {
    NewEvent::new(kind, 1500).user("id of alice").session("s")
}

fn passkey(id: &str) -> NewPasskey {
    let passkey = StoredPasskey {
        id: id.to_owned(),
        name: "laptop".to_owned(),
        credential: "{}".to_owned(),
        synced: false,
        backed_up: false,
        created_at: 1500,
        last_used_at: None,
    };
    NewPasskey {
        passkey,
        user_id: "id of alice".to_owned(),
        session_id: "s".to_owned(),
        credential_id: id.as_bytes().to_vec(),
        counter: 1,
        stepped_up: true,
    }
}

/// The registrations of these tests began after a step-up, which their session must still have.
async fn with_alice_stepped_up(place: &Place) -> Arc<dyn Store> {
    let store = with_alice(place).await;
    run(place, "UPDATE sessions SET stepped_up_at = 1400").await;
    store
}

async fn add(store: &dyn Store, id: &str) -> Registered {
    let registered = event(EventKind::PasskeyRegistered);
    store.add_passkey(&passkey(id), &[token(200)], &registered).await.unwrap()
}

async fn login_under_way_starts_no_session_after_its_passkey_was_removed(place: Place) {
    let store = with_alice_stepped_up(&place).await;
    assert_eq!(add(&*store, "p").await, Registered::Done { with_codes: true });
    let (found, user) = store.passkey_with(b"p").await.unwrap().unwrap();
    assert!(user.stored.has_second_factor);
    let used = UsedPasskey { passkey: found, counter: 2 };
    let event_of_use = event(EventKind::PasskeyUsed);
    assert_eq!(store.use_passkey(&used, None, &event_of_use).await.unwrap(), Use::Counted);
    assert_eq!(store.use_passkey(&used, None, &event_of_use).await.unwrap(), Use::Cloned);

    let removed = event(EventKind::PasskeyRemoved);
    assert!(store.remove_passkey("p", Some("s"), &removed).await.unwrap());
    assert!(!store.remove_passkey("p", Some("s"), &removed).await.unwrap());
    let credentials = user.stored.credentials;
    let by_passkey =
        Session { methods: Methods::passkey(KeyKind::DeviceBound, "p"), ..session("t") };
    let begun = store.start_session(&by_passkey, credentials, &token(11), &login()).await;
    assert!(!begun.unwrap(), "a login with a removed passkey");
    assert_eq!(store.use_passkey(&used, None, &event_of_use).await.unwrap(), Use::Removed);
    assert!(!store.user_named(&super::folded("alice")).await.unwrap().unwrap().has_second_factor);
    assert_eq!(
        kinds(&*store).await[2..],
        ["passkey_registered", "passkey_used", "passkey_removed"]
    );
}

async fn ceremony_is_taken_by_one_process(place: Place) {
    let first = with_alice(&place).await;
    let stores = [first, place.open().await];
    for round in 0..5 {
        let ceremony = Ceremony {
            hash: token(round),
            state: "{}".to_owned(),
            registrar: None,
            expires_at: 2000,
        };
        stores[0].begin_ceremony(&ceremony).await.unwrap();
        let mut all = tokio::task::JoinSet::new();
        for n in 0..8 {
            let store = Arc::clone(&stores[n % 2]);
            all.spawn(async move { store.take_ceremony(&token(round), None, 1999).await.unwrap() });
        }
        let taken = all.join_all().await.into_iter().flatten().count();
        assert_eq!(taken, 1);
    }
}

async fn concurrent_registrations_do_not_exceed_the_limit(place: Place) {
    let first = with_alice_stepped_up(&place).await;
    let stores = [first, place.open().await];
    let mut all = tokio::task::JoinSet::new();
    for n in 0..PASSKEYS_PER_USER + 8 {
        let store = Arc::clone(&stores[usize::from(n % 2 == 0)]);
        all.spawn(async move { add(&*store, &format!("p{n}")).await });
    }
    let outcomes = all.join_all().await;
    let counted = |sought: Registered| outcomes.iter().filter(|found| **found == sought).count();
    assert_eq!(counted(Registered::TooMany), 8);
    // One registration was the first second factor.
    assert_eq!(counted(Registered::Done { with_codes: true }), 1);
    let stored = stores[0].passkeys_of("id of alice").await.unwrap();
    assert_eq!(i64::try_from(stored.len()).unwrap(), PASSKEYS_PER_USER);
}
