//! Models of the registry: streams that are opened, renewed, waited for and dropped while their session is
//! revoked, in every interleaving with the background task.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loom::future::block_on;

use super::{Ended, OpenStream};
use crate::Revocation;
use crate::algorithm::Algorithm;
use crate::authenticated::Authenticated;
use crate::feed::{Entry, Revocations, Target};
use crate::gate::Gate;
use crate::sync::model::{elapse, explore, spawn};
use crate::testing::{ISSUER, NOW, TestKey, TestToken, bearer, builder};

const SESSION: &str = "s-1";
const LIFETIME: Duration = Duration::from_secs(900);

/// Enough timers for the background task to notice that no stream is left.
const REST: usize = 8;

/// An accepted caller of the session, at a gate that requires the feed.
fn world() -> (Revocations, Authenticated) {
    static KEY: OnceLock<(Arc<TestKey>, String)> = OnceLock::new();
    let (key, token) = KEY.get_or_init(|| {
        let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
        let token = TestToken::new(key.clone(), ISSUER, "alice", NOW).claim("sid", SESSION);
        (key, token.sign())
    });
    let revocations = Revocations::in_memory();
    let builder = builder(key).revocations(revocations.clone());
    let builder = builder.max_token_lifetime(LIFETIME).token_cache_bytes(0);
    let auth = block_on(builder.build()).unwrap();
    let gate = Gate::new(auth).revocation(Revocation::feed(Duration::from_secs(5))).unwrap();
    let who = block_on(gate.authenticate(&bearer(token))).unwrap();
    (revocations, who)
}

fn revoke(revocations: &Revocations, session: &str) {
    let target = Target::Session(session.to_owned());
    revocations.apply(&Entry::new(ISSUER, target, NOW, NOW + 1000));
}

fn until_ended(stream: &OpenStream) -> Ended {
    block_on(stream.ended())
}

#[test]
fn stream_that_is_opened_during_its_revocation_ends() {
    explore("streams: open and revoke", || {
        let (revocations, who) = world();
        let revoking = spawn(move || revoke(&revocations, SESSION));
        let stream = who.open_stream();
        assert_eq!(until_ended(&stream), Ended::SessionRevoked);
        revoking.join().unwrap();
        elapse(REST);
    });
}

#[test]
fn revocation_that_follows_another_one_ends_the_stream() {
    explore("streams: two revocations during a pass", || {
        let (revocations, who) = world();
        let stream = who.open_stream();
        revoke(&revocations, "another session");
        let revoking = spawn(move || revoke(&revocations, SESSION));
        assert_eq!(until_ended(&stream), Ended::SessionRevoked);
        revoking.join().unwrap();
        elapse(REST);
    });
}

#[test]
fn stream_that_is_opened_while_the_task_ends_is_watched() {
    explore("streams: the last stream is dropped while the next is opened", || {
        let (revocations, who) = world();
        let first = who.open_stream();
        let dropping = spawn(move || {
            drop(first);
            elapse(1);
        });
        let second = who.open_stream();
        dropping.join().unwrap();
        assert_eq!(second.has_ended(), None, "an honest caller's stream");
        revoke(&revocations, SESSION);
        assert_eq!(until_ended(&second), Ended::SessionRevoked);
        elapse(REST);
    });
}

#[test]
fn every_future_is_woken_when_the_stream_ends() {
    explore("streams: two futures wait for the end", || {
        let (revocations, who) = world();
        let stream = who.open_stream();
        let other = stream.clone();
        let waiting = spawn(move || until_ended(&other));
        revoke(&revocations, SESSION);
        assert_eq!(until_ended(&stream), Ended::SessionRevoked);
        assert_eq!(waiting.join().unwrap(), Ended::SessionRevoked);
        elapse(REST);
    });
}

#[test]
fn stream_that_is_renewed_during_its_revocation_ends() {
    explore("streams: renew and revoke", || {
        let (revocations, who) = world();
        let stream = who.open_stream();
        let renewed = stream.clone();
        let renewing = spawn(move || {
            let registry = renewed.registry.as_ref().unwrap();
            if let Err(reason) = registry.replace(&renewed.entry, who) {
                assert_eq!(reason, Ended::SessionRevoked);
            }
        });
        revoke(&revocations, SESSION);
        assert_eq!(until_ended(&stream), Ended::SessionRevoked);
        renewing.join().unwrap();
        elapse(REST);
    });
}
