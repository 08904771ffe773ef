//! Tests of the registry. The tests of the reasons for which streams end are in `tests/security/bug_class`.

#[cfg(feature = "streams")]
mod wrappers;

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::renew::check_same;
use super::{Ended, NotRenewed, OpenStream, SessionsUnderWay};
use crate::authenticated::Authenticated;
use crate::testing::Scene;

const SEC: Duration = Duration::from_secs(1);

async fn open(scene: &Scene) -> OpenStream {
    scene.auth.authenticate(&scene.token("alice").headers()).await.unwrap().open_stream()
}

fn registry(stream: &OpenStream) -> Arc<SessionsUnderWay> {
    stream.registry.clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn dropped_stream_leaves_nothing_in_the_registry() {
    let scene = Scene::new().await;
    let kept = open(&scene).await;
    let registry = registry(&kept);
    let (streams, futures): (Vec<_>, Vec<_>) = {
        let mut both = Vec::new();
        for _ in 0..100 {
            let stream = open(&scene).await;
            both.push((stream.clone(), stream.ended()));
        }
        both.into_iter().unzip()
    };
    assert_eq!(registry.table().len(), 101);
    drop(streams);
    assert_eq!(registry.table().len(), 101, "the futures are still waited for");
    drop(futures);
    assert_eq!(registry.table().len(), 1);
    // The place of a dropped stream is used again.
    let other = open(&scene).await;
    let counts = |registry: &SessionsUnderWay| {
        let table = registry.table();
        (table.len(), table.places())
    };
    assert_eq!(counts(&registry), (2, 101));
    drop((kept, other));
    assert_eq!(registry.table().len(), 0);
    tokio::time::sleep(2 * SEC).await;
    assert_eq!(counts(&registry), (0, 0));
    assert_eq!(registry.table().running, None, "no task without streams");
}

#[tokio::test(start_paused = true)]
async fn ended_stream_leaves_nothing_in_the_registry() {
    let scene = Scene::new().await;
    let stream = open(&scene).await;
    let registry = registry(&stream);
    scene.advance(2000);
    assert_eq!(stream.ended().await, Ended::Expired);
    assert_eq!(registry.table().len(), 0);
    // A later stream starts the task again.
    let next = open(&scene).await;
    scene.advance(2000);
    assert_eq!(next.ended().await, Ended::Expired);
}

#[tokio::test(start_paused = true)]
async fn background_task_ends_with_the_authenticator() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let scene = Scene::new().await;
    let before = metrics.num_alive_tasks();
    let stream = open(&scene).await;
    let registry: Weak<_> = Arc::downgrade(&registry(&stream));
    assert_eq!(metrics.num_alive_tasks(), before + 1);
    tokio::time::sleep(5 * SEC).await;
    // A stream is still watched after the service has dropped the authenticator.
    let Scene { auth, clock, .. } = scene;
    drop(auth);
    tokio::time::sleep(5 * SEC).await;
    assert_eq!(metrics.num_alive_tasks(), before + 1);
    clock.advance(2000 * SEC);
    assert_eq!(stream.ended().await, Ended::Expired);
    drop(stream);
    tokio::time::sleep(5 * SEC).await;
    assert_eq!((metrics.num_alive_tasks(), registry.strong_count()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn every_future_of_a_stream_completes() {
    let scene = Scene::new().await;
    let stream = open(&scene).await;
    let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(stream.ended())).collect();
    tokio::task::yield_now().await;
    // A dropped future frees its place for the next one.
    let mut dropped = Box::pin(stream.ended());
    assert!(tokio::time::timeout(SEC / 100, &mut dropped).await.is_err());
    drop(dropped);
    let last = tokio::spawn(stream.ended());
    scene.advance(2000);
    for waiting in waiting.into_iter().chain([last]) {
        assert_eq!(waiting.await.unwrap(), Ended::Expired);
    }
    assert_eq!(stream.ended().await, Ended::Expired, "also after the end");
}

#[tokio::test(start_paused = true)]
async fn notified_task_does_not_wait_for_the_next_second() {
    let scene = Scene::new().await;
    let stream = open(&scene).await;
    tokio::time::sleep(SEC / 10).await;
    scene.keys.replace(crate::key::KeySet::default());
    registry(&stream).changed.notify_one();
    let ended = tokio::time::timeout(SEC / 20, stream.ended()).await;
    assert_eq!(ended.ok(), Some(Ended::KeyWithdrawn));
}

/// Validation rejects tokens with `cnf`, so only the comparison function itself can be tested.
#[test]
fn cnf_and_sid_must_be_equal_and_readable() {
    let claims = |more: &str| format!(r#"{{"iss":"i","sub":"a","exp":1900000000{more}}}"#);
    let jkt = r#","cnf":{"jkt":"a"}"#;
    for (old, new, expected) in [
        (jkt, jkt, "same"),
        (jkt, r#","cnf":{"jkt":"b"}"#, "another key"),
        (jkt, "", "another key"),
        ("", jkt, "another key"),
        (jkt, r#","cnf":{"jkt":"a","jkt":"a"}"#, "another key"),
        (r#","sid":"s""#, r#","sid":"s""#, "same"),
        (r#","sid":"s""#, r#","sid":"S""#, "another session"),
        (r#","sid":"s""#, r#","sid":["s"]"#, "another session"),
    ] {
        let [before, after] = [old, new].map(|more| Authenticated::for_test(&claims(more)));
        let found = match check_same(&before, &after) {
            Ok(()) => "same".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{old} {new}: {found}");
    }
}

#[tokio::test]
async fn stream_and_its_errors_show_nothing_of_the_token() {
    let scene = Scene::new().await;
    let token = scene.token("s3cret").claim("sid", "s3cret");
    let stream = scene.auth.authenticate(&token.headers()).await.unwrap().open_stream();
    let error = stream.renew(&scene.token("other-s3cret").sign()).await.unwrap_err();
    assert!(matches!(error, NotRenewed::OtherSubject));
    let shown = format!("{stream:?} {:?} {error:?} {error}", stream.ended());
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("open a new stream"), "{shown}");
}
