//! Streams whose session is revoked by the feed, and what happens when its store is unavailable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis::feed::{
    Appended, Changes, Cursor, Entry, MemoryStore, RevocationStore, Revocations, StoreError,
    Storing, Target,
};
use portcullis::streams::{Ended, OpenStream};
use portcullis::testing::{Scene, TestToken};
use portcullis::{Gate, Revocation};

use super::class_20_streams::{SEC, caller, end_of};
use super::support::{ISSUER, NOW};

const LEEWAY: Duration = Duration::from_secs(5);

/// A store that can be switched off.
#[derive(Debug, Clone, Default)]
struct Store {
    entries: MemoryStore,
    is_down: Arc<AtomicBool>,
}

impl RevocationStore for Store {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        self.entries.append(entry)
    }

    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
        if self.is_down.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Err(StoreError::unavailable("the network"))));
        }
        self.entries.changes(after)
    }

    fn prune(&self, before: u64) -> Storing<'_, ()> {
        self.entries.prune(before)
    }
}

/// A gate with the feed, and the handle that reports to it.
async fn fed(revocations: Revocations) -> (Scene, Gate, Revocations) {
    let given = revocations.clone();
    let scene = Scene::with(|builder| {
        builder.leeway(LEEWAY).max_token_lifetime(900 * SEC).revocations(given)
    })
    .await;
    let feed = Revocation::feed(10 * SEC).in_outage(60 * SEC);
    let gate = scene.gate().revocation(feed).unwrap();
    (scene, gate, revocations)
}

async fn open(gate: &Gate, token: &TestToken) -> OpenStream {
    caller(gate, token).await.open_stream()
}

fn at(secs: u64) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_secs(secs))
}

fn alice(scene: &Scene) -> TestToken {
    scene.token("alice").claim("sid", "s-1").claim("jti", "t-1").claim("client_id", "app")
}

async fn report(revocations: &Revocations, kind: &str, value: &str) {
    match kind {
        "session" => revocations.revoke_session(ISSUER, value).await.unwrap(),
        "token" => revocations.revoke_token(ISSUER, value, None).await.unwrap(),
        "subject" => revocations.revoke_subject(ISSUER, value, at(NOW)).await.unwrap(),
        _ => revocations.revoke_client(ISSUER, value, at(NOW)).await.unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn stream_ends_soon_after_its_session_token_subject_or_client_is_revoked() {
    for (kind, own, other) in [
        ("session", "s-1", "s-2"),
        ("token", "t-1", "s-1"),
        ("subject", "alice", "s-1"),
        ("client", "app", "alice"),
    ] {
        let (scene, gate, revocations) = fed(Revocations::in_memory()).await;
        let stream = open(&gate, &alice(&scene)).await;
        let bob = scene.token("bob").claim("sid", "s-3").claim("client_id", "web");
        let (bob, unchecked) = (open(&gate, &bob).await, open(&scene.gate(), &alice(&scene)).await);
        tokio::time::sleep(SEC / 10).await;
        report(&revocations, kind, other).await;
        assert_eq!(end_of(&stream).await, None, "{kind} {other}");
        report(&revocations, kind, own).await;
        // The stream ends before the next check, which happens once per second, because the feed
        // notifies the streams.
        let ended = tokio::time::timeout(SEC / 20, stream.ended()).await;
        assert_eq!(ended.ok(), Some(Ended::SessionRevoked), "{kind}");
        assert_eq!(end_of(&bob).await, None, "{kind}");
        assert_eq!(unchecked.has_ended(), None, "a route without the feed");
    }
}

/// The watermark comes from another instance. This instance reads it from the store.
#[tokio::test(start_paused = true)]
async fn watermark_ends_the_streams_of_tokens_issued_before() {
    let store = Store::default();
    let (scene, gate, _) = fed(Revocations::new(store.clone())).await;
    let before = open(&gate, &alice(&scene)).await;
    let after = scene.token("bob").claim("iat", NOW + 8);
    scene.advance(8);
    let after = open(&gate, &after).await;
    assert_eq!(end_of(&before).await, None);
    let watermark = Entry::new(ISSUER, Target::All, NOW, NOW + 2000);
    store.append(&watermark).await.unwrap();
    assert_eq!(end_of(&before).await, Some(Ended::SessionRevoked));
    assert_eq!(end_of(&after).await, None);
}

/// Between two checks, there are more entries than the feed keeps in order.
#[tokio::test(start_paused = true)]
async fn burst_of_revocations_loses_none() {
    let (scene, gate, revocations) = fed(Revocations::in_memory()).await;
    let mut streams = Vec::new();
    for number in 0..600 {
        let token = scene.token("alice").claim("sid", format!("s-{number}"));
        streams.push(open(&gate, &token).await);
    }
    assert_eq!(end_of(&streams[0]).await, None);
    for number in 1..2000 {
        revocations.revoke_session(ISSUER, &format!("s-{number}")).await.unwrap();
    }
    assert_eq!(end_of(&streams[1]).await, Some(Ended::SessionRevoked));
    tokio::time::sleep(SEC).await;
    let open: Vec<_> = streams.iter().filter(|stream| stream.has_ended().is_none()).collect();
    assert_eq!(open.len(), 1);
    assert_eq!(streams[0].has_ended(), None);
}

#[tokio::test(start_paused = true)]
async fn session_revoked_between_the_request_and_its_stream_ends_the_stream() {
    let (scene, gate, revocations) = fed(Revocations::in_memory()).await;
    // The group of this stream applies the revocation before the revoked stream joins the group.
    let other = open(&gate, &scene.token("bob").claim("sid", "s-2")).await;
    let who = caller(&gate, &alice(&scene)).await;
    revocations.revoke_session(ISSUER, "s-1").await.unwrap();
    assert_eq!(end_of(&other).await, None);
    assert_eq!(end_of(&who.open_stream()).await, Some(Ended::SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn streams_outlive_a_short_outage_of_the_store_and_end_in_a_long_one() {
    let store = Store::default();
    let (scene, gate, _) = fed(Revocations::new(store.clone())).await;
    let stream = open(&gate, &alice(&scene)).await;
    let revoked = open(&gate, &scene.token("bob").claim("sid", "s-2")).await;
    let pass = async |secs: u64| {
        for _ in 0..secs {
            scene.advance(1);
            tokio::time::sleep(SEC).await;
        }
    };
    pass(30).await;
    store.is_down.store(true, Ordering::SeqCst);
    pass(50).await;
    assert_eq!((stream.has_ended(), revoked.has_ended()), (None, None), "within `in_outage`");
    // Revocations during the outage are applied when the store is available again.
    let entry = Entry::new(ISSUER, Target::Session("s-2".to_owned()), NOW, NOW + 2000);
    store.append(&entry).await.unwrap();
    pass(3).await;
    assert_eq!(revoked.has_ended(), None);
    store.is_down.store(false, Ordering::SeqCst);
    pass(3).await;
    assert_eq!((stream.has_ended(), revoked.has_ended()), (None, Some(Ended::SessionRevoked)));
    store.is_down.store(true, Ordering::SeqCst);
    pass(58).await;
    assert_eq!(stream.has_ended(), None);
    pass(6).await;
    assert_eq!(stream.has_ended(), Some(Ended::StatusUnknown));
}

/// The group's other streams were already checked against the entry, and the knowledge is too old when
/// the stream opens.
#[tokio::test(start_paused = true)]
async fn session_revoked_before_its_stream_opens_with_old_knowledge_ends_the_stream() {
    let builder = Revocations::builder(Store::default()).without_background_refresh();
    let (scene, gate, revocations) = fed(builder.build()).await;
    let other = open(&gate, &scene.token("bob").claim("sid", "s-2")).await;
    let who = caller(&gate, &alice(&scene)).await;
    revocations.revoke_session(ISSUER, "s-1").await.unwrap();
    assert_eq!(end_of(&other).await, None);
    scene.advance(11);
    assert_eq!(end_of(&who.open_stream()).await, Some(Ended::SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn renewed_stream_ends_with_its_new_token_and_not_with_the_old_one() {
    let (scene, gate, revocations) = fed(Revocations::in_memory()).await;
    let stream = open(&gate, &alice(&scene)).await;
    stream.renew(&alice(&scene).claim("jti", "t-2").sign()).await.unwrap();
    revocations.revoke_token(ISSUER, "t-1", None).await.unwrap();
    assert_eq!(end_of(&stream).await, None);
    revocations.revoke_token(ISSUER, "t-2", None).await.unwrap();
    assert_eq!(end_of(&stream).await, Some(Ended::SessionRevoked));
}

/// Without a background task of the feed, the streams cause the reads of the store.
#[tokio::test(start_paused = true)]
async fn streams_read_the_store_themselves_if_nothing_else_does() {
    let store = Store::default();
    let revocations = Revocations::builder(store.clone()).without_background_refresh().build();
    let (scene, gate, _) = fed(revocations).await;
    let stream = open(&gate, &alice(&scene)).await;
    let entry = Entry::new(ISSUER, Target::Session("s-1".to_owned()), NOW, NOW + 2000);
    store.append(&entry).await.unwrap();
    scene.advance(10);
    assert_eq!(end_of(&stream).await, None, "within `max_age`");
    scene.advance(1);
    assert_eq!(end_of(&stream).await, Some(Ended::SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn iat_of_the_renewed_token_decides_whether_a_subject_entry_ends_the_stream() {
    let (scene, gate, revocations) = fed(Revocations::in_memory()).await;
    let token = |scene: &Scene| scene.token("alice").claim("sid", "s-1");
    let (renewed, kept) =
        (open(&gate, &token(&scene)).await, open(&gate, &token(&scene).claim("jti", "k")).await);
    scene.advance(100);
    renewed.renew(&token(&scene).sign()).await.unwrap();
    assert_eq!(end_of(&renewed).await, None);
    revocations.revoke_subject(ISSUER, "alice", at(NOW + 50)).await.unwrap();
    assert_eq!(end_of(&kept).await, Some(Ended::SessionRevoked));
    assert_eq!(end_of(&renewed).await, None);
    revocations.revoke_subject(ISSUER, "alice", at(NOW + 100)).await.unwrap();
    assert_eq!(end_of(&renewed).await, Some(Ended::SessionRevoked));
}
