//! Security event tokens (RFC 8935), which end sessions like logout tokens: from the issuer alone,
//! for a configured audience; and no other token in their place.

use std::time::Duration;

use serde_json::{Value, json};

use portcullis::Algorithm;
use portcullis::AuthenticatorBuilder;
use portcullis::feed::{LogoutMatch, LogoutReceiver, Revocations};
use portcullis::testing::{Answer, ISSUER, JWKS, Scene, TestKey, TestToken, gate_rule};

use super::class_13_revocation_feed::{APPENDS, Faulty, following};
use super::class_21_logout_tokens::{FORM, World};

const SET: &str = "application/secevent+jwt";
const OURS: &str = "https://api.example/events";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CHANGED: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";

async fn world() -> World {
    with(Revocations::in_memory(), |builder| builder).await
}

async fn with(
    revocations: Revocations,
    change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
) -> World {
    World::with(revocations, |builder| change(builder.event_audiences([OURS, "other"]))).await
}

fn event_of(world: &World, events: Value) -> TestToken {
    let token = world.scene.logout_token(OURS).without("exp").header("typ", "secevent+jwt");
    token.claim("events", events)
}

/// The session `s-1` is revoked.
fn session_revoked(world: &World) -> TestToken {
    world.scene.session_revoked(OURS, "s-1")
}

/// A credential of alice is changed.
fn credential_changed(world: &World, change: &str) -> TestToken {
    let event = json!({"change_type": change, "credential_type": "password"});
    event_of(world, json!({CHANGED: event})).claim("sub_id", alice())
}

fn alice() -> Value {
    json!({"format": "iss_sub", "iss": ISSUER, "sub": "alice"})
}

/// Returns the status of the response, and the error code in it.
async fn push(world: &World, token: &str) -> (u16, String) {
    let response = world.send("POST", SET, token).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let status = response.status().as_u16();
    let code = match status {
        202 => {
            assert!(response.body().is_empty());
            String::new()
        }
        400 => {
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.headers()["content-language"], "en");
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert!(body["description"].is_string());
            body["err"].as_str().unwrap().to_owned()
        }
        503 => {
            assert!(response.headers().contains_key("retry-after") && response.body().is_empty());
            String::new()
        }
        other => unreachable!("{other}"),
    };
    (status, code)
}

async fn accepts(world: &World, token: &TestToken) {
    assert_eq!(push(world, &token.sign()).await.0, 202);
}

#[tokio::test]
async fn revoked_session_is_refused_and_no_other() {
    let complex = json!({
        "format": "complex",
        "session": {"format": "opaque", "id": "s-1"},
        "user": {"format": "iss_sub", "iss": ISSUER, "sub": "alice"},
        "tenant": {"format": "opaque", "id": "t"},
    });
    for subject in [json!({"format": "opaque", "id": "s-1"}), complex] {
        let world = world().await;
        world.nothing_is_revoked().await;
        accepts(&world, &session_revoked(&world).claim("sub_id", subject)).await;
        assert_eq!(world.rule("alice", "s-1").await, "revoked");
        assert_eq!(world.rule("alice", "s-2").await, "accepted");
        world.scene.advance(600);
        assert_eq!(world.rule("alice", "s-1").await, "revoked", "whatever the `iat`");
    }
}

#[tokio::test]
async fn event_without_a_session_revokes_the_earlier_tokens_of_its_user() {
    let of_device = json!({
        "format": "complex", "user": alice(), "device": {"format": "opaque", "id": "d"},
    });
    for subject in [alice(), of_device] {
        let world = world().await;
        accepts(&world, &session_revoked(&world).claim("sub_id", subject)).await;
        for session in ["s-1", "s-2"] {
            assert_eq!(world.rule("alice", session).await, "revoked");
        }
        assert_eq!(world.rule("bob", "s-1").await, "accepted");
        world.scene.advance(11);
        assert_eq!(world.rule("alice", "s-3").await, "accepted", "a login heals");
    }
}

/// A delayed event does not reject the tokens of a later login.
#[tokio::test]
async fn time_of_the_event_counts() {
    let world = world().await;
    let at = world.scene.now() - 100;
    let event = event_of(&world, json!({REVOKED: {"event_timestamp": at}}));
    accepts(&world, &event.claim("sub_id", alice())).await;
    assert_eq!(world.rule("alice", "s-1").await, "accepted");
    // Without it, the time of the token.
    accepts(&world, &event_of(&world, json!({REVOKED: {}})).claim("sub_id", alice())).await;
    assert_eq!(world.rule("alice", "s-1").await, "revoked");
}

#[tokio::test]
async fn changed_credential_revokes_the_earlier_tokens_of_its_user() {
    for change in ["update", "revoke", "delete"] {
        let world = world().await;
        accepts(&world, &credential_changed(&world, change)).await;
        assert_eq!(world.rule("alice", "s-1").await, "revoked", "{change}");
        assert_eq!(world.rule("bob", "s-1").await, "accepted");
    }
    // A new credential opened none of the sessions.
    let world = world().await;
    accepts(&world, &credential_changed(&world, "create")).await;
    world.nothing_is_revoked().await;
}

#[tokio::test]
async fn events_of_other_types_are_acknowledged_and_revoke_nothing() {
    let world = world().await;
    let verification = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    let other = event_of(&world, json!({verification: {"state": "x"}}));
    accepts(&world, &other.claim("sub_id", json!({"format": "opaque", "id": "s-1"}))).await;
    world.nothing_is_revoked().await;
    // They need not be verified less.
    let other = event_of(&world, json!({verification: {}})).claim("aud", "web");
    assert_eq!(push(&world, &other.sign()).await, (400, "invalid_audience".to_owned()));
}

#[tokio::test]
async fn match_by_subject_ignores_the_session() {
    let by_subject = |builder: AuthenticatorBuilder| builder.logout_match(LogoutMatch::Subject);
    let world = with(Revocations::in_memory(), by_subject).await;
    assert_eq!(push(&world, &session_revoked(&world).sign()).await.0, 400);
    world.nothing_is_revoked().await;
    let both = json!({
        "format": "complex", "user": alice(), "session": {"format": "opaque", "id": "s-1"},
    });
    accepts(&world, &session_revoked(&world).claim("sub_id", both)).await;
    for session in ["s-1", "s-2"] {
        assert_eq!(world.rule("alice", session).await, "revoked");
    }
    assert_eq!(world.rule("bob", "s-1").await, "accepted");
}

#[tokio::test]
async fn forged_and_unsigned_security_events_are_400() {
    let world = world().await;
    let token = session_revoked(&world);
    let signed = token.sign();
    let stranger = std::sync::Arc::new(TestKey::generate("k", Algorithm::Es256));
    let unsigned = {
        let payload = signed.split('.').nth(1).unwrap();
        let header = super::support::encode(r#"{"alg":"none","typ":"secevent+jwt"}"#);
        format!("{header}.{payload}.")
    };
    for (forged, code) in [
        (token.clone().signed_with(stranger).sign(), "invalid_key"),
        (token.clone().header("kid", "other").sign(), "invalid_key"),
        (token.clone().issuer("https://other.example").sign(), "invalid_issuer"),
        (unsigned, "invalid_request"),
        (signed.rsplit_once('.').unwrap().0.to_owned() + ".", "invalid_key"),
        ("a.b.c".to_owned(), "invalid_request"),
        (String::new(), "invalid_request"),
    ] {
        assert_eq!(push(&world, &forged).await, (400, code.to_owned()), "{forged}");
    }
    world.nothing_is_revoked().await;
}

#[tokio::test]
async fn misdirected_or_incomplete_security_events_are_400() {
    let world = world().await;
    let now = world.scene.now();
    let valid = || session_revoked(&world);
    let subject = |subject: Value| valid().claim("sub_id", subject);
    let event = |event: Value| valid().claim("events", json!({REVOKED: event}));
    let complex = |member: &str, of: Value| {
        subject(json!({"format": "complex", "user": alice(), member: of}))
    };
    let update = json!({"change_type": "update"});
    let two = valid().claim("events", json!({REVOKED: update.clone(), CHANGED: update}));
    let two = two.claim("sub_id", alice());
    let changed =
        |of: Value| valid().claim("events", json!({CHANGED: of})).claim("sub_id", alice());
    for (code, why, token) in [
        ("invalid_audience", "another audience", valid().claim("aud", "elsewhere")),
        ("invalid_audience", "a logout client", valid().claim("aud", "web")),
        ("invalid_audience", "this API", valid().claim("aud", portcullis::testing::AUDIENCE)),
        ("invalid_request", "no audience", valid().without("aud")),
        ("invalid_request", "mixed audience", valid().claim("aud", json!([OURS, 7]))),
        ("invalid_request", "an expiry", valid().claim("exp", now + 100)),
        ("invalid_request", "a subject", valid().claim("sub", "alice")),
        ("invalid_request", "no events", valid().without("events")),
        ("invalid_request", "empty events", valid().claim("events", json!({}))),
        ("invalid_request", "event as a text", valid().claim("events", REVOKED)),
        ("invalid_request", "event that is no object", event(json!(true))),
        ("invalid_request", "two events", two),
        ("invalid_request", "no jti", valid().without("jti")),
        ("invalid_request", "empty jti", valid().claim("jti", "")),
        ("invalid_request", "no iat", valid().without("iat")),
        ("invalid_request", "time that is no date", event(json!({"event_timestamp": "now"}))),
        ("invalid_request", "event in the future", event(json!({"event_timestamp": now + 11}))),
        ("invalid_request", "milliseconds", event(json!({"event_timestamp": now * 1000}))),
        ("invalid_request", "no sub_id", valid().without("sub_id")),
        ("invalid_request", "sub_id as a text", subject(json!("s-1"))),
        ("invalid_request", "no format", subject(json!({"id": "s-1"}))),
        ("invalid_request", "no session", subject(json!({"format": "opaque"}))),
        (
            "invalid_request",
            "session that is no string",
            subject(json!({"format": "opaque", "id": 7})),
        ),
        ("invalid_request", "empty session", subject(json!({"format": "opaque", "id": ""}))),
        (
            "invalid_request",
            "an email",
            subject(json!({"format": "email", "email": "a@b.example"})),
        ),
        (
            "invalid_request",
            "another issuer's user",
            subject(json!({"format": "iss_sub", "iss": "https://other.example", "sub": "alice"})),
        ),
        (
            "invalid_request",
            "a user without issuer",
            subject(json!({"format": "iss_sub", "sub": "alice"})),
        ),
        ("invalid_request", "no user", subject(json!({"format": "iss_sub", "iss": ISSUER}))),
        ("invalid_request", "no member", subject(json!({"format": "complex"}))),
        (
            "invalid_request",
            "session as an email",
            complex("session", json!({"format": "email", "email": "x"})),
        ),
        (
            "invalid_request",
            "complex session without id",
            complex("session", json!({"format": "opaque"})),
        ),
        (
            "invalid_request",
            "user of another issuer",
            complex("user", json!({"format": "iss_sub", "iss": "x", "sub": "alice"})),
        ),
        ("invalid_request", "no change", changed(json!({}))),
        ("invalid_request", "unknown change", changed(json!({"change_type": "reset"}))),
        (
            "invalid_request",
            "changed session",
            changed(json!({"change_type": "update"}))
                .claim("sub_id", json!({"format": "opaque", "id": "s-1"})),
        ),
        ("invalid_request", "logout+jwt", valid().header("typ", "logout+jwt")),
        ("invalid_request", "JWT", valid().header("typ", "JWT")),
        ("invalid_request", "at+jwt", valid().header("typ", "at+jwt")),
        ("invalid_request", "crit", valid().header("crit", json!(["x"]))),
    ] {
        assert_eq!(push(&world, &token.sign()).await, (400, code.to_owned()), "{why}");
    }
    world.nothing_is_revoked().await;
    let other =
        valid().header("typ", "application/SECEVENT+jwt").claim("aud", json!(["x", "other"]));
    accepts(&world, &other).await;
    assert_eq!(world.rule("alice", "s-1").await, "revoked");
}

#[tokio::test]
async fn duplicated_members_are_400() {
    let world = world().await;
    let token = session_revoked(&world).sign();
    let claims = super::support::decode(token.split('.').nth(1).unwrap());
    let claims = String::from_utf8(claims).unwrap();
    let header = r#"{"alg":"ES256","kid":"k","typ":"secevent+jwt"}"#;
    for (old, new) in [
        ("{", r#"{"x":1,"x":2,"#),
        (r#""id":"s-1""#, r#""id":"s-2","id":"s-1""#),
        (r#""event_timestamp""#, r#""event_timestamp":1,"event_timestamp""#),
        (r#"{"https://schemas"#, &format!(r#"{{"{REVOKED}":{{}},"https://schemas"#)),
    ] {
        let twice = claims.replacen(old, new, 1);
        assert_ne!(twice, claims);
        assert_eq!(push(&world, &world.scene.key.sign(header, &twice)).await.0, 400, "{twice}");
    }
    world.nothing_is_revoked().await;
    assert_eq!(push(&world, &world.scene.key.sign(header, &claims)).await.0, 202);
}

#[tokio::test]
async fn old_and_future_security_events_are_400() {
    let age = |secs: i64, lifetime: u64| async move {
        let world = with(Revocations::in_memory(), |builder| {
            builder.max_token_lifetime(Duration::from_secs(lifetime))
        })
        .await;
        let iat = world.scene.now().checked_add_signed(-secs).unwrap();
        let token = event_of(&world, json!({REVOKED: {}})).claim("iat", iat);
        let token = token.claim("sub_id", json!({"format": "opaque", "id": "s-1"}));
        let (status, _) = push(&world, &token.sign()).await;
        (status, world.rule("alice", "s-1").await)
    };
    // The leeway is 10 s, and counts once here and twice in the bound of a token.
    assert_eq!(age(-11, 900).await, (400, "accepted"));
    assert_eq!(age(-10, 900).await, (202, "revoked"));
    assert_eq!(age(3610, 900).await, (202, "revoked"));
    assert_eq!(age(3611, 900).await, (400, "accepted"));
    assert_eq!(age(7230, 7200).await, (202, "revoked"));
    assert_eq!(age(7231, 7200).await, (400, "accepted"));
}

/// A sender repeats a token if it did not receive the response.
#[tokio::test]
async fn repeated_security_event_is_acknowledged_and_stored_once() {
    let store = Faulty::default();
    let world = with(following(&store).build(), |builder| builder).await;
    let entries = || world.scene.auth.status()[0].feed.as_ref().unwrap().entries;
    let token = session_revoked(&world).claim("jti", "j");
    accepts(&world, &token).await;
    accepts(&world, &token).await;
    assert_eq!(entries(), 1);
    // Another event with the same `jti` is not lost.
    let other = json!({"format": "opaque", "id": "s-2"});
    accepts(&world, &token.claim("sub_id", other)).await;
    assert_eq!(entries(), 2);
    assert_eq!(world.rule("alice", "s-2").await, "revoked");
}

#[tokio::test]
async fn security_event_is_acknowledged_only_when_it_is_stored() {
    let store = Faulty::default();
    let world = with(following(&store).build(), |builder| builder).await;
    let token = session_revoked(&world);
    store.fail(APPENDS);
    assert_eq!(push(&world, &token.sign()).await.0, 503);
    world.nothing_is_revoked().await;
    store.fail(0);
    accepts(&world, &token).await;
    assert_eq!(world.rule("alice", "s-1").await, "revoked");
}

#[tokio::test]
async fn other_tokens_are_not_accepted_as_security_events_nor_the_reverse() {
    let world = with(Revocations::in_memory(), |builder| builder.untyped_logout_tokens()).await;
    let event = session_revoked(&world);
    let access = world.scene.token("alice").claim("aud", OURS).claim("sid", "s-1");
    for (why, token) in [
        ("a logout token", world.logout()),
        ("a logout token for us", world.logout().claim("aud", OURS)),
        (
            "a logout token of the type",
            world.logout().claim("aud", OURS).header("typ", "secevent+jwt"),
        ),
        ("an access token", access.clone()),
        ("an access token of the type", access.header("typ", "secevent+jwt")),
    ] {
        assert_eq!(push(&world, &token.sign()).await.0, 400, "{why}");
    }
    // As a logout token, even if it has all that a logout token needs.
    for typ in ["secevent+jwt", "JWT", "logout+jwt"] {
        let event = event.clone().claim("aud", json!([OURS, "web"])).claim("sid", "s-1");
        let body = format!("logout_token={}", event.header("typ", typ).sign());
        assert_eq!(world.send("POST", FORM, &body).await.status(), 400, "{typ}");
    }
    let both = world.logout().header("typ", "secevent+jwt");
    let body = format!("logout_token={}", both.sign());
    assert_eq!(world.send("POST", FORM, &body).await.status(), 400);
    world.nothing_is_revoked().await;
    // As an access token.
    let token = event.claim("aud", portcullis::testing::AUDIENCE).claim("sub", "alice");
    let token = token.claim("exp", world.scene.now() + 100);
    assert_eq!(gate_rule(&world.gate, &token.headers()).await, "typ");
}

#[tokio::test]
async fn malformed_requests_are_rejected() {
    let world = world().await;
    let token = session_revoked(&world).sign();
    for method in ["GET", "PUT", "HEAD", "DELETE"] {
        assert_eq!(world.send(method, SET, &token).await.status(), 405);
    }
    let long = format!("{token}{}", "y".repeat(LogoutReceiver::MAX_BODY_BYTES));
    assert_eq!(world.send("POST", SET, &long).await.status(), 413);
    for content_type in ["application/jwt", "application/json", ""] {
        assert_eq!(world.send("POST", content_type, &token).await.status(), 400);
    }
    assert_eq!(world.send("POST", FORM, &token).await.status(), 400);
    assert_eq!(world.send("POST", SET, &format!("logout_token={token}")).await.status(), 400);
    world.nothing_is_revoked().await;
    assert_eq!(world.send("POST", "Application/SecEvent+JWT", &token).await.status(), 202);
}

#[tokio::test]
async fn unreachable_keys_are_503_and_not_a_bad_token() {
    let scene = Scene::unpublished_with(|builder| {
        let builder = builder.max_token_lifetime(Duration::from_secs(900));
        builder.event_audiences([OURS]).revocations(Revocations::in_memory())
    })
    .await;
    scene.fetch.set(JWKS, Answer::Fails);
    let world = World::of(scene);
    let token = session_revoked(&world);
    assert_eq!(push(&world, &token.sign()).await.0, 503);
    world.scene.publish([&*world.scene.key]);
    accepts(&world, &token).await;
    // Logout tokens are another setting.
    let body = format!("logout_token={}", world.logout().sign());
    assert_eq!(world.send("POST", FORM, &body).await.status(), 400);
}

#[tokio::test]
async fn issuer_without_event_audiences_sends_none() {
    let world = World::with(Revocations::in_memory(), |builder| builder).await;
    let token = session_revoked(&world).claim("aud", "web");
    assert_eq!(push(&world, &token.sign()).await, (400, "invalid_issuer".to_owned()));
    world.nothing_is_revoked().await;
}
