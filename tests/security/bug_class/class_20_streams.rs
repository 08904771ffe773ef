//! Beyond the twelve classes: a stream that outlives its session. A stream ends when a request with
//! its token would be rejected, by the same checks.
//!
//! The tests use a scripted issuer, a manual clock for the tokens, and tokio's paused time for the
//! background task.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;

use portcullis::adapter::MaybeReady;
use portcullis::keys::{CandidateKeys, KeyRequest, KeySource, ResolveError, VerificationKey};
use portcullis::streams::{Ended, OpenStream};
use portcullis::testing::{Answer, ManualClock, Scene, TestKey, TestToken};
use portcullis::{
    Algorithm, Authenticated, Authenticator, AuthenticatorBuilder, Gate, IssuerSettings,
    Revocation, config::IssuerResolver,
};

use super::support::{AUDIENCE, ISSUER, NOW};

pub(super) const LIST: &str = "https://issuer.example/lists/1";
const ASKED: &str = "https://issuer.example/oauth/introspect";
pub(super) const SEC: Duration = Duration::from_secs(1);

/// Publishes a status list of 8 tokens, with these statuses.
pub(super) fn publish_list(scene: &Scene, statuses: u8) {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&[statuses]).unwrap();
    let list = json!({
        "sub": LIST, "iat": scene.now(), "exp": scene.now() + 86_400,
        "status_list": {"bits": 1, "lst": URL_SAFE_NO_PAD.encode(packed.finish().unwrap())},
    });
    let header = r#"{"alg":"ES256","kid":"k","typ":"statuslist+jwt"}"#;
    let list = scene.key.sign(header, &list.to_string());
    scene.fetch.set(LIST, Answer::ok(list).with("etag", &format!("\"{statuses}\"")));
}

pub(super) async fn caller(gate: &Gate, token: &TestToken) -> Authenticated {
    gate.authenticate(&token.headers()).await.unwrap()
}

async fn open(gate: &Gate, token: &TestToken) -> OpenStream {
    caller(gate, token).await.open_stream()
}

/// Returns how the stream ended, within 3 s, in which the background task checks it several times.
pub(super) async fn end_of(stream: &OpenStream) -> Option<Ended> {
    tokio::time::timeout(3 * SEC, stream.ended()).await.ok()
}

/// Lets `secs` seconds pass, for the tokens and for the background tasks.
async fn pass(scene: &Scene, secs: u64) {
    for _ in 0..secs {
        scene.advance(1);
        tokio::time::sleep(SEC).await;
    }
}

fn introspecting(builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    builder.introspection_url(ASKED)
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_its_token_expires() {
    let scene = Scene::with(|builder| builder.leeway(5 * SEC)).await;
    let stream = open(&scene.gate(), &scene.token("alice")).await;
    scene.advance(904);
    assert_eq!(end_of(&stream).await, None);
    scene.advance(1);
    assert_eq!(end_of(&stream).await, Some(Ended::Expired));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_at_the_maximum_token_age() {
    let scene = Scene::with(|builder| builder.leeway(5 * SEC).max_token_age(300 * SEC)).await;
    let stream = open(&scene.gate(), &scene.token("alice")).await;
    scene.advance(304);
    assert_eq!(end_of(&stream).await, None);
    scene.advance(1);
    assert_eq!(end_of(&stream).await, Some(Ended::Expired));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_its_key_is_withdrawn_from_memory() {
    let scene = Scene::new().await;
    let stream = open(&scene.gate(), &scene.token("alice")).await;
    let other = TestKey::generate("other", Algorithm::Es256);
    scene.keys.replace(TestKey::key_set([&*scene.key, &other]));
    assert_eq!(end_of(&stream).await, None, "the key is still in the set");
    // The new key has the same `kid`.
    scene.keys.replace(TestKey::key_set([&TestKey::generate("k", Algorithm::Es256)]));
    assert_eq!(end_of(&stream).await, Some(Ended::KeyWithdrawn));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_its_key_is_missing_in_a_fetched_set() {
    let scene = Scene::warm().await;
    let stream = open(&scene.gate(), &scene.token("alice")).await;
    tokio::time::sleep(100 * Duration::from_millis(1)).await;
    scene.publish([&TestKey::generate("other", Algorithm::Es256)]);
    scene.auth.refresh().await.unwrap();
    // The stream ends before the next check, which happens once per second, because the key set
    // notifies the streams.
    let ended = tokio::time::timeout(SEC / 10, stream.ended()).await;
    assert_eq!(ended.ok(), Some(Ended::KeyWithdrawn));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_the_keys_are_too_old() {
    let scene = Scene::warm().await;
    let stream = open(&scene.gate(), &scene.token("alice").lifetime(900_000)).await;
    scene.fetch.set(super::support::JWKS, Answer::Fails);
    pass(&scene, 60).await;
    assert_eq!(end_of(&stream).await, None);
    // The keys are past their TTL and `max_stale`.
    scene.advance(800_000);
    assert_eq!(end_of(&stream).await, Some(Ended::KeysUnavailable));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_its_token_is_revoked_in_a_status_list() {
    let scene = Scene::new().await;
    publish_list(&scene, 0);
    let gate = scene.gate().revocation(Revocation::status_list(10 * SEC)).unwrap();
    let token = |index| scene.token("alice").lifetime(86_400).status(LIST, index);
    let (first, second) = (open(&gate, &token(0)).await, open(&gate, &token(1)).await);
    let unchecked = open(&scene.gate(), &token(1)).await;
    pass(&scene, 5).await;
    publish_list(&scene, 0b10);
    pass(&scene, 10).await;
    assert_eq!(second.has_ended(), Some(Ended::SessionRevoked));
    // The other streams have another token, or a route that does not require the status.
    assert_eq!((first.has_ended(), unchecked.has_ended()), (None, None));
    // The list is refreshed for the stream alone, long after the last request.
    pass(&scene, 2000).await;
    assert_eq!(first.has_ended(), None);
    publish_list(&scene, 0b11);
    pass(&scene, 10).await;
    assert_eq!(first.has_ended(), Some(Ended::SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn token_revoked_before_its_stream_opens_ends_the_stream() {
    let scene = Scene::new().await;
    publish_list(&scene, 0);
    let gate = scene.gate().revocation(Revocation::status_list(10 * SEC)).unwrap();
    let token = |index| scene.token("alice").lifetime(86_400).status(LIST, index);
    let late = caller(&gate, &token(1)).await;
    let other = open(&gate, &token(0)).await;
    publish_list(&scene, 0b10);
    pass(&scene, 15).await;
    // The group of this list's streams applied the list before this stream joined the group.
    let stream = late.open_stream();
    assert_eq!(end_of(&stream).await, Some(Ended::SessionRevoked));
    assert_eq!(other.has_ended(), None);
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_the_status_list_is_too_old() {
    let scene = Scene::new().await;
    publish_list(&scene, 0);
    let revocation = Revocation::status_list(10 * SEC).in_outage(60 * SEC);
    let gate = scene.gate().revocation(revocation).unwrap();
    let stream = open(&gate, &scene.token("alice").lifetime(86_400).status(LIST, 0)).await;
    pass(&scene, 30).await;
    scene.fetch.set(LIST, Answer::Fails);
    pass(&scene, 45).await;
    assert_eq!(stream.has_ended(), None, "the bound of an outage");
    pass(&scene, 20).await;
    assert_eq!(stream.has_ended(), Some(Ended::StatusUnknown));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_introspection_reports_its_token_as_inactive() {
    let scene = Scene::with(introspecting).await;
    scene.fetch.set(ASKED, Answer::ok(r#"{"active":true}"#));
    let gate = scene.gate().revocation(Revocation::live()).unwrap();
    let stream = open(&gate, &scene.token("alice").lifetime(86_400)).await;
    pass(&scene, 25).await;
    assert_eq!((stream.has_ended(), scene.fetch.posts().len()), (None, 3), "one each 10 s");
    scene.fetch.set(ASKED, Answer::ok(r#"{"active":false}"#));
    pass(&scene, 12).await;
    assert_eq!(stream.has_ended(), Some(Ended::SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_introspection_gets_no_response() {
    let scene = Scene::with(introspecting).await;
    scene.fetch.set(ASKED, Answer::ok(r#"{"active":true}"#));
    let gate = scene.gate().revocation(Revocation::live()).unwrap();
    let stream = open(&gate, &scene.token("alice").lifetime(86_400)).await;
    scene.fetch.set(ASKED, Answer::Fails);
    pass(&scene, 18).await;
    assert_eq!(stream.has_ended(), None, "retried");
    pass(&scene, 12).await;
    assert_eq!(stream.has_ended(), Some(Ended::StatusUnknown));
}

/// However many streams wait for an issuer, none is open for longer than its status may be unknown.
#[tokio::test(start_paused = true)]
async fn all_streams_end_when_introspection_of_many_gets_no_response() {
    let scene = Scene::with(introspecting).await;
    scene.fetch.set(ASKED, Answer::ok(r#"{"active":true}"#));
    let gate = scene.gate().revocation(Revocation::live()).unwrap();
    let mut streams = Vec::new();
    for number in 0..150 {
        let token = scene.token(&format!("user-{number}")).lifetime(86_400);
        streams.push(open(&gate, &token).await);
    }
    pass(&scene, 5).await;
    scene.fetch.set(ASKED, Answer::Hangs);
    pass(&scene, 14).await;
    assert!(streams.iter().all(|stream| stream.has_ended().is_none()));
    pass(&scene, 3).await;
    let open = streams.iter().filter(|stream| stream.has_ended().is_none()).count();
    assert_eq!(open, 0);
    assert!(streams.iter().all(|stream| stream.has_ended() == Some(Ended::StatusUnknown)));
}

/// The time counts from the last response, not from the last use of one.
#[tokio::test(start_paused = true)]
async fn outage_of_introspection_counts_from_the_last_response() {
    let scene = Scene::with(introspecting).await;
    scene.fetch.set(ASKED, Answer::ok(r#"{"active":true}"#));
    let gate = scene.gate().revocation(Revocation::live().in_outage(60 * SEC)).unwrap();
    // The same text each time.
    let token = scene.token("alice").lifetime(86_400).headers();
    let open = async || gate.authenticate(&token).await.unwrap().open_stream();
    let early = open().await;
    scene.fetch.set(ASKED, Answer::Fails);
    pass(&scene, 50).await;
    let late = open().await;
    pass(&scene, 17).await;
    assert_eq!((early.has_ended(), late.has_ended()), (None, None));
    pass(&scene, 6).await;
    let ended = Some(Ended::StatusUnknown);
    assert_eq!((early.has_ended(), late.has_ended()), (ended, ended));
}

struct Resolver(portcullis::keys::SharedKeySet);

impl IssuerResolver for Resolver {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        Some(IssuerSettings::new(issuer, AUDIENCE).key_source(self.0.clone()))
    }
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_its_issuer_is_forgotten() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let keys = portcullis::keys::SharedKeySet::new(TestKey::key_set([&key]));
    let clock = portcullis::testing::ManualClock::at(NOW);
    let builder = portcullis::Authenticator::builder_with_resolver(Resolver(keys)).clock(clock);
    let auth = builder.build().await.unwrap();
    let token = TestToken::new(key.into(), ISSUER, "alice", NOW);
    let stream = open(&Gate::new(auth.clone()), &token).await;
    assert_eq!(end_of(&stream).await, None);
    auth.forget(ISSUER);
    assert_eq!(end_of(&stream).await, Some(Ended::IssuerForgotten));
}

/// Many other tenants evict an issuer from the cache, but its streams are still open.
#[tokio::test(start_paused = true)]
async fn stream_ends_when_its_evicted_issuer_is_forgotten() {
    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let keys = portcullis::keys::SharedKeySet::new(TestKey::key_set([&*key]));
    let clock = ManualClock::at(NOW);
    let builder = Authenticator::builder_with_resolver(Resolver(keys)).clock(clock);
    let auth = builder.build().await.unwrap();
    let gate = Gate::new(auth.clone());
    let token = |issuer: &str| TestToken::new(key.clone(), issuer, "alice", NOW);
    let evicted = open(&gate, &token(ISSUER)).await;
    let other = open(&gate, &token("https://other.example")).await;
    for number in 0..1100 {
        let tenant = token(&format!("https://tenant-{number}.example"));
        assert!(gate.authenticate(&tenant.headers()).await.is_ok());
    }
    let is_known = |status: &portcullis::status::IssuerStatus| status.issuer == ISSUER;
    assert!(!auth.status().iter().any(is_known), "the issuer was not evicted");
    assert_eq!(end_of(&evicted).await, None);
    auth.forget(ISSUER);
    assert_eq!(end_of(&evicted).await, Some(Ended::IssuerForgotten));
    assert_eq!(other.has_ended(), None);
}

#[test]
fn stream_ends_when_its_runtime_shuts_down() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime();
    let scene = first.block_on(Scene::new());
    let token = scene.token("alice");
    let stream = first.block_on(async { open(&scene.gate(), &token).await });
    first.block_on(tokio::task::yield_now());
    assert_eq!(stream.has_ended(), None);
    drop(first);
    assert_eq!(stream.has_ended(), Some(Ended::Unwatched));
    // The next stream is watched by the runtime on which it is opened.
    let second = runtime();
    let stream = second.block_on(async {
        let stream = open(&scene.gate(), &token).await;
        tokio::time::sleep(SEC / 20).await;
        stream
    });
    assert_eq!(stream.has_ended(), None);
    drop(second);
    assert_eq!(stream.has_ended(), Some(Ended::Unwatched));
    // A stream that is opened outside a runtime has ended from the start.
    let who = stream.caller();
    assert_eq!(who.open_stream().has_ended(), Some(Ended::Unwatched));
}

/// A key source that answers, never answers or panics.
#[derive(Debug)]
struct Moody(Arc<VerificationKey>, Arc<AtomicU8>);

impl KeySource for Moody {
    fn resolve(&self, _: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        match self.1.load(Ordering::SeqCst) {
            0 => MaybeReady::Ready(Ok(self.0.clone().into())),
            1 => MaybeReady::pending(std::future::pending()),
            _ => MaybeReady::pending(async { unreachable!("scripted") }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_the_key_source_panics_or_never_answers() {
    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let jwk = key.jwk().to_string();
    let public = VerificationKey::from_jwk(jwk.as_bytes(), Algorithm::Es256).unwrap();
    let public = Arc::new(public);
    for (mood, within) in [(1, 130), (2, 20)] {
        let (moods, clock) = (Arc::new(AtomicU8::new(0)), ManualClock::at(NOW));
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .key_source(Moody(public.clone(), moods.clone()))
            .clock(clock.clone())
            .build()
            .await
            .unwrap();
        let token = TestToken::new(key.clone(), ISSUER, "alice", NOW).lifetime(86_400);
        let stream = open(&Gate::new(auth), &token).await;
        moods.store(mood, Ordering::SeqCst);
        for _ in 0..within {
            clock.advance(SEC);
            tokio::time::sleep(SEC).await;
        }
        assert_eq!(stream.has_ended(), Some(Ended::KeysUnavailable), "mood {mood}");
    }
}
