//! Back-channel logout: clients with a URI receive a logout token for each ended session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use portcullis::clock::SystemClock;
use portcullis::keys::KeySet;
use portcullis::{Algorithm, signature};
use portcullis_issuer::{ClientRight, ClientUpdate, Issuer, IssuerConfig, NewClient, NewUser};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::net::TcpListener;

use crate::clients::{active, basic, form};
use crate::common::{
    Answer, Home, ISSUER, PASSWORD, call, login, login_own, on_every_store, part, post, refresh,
    stranger, with_token,
};
use crate::second_factor::ask;

on_every_store!(
    logout_token_names_the_session_the_user_and_the_client,
    logout_token_is_no_access_token,
    every_way_to_end_a_session_is_reported,
    sessions_deleted_by_sql_are_reported,
    failed_attempt_is_retried_with_the_same_jti,
    rejected_logout_token_is_dropped_and_recorded,
    undelivered_logout_token_is_dropped_when_the_access_tokens_have_expired,
    expired_session_is_not_reported,
    only_enabled_clients_with_a_uri_are_told,
    waiting_logout_tokens_of_a_client_are_limited,
    one_message_is_written_in_the_transaction_that_ends_the_session,
    uri_is_checked_when_it_is_set_and_before_each_attempt,
);

/// A client's server, which keeps the requests that it receives.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<u16>>,
    /// How long it takes to answer.
    delay: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Received {
    path: String,
    content_type: String,
    pub(crate) token: String,
}

impl Received {
    pub(crate) fn claims(&self) -> Value {
        part(&self.token, 1)
    }

    pub(crate) fn claim(&self, name: &str) -> String {
        self.claims()[name].as_str().unwrap().to_owned()
    }
}

/// The status with which a receiver does not answer at all.
pub(crate) const SILENT: u16 = 999;

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_slow(Duration::ZERO).await
    }

    /// Starts a server that answers each request after this time.
    pub(crate) async fn start_slow(delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (received, answer) = (Arc::default(), Arc::new(Mutex::new(200)));
        let this = Self { url, received, answer, delay };
        let app = Router::new().fallback(Self::receive).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        this
    }

    async fn receive(
        State(this): State<Self>,
        uri: Uri,
        headers: HeaderMap,
        body: String,
    ) -> Response {
        let token = body.strip_prefix("logout_token=").unwrap().to_owned();
        let content_type = headers["content-type"].to_str().unwrap().to_owned();
        let path = uri.path().to_owned();
        this.received.lock().unwrap().push(Received { path, content_type, token });
        let status = *this.answer.lock().unwrap();
        if status == SILENT {
            std::future::pending::<()>().await;
        }
        if !this.delay.is_zero() {
            tokio::time::sleep(this.delay).await;
        }
        let location = [("location", "/elsewhere")];
        // The body is longer than any issuer would want to read.
        let body = if status == 200 { "x".repeat(2_000_000) } else { String::new() };
        (StatusCode::from_u16(status).unwrap(), location, body).into_response()
    }

    pub(crate) fn answers(&self, status: u16) {
        *self.answer.lock().unwrap() = status;
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until `count` requests have arrived in total, and returns them.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let received = self.all();
            if received.len() >= count {
                assert_eq!(received.len(), count, "{received:?}");
                return received;
            }
            assert!(Instant::now() < deadline, "{} of {count} arrived", received.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Adds a client with the URI `/<id>` of the receiver, and returns its credentials.
pub(crate) async fn add(issuer: &Issuer, id: &str, receiver: &Receiver) -> String {
    let client = NewClient::new(id).backchannel_logout_uri(format!("{}/{id}", receiver.url));
    let client = client.rights([ClientRight::IntrospectAll, ClientRight::ContinueSessions]);
    basic(id, &issuer.add_client(client).await.unwrap().unwrap())
}

/// Opens an issuer with a user, a client with a receiver, and the system's clock, which SQL uses.
pub(crate) async fn open(
    home: &Home,
    change: impl FnOnce(&mut IssuerConfig),
) -> (Issuer, Receiver, String) {
    let mut config = home.config();
    config.clock = Arc::new(SystemClock::new());
    change(&mut config);
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    let receiver = Receiver::start().await;
    let client = add(&issuer, "web", &receiver).await;
    (issuer, receiver, client)
}

pub(crate) fn sid(grant: &Answer) -> String {
    part(&grant.text("access_token"), 1)["sid"].as_str().unwrap().to_owned()
}

/// Runs statements as an operator would in a shell of the database.
pub(crate) async fn sql(home: &Home, statement: &str) {
    let statement = AssertSqlSafe(statement.to_owned());
    match home.postgres() {
        Some(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        None => {
            let mut connection = stranger(home).await;
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
    }
}

pub(crate) const WAITING: &str = "SELECT count(*) FROM logout_messages";

pub(crate) async fn until_waiting(home: &Home, count: i64) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while home.count(WAITING).await != count {
        let waiting = home.count(WAITING).await;
        assert!(Instant::now() < deadline, "{waiting} messages wait instead of {count}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for longer than the interval in which an issuer looks for messages.
pub(crate) async fn some_polls() {
    tokio::time::sleep(Duration::from_millis(1200)).await;
}

async fn logout_token_names_the_session_the_user_and_the_client(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    add(&issuer, "web", &receiver).await;
    add(&issuer, "app", &receiver).await;
    issuer.add_client(NewClient::new("without")).await.unwrap();
    let grant = login(&issuer).await.expect(200);
    home.advance(7);
    let logout = json!({ "refresh_token": grant.text("refresh_token") });
    let begun = Instant::now();
    post(&issuer, "/v1/auth/logout", &logout).await.expect(204);
    let received = receiver.wait_for(2).await;
    println!("received {:?} after the logout", begun.elapsed());

    let keys = call(&issuer, "GET /.well-known/jwks.json", &[]).await.expect(200).json;
    let keys = KeySet::from_json(keys.to_string().as_bytes()).unwrap();
    let (subject, now) = (issuer.account("alice").await.unwrap().id, home.now());
    let mut ids = Vec::new();
    for client in ["web", "app"] {
        let request = received.iter().find(|it| it.path == format!("/{client}")).unwrap();
        assert_eq!(request.content_type, "application/x-www-form-urlencoded");
        let header = part(&request.token, 0);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("ES256")));
        signature::verify(&request.token, &keys, Algorithm::ALL).unwrap();
        let claims = request.claims();
        ids.push(request.claim("jti"));
        let expected = json!({
            "iss": ISSUER, "sub": subject, "aud": client, "sid": sid(&grant),
            "iat": now, "exp": now + 120, "toe": now, "jti": ids.last(),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        assert_eq!(claims, expected);
    }
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 32), "{ids:?}");
    until_waiting(&home, 0).await;
    some_polls().await;
    assert_eq!(receiver.all().len(), 2, "a message is sent once");
    let metadata = call(&issuer, "GET /.well-known/openid-configuration", &[]).await.json;
    for member in ["backchannel_logout_supported", "backchannel_logout_session_supported"] {
        assert_eq!(metadata[member], true, "{member}");
    }
}

async fn logout_token_is_no_access_token(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    let client = add(&issuer, "web", &receiver).await;
    for _ in 0..2 {
        login(&issuer).await.expect(200);
    }
    let ended = login(&issuer).await.expect(200);
    let logout = json!({ "refresh_token": ended.text("refresh_token") });
    post(&issuer, "/v1/auth/logout", &logout).await.expect(204);
    let token = receiver.wait_for(1).await.remove(0).token;
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    assert_eq!(active(&issuer, &client, &token).await, json!({ "active": false }));
    let live = "SELECT count(*) FROM sessions WHERE ended_at IS NULL";
    form(&issuer, "/oauth/revoke", &client, &format!("token={token}")).await;
    assert_eq!(home.count(live).await, 2, "it revokes nothing");
}

async fn every_way_to_end_a_session_is_reported(home: Home) {
    let (issuer, receiver, client) = open(&home, |config| {
        config.refresh_grace = Duration::ZERO;
    })
    .await;
    let alice = issuer.account("alice").await.unwrap().id;
    let mut count = 0;
    for way in [
        "logout",
        "token",
        "everywhere",
        "delete",
        "own password",
        "password",
        "revoke",
        "reuse",
        "administrator",
        "all",
        "disable",
        "disable by SQL",
        "end by SQL",
        "remove",
    ] {
        if way == "administrator" {
            issuer.set_scopes("alice", [portcullis_issuer::ADMIN_SCOPE]).await.unwrap();
        }
        let grant = login_own(&issuer).await.expect(200);
        let (access, again) = (grant.text("access_token"), grant.text("refresh_token"));
        let ended = sid(&grant);
        let bearer = format!("Bearer {access}");
        match way {
            "logout" => {
                let body = json!({ "refresh_token": again });
                post(&issuer, "/v1/auth/logout", &body).await.expect(204);
            }
            "token" => {
                with_token(&issuer, "POST /v1/auth/logout", &access).await.expect(204);
            }
            "everywhere" => {
                let line = "POST /v1/auth/logout-everywhere";
                assert!(with_token(&issuer, line, &access).await.status.is_success());
            }
            "delete" => {
                let line = format!("DELETE /v1/auth/sessions/{ended}");
                call(&issuer, &line, &[("authorization", &bearer)]).await.expect(204);
            }
            "own password" => {
                let other = login_own(&issuer).await.expect(200).text("access_token");
                let body = json!({ "password": PASSWORD, "new_password": PASSWORD.repeat(2) });
                let changed = ask(&issuer, "/v1/auth/password", &other, body).await;
                assert!(changed.status.is_success(), "{changed:?}");
                issuer.set_password("alice", PASSWORD).await.unwrap();
                count += 1;
            }
            "password" => assert_eq!(issuer.set_password("alice", PASSWORD).await.unwrap(), 1),
            "revoke" => {
                let body = format!("token={again}");
                assert_eq!(form(&issuer, "/oauth/revoke", &client, &body).await.status, 200);
            }
            "reuse" => {
                refresh(&issuer, &again).await.expect(200);
                tokio::time::sleep(Duration::from_millis(1100)).await;
                refresh(&issuer, &again).await.expect(401);
            }
            "administrator" => {
                let line = format!("DELETE /v1/admin/users/{alice}/sessions");
                let done = call(&issuer, &line, &[("authorization", &bearer)]).await;
                assert!(done.status.is_success(), "{done:?}");
            }
            "all" => assert_eq!(issuer.end_all_sessions().await.unwrap(), 1),
            "disable" => {
                assert_eq!(issuer.disable_user("alice").await.unwrap(), 1);
                issuer.enable_user("alice").await.unwrap();
            }
            "disable by SQL" => {
                // This time is long past, but the message is sent nevertheless.
                sql(&home, "UPDATE users SET disabled_at = 1").await;
                issuer.enable_user("alice").await.unwrap();
            }
            "end by SQL" => {
                sql(
                    &home,
                    "UPDATE sessions SET ended_at = 1, end_reason = 'deleted' \
                            WHERE ended_at IS NULL",
                )
                .await;
            }
            _ => assert_eq!(issuer.remove_user("alice").await.unwrap(), 1),
        }
        count += 1;
        let received = receiver.wait_for(count).await;
        let told = received.iter().filter(|it| it.claim("sid") == ended).count();
        assert_eq!(told, 1, "{way}: {received:?}");
        assert!(received.iter().all(|it| it.claim("sub") == alice), "{way}");
    }
}

async fn sessions_deleted_by_sql_are_reported(home: Home) {
    let (issuer, receiver, _) = open(&home, |_| ()).await;
    let mut ways = vec!["DELETE FROM sessions"];
    if home.postgres().is_some() {
        ways.push("TRUNCATE sessions CASCADE");
    }
    ways.push("DELETE FROM users");
    for (index, statement) in ways.iter().enumerate() {
        let ended = sid(&login(&issuer).await.expect(200));
        sql(&home, statement).await;
        let received = receiver.wait_for(index + 1).await;
        assert!(received.iter().any(|it| it.claim("sid") == ended), "{statement}");
    }
}

async fn failed_attempt_is_retried_with_the_same_jti(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    add(&issuer, "web", &receiver).await;
    let failures = [503, 500, 404, 401, 302, 201];
    receiver.answers(failures[0]);
    login(&issuer).await.expect(200);
    issuer.end_all_sessions().await.unwrap();
    let mut wait = 1;
    for index in 0..failures.len() {
        let received = receiver.wait_for(index + 1).await;
        assert_eq!(received[index].claims()["iat"], home.now());
        until_due(&home, wait).await;
        // The answer is set before the clock advances, so that the next attempt gets it.
        receiver.answers(failures.get(index + 1).copied().unwrap_or(204));
        home.advance(wait);
        wait *= 2;
    }
    let received = receiver.wait_for(failures.len() + 1).await;
    assert!(received.iter().all(|it| it.path == "/web"), "a redirect is followed: {received:?}");
    assert!(received.iter().all(|it| it.claim("jti") == received[0].claim("jti")), "{received:?}");
    let last = received.last().unwrap().claims();
    assert_eq!(last["exp"].as_u64().unwrap(), home.now() + 120, "each attempt is signed again");
    assert_eq!(last["toe"], received[0].claims()["toe"]);
    until_waiting(&home, 0).await;
    assert!(!recorded(&issuer).await);
}

/// Waits until the next attempt is due in `secs`: the result of the attempt is stored.
pub(crate) async fn until_due(home: &Home, secs: u64) {
    let due = i64::try_from(home.now() + secs).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while home.count("SELECT next_at FROM logout_messages").await != due {
        assert!(Instant::now() < deadline, "the next attempt is not due in {secs} s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn recorded(issuer: &Issuer) -> bool {
    let events = issuer.events(0, 1000).await.unwrap();
    events.iter().any(|event| event.kind == "logout_not_delivered")
}

async fn rejected_logout_token_is_dropped_and_recorded(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    add(&issuer, "web", &receiver).await;
    receiver.answers(400);
    // The client has the signing key: the key set may be cached for 300 s, and clocks may differ by 60 s.
    home.advance(361);
    let ended = sid(&login(&issuer).await.expect(200));
    issuer.end_all_sessions().await.unwrap();
    receiver.wait_for(1).await;
    until_waiting(&home, 0).await;
    home.advance(600);
    some_polls().await;
    assert_eq!(receiver.all().len(), 1);
    let events = issuer.events(0, 1000).await.unwrap();
    let event = events.iter().find(|event| event.kind == "logout_not_delivered").unwrap();
    assert_eq!(event.client_id.as_deref(), Some("web"));
    assert_eq!(event.session_id.as_ref(), Some(&ended));
    assert_eq!(event.user_id, Some(issuer.account("alice").await.unwrap().id));
}

async fn undelivered_logout_token_is_dropped_when_the_access_tokens_have_expired(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    add(&issuer, "web", &receiver).await;
    receiver.answers(503);
    login(&issuer).await.expect(200);
    issuer.end_all_sessions().await.unwrap();
    receiver.wait_for(1).await;
    until_due(&home, 1).await;
    // The lifetime of access tokens, and twice the clock skew.
    home.advance(900 + 120 - 1);
    receiver.wait_for(2).await;
    assert!(!recorded(&issuer).await);
    home.advance(10);
    until_waiting(&home, 0).await;
    some_polls().await;
    assert_eq!(receiver.all().len(), 2);
    assert!(recorded(&issuer).await);
}

async fn expired_session_is_not_reported(home: Home) {
    // The session is so old that it has also expired by the database's clock.
    let clock = portcullis::testing::ManualClock::at(1_700_000_000);
    let (issuer, _, _) = open(&home, |config| {
        config.clock = Arc::new(clock.clone());
        config.refresh_expiry = config.access_expiry;
    })
    .await;
    for tidies in [false, true] {
        login(&issuer).await.expect(200);
        clock.advance(Duration::from_secs(901));
        if tidies {
            issuer.tidy().await.unwrap();
        } else {
            issuer.end_all_sessions().await.unwrap();
        }
        let live = "SELECT count(*) FROM sessions WHERE ended_at IS NULL";
        assert_eq!(home.count(live).await, 0);
        assert_eq!(home.count(WAITING).await, 0, "{tidies}");
    }
}

async fn only_enabled_clients_with_a_uri_are_told(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    issuer.add_client(NewClient::new("without")).await.unwrap();
    for id in ["disabled", "removed", "moved", "cleared"] {
        add(&issuer, id, &receiver).await;
    }
    issuer.disable_client("disabled").await.unwrap();
    receiver.answers(503);
    let end = async || {
        login(&issuer).await.expect(200);
        issuer.end_all_sessions().await.unwrap();
    };
    end().await;
    let received = receiver.wait_for(3).await;
    assert!(received.iter().all(|it| it.path != "/disabled"), "{received:?}");
    issuer.remove_client("removed").await.unwrap();
    assert_eq!(home.count(WAITING).await, 2);
    let cleared = ClientUpdate::new().no_backchannel_logout_uri();
    issuer.update_client("cleared", cleared).await.unwrap();
    let moved = ClientUpdate::new().backchannel_logout_uri(format!("{}/new", receiver.url));
    issuer.update_client("moved", moved).await.unwrap();
    receiver.answers(200);
    // A change of other settings keeps the URI.
    issuer.update_client("moved", ClientUpdate::new().scopes(["a"])).await.unwrap();
    issuer.enable_client("disabled").await.unwrap();
    home.advance(20);
    let received = receiver.wait_for(4).await;
    assert_eq!(received[3].path, "/new");
    until_waiting(&home, 1).await;
    end().await;
    let received = receiver.wait_for(6).await;
    let mut paths: Vec<_> = received[4..].iter().map(|it| it.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/disabled", "/new"]);
}

async fn waiting_logout_tokens_of_a_client_are_limited(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    receiver.answers(503);
    add(&issuer, "web", &receiver).await;
    let (now, later) = (home.now(), home.now() + 100_000);
    sql(
        &home,
        &format!(
            "INSERT INTO logout_messages \
             (id, client_id, session_id, user_id, ended_at, next_at, expires_at) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100250) \
             SELECT 'm' || i, 'web', 's' || i, 'u', {now}, {later}, {now} + i FROM n"
        ),
    )
    .await;
    home.advance(10);
    call(&issuer, "GET /healthz", &[]).await;
    until_waiting(&home, 100_000).await;
    assert_eq!(
        home.count("SELECT min(expires_at) FROM logout_messages").await,
        i64::try_from(now + 251).unwrap(),
        "the oldest are dropped"
    );
    let events = issuer.events(0, 1000).await.unwrap();
    let dropped = events.iter().filter(|event| event.kind == "logout_not_delivered");
    let dropped: Vec<_> = dropped.map(|event| (event.client_id.as_deref(), event.count)).collect();
    assert_eq!(dropped, [(Some("web"), Some(250))]);
}

async fn one_message_is_written_in_the_transaction_that_ends_the_session(home: Home) {
    // The issuer serves no requests, so it sends nothing.
    let (issuer, _, _) = open(&home, |_| ()).await;
    login(&issuer).await.expect(200);
    drop(issuer);
    let undone = "BEGIN; UPDATE users SET disabled_at = 1; ROLLBACK";
    sql(&home, undone).await;
    assert_eq!(home.count(WAITING).await, 0);
    sql(&home, "UPDATE users SET disabled_at = 1").await;
    sql(&home, "UPDATE sessions SET ended_at = 2").await;
    assert_eq!(home.count(WAITING).await, 1);
    sql(&home, "DELETE FROM users").await;
    assert_eq!(home.count(WAITING).await, 1);
}

async fn uri_is_checked_when_it_is_set_and_before_each_attempt(home: Home) {
    let (issuer, receiver, _) = open(&home, |_| ()).await;
    for wrong in ["http://app.example/logout", "https://app.example/#here", "app.example", ""] {
        let client = NewClient::new("other").backchannel_logout_uri(wrong);
        let error = issuer.add_client(client).await.unwrap_err().to_string();
        assert!(error.contains("must be an https URL"), "{wrong}: {error}");
        let update = ClientUpdate::new().backchannel_logout_uri(wrong);
        assert!(issuer.update_client("web", update).await.is_err(), "{wrong}");
    }
    let stored = issuer.clients().await.unwrap().remove(0).backchannel_logout_uri;
    assert_eq!(stored, Some(format!("{}/web", receiver.url)));
    sql(&home, "UPDATE clients SET backchannel_logout_uri = backchannel_logout_uri || '#here'")
        .await;
    login(&issuer).await.expect(200);
    issuer.end_all_sessions().await.unwrap();
    let attempts = "SELECT attempts FROM logout_messages";
    let deadline = Instant::now() + Duration::from_secs(20);
    while home.count(attempts).await == 0 {
        assert!(Instant::now() < deadline, "no attempt was made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    some_polls().await;
    assert!(receiver.all().is_empty());
}

/// Returns how often each `jti` was received.
pub(crate) fn by_id(received: &[Received]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for request in received {
        *counts.entry(request.claim("jti")).or_default() += 1;
    }
    counts
}
