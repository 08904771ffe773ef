//! Runtimes that end, or stall, during a fetch or with an open connection.

use std::thread;
use std::time::Duration;

use portcullis::testing::TestKey;
use portcullis::{Algorithm, status::Freshness};
use portcullis_test_support::key_server::{Answer, Server};
use portcullis_test_support::service::{
    FETCH_TIMEOUT, JWKS, SLACK, ask, builder, jwks, renewing_builder, status, token, until_stale,
};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A request on the second runtime waits for a fetch of the first, which ends or stalls.
fn a_fetch_is_left_behind(first_ends: bool) {
    let server = Server::start();
    let key = TestKey::generate("a", Algorithm::Es256);
    let good = token(&key);
    server.set(JWKS, Answer::Document(jwks([&key])));
    let (first, second) = (runtime(), runtime());
    let auth = first.block_on(builder(&server).build()).unwrap();
    server.set(JWKS, Answer::Hang(Vec::new()));
    second.block_on(until_stale(&auth));

    let (begins, ours) = (auth.clone(), good.clone());
    first.spawn(async move { ask(&begins, &ours).await });
    first.block_on(async {
        while server.requests(JWKS).len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let joined = {
        let (auth, token) = (auth.clone(), good.clone());
        thread::spawn(move || second.block_on(async { ask(&auth, &token).await }))
    };
    thread::sleep(Duration::from_millis(100));
    let idle = (!first_ends).then_some(first);
    let asked = joined.join().unwrap();
    assert_eq!(asked.status, 200, "{asked:?}");
    // If the first runtime ends, the waiting request continues at once.
    let bound = if first_ends { FETCH_TIMEOUT } else { FETCH_TIMEOUT + SLACK };
    assert!(asked.waited < bound, "{asked:?}");
    assert_eq!(server.requests(JWKS).len(), 2);

    // The abandoned fetch does not block the next fetch, whichever runtime starts the next one.
    server.set(JWKS, Answer::Document(jwks([&key])));
    let asked = runtime().block_on(ask(&auth, &good));
    assert_eq!(asked.status, 200, "{asked:?}");
    assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{asked:?}");
    assert_eq!(server.requests(JWKS).len(), 3);
    assert_eq!(status(&auth).freshness, Freshness::Fresh);
    drop(idle);
}

#[test]
fn fetch_of_an_ended_runtime_is_started_again() {
    a_fetch_is_left_behind(true);
}

#[test]
fn fetch_of_an_idle_runtime_times_out() {
    a_fetch_is_left_behind(false);
}

#[test]
fn idle_runtime_keeps_no_connection() {
    let server = Server::start();
    let key = TestKey::generate("a", Algorithm::Es256);
    server.set(JWKS, Answer::Document(jwks([&key])));
    let (first, second) = (runtime(), runtime());
    // The refresh task belongs to the first runtime too, and makes no progress there.
    let auth = first.block_on(renewing_builder(&server).build()).unwrap();
    for _ in 0..3 {
        second.block_on(auth.refresh()).unwrap();
    }
    assert_eq!((server.requests(JWKS).len(), server.connections()), (4, 4));

    server.set(JWKS, Answer::Document(jwks([])));
    second.block_on(until_stale(&auth));
    let asked = second.block_on(ask(&auth, &token(&key)));
    assert_eq!(asked.status, 401, "a withdrawn key: {asked:?}");
    assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{asked:?}");
    drop(first);
}
