//! Validation while the key set is fetched and replaced repeatedly, compared with an unchanged set.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use portcullis::{
    Authenticator,
    clock::{Clock as _, SystemClock},
};
use portcullis_benches::measure::{Case, measure, note, report};
use portcullis_benches::scenario::{AUDIENCE, CACHE, ISSUER, Signer, bearer, caller};
use portcullis_test_support::key_server::{Answer, Server};
use serde_json::json;

/// Measures the validation of a token while another thread fetches the key set over HTTP. The
/// thread fetches about a hundred times a second; a service fetches once every few minutes.
pub(crate) fn under_load(rounds: usize) {
    let (signer, other) = (Signer::new("RS256"), Signer::new("ES256"));
    let server = Server::start();
    let sets = [json!({"keys": [signer.jwk()]}), json!({"keys": [other.jwk(), signer.jwk()]})];
    server.set("/jwks", Answer::Document(sets[0].to_string()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let auth = |bytes| {
        let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(server.url("/jwks"));
        runtime.block_on(builder.token_cache_bytes(bytes).build()).unwrap()
    };
    let (warm, cold) = (auth(CACHE), auth(0));
    let headers = bearer(&signer.token(0));
    let (refreshing, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let (began, fetched) = (SystemClock::new(), server.requests("/jwks").len());
    thread::scope(|scope| {
        scope.spawn(|| {
            for set in sets.iter().cycle() {
                while !refreshing.load(Ordering::Relaxed) {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    thread::sleep(Duration::from_micros(100));
                }
                server.set("/jwks", Answer::Document(set.to_string()));
                runtime.block_on(async { (warm.refresh().await, cold.refresh().await) }).0.unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        let run = |auth: &Authenticator, now: bool| {
            refreshing.store(now, Ordering::Relaxed);
            drop(black_box(caller(auth, black_box(&headers))));
        };
        let cases = vec![
            Case::new("cold, keys at rest", || run(&cold, false)),
            Case::new("cold, keys replaced all the time", || run(&cold, true)),
            Case::new("warm, keys at rest", || run(&warm, false)),
            Case::new("warm, keys replaced all the time", || run(&warm, true)),
        ];
        let measured = measure(cases, rounds);
        refreshing.store(false, Ordering::Relaxed);
        done.store(true, Ordering::Relaxed);
        report("refresh RS256", &measured);
    });
    let fetches = server.requests("/jwks").len() - fetched;
    let took = began.monotonic().as_secs_f64();
    note(
        "refresh RS256",
        &format!("{fetches} fetches in {took:.1} s, half of which the keys rested."),
    );
}
