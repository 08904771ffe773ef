//! Conditions that the statements themselves check, because an earlier check may be out of date.

use std::sync::Arc;

use super::past::{count, run};
use super::{Place, folded, login, machine, session, token, with_alice};
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::clients::{ClientUpdate, Credential, RegisteredClient};
use crate::domain::messages::{Purpose, UserToken};
use crate::domain::people::{Change, UserRef};
use crate::domain::tokens::client_owner;
use crate::domain::users::{Account, Added, Awaits};
use crate::store::Store;

super::on_both!(
    update_of_a_removed_client_does_not_change_its_replacement,
    secret_replaced_without_an_overlap_is_deleted,
    disabled_or_unverified_user_gets_no_session,
    expired_token_of_a_message_is_not_redeemed,
    verification_token_does_not_accept_an_invitation,
    restored_backup_has_no_valid_token_of_a_message,
    new_password_does_not_verify_an_address,
    code_of_a_replaced_secret_is_rejected,
    new_factor_starts_without_the_wrong_codes_of_the_removed_one,
    recovery_codes_are_replaced_only_for_a_confirmed_factor,
);

fn alice() -> UserRef {
    UserRef::Named(folded("alice"))
}

fn event(kind: EventKind, at: i64) -> NewEvent {
    NewEvent::new(kind, at).user("id of alice")
}

async fn change(store: &dyn Store, change: Change, kind: EventKind) {
    store.change_account(&alice(), &change, &event(kind, 1500), None).await.unwrap();
}

async fn update_of_a_removed_client_does_not_change_its_replacement(place: Place) {
    let store = place.open().await;
    let about = |kind| NewEvent::new(kind, 900).client("a");
    let first = machine("a", Credential::Secret(token(1)));
    let second = RegisteredClient { place_owner: client_owner("a", "2"), ..first.clone() };
    assert!(store.add_client(&first, &about(EventKind::ClientAdded)).await.unwrap());
    assert!(store.remove_client(&about(EventKind::ClientRemoved)).await.unwrap());
    assert!(store.add_client(&second, &about(EventKind::ClientAdded)).await.unwrap());
    let change = ClientUpdate::new().scopes(["everything"]);
    let updated = about(EventKind::ClientUpdated);
    assert!(!store.update_client(&first.place_owner, &change, &updated).await.unwrap());
    assert_eq!(store.client("a").await.unwrap().unwrap().scopes, second.scopes);
}

async fn secret_replaced_without_an_overlap_is_deleted(place: Place) {
    const HASHES: &str = "SELECT count(*) FROM clients WHERE old_secret_hash IS NOT NULL";
    let store = place.open().await;
    let about = |kind| NewEvent::new(kind, 900).client("a");
    let client = machine("a", Credential::Secret(token(1)));
    assert!(store.add_client(&client, &about(EventKind::ClientAdded)).await.unwrap());
    let changed = about(EventKind::ClientCredentialChanged);
    for (byte, old_until, hashes) in [(2, Some(1000), 1), (3, None, 0)] {
        let secret = Credential::Secret(token(byte));
        assert!(store.set_credential(&secret, old_until, &changed).await.unwrap());
        assert_eq!(count(&place, HASHES).await, hashes);
    }
}

async fn add_awaiting(store: &dyn Store, awaits: Awaits) {
    let user = super::user("alice");
    let account = Account {
        user: &user,
        password_hash: "hash",
        address: Some("alice@example.com"),
        address_verified_at: None,
        awaits: Some(awaits),
        replaces: &[],
    };
    let added = store.add_user(&account, &event(EventKind::UserAdded, 900), None).await.unwrap();
    assert_eq!(added, Added::Done);
}

async fn disabled_or_unverified_user_gets_no_session(place: Place) {
    let store = with_alice(&place).await;
    change(&*store, Change::Disabled(true), EventKind::UserDisabled).await;
    // The current count, as if the password was checked after the user was disabled.
    let credentials = count(&place, "SELECT credentials FROM users").await;
    let begun = store.start_session(&session("t"), credentials, &token(11), &login()).await;
    assert!(!begun.unwrap(), "a disabled user");
    change(&*store, Change::Disabled(false), EventKind::UserEnabled).await;
    let credentials = count(&place, "SELECT credentials FROM users").await;
    let begun = store.start_session(&session("t"), credentials, &token(11), &login()).await;
    assert!(begun.unwrap());

    change(&*store, Change::Removed, EventKind::UserRemoved).await;
    add_awaiting(&*store, Awaits::Verification).await;
    let begun = store.start_session(&session("u"), 0, &token(21), &login()).await;
    assert!(!begun.unwrap(), "a user whose address is not verified");
}

fn user_token(byte: u8, purpose: Purpose) -> UserToken {
    let user_id = "id of alice".to_owned();
    let address = "alice@example.com".to_owned();
    UserToken { hash: token(byte), user_id, purpose, address, expires_at: 2000 }
}

async fn add_token(store: &dyn Store, byte: u8, purpose: Purpose) {
    assert!(store.add_user_token(&user_token(byte, purpose), None).await.unwrap());
}

async fn alice_with_address(place: &Place) -> Arc<dyn Store> {
    let store = with_alice(place).await;
    run(place, "UPDATE users SET address = 'alice@example.com'").await;
    store
}

async fn expired_token_of_a_message_is_not_redeemed(place: Place) {
    let store = alice_with_address(&place).await;
    add_token(&*store, 5, Purpose::Reset).await;
    let of_token = async |now| {
        let purposes = [Purpose::Reset, Purpose::Invitation];
        store.account_of_token(&token(5), purposes, now).await.unwrap().is_some()
    };
    assert_eq!((of_token(1999).await, of_token(2000).await), (true, false));
    let set = async |at| {
        let event = event(EventKind::PasswordReset, at);
        store.set_password_by_token(&token(5), "new", &event).await.unwrap()
    };
    // The token expired while the password was hashed.
    assert!(!set(2000).await);
    let stored = store.user_named(&folded("alice")).await.unwrap().unwrap();
    assert_eq!(stored.password_hash, "hash");
    assert!(set(1999).await);
    assert!(!set(1999).await, "once");
}

async fn verification_token_does_not_accept_an_invitation(place: Place) {
    let store = place.open().await;
    add_awaiting(&*store, Awaits::Invitation).await;
    add_token(&*store, 5, Purpose::Verification).await;
    store.verify_address(&token(5), &event(EventKind::AddressVerified, 1500)).await.unwrap();
    let account = store.account(&alice()).await.unwrap().unwrap();
    assert_eq!(account.awaits.as_deref(), Some("invitation"));
}

async fn restored_backup_has_no_valid_token_of_a_message(place: Place) {
    let store = alice_with_address(&place).await;
    add_token(&*store, 5, Purpose::Reset).await;
    store.start_new_lists(&NewEvent::new(EventKind::Restored, 1500)).await.unwrap();
    let used = event(EventKind::PasswordReset, 1500);
    assert!(!store.set_password_by_token(&token(5), "new", &used).await.unwrap());
}

async fn new_password_does_not_verify_an_address(place: Place) {
    let store = place.open().await;
    add_awaiting(&*store, Awaits::Verification).await;
    add_token(&*store, 5, Purpose::Verification).await;
    add_token(&*store, 6, Purpose::Reset).await;
    let password = Change::Password { hash: "new".to_owned(), keeps: None };
    change(&*store, password, EventKind::PasswordChanged).await;
    let account = store.account(&alice()).await.unwrap().unwrap();
    assert_eq!(account.awaits.as_deref(), Some("verification"));
    assert_eq!(count(&place, "SELECT count(*) FROM user_tokens").await, 1);
    let verified = event(EventKind::AddressVerified, 1500);
    assert!(store.verify_address(&token(5), &verified).await.unwrap(), "its token is kept");
    assert_eq!(store.account(&alice()).await.unwrap().unwrap().awaits, None);
}

async fn code_of_a_replaced_secret_is_rejected(place: Place) {
    let store = with_alice(&place).await;
    for sealed in [[7], [8]] {
        assert!(store.enrol_second_factor("id of alice", &sealed, &[], false).await.unwrap());
    }
    let shown = event(EventKind::StepUp, 1500);
    assert!(!store.step_up(&[7], 3, &shown).await.unwrap());
    assert!(store.step_up(&[8], 3, &shown).await.unwrap());
}

async fn new_factor_starts_without_the_wrong_codes_of_the_removed_one(place: Place) {
    let store = with_alice(&place).await;
    assert!(store.enrol_second_factor("id of alice", &[7], &[], false).await.unwrap());
    assert!(store.step_up(&[7], 3, &event(EventKind::StepUp, 1500)).await.unwrap());
    assert_eq!(store.begin_code("id of alice", 5).await.unwrap(), Some(1));
    let removed = event(EventKind::TotpRemoved, 1500);
    assert!(store.remove_second_factor(&removed).await.unwrap());
    assert!(store.enrol_second_factor("id of alice", &[8], &[], false).await.unwrap());
    assert_eq!(store.begin_code("id of alice", 5).await.unwrap(), Some(1));
}

async fn recovery_codes_are_replaced_only_for_a_confirmed_factor(place: Place) {
    let store = with_alice(&place).await;
    assert!(store.enrol_second_factor("id of alice", &[7], &[token(31)], false).await.unwrap());
    let made = event(EventKind::RecoveryCodesMade, 1500);
    assert!(!store.replace_recovery_codes(&[token(32)], &made).await.unwrap());
    assert!(store.step_up(&[7], 3, &event(EventKind::StepUp, 1500)).await.unwrap());
    assert!(store.replace_recovery_codes(&[token(32)], &made).await.unwrap());
}
