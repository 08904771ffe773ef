//! Messages to users: a password reset, an invitation, the verification of an address.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis_issuer::{Delivery, Error, Issuer, Message, MessageKind, NewUser, Notifier};
use serde_json::json;

use crate::common::{
    Answer, Home, PASSWORD, call, login, on_every_store, part, post, refresh, with_token,
};
use crate::second_factor::ask;

on_every_store!(
    reset_token_sets_the_password_once,
    reset_request_does_not_reveal_whether_the_user_exists,
    invited_user_sets_the_first_password,
    registration_verifies_the_address_and_does_not_reveal_taken_names,
    operator_can_take_a_name_that_a_stranger_has_not_verified,
    administrator_invites_and_sets_addresses,
    message_endpoints_without_a_notifier_are_404,
    reset_requests_are_limited_per_address,
    flood_of_reset_requests_keeps_the_last_token_valid,
    flood_of_registrations_keeps_the_last_token_valid,
);

const NEW: &str = "of clouds and 7 anvils";
const RESET: &str = "/v1/auth/password-reset";
const SET: &str = "/v1/auth/set-password";
const VERIFY: &str = "/v1/auth/verify-address";

/// A notifier that keeps the messages instead of delivering them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailbox(Arc<Mutex<Vec<Message>>>);

impl Notifier for Mailbox {
    fn deliver(&self, message: Message) -> Delivery<'_> {
        self.0.lock().unwrap().push(message);
        Box::pin(async { Ok(()) })
    }
}

impl Mailbox {
    /// Waits for the next message, which must have this kind.
    async fn next(&self, kind: MessageKind) -> Message {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(message) = self.0.lock().unwrap().pop() {
                assert_eq!(message.kind, kind, "{message:?}");
                return message;
            }
            assert!(Instant::now() < deadline, "no message arrives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn token(&self, kind: MessageKind) -> String {
        self.next(kind).await.token().unwrap().to_owned()
    }

    async fn stays_empty(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(self.0.lock().unwrap().is_empty());
    }
}

async fn with_mailbox(home: &Home) -> (Issuer, Mailbox) {
    let mailbox = Mailbox::default();
    let mut config = home.config();
    config.notifier = Some(Arc::new(mailbox.clone()));
    (Issuer::open(config).await.unwrap(), mailbox)
}

async fn login_as(issuer: &Issuer, name: &str, password: &str) -> Answer {
    post(issuer, "/v1/auth/login", &json!({ "username": name, "password": password })).await
}

fn kind(answer: &Answer) -> String {
    answer.text("type").rsplit(':').next().unwrap().to_owned()
}

async fn reset_token_sets_the_password_once(home: Home) {
    drop(home.open_with_alice().await);
    let (issuer, mailbox) = with_mailbox(&home).await;
    issuer.set_address("alice", "alice@example.com").await.unwrap();
    let grant = login(&issuer).await.expect(200);
    let forgotten = json!({ "username": "ALICE" });
    post(&issuer, RESET, &forgotten).await.expect(202);
    let message = mailbox.next(MessageKind::PasswordReset).await;
    assert_eq!((&*message.name, &*message.address), ("alice", "alice@example.com"));
    assert_eq!(message.expires_at, Some(i64::try_from(home.now()).unwrap() + 900));
    let void = message.token().unwrap().to_owned();
    assert!(!format!("{message:?}").contains(&void), "{message:?}");
    // Only the newest token is valid.
    post(&issuer, RESET, &forgotten).await.expect(202);
    let token = mailbox.token(MessageKind::PasswordReset).await;
    let set = async |token: &str, password: &str| {
        post(&issuer, SET, &json!({ "token": token, "new_password": password })).await
    };
    assert_eq!(kind(&set(&void, NEW).await.expect(403)), "wrong-token");
    assert_eq!(kind(&set("guess", NEW).await.expect(403)), "wrong-token");
    assert_eq!(kind(&set(&token, "password").await.expect(422)), "invalid-password");
    refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    set(&token, NEW).await.expect(204);
    with_token(&issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(401);
    set(&token, PASSWORD).await.expect(403);
    login(&issuer).await.expect(401);
    login_as(&issuer, "alice", NEW).await.expect(200);

    // A token is rejected for another purpose, and after it has expired.
    post(&issuer, RESET, &forgotten).await.expect(202);
    let token = mailbox.token(MessageKind::PasswordReset).await;
    let verify = json!({ "token": token, "password": NEW });
    assert_eq!(kind(&post(&issuer, VERIFY, &verify).await.expect(403)), "wrong-token");
    home.advance(900);
    set(&token, PASSWORD).await.expect(403);
    // A token is void once an operator has changed the password or disabled the user.
    for change in [true, false] {
        post(&issuer, RESET, &forgotten).await.expect(202);
        let token = mailbox.token(MessageKind::PasswordReset).await;
        if change {
            issuer.set_password("alice", PASSWORD).await.unwrap();
        } else {
            issuer.disable_user("alice").await.unwrap();
        }
        set(&token, NEW).await.expect(403);
    }
    let kinds: Vec<_> =
        issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect();
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((counted("password_reset"), counted("password_reset_requested")), (1, 5));
    let secrets = home.count("SELECT count(*) FROM user_tokens WHERE length(hash) <> 32").await;
    assert_eq!(secrets, 0);
}

async fn reset_request_does_not_reveal_whether_the_user_exists(home: Home) {
    drop(home.open_with_alice().await);
    let (issuer, mailbox) = with_mailbox(&home).await;
    let ask = async |name: &str| {
        let answer = post(&issuer, RESET, &json!({ "username": name })).await.expect(202);
        (answer.headers, answer.json)
    };
    let unknown = ask("carol").await;
    assert_eq!(ask("alice").await, unknown, "without an address");
    assert_eq!(ask("al\u{0}ice").await, unknown);
    issuer.set_address("alice", "alice@example.com").await.unwrap();
    issuer.disable_user("alice").await.unwrap();
    assert_eq!(ask("alice").await, unknown, "disabled");
    mailbox.stays_empty().await;
    issuer.enable_user("alice").await.unwrap();
    assert_eq!(ask("alice").await, unknown);
    mailbox.next(MessageKind::PasswordReset).await;
}

async fn invited_user_sets_the_first_password(home: Home) {
    let (issuer, mailbox) = with_mailbox(&home).await;
    let invite = async || issuer.invite_user("bob", "bob@example.com", ["clerk"], ["a:read"]).await;
    invite().await.unwrap();
    let void = mailbox.token(MessageKind::Invitation).await;
    let account = invite().await.unwrap();
    assert_eq!(
        (account.awaits.as_deref(), account.address_verified_at),
        (Some("invitation"), None)
    );
    let token = mailbox.token(MessageKind::Invitation).await;
    post(&issuer, RESET, &json!({ "username": "bob" })).await.expect(202);
    mailbox.stays_empty().await;
    login_as(&issuer, "bob", "").await.expect(401);
    post(&issuer, SET, &json!({ "token": void, "new_password": NEW })).await.expect(403);
    post(&issuer, SET, &json!({ "token": token, "new_password": NEW })).await.expect(204);
    let grant = login_as(&issuer, "bob", NEW).await.expect(200);
    assert_eq!(part(&grant.text("access_token"), 1)["roles"], json!(["clerk"]));
    let account = issuer.account("bob").await.unwrap();
    assert!(account.awaits.is_none() && account.address_verified_at.is_some(), "{account:?}");
    assert!(invite().await.is_err(), "the invitation was accepted before");
}

async fn registration_verifies_the_address_and_does_not_reveal_taken_names(home: Home) {
    const BOB: &str = "bob@example.com";
    drop(home.open().await);
    let mailbox = Mailbox::default();
    let mut config = home.config();
    config.notifier = Some(Arc::new(mailbox.clone()));
    (config.registration, config.address_verification) = (true, true);
    let issuer = Issuer::open(config).await.unwrap();
    let register = async |password: &str| {
        let body = json!({ "username": BOB, "password": password });
        home.advance(300);
        let answer = post(&issuer, "/v1/auth/register", &body).await.expect(202);
        (answer.headers, answer.json)
    };
    let new = register(PASSWORD).await;
    let token = mailbox.token(MessageKind::AddressVerification).await;
    let waiting = login_as(&issuer, BOB, PASSWORD).await.expect(401);
    let unknown = login_as(&issuer, "carol", PASSWORD).await.expect(401);
    assert_eq!(waiting.json, unknown.json);

    // An attacker registers the same address before its owner has verified it. This voids the
    // owner's token. The token for the attacker's registration needs the attacker's password, so
    // the owner cannot verify an account whose password the attacker knows.
    register(NEW).await;
    let theirs = mailbox.token(MessageKind::AddressVerification).await;
    let verify = async |token: &str, password: &str| {
        post(&issuer, VERIFY, &json!({ "token": token, "password": password })).await
    };
    assert_eq!(kind(&verify(&token, PASSWORD).await.expect(403)), "wrong-token");
    assert_eq!(kind(&verify(&theirs, PASSWORD).await.expect(403)), "wrong-password");
    register(PASSWORD).await;
    let token = mailbox.token(MessageKind::AddressVerification).await;
    verify(&token, PASSWORD).await.expect(204);
    verify(&token, PASSWORD).await.expect(403);
    login_as(&issuer, BOB, PASSWORD).await.expect(200);

    // For a taken name the response is the same, and only the name's user gets a message.
    assert_eq!(register(NEW).await, new);
    let told = mailbox.next(MessageKind::NameTaken).await;
    assert_eq!((&*told.address, told.token()), (BOB, None));
    // Both registrations write to the database, so their commits take the same time.
    let last = issuer.events(0, 1000).await.unwrap().pop().unwrap();
    assert_eq!((last.kind.as_str(), last.user_id), ("registration_refused", None));
    login_as(&issuer, BOB, NEW).await.expect(401);
    login_as(&issuer, BOB, PASSWORD).await.expect(200);
}

async fn operator_can_take_a_name_that_a_stranger_has_not_verified(home: Home) {
    const BOB: &str = "bob@example.com";
    drop(home.open().await);
    let mailbox = Mailbox::default();
    let mut config = home.config();
    config.notifier = Some(Arc::new(mailbox.clone()));
    (config.registration, config.address_verification) = (true, true);
    let issuer = Issuer::open(config).await.unwrap();
    let register = async |name: &str| {
        let body = json!({ "username": name, "password": PASSWORD });
        post(&issuer, "/v1/auth/register", &body).await.expect(202);
        mailbox.token(MessageKind::AddressVerification).await
    };
    let token = register(BOB).await;
    issuer.invite_user("Bob@example.com", BOB, [] as [&str; 0], ["a:read"]).await.unwrap();
    let invitation = mailbox.token(MessageKind::Invitation).await;
    let verify = json!({ "token": token, "password": PASSWORD });
    post(&issuer, VERIFY, &verify).await.expect(403);
    let set = json!({ "token": invitation, "new_password": NEW });
    post(&issuer, SET, &set).await.expect(204);
    login_as(&issuer, BOB, NEW).await.expect(200);
    let taken = issuer.invite_user(BOB, BOB, [] as [&str; 0], [] as [&str; 0]).await;
    assert!(matches!(taken, Err(Error::UserExists { .. })), "an existing user");

    register("carol@example.com").await;
    issuer.add_user(NewUser::new("carol@example.com", NEW)).await.unwrap();
    login_as(&issuer, "carol@example.com", NEW).await.expect(200);

    register("dave@example.com").await;
    home.advance(899);
    issuer.tidy().await.unwrap();
    assert!(issuer.account("dave@example.com").await.is_ok());
    home.advance(1);
    issuer.tidy().await.unwrap();
    assert!(issuer.account("dave@example.com").await.is_err(), "unverified");
}

async fn administrator_invites_and_sets_addresses(home: Home) {
    let mailbox = Mailbox::default();
    let mut config = home.config();
    config.notifier = Some(Arc::new(mailbox.clone()));
    config.audiences.clear();
    let issuer = Issuer::open(config).await.unwrap();
    let root = portcullis_issuer::NewUser::new("root", PASSWORD);
    issuer.add_user(root.scopes([portcullis_issuer::ADMIN_SCOPE])).await.unwrap();
    let token = login_as(&issuer, "root", PASSWORD).await.expect(200).text("access_token");
    let bob = json!({ "name": "bob", "address": "bob@example.com", "roles": ["clerk"] });
    let invited = ask(&issuer, "/v1/admin/users", &token, bob.clone()).await.expect(201);
    assert_eq!(
        (&invited.json["name"], &invited.json["awaits"]),
        (&json!("bob"), &json!("invitation"))
    );
    mailbox.next(MessageKind::Invitation).await;
    let path = format!("/v1/admin/users/{}/address", invited.text("id"));
    ask(&issuer, &path, &token, json!({ "address": "robert@example.com" })).await.expect(204);
    ask(&issuer, &path, &token, json!({ "address": "two words" })).await.expect(422);
    let account = issuer.account("bob").await.unwrap();
    assert_eq!(account.address.as_deref(), Some("robert@example.com"));
    let taken = json!({ "name": "root", "address": "bob@example.com" });
    ask(&issuer, "/v1/admin/users", &token, taken).await.expect(409);
    let events = issuer.events(0, 1000).await.unwrap();
    let root = Some(issuer.account("root").await.unwrap().id);
    for kind in ["user_invited", "address_changed"] {
        let event = events.iter().find(|event| event.kind == kind).unwrap();
        assert_eq!((&event.actor, event.user_id.as_ref()), (&root, Some(&account.id)));
    }
}

async fn message_endpoints_without_a_notifier_are_404(home: Home) {
    let issuer = home.open_with_alice().await;
    for path in [RESET, SET, VERIFY] {
        assert_eq!(call(&issuer, &format!("POST {path}"), &[]).await.status, 404);
    }
    let refused = issuer.invite_user("bob", "bob@example.com", [""; 0], [""; 0]).await.unwrap_err();
    assert!(refused.to_string().contains("IDENTSPHERE_NOTIFIER"), "{refused}");
    let mut config = home.config();
    (config.registration, config.address_verification) = (true, true);
    let refused = Issuer::open(config).await.unwrap_err().to_string();
    assert!(refused.contains("IDENTSPHERE_NOTIFIER"), "{refused}");
}

async fn reset_requests_are_limited_per_address(home: Home) {
    drop(home.open_with_alice().await);
    let mailbox = Mailbox::default();
    let mut config = home.config();
    config.notifier = Some(Arc::new(mailbox.clone()));
    config.attempts_per_account = 1;
    config.attempts_per_address = 3;
    let issuer = Issuer::open(config).await.unwrap();
    // A stranger's requests do not use up the attempts of alice's account.
    for name in ["alice", "Alice", "ALICE"] {
        post(&issuer, RESET, &json!({ "username": name })).await.expect(202);
    }
    post(&issuer, RESET, &json!({ "username": "bob" })).await.expect(429);
    let events = issuer.events(0, 1000).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "login_limited"), "{events:?}");
}

async fn flood_of_reset_requests_keeps_the_last_token_valid(home: Home) {
    drop(home.open_with_alice().await);
    let (issuer, mailbox) = with_mailbox(&home).await;
    issuer.set_address("alice", "alice@example.com").await.unwrap();
    let forgotten = json!({ "username": "alice" });
    let mut last = String::new();
    for _ in 0..3 {
        post(&issuer, RESET, &forgotten).await.expect(202);
        last = mailbox.token(MessageKind::PasswordReset).await;
    }
    for _ in 0..3 {
        post(&issuer, RESET, &forgotten).await.expect(202);
    }
    mailbox.stays_empty().await;
    let set = json!({ "token": last, "new_password": NEW });
    post(&issuer, SET, &set).await.expect(204);
    home.advance(300);
    post(&issuer, RESET, &forgotten).await.expect(202);
    mailbox.token(MessageKind::PasswordReset).await;
}

async fn flood_of_registrations_keeps_the_last_token_valid(home: Home) {
    const BOB: &str = "bob@example.com";
    drop(home.open().await);
    let mailbox = Mailbox::default();
    let mut config = home.config();
    config.notifier = Some(Arc::new(mailbox.clone()));
    (config.registration, config.address_verification) = (true, true);
    let issuer = Issuer::open(config).await.unwrap();
    let body = json!({ "username": BOB, "password": PASSWORD });
    let mut last = String::new();
    for _ in 0..3 {
        post(&issuer, "/v1/auth/register", &body).await.expect(202);
        last = mailbox.token(MessageKind::AddressVerification).await;
    }
    let strangers = json!({ "username": BOB, "password": NEW });
    post(&issuer, "/v1/auth/register", &strangers).await.expect(202);
    mailbox.stays_empty().await;
    post(&issuer, VERIFY, &json!({ "token": last, "password": PASSWORD })).await.expect(204);
    login_as(&issuer, BOB, PASSWORD).await.expect(200);
}
