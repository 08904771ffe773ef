//! Beyond the twelve classes: a message that ends sessions, and whose sender is not the issuer. A
//! logout token is accepted only from the issuer, only for one of the configured clients, only once,
//! and only for a limited time. No other token is accepted as a logout token, and a logout token is not
//! accepted as any other token. The response is 200 only if the logout is stored.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use portcullis::config::IssuerResolver;
use portcullis::feed::{LogoutMatch, LogoutReceiver, Revocations};
use portcullis::keys::SharedKeySet;
use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, Scene, TestKey, TestToken, gate_rule,
};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, Gate, IssuerSettings, RequestView, Revocation,
};

use super::class_13_revocation_feed::{APPENDS, Faulty, following};

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const INVALID: &str =
    r#"{"error":"invalid_request","error_description":"the logout token is not acceptable"}"#;

pub(super) struct World {
    pub(super) scene: Scene,
    pub(super) receiver: LogoutReceiver,
    pub(super) gate: Gate,
}

impl World {
    async fn new() -> Self {
        Self::with(Revocations::in_memory(), |builder| builder).await
    }

    pub(super) async fn with(
        revocations: Revocations,
        change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let scene = Scene::with(|builder| {
            let builder = builder.max_token_lifetime(Duration::from_secs(900));
            change(builder.logout_clients(["web", "app"]).revocations(revocations))
        })
        .await;
        Self::of(scene)
    }

    pub(super) fn of(scene: Scene) -> Self {
        let receiver = LogoutReceiver::new(&scene.auth).unwrap();
        let feed = Revocation::feed(Duration::from_secs(5));
        let gate = scene.gate().revocation(feed).unwrap();
        Self { scene, receiver, gate }
    }

    /// A logout token for the client `web`, with a session and a subject.
    pub(super) fn logout(&self) -> TestToken {
        self.scene.logout_token("web").claim("sid", "s-1").claim("sub", "alice")
    }

    /// Returns the status of the response.
    pub(super) async fn post(&self, token: &str) -> u16 {
        let response = self.send("POST", FORM, &format!("logout_token={token}")).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let status = response.status().as_u16();
        match status {
            200 => assert!(response.body().is_empty()),
            400 => {
                assert_eq!(response.body(), INVALID);
                assert_eq!(response.headers()["content-type"], "application/json");
            }
            503 => assert!(response.headers().contains_key("retry-after")),
            other => unreachable!("{other}"),
        }
        status
    }

    pub(super) async fn send(
        &self,
        method: &str,
        content_type: &str,
        body: &str,
    ) -> Response<Bytes> {
        let request = Request::builder().method(method).header("content-type", content_type);
        let request = request.body(()).unwrap();
        let answer = self.receiver.receive(&request, body.as_bytes());
        // The future must be `Send`, so that any runtime can run it.
        fn is_send<F: Future + Send>(future: F) -> F {
            future
        }
        is_send(answer).await
    }

    /// Returns the rule for an access token of `subject` and session.
    pub(super) async fn rule(&self, subject: &str, session: &str) -> &'static str {
        let token = self.scene.token(subject).claim("sid", session);
        gate_rule(&self.gate, &token.headers()).await
    }

    pub(super) async fn nothing_is_revoked(&self) {
        assert_eq!(self.rule("alice", "s-1").await, "accepted");
    }
}

#[tokio::test]
async fn logout_token_ends_its_session_and_no_other() {
    let world = World::new().await;
    world.nothing_is_revoked().await;
    assert_eq!(world.post(&world.logout().sign()).await, 200);
    assert_eq!(world.rule("alice", "s-1").await, "revoked");
    assert_eq!(world.rule("alice", "s-2").await, "accepted");
    // The token is for one of several clients, and has several audiences.
    let other = world.logout().claim("aud", json!(["other", "app"])).claim("sid", "s-2");
    assert_eq!(world.post(&other.sign()).await, 200);
    assert_eq!(world.rule("alice", "s-2").await, "revoked");
}

#[tokio::test]
async fn logout_token_without_a_session_ends_the_earlier_tokens_of_its_subject() {
    let world = World::new().await;
    assert_eq!(world.post(&world.logout().without("sid").sign()).await, 200);
    assert_eq!(world.rule("alice", "s-1").await, "revoked");
    assert_eq!(world.rule("bob", "s-1").await, "accepted");
    world.scene.advance(11);
    assert_eq!(world.rule("alice", "s-3").await, "accepted", "a login heals");
}

#[tokio::test]
async fn match_by_subject_ignores_the_session() {
    let by_subject = |builder: AuthenticatorBuilder| builder.logout_match(LogoutMatch::Subject);
    let world = World::with(Revocations::in_memory(), by_subject).await;
    assert_eq!(world.post(&world.logout().without("sub").sign()).await, 400);
    world.nothing_is_revoked().await;
    assert_eq!(world.post(&world.logout().sign()).await, 200);
    for session in ["s-1", "s-2"] {
        assert_eq!(world.rule("alice", session).await, "revoked");
    }
    world.scene.advance(11);
    assert_eq!(world.rule("alice", "s-1").await, "accepted", "the session is ignored");
}

#[tokio::test]
async fn forged_and_unsigned_logout_tokens_are_400() {
    let world = World::new().await;
    let token = world.logout();
    let signed = token.sign();
    let stranger = std::sync::Arc::new(TestKey::generate("k", Algorithm::Es256));
    let unsigned = {
        let payload = signed.split('.').nth(1).unwrap();
        let header = super::support::encode(r#"{"alg":"none","typ":"logout+jwt"}"#);
        format!("{header}.{payload}.")
    };
    let other_payload = {
        let other = world.logout().claim("sid", "s-2").sign();
        let parts: Vec<_> = signed.split('.').collect();
        format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2])
    };
    for forged in [
        token.clone().signed_with(stranger).sign(),
        unsigned,
        other_payload,
        signed.rsplit_once('.').unwrap().0.to_owned() + ".",
        "a.b.c".to_owned(),
        String::new(),
    ] {
        assert_eq!(world.post(&forged).await, 400, "{forged}");
    }
    world.nothing_is_revoked().await;
}

#[tokio::test]
async fn misdirected_or_incomplete_logout_tokens_are_400() {
    let world = World::new().await;
    let valid = || world.logout();
    let other_event =
        json!({"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}});
    for (why, token) in [
        ("another client", valid().claim("aud", "other")),
        ("this API", valid().claim("aud", portcullis::testing::AUDIENCE)),
        ("no audience", valid().without("aud")),
        ("mixed audience", valid().claim("aud", json!(["web", 7]))),
        ("another issuer", valid().issuer("https://other.example")),
        ("no issuer", valid().without("iss")),
        ("no event", valid().without("events")),
        ("another event", valid().claim("events", other_event)),
        ("event as a text", valid().claim("events", EVENT)),
        ("event that is no object", valid().claim("events", json!({EVENT: true}))),
        ("event in an array", valid().claim("events", json!([{EVENT: {}}]))),
        ("a nonce", valid().claim("nonce", "n")),
        ("an empty nonce", valid().claim("nonce", Value::Null)),
        ("no jti", valid().without("jti")),
        ("empty jti", valid().claim("jti", "")),
        ("jti that is no string", valid().claim("jti", 7)),
        ("no iat", valid().without("iat")),
        ("iat that is no date", valid().claim("iat", "now")),
        ("exp that is no date", valid().claim("exp", "later")),
        ("neither sid nor sub", valid().without("sid").without("sub")),
        ("sid that is no string", valid().claim("sid", 7)),
        ("sub that is no string", valid().claim("sub", json!(["alice"]))),
        ("empty sid", valid().claim("sid", "")),
        ("sid with NUL", valid().claim("sid", "s\0")),
        ("at+jwt", valid().header("typ", "at+jwt")),
        ("secevent+jwt", valid().header("typ", "secevent+jwt")),
        ("JWT", valid().header("typ", "JWT")),
        ("crit", valid().header("crit", json!(["x"]))),
    ] {
        assert_eq!(world.post(&token.sign()).await, 400, "{why}");
    }
    world.nothing_is_revoked().await;
    // This is another form of the valid `typ`.
    let token = valid().header("typ", "application/LOGOUT+jwt");
    assert_eq!(world.post(&token.sign()).await, 200);
}

#[tokio::test]
async fn duplicated_claims_are_400() {
    let world = World::new().await;
    let token = world.logout().sign();
    let claims = super::support::decode(token.split('.').nth(1).unwrap());
    let claims = String::from_utf8(claims).unwrap();
    let header = r#"{"alg":"ES256","kid":"k","typ":"logout+jwt"}"#;
    for (old, new) in [
        ("{", r#"{"sid":"s-9","#),
        ("{", r#"{"x":1,"x":2,"#),
        (r#"logout":{}"#, r#"logout":{},"http://schemas.openid.net/event/backchannel-logout":{}"#),
    ] {
        let twice = claims.replacen(old, new, 1);
        assert_ne!(twice, claims);
        assert_eq!(world.post(&world.scene.key.sign(header, &twice)).await, 400, "{twice}");
    }
    assert_eq!(world.post(&world.scene.key.sign(header, &claims)).await, 200);
}

#[tokio::test]
async fn old_and_future_logout_tokens_are_400() {
    let world = World::new().await;
    let now = world.scene.now();
    let valid = || world.logout();
    // The leeway is 10 s.
    for (why, token, status) in [
        ("expired", valid().claim("iat", now - 130).claim("exp", now - 10), 400),
        ("just not expired", valid().claim("iat", now - 130).claim("exp", now - 9), 200),
        ("in the future", valid().claim("iat", now + 11), 400),
        ("just ahead", valid().claim("iat", now + 10), 200),
        ("without exp, old", valid().claim("iat", now - 310).without("exp"), 400),
        ("without exp, recent", valid().claim("iat", now - 309).without("exp"), 200),
        ("valid for a day", valid().claim("iat", now - 3610).claim("exp", now + 86_400), 400),
        ("an hour old", valid().claim("iat", now - 3609).claim("exp", now + 86_400), 200),
        ("not yet valid", valid().claim("nbf", now + 11), 400),
    ] {
        assert_eq!(world.post(&token.sign()).await, status, "{why}");
    }
}

/// A `jti` is accepted only once, however late it is sent again, also by another instance and after a
/// restart.
#[tokio::test]
async fn replayed_logout_token_is_400() {
    let store = Faulty::default();
    let one = World::with(following(&store).build(), |builder| builder).await;
    let trusted = one.scene.keys.clone();
    let token = one.logout().without("sid").sign();
    assert_eq!(one.post(&token).await, 200);
    assert_eq!(one.post(&token).await, 400);
    let other =
        World::with(following(&store).build(), |builder| builder.key_source(trusted.clone())).await;
    assert_eq!(other.post(&token).await, 400);
    for world in [&one, &other] {
        while world.scene.now() < portcullis::testing::NOW + 3700 {
            world.scene.advance(50);
            assert_eq!(world.post(&token).await, 400);
        }
    }
    // A used `jti` with other content is a replay, too.
    let world = World::new().await;
    assert_eq!(world.post(&world.logout().claim("jti", "j").sign()).await, 200);
    assert_eq!(world.post(&world.logout().claim("jti", "j").claim("sid", "s-2").sign()).await, 400);
    assert_eq!(world.rule("alice", "s-2").await, "accepted");
}

#[tokio::test]
async fn other_tokens_are_not_accepted_as_logout_tokens() {
    let untyped = |builder: AuthenticatorBuilder| builder.untyped_logout_tokens();
    for world in [World::new().await, World::with(Revocations::in_memory(), untyped).await] {
        let access = world.scene.token("alice").claim("sid", "s-1").claim("aud", "web");
        let id = world.logout().without("events").header("typ", "JWT").claim("nonce", "n");
        for (why, token) in [
            ("an access token", access.clone()),
            ("an untyped access token", access.clone().header("typ", "JWT")),
            ("an access token of the type", access.header("typ", "logout+jwt")),
            ("an ID token", id.clone()),
            ("an ID token of the type", id.clone().header("typ", "logout+jwt")),
            ("an ID token with an event", id.clone().claim("events", json!({EVENT: {}}))),
        ] {
            assert_eq!(world.post(&token.sign()).await, 400, "{why}");
        }
        world.nothing_is_revoked().await;
    }
}

#[tokio::test]
async fn logout_token_is_not_accepted_as_an_access_token() {
    let world = World::new().await;
    let audience = portcullis::testing::AUDIENCE;
    for typ in ["logout+jwt", "JWT", "at+jwt"] {
        let token = world.logout().claim("aud", audience).header("typ", typ);
        let rule = gate_rule(&world.gate, &token.headers()).await;
        assert!(["typ", "access_token"].contains(&rule), "{typ}: {rule}");
    }
}

/// Hydra's logout tokens have the `typ` `JWT`, no `sub` and no `exp`, and are signed with the key of
/// the ID tokens.
#[tokio::test]
async fn untyped_logout_tokens_are_accepted_where_the_setting_says() {
    let untyped =
        |builder: AuthenticatorBuilder| builder.untyped_logout_tokens().session_at(["ext", "sid"]);
    let world = World::with(Revocations::in_memory(), untyped).await;
    let of_id_tokens = std::sync::Arc::new(TestKey::generate("id", Algorithm::Rs256));
    world.scene.keys.replace(TestKey::key_set([&*world.scene.key, &*of_id_tokens]));
    let logout = world.logout().without("sub").without("exp").header("typ", "JWT");
    assert_eq!(world.post(&logout.signed_with(of_id_tokens).sign()).await, 200);
    let token = world.scene.token("alice").claim("ext", json!({"sid": "s-1"}));
    assert_eq!(gate_rule(&world.gate, &token.headers()).await, "revoked");
    for (typ, status) in [("at+jwt", 400), ("dpop+jwt", 400), ("logout+jwt", 200)] {
        assert_eq!(world.post(&world.logout().header("typ", typ).sign()).await, status, "{typ}");
    }
}

#[tokio::test]
async fn logout_is_acknowledged_only_when_it_is_stored() {
    let store = Faulty::default();
    let world = World::with(following(&store).build(), |builder| builder).await;
    let token = world.logout().sign();
    store.fail(APPENDS);
    assert_eq!(world.post(&token).await, 503);
    world.nothing_is_revoked().await;
    store.fail(0);
    // The refused attempt did not use up the token.
    assert_eq!(world.post(&token).await, 200);
    assert_eq!(world.rule("alice", "s-1").await, "revoked");
}

#[tokio::test]
async fn malformed_requests_are_rejected() {
    let world = World::new().await;
    let token = world.logout().sign();
    let body = format!("logout_token={token}");
    for method in ["GET", "PUT", "HEAD", "DELETE"] {
        let response = world.send(method, FORM, &body).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"POST".parse().unwrap())
        );
    }
    for content_type in ["application/json", "text/plain", "", "multipart/form-data"] {
        assert_eq!(world.send("POST", content_type, &body).await.status(), 400, "{content_type}");
    }
    let twice = format!("{body}&{body}");
    for body in [twice.as_str(), "", "token=x", "logout_token=", &token] {
        assert_eq!(world.send("POST", FORM, body).await.status(), 400);
    }
    let long = format!("{body}&x={}", "y".repeat(LogoutReceiver::MAX_BODY_BYTES));
    assert_eq!(world.send("POST", FORM, &long).await.status(), 413);
    let two_types = Request::post("/").header("content-type", FORM).header("content-type", FORM);
    let response = world.receiver.receive(&two_types.body(()).unwrap(), body.as_bytes()).await;
    assert_eq!(response.status(), 400);
    world.nothing_is_revoked().await;
    let charset = format!("{FORM};charset=UTF-8");
    assert_eq!(world.send("POST", &charset, &format!("x=1&{body}")).await.status(), 200);
}

/// Logout tokens with unknown `kid`s spend the same budget as access tokens.
#[tokio::test]
async fn flood_of_unknown_kids_costs_few_fetches() {
    let scene = Scene::unpublished_with(|builder| {
        builder
            .max_token_lifetime(Duration::from_secs(900))
            .logout_clients(["web"])
            .revocations(Revocations::in_memory())
    })
    .await;
    scene.publish([&*scene.key]);
    let world = World::of(scene);
    let valid = world.logout();
    assert_eq!(world.post(&valid.sign()).await, 200);
    let before = world.scene.fetch.requests().len();
    for number in 0..100 {
        let forged = world.logout().header("kid", format!("unknown-{number}"));
        let status = world.post(&forged.sign()).await;
        assert!([400, 503].contains(&status), "{status}");
    }
    let fetches = world.scene.fetch.requests().len() - before;
    assert!(fetches <= 3, "{fetches} fetches");
    // Access tokens share this budget.
    let unknown = world.scene.token("alice").header("kid", "unknown");
    assert_eq!(gate_rule(&world.gate, &unknown.headers()).await, "key_budget_spent");
    assert_eq!(world.scene.fetch.requests().len() - before, fetches);
    assert_eq!(world.post(&world.logout().sign()).await, 200);
}

#[tokio::test]
async fn unreachable_keys_are_503_and_not_a_bad_token() {
    let scene = Scene::unpublished_with(|builder| {
        builder
            .max_token_lifetime(Duration::from_secs(900))
            .logout_clients(["web"])
            .revocations(Revocations::in_memory())
    })
    .await;
    scene.fetch.set(JWKS, Answer::Fails);
    let world = World::of(scene);
    let token = world.logout().sign();
    assert_eq!(world.post(&token).await, 503);
    world.scene.publish([&*world.scene.key]);
    assert_eq!(world.post(&token).await, 200);
}

#[tokio::test]
async fn issuer_without_logout_clients_sends_none() {
    let scene = Scene::with(|builder| {
        builder
            .max_token_lifetime(Duration::from_secs(900))
            .revocations(Revocations::in_memory())
            .also_issuer(
                portcullis::IssuerSettings::new("https://other.example", "x")
                    .max_token_lifetime(Duration::from_secs(900))
                    .logout_clients(["web"])
                    .key_source(portcullis::keys::SharedKeySet::new(Default::default())),
            )
    })
    .await;
    let world = World::of(scene);
    assert_eq!(world.post(&world.logout().sign()).await, 400);
    world.nothing_is_revoked().await;

    let scene = Scene::with(|builder| builder.logout_clients(["web"])).await;
    let error = LogoutReceiver::new(&scene.auth).unwrap_err().to_string();
    assert!(error.contains("`revocations`") && error.contains("`logout_clients`"), "{error}");
    let feed = Scene::with(|builder| {
        let builder = builder.max_token_lifetime(Duration::from_secs(900));
        builder.revocations(Revocations::in_memory())
    });
    assert!(LogoutReceiver::new(&feed.await.auth).is_err());
}

/// Two tenants who claim the same issuer, each with keys of its own.
#[tokio::test]
async fn logout_token_of_one_rule_set_ends_no_session_of_another() {
    struct Hosts([SharedKeySet; 2]);
    impl IssuerResolver for Hosts {
        fn select<'a>(&'a self, _: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
            request.host()
        }

        fn resolve(&self, host: &str) -> Option<IssuerSettings> {
            let keys = self.0[usize::from(host != "victim.example")].clone();
            let settings = IssuerSettings::new(ISSUER, AUDIENCE).key_source(keys);
            Some(settings.max_token_lifetime(Duration::from_secs(900)).logout_clients(["web"]))
        }
    }

    let [victim, attacker] = ["v", "a"].map(|id| Arc::new(TestKey::generate(id, Algorithm::Es256)));
    let hosts = [&victim, &attacker].map(|key| SharedKeySet::new(TestKey::key_set([&**key])));
    let auth = Authenticator::builder_with_resolver(Hosts(hosts))
        .clock(ManualClock::at(NOW))
        .revocations(Revocations::in_memory())
        .build()
        .await
        .unwrap();
    let receiver = LogoutReceiver::new(&auth).unwrap();
    let gate = Gate::new(auth).revocation(Revocation::feed(Duration::from_secs(5))).unwrap();
    let token = TestToken::new(victim, ISSUER, "alice", NOW).claim("sid", "s-1").sign();
    let accepted = async || {
        let request = Request::get("/").header("host", "victim.example");
        let request = request.header("authorization", format!("Bearer {token}")).body(()).unwrap();
        gate.authenticate(&request).await.is_ok()
    };
    assert!(accepted().await);
    let logout = TestToken::logout(attacker, ISSUER, "web", NOW).claim("sid", "s-1");
    let request = Request::post("/").header("host", "evil.example").header("content-type", FORM);
    let body = format!("logout_token={}", logout.sign());
    let response = receiver.receive(&request.body(()).unwrap(), body.as_bytes()).await;
    assert_eq!(response.status(), 400);
    assert!(accepted().await);
}
