//! The thirteenth class on routes with introspection. A token is accepted only if its issuer reports
//! it as active, in response to an introspection request that was sent after the caller's request
//! arrived.
//!
//! The tests use gates with a scripted issuer and a manual clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, Gate, IssuerSettings, Refusal, Revocation,
    adapter::{Requirement, Site, admit},
    config::IssuerResolver,
    fetch::{Fetch, FetchRequest, Fetching},
    keys::SharedKeySet,
};

use super::support::{AUDIENCE, ISSUER, NOW, bearer, builder, verdict, verdict_now};

const ASKED: &str = "https://issuer.example/oauth/introspect";
const ACTIVE: &str = r#"{"active":true}"#;
const INACTIVE: &str = r#"{"active":false}"#;

struct World {
    auth: Authenticator,
    key: TestKey,
    fetch: ScriptedFetch,
    clock: ManualClock,
    secret: tempfile::NamedTempFile,
}

impl World {
    async fn new() -> Self {
        Self::with(ScriptedFetch::default(), |builder| builder).await
    }

    /// A world whose authenticator fetches with `fetch`.
    async fn with(
        fetch: impl Fetch + Clone,
        change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let key = TestKey::generate("k", Algorithm::Es256);
        let clock = ManualClock::at(NOW);
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "s3cret:%\n").unwrap();
        let builder = builder(&key)
            .fetch(fetch.clone())
            .clock(clock.clone())
            .introspection_url(ASKED)
            .introspection_client_id("an api")
            .introspection_secret_file(secret.path());
        let auth = change(builder).build().await.unwrap();
        let any: Box<dyn std::any::Any> = Box::new(fetch);
        let fetch = any.downcast::<ScriptedFetch>().map(|fetch| *fetch).unwrap_or_default();
        Self { auth, key, fetch, clock, secret }
    }

    fn answers(&self, body: &str) {
        self.fetch.set(ASKED, Answer::ok(body));
    }

    fn advance(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    fn token(&self, subject: &str) -> HeaderMap {
        let token = self.key.token(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": NOW + 86_400,
        }));
        bearer(&token)
    }

    /// The outcome of a request: `passes`, or the rule that rejects it.
    async fn ask(&self, revocation: Revocation, request: &HeaderMap) -> &'static str {
        match outcome(&Gate::new(self.auth.clone()).revocation(revocation).unwrap(), request).await
        {
            Ok(()) => "passes",
            Err(refusal) => {
                let answered = (refusal.rule(), refusal.status().as_u16());
                assert!(matches!(answered, ("status", 503) | (_, 401)), "{answered:?}");
                refusal.rule()
            }
        }
    }

    fn questions(&self) -> usize {
        self.fetch.posts().len()
    }
}

async fn outcome(gate: &Gate, request: &HeaderMap) -> Result<(), Refusal> {
    verdict(gate, request).await.map(drop)
}

/// The token is in the token cache from the first request on.
#[tokio::test]
async fn revocation_is_enforced_at_the_next_request() {
    let world = World::new().await;
    let token = world.token("a");
    world.answers(ACTIVE);
    assert_eq!(world.ask(Revocation::live(), &token).await, "passes");
    assert_eq!(world.ask(Revocation::live(), &token).await, "passes");
    world.answers(INACTIVE);
    assert_eq!(world.ask(Revocation::live(), &token).await, "inactive");
    assert_eq!(world.questions(), 3);
    // A route that does not require introspection sends no request.
    assert_eq!(world.ask(Revocation::expiry(), &token).await, "passes");
    assert_eq!(world.questions(), 3);
}

#[tokio::test]
async fn introspection_request_is_rfc_7662_with_the_current_secret() {
    let world = World::new().await;
    world.answers(ACTIVE);
    let request = world.token("a");
    assert_eq!(world.ask(Revocation::live(), &request).await, "passes");
    std::fs::write(world.secret.path(), "another").unwrap();
    assert_eq!(world.ask(Revocation::live(), &request).await, "passes");
    let token = request["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let form = format!("token={token}&token_type_hint=access_token");
    // The base64 of `an+api:s3cret%3A%25` and of `an+api:another`.
    let secrets = ["YW4rYXBpOnMzY3JldCUzQSUyNQ==", "YW4rYXBpOmFub3RoZXI="];
    let posts = world.fetch.posts();
    assert_eq!(posts.len(), 2);
    for ((question, body), secret) in posts.iter().zip(secrets) {
        assert_eq!(question.url, ASKED);
        assert_eq!(body, form.as_bytes());
        assert_eq!(question.headers["content-type"], "application/x-www-form-urlencoded");
        let authorization = &question.headers["authorization"];
        assert_eq!(authorization, format!("Basic {secret}").as_str());
        assert!(authorization.is_sensitive());
        assert_eq!(question.max_body, 64 * 1024);
    }
    std::fs::write(world.secret.path(), " \n").unwrap();
    assert_eq!(world.ask(Revocation::live(), &request).await, "status");
    assert_eq!(world.questions(), 2);
}

#[tokio::test]
async fn invalid_introspection_response_is_503_and_not_revoked() {
    for answer in [
        Answer::Fails,
        Answer::status(401, r#"{"error":"invalid_client"}"#),
        Answer::status(401, ACTIVE),
        Answer::status(500, ACTIVE),
        Answer::status(204, ""),
        Answer::status(302, ACTIVE),
        Answer::ok(""),
        Answer::ok("true"),
        Answer::ok("{}"),
        Answer::ok(r#"{"active":"true"}"#),
        Answer::ok(r#"{"active":1}"#),
        Answer::ok(r#"{"active":null}"#),
        Answer::ok(r#"{"Active":true}"#),
        Answer::ok(r#"{"active":false,"active":true}"#),
        Answer::ok(r#"[{"active":true}]"#),
        Answer::ok(r#"{"active":true}{"#),
        Answer::ok(r#"{"active":true,"exp":"never"}"#),
        Answer::ok(format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(64 * 1024))),
    ] {
        let world = World::new().await;
        world.fetch.set(ASKED, answer.clone());
        assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, "status", "{answer:?}");
        // During back-off this token is not introspected again, but another token is.
        let asked = world.questions();
        assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, "status");
        assert!(world.questions() >= asked, "{answer:?}");
        world.answers(ACTIVE);
        assert_eq!(world.ask(Revocation::live(), &world.token("b")).await, "passes", "{answer:?}");
        world.advance(5_600);
        assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, "passes", "{answer:?}");
    }
}

#[tokio::test]
async fn unresponsive_introspection_waits_for_fetch_timeout() {
    let world = World::with(ScriptedFetch::default(), |builder| {
        builder.fetch_timeout(Duration::from_secs(1))
    })
    .await;
    world.fetch.set(ASKED, Answer::Hangs);
    let start = std::time::Instant::now();
    assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, "status");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn introspection_response_is_reused_only_with_reuse_for_and_before_its_exp() {
    let world = World::new().await;
    let token = world.token("a");
    let briefly = Revocation::live().reuse_for(Duration::from_millis(500));
    world.answers(ACTIVE);
    assert_eq!(world.ask(briefly, &token).await, "passes");
    world.answers(INACTIVE);
    world.advance(499);
    assert_eq!(world.ask(briefly, &token).await, "passes");
    assert_eq!(world.questions(), 1);
    // A route without `reuse_for` does not use that response.
    assert_eq!(world.ask(Revocation::live(), &token).await, "inactive");
    assert_eq!(world.ask(briefly, &token).await, "inactive");
    assert_eq!(world.questions(), 2);
    world.answers(ACTIVE);
    world.advance(500);
    assert_eq!(world.ask(briefly, &token).await, "passes");
    assert_eq!(world.questions(), 3);

    world.answers(&format!(r#"{{"active":true,"exp":{}}}"#, NOW + 2));
    let long = Revocation::live().reuse_for(Duration::from_secs(60));
    let other = world.token("b");
    assert_eq!(world.ask(long, &other).await, "passes");
    world.answers(INACTIVE);
    world.advance(1_000);
    assert_eq!(world.ask(long, &other).await, "passes");
    world.advance(1_000);
    assert_eq!(world.ask(long, &other).await, "exp");
}

/// A response within the outage age is not used while the issuer responds.
#[tokio::test]
async fn outage_age_is_not_used_while_the_issuer_is_available() {
    let world = World::new().await;
    let token = world.token("a");
    let route = Revocation::live().reuse_for(Duration::from_millis(500));
    let route = route.in_outage(Duration::from_secs(60));
    world.answers(ACTIVE);
    assert_eq!(world.ask(route, &token).await, "passes");
    world.answers(INACTIVE);
    world.advance(500);
    assert_eq!(world.ask(route, &token).await, "inactive");
}

/// The token is past the expiry in the issuer's response, but within the leeway: another request
/// would not change that expiry.
#[tokio::test]
async fn active_token_past_the_exp_of_the_response_is_401_after_one_request() {
    let world = World::new().await;
    world.answers(&format!(r#"{{"active":true,"exp":{NOW}}}"#));
    let token = world.token("a");
    for questions in 1..=3 {
        assert_eq!(world.ask(Revocation::live(), &token).await, "exp");
        assert_eq!(world.questions(), questions);
    }
}

/// Issuers also report an expired token as inactive. Within the leeway, such a response is not
/// treated as a revocation: the client can refresh the token, and its user need not log in.
#[tokio::test]
async fn inactive_token_that_has_expired_within_the_leeway_is_expired_and_not_revoked() {
    let world = World::new().await;
    world.answers(INACTIVE);
    let token = |exp| {
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": exp});
        bearer(&world.key.token(&claims))
    };
    for (exp, rule) in [(NOW - 5, "exp"), (NOW, "exp"), (NOW + 1, "inactive")] {
        let gate = Gate::new(world.auth.clone()).revocation(Revocation::live()).unwrap();
        let refusal = outcome(&gate, &token(exp)).await.unwrap_err();
        assert_eq!((refusal.status().as_u16(), refusal.rule()), (401, rule), "{exp}");
        assert_eq!(refusal.remedy().contains("refresh"), rule == "exp", "{}", refusal.remedy());
    }
}

#[tokio::test]
async fn outage_reuses_old_responses_only_with_in_outage_and_within_its_age() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.token("a"), world.token("b"), world.token("c"));
    let patient = Revocation::live().in_outage(Duration::from_secs(60));
    world.answers(ACTIVE);
    assert_eq!(world.ask(patient, &alice).await, "passes");
    world.answers(INACTIVE);
    assert_eq!(world.ask(patient, &bob).await, "inactive");
    world.fetch.set(ASKED, Answer::Fails);
    world.advance(59_000);
    for _ in 0..3 {
        assert_eq!(world.ask(patient, &alice).await, "passes");
        assert_eq!(world.ask(patient, &bob).await, "inactive");
        assert_eq!(world.ask(patient, &carol).await, "status");
        assert_eq!(world.ask(Revocation::live(), &alice).await, "status");
    }
    world.advance(1_000);
    assert_eq!(world.ask(patient, &alice).await, "status");
    // The issuer is back: its response is used from the next request on.
    world.answers(INACTIVE);
    world.advance(5_600);
    assert_eq!(world.ask(patient, &alice).await, "inactive");
}

#[tokio::test]
async fn old_response_is_used_only_during_back_off() {
    let world = World::new().await;
    let token = world.token("a");
    let route = Revocation::live().in_outage(Duration::from_secs(60));
    world.answers(ACTIVE);
    assert_eq!(world.ask(route, &token).await, "passes");
    world.fetch.set(ASKED, Answer::Fails);
    assert_eq!(world.ask(route, &token).await, "passes");
    let asked = world.questions();
    world.answers(INACTIVE);
    assert_eq!(world.ask(route, &token).await, "passes");
    assert_eq!(world.questions(), asked);
    world.advance(1_200);
    assert_eq!(world.ask(route, &token).await, "inactive");
}

#[tokio::test]
async fn panic_during_introspection_backs_off_like_any_failure() {
    #[derive(Debug, Clone, Default)]
    struct Panics(Arc<Mutex<u32>>);

    impl Fetch for Panics {
        fn get(&self, _: FetchRequest) -> Fetching<'_> {
            Box::pin(std::future::pending())
        }

        fn post(&self, _: FetchRequest, _: Bytes) -> Fetching<'_> {
            *self.0.lock().unwrap() += 1;
            Box::pin(async { panic!("a bug in the client") })
        }
    }

    let fetch = Panics::default();
    let world = World::with(fetch.clone(), |builder| builder).await;
    let token = world.token("a");
    for _ in 0..3 {
        assert_eq!(world.ask(Revocation::live(), &token).await, "status");
        assert_eq!(*fetch.0.lock().unwrap(), 1);
    }
}

#[test]
fn introspection_of_an_ended_runtime_is_restarted() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let world = first.block_on(World::new());
    world.fetch.set(ASKED, Answer::Hangs);
    let token = world.token("a");
    let asked = world.ask(Revocation::live(), &token);
    let hung_up = first
        .block_on(async { tokio::time::timeout(Duration::from_millis(500), asked).await.is_err() });
    assert!(hung_up && world.questions() == 1);
    drop(first);
    world.answers(ACTIVE);
    assert_eq!(runtime().block_on(world.ask(Revocation::live(), &token)), "passes");
}

/// Overload is not an outage: while the issuer responds, a request over the maximum number of
/// concurrent introspections is rejected, and no older response is used instead.
#[tokio::test]
async fn concurrency_limit_is_not_treated_as_an_outage() {
    let (sender, mut questions) = mpsc::unbounded_channel();
    let world = World::with(Slow(sender), patient).await;
    let route = Revocation::live().in_outage(Duration::from_secs(60));
    let gate = Gate::new(world.auth.clone()).revocation(route).unwrap();
    let ask = |name: &str| {
        let (gate, token) = (gate.clone(), world.token(name));
        tokio::spawn(async move { outcome(&gate, &token).await })
    };
    let known = ask("known");
    next(&mut questions).await.send(ACTIVE).unwrap();
    assert!(known.await.unwrap().is_ok());
    let waiting: Vec<_> = (0..256).map(|number| ask(&number.to_string())).collect();
    let mut answers = Vec::new();
    for _ in 0..256 {
        answers.push(next(&mut questions).await);
    }
    for _ in 0..2 {
        assert_eq!(ask("known").await.unwrap().unwrap_err().status(), 429);
    }
    for answer in answers {
        answer.send(ACTIVE).unwrap();
    }
    for request in waiting {
        assert!(request.await.unwrap().is_ok());
    }
    // The session has ended in the meantime.
    let known = ask("known");
    next(&mut questions).await.send(INACTIVE).unwrap();
    assert_eq!(known.await.unwrap().unwrap_err().rule(), "inactive");
}

/// An issuer that responds on a signal, and reports each introspection request.
#[derive(Debug, Clone)]
struct Slow(mpsc::UnboundedSender<oneshot::Sender<&'static str>>);

type Questions = mpsc::UnboundedReceiver<oneshot::Sender<&'static str>>;

impl Fetch for Slow {
    fn get(&self, _: FetchRequest) -> Fetching<'_> {
        Box::pin(std::future::pending())
    }

    fn post(&self, _: FetchRequest, _: Bytes) -> Fetching<'_> {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).unwrap();
        Box::pin(async move {
            let body = answered.await?;
            Ok(http::Response::new(Bytes::from_static(body.as_bytes())))
        })
    }
}

/// The introspection in progress began before this request arrived: the session may have ended
/// since.
#[tokio::test]
async fn request_ignores_introspection_started_before_its_arrival() {
    let (sender, mut questions) = mpsc::unbounded_channel();
    let world = World::with(Slow(sender), patient).await;
    let gate = Gate::new(world.auth.clone()).revocation(Revocation::live()).unwrap();
    let token = world.token("a");
    let done = Arc::new(Mutex::new(Vec::new()));
    let ask = |name: &'static str| {
        let (gate, token, done) = (gate.clone(), token.clone(), done.clone());
        tokio::spawn(async move {
            let passed = outcome(&gate, &token).await.is_ok();
            done.lock().unwrap().push((name, passed));
        })
    };
    let first = ask("before");
    let question = next(&mut questions).await;
    // The session ends here. All of these requests arrive afterwards, and share one more
    // introspection.
    let others: Vec<_> = (0..20).map(|_| ask("after")).collect();
    settle().await;
    assert!(questions.try_recv().is_err());
    question.send(ACTIVE).unwrap();
    first.await.unwrap();
    let question = next(&mut questions).await;
    settle().await;
    assert_eq!(*done.lock().unwrap(), [("before", true)]);
    question.send(INACTIVE).unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert!(questions.try_recv().is_err(), "more than two questions");
    assert_eq!(done.lock().unwrap()[1..], [("after", false); 20]);
}

/// The number of waiting introspections is bounded, whatever tokens are sent.
#[tokio::test]
async fn hanging_issuer_gets_a_bounded_number_of_concurrent_introspections() {
    let (sender, mut questions) = mpsc::unbounded_channel();
    let world = World::with(Slow(sender), patient).await;
    let gate = Gate::new(world.auth.clone()).revocation(Revocation::live()).unwrap();
    let ask = |number: usize| {
        let (gate, token) = (gate.clone(), world.token(&number.to_string()));
        tokio::spawn(async move { outcome(&gate, &token).await })
    };
    let waiting: Vec<_> = (0..256).map(ask).collect();
    let mut answers = Vec::new();
    for _ in 0..256 {
        answers.push(next(&mut questions).await);
    }
    let refusal = ask(256).await.unwrap().unwrap_err();
    assert_eq!((refusal.rule(), refusal.status().as_u16()), ("key_budget", 429));
    assert!(questions.try_recv().is_err(), "an introspection request was sent");
    for answer in answers {
        answer.send(ACTIVE).unwrap();
    }
    for request in waiting {
        assert!(request.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn request_that_waits_for_its_key_is_introspected() {
    const KEYS: &str = "https://issuer.example/keys";
    for (body, answer) in [(ACTIVE, "passes"), (INACTIVE, "inactive")] {
        let world = World::new().await;
        world.answers(body);
        world.fetch.set(KEYS, Answer::Fails);
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .jwks_url(KEYS)
            .start_without_keys()
            .fetch(world.fetch.clone())
            .clock(world.clock.clone())
            .introspection_url(ASKED)
            .introspection_client_id("a")
            .introspection_secret_file(world.secret.path())
            .build()
            .await
            .unwrap();
        world.fetch.set(KEYS, Answer::ok(TestKey::jwks([&world.key])));
        world.advance(60_000);
        let world = World { auth, ..world };
        assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, answer);
    }
}

/// The server closes the kept-alive connection when the request is sent.
#[tokio::test]
async fn lost_introspection_request_is_retried_once() {
    #[derive(Debug, Clone)]
    struct Lossy(ScriptedFetch, Arc<Mutex<u32>>);

    impl Fetch for Lossy {
        fn get(&self, request: FetchRequest) -> Fetching<'_> {
            self.0.get(request)
        }

        fn post(&self, request: FetchRequest, body: Bytes) -> Fetching<'_> {
            let mut losses = self.1.lock().unwrap();
            if *losses == 0 {
                return self.0.post(request, body);
            }
            *losses -= 1;
            Box::pin(std::future::ready(Err("connection closed".into())))
        }
    }

    for (losses, answer) in [(1, "passes"), (2, "status")] {
        let fetch = ScriptedFetch::default();
        fetch.set(ASKED, Answer::ok(ACTIVE));
        let lossy = Lossy(fetch, Arc::new(Mutex::new(losses)));
        let world = World::with(lossy, |builder| builder).await;
        assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, answer, "{losses}");
    }
}

/// Sets a timeout that is long enough for a busy machine.
fn patient(builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    builder.fetch_timeout(Duration::from_secs(30))
}

async fn next(questions: &mut Questions) -> oneshot::Sender<&'static str> {
    tokio::time::timeout(Duration::from_secs(30), questions.recv()).await.unwrap().unwrap()
}

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn live_without_introspection_is_rejected_by_the_gate_and_500_in_a_handler() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder(&key).build().await.unwrap();
    let world = World::new().await;
    let world = World { auth, key, ..world };
    let gate = Gate::new(world.auth.clone());
    let error = gate.clone().revocation(Revocation::live()).unwrap_err().to_string();
    assert!(error.contains(ISSUER) && error.contains("introspection_url"), "{error}");
    // A requirement inside the route is reported when it is checked.
    let who = gate.authenticate(&world.token("a")).await.unwrap();
    let required = Requirement::from(Revocation::live());
    let refusal = admit(Some(&who), None, None, &required, "", Site::default).await.unwrap_err();
    assert_eq!(refusal.status(), 500);
    assert!(refusal.remedy().contains("introspection_url"), "{}", refusal.remedy());
}

/// A resolved issuer's settings are not known at start.
#[tokio::test]
async fn live_with_a_resolved_issuer_without_introspection_is_500() {
    struct Met(TestKey);
    impl IssuerResolver for Met {
        fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
            let keys = SharedKeySet::new(TestKey::key_set([&self.0]));
            Some(IssuerSettings::new(issuer, "https://api.example").key_source(keys))
        }
    }
    let world = World::new().await;
    let met = TestKey::generate("k", Algorithm::Es256);
    let mut claims = json!({"aud": "https://api.example", "exp": NOW + 900});
    claims["iss"] = json!("https://met.example");
    let mut request = HeaderMap::new();
    request.insert("authorization", format!("Bearer {}", met.token(&claims)).parse().unwrap());
    let world = World::with(world.fetch, |builder| builder.issuer_resolver(Met(met))).await;
    let gate = Gate::new(world.auth.clone());
    assert!(gate.authenticate(&request).await.is_ok());
    let live = gate.revocation(Revocation::live()).unwrap();
    let refusal = live.authenticate(&request).await.unwrap_err();
    assert_eq!(refusal.status(), 500);
    // A request without a token still gets a 401.
    assert_eq!(live.authenticate(&HeaderMap::new()).await.unwrap_err().status(), 401);
}

#[tokio::test]
async fn invalid_introspection_settings_are_rejected_at_start() {
    let start = |change: fn(AuthenticatorBuilder) -> AuthenticatorBuilder| async move {
        let keys = SharedKeySet::new(TestKey::key_set([]));
        let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(keys);
        change(builder).build().await.unwrap_err().to_string()
    };
    let error = start(|builder| builder.introspection_client_id("a")).await;
    assert!(error.contains("PORTCULLIS_INTROSPECTION_CLIENT_ID"), "{error}");
    assert!(error.contains("PORTCULLIS_INTROSPECTION_SECRET_FILE"), "{error}");
    let error = start(|builder| builder.introspection_secret_file("a")).await;
    assert!(error.contains("PORTCULLIS_INTROSPECTION_SECRET_FILE"), "{error}");
    assert!(error.contains("PORTCULLIS_INTROSPECTION_CLIENT_ID"), "{error}");

    let world = World::new().await;
    let with = |url: &str, id: &str, secret: &std::path::Path| {
        let keys = SharedKeySet::new(TestKey::key_set([]));
        let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(keys);
        let builder = builder.introspection_url(url).introspection_client_id(id);
        let build = builder.introspection_secret_file(secret).build();
        async { build.await.unwrap_err().to_string() }
    };
    let secret = world.secret.path();
    let error = with("http://issuer.example/introspect", "a", secret).await;
    assert!(error.contains("https") && error.contains("issuer.example/introspect"), "{error}");
    let error = with(ASKED, "", secret).await;
    assert!(error.contains("PORTCULLIS_INTROSPECTION_CLIENT_ID"), "{error}");
    let error = with(ASKED, "a", "/no/such/file".as_ref()).await;
    assert!(error.contains("PORTCULLIS_INTROSPECTION_SECRET_FILE"), "{error}");
    assert!(error.contains("/no/such/file"), "{error}");
    std::fs::write(secret, " \n").unwrap();
    let error = with(ASKED, "a", secret).await;
    assert!(error.contains("it contains no secret"), "{error}");
    // Without a URL the client id and the secret have no use.
    std::fs::write(secret, "s3cret").unwrap();
    let keys = SharedKeySet::new(TestKey::key_set([]));
    let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(keys);
    let builder = builder.introspection_client_id("a").introspection_secret_file(secret);
    let error = builder.build().await.unwrap_err().to_string();
    assert!(error.contains("PORTCULLIS_INTROSPECTION_URL"), "{error}");
}

/// Some introspection endpoints need no client, such as Hydra's at its admin port.
#[tokio::test]
async fn introspection_without_a_client_sends_no_authorization() {
    let world = World::new().await;
    let builder = builder(&world.key).fetch(world.fetch.clone()).clock(world.clock.clone());
    let auth = builder.introspection_url(ASKED).build().await.unwrap();
    let world = World { auth, ..world };
    world.answers(ACTIVE);
    assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, "passes");
    assert!(!world.fetch.posts()[0].0.headers.contains_key("authorization"));
    world.answers(INACTIVE);
    assert_eq!(world.ask(Revocation::live(), &world.token("a")).await, "inactive");
}

/// Only the issuer can cause an outage: a sender of 1,024 requests with a revoked token must not
/// make the next request use an old response.
#[tokio::test]
async fn crowded_out_request_does_not_use_the_outage_response() {
    let (sender, mut questions) = mpsc::unbounded_channel();
    let world = World::with(Slow(sender), patient).await;
    let live = Revocation::live().in_outage(Duration::from_secs(60));
    let gate = Gate::new(world.auth.clone()).revocation(live).unwrap();
    let token = world.token("a");
    let first = tokio::spawn({
        let (gate, token) = (gate.clone(), token.clone());
        async move { outcome(&gate, &token).await }
    });
    next(&mut questions).await.send(ACTIVE).unwrap();
    first.await.unwrap().unwrap();
    // The session ends here.
    world.advance(10_000);
    let mut waiting = Vec::new();
    for _ in 0..1024 {
        waiting.push(verdict_now(&gate, &token).unwrap_err());
    }
    let refusal = outcome(&gate, &token).await.unwrap_err();
    assert_eq!((refusal.rule(), refusal.status().as_u16()), ("key_budget", 429));
    drop(waiting);
    let last = tokio::spawn(async move { outcome(&gate, &token).await });
    next(&mut questions).await.send(INACTIVE).unwrap();
    assert_eq!(last.await.unwrap().unwrap_err().rule(), "inactive");
}
