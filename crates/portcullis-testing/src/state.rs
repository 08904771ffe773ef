//! The state of a [`TestIssuer`](crate::TestIssuer), shared with its server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis::Algorithm;
use portcullis::clock::Clock;
use portcullis::testing::TestKey;

/// The number of a status list, from 1, and an index in it.
pub(crate) type Place = (u64, u64);

#[derive(Debug)]
pub(crate) struct State {
    /// The `iss` of the issuer's tokens.
    pub(crate) url: String,
    clock: Box<dyn Clock>,
    /// The published keys, of which the last one signs.
    keys: Vec<Arc<TestKey>>,
    /// The number of keys created so far.
    made: usize,
    /// The time by which the clock is ahead (`fast`) or behind (`slow`).
    pub(crate) fast: Duration,
    pub(crate) slow: Duration,
    pub(crate) away: bool,
    /// The number of JWKS requests.
    pub(crate) fetches: usize,
    /// The number of tokens issued so far.
    pub(crate) issued: u64,
    pub(crate) revoked: BTreeSet<Place>,
}

impl State {
    pub(crate) fn new(url: String, clock: impl Clock) -> Self {
        let mut state = Self {
            url,
            clock: Box::new(clock),
            keys: Vec::new(),
            made: 0,
            fast: Duration::ZERO,
            slow: Duration::ZERO,
            away: false,
            fetches: 0,
            issued: 0,
            revoked: BTreeSet::new(),
        };
        state.rotate_to(Algorithm::Es256);
        state
    }

    /// Returns the time of the clock, in seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let now = self.clock.now() + self.fast - self.slow;
        now.duration_since(SystemTime::UNIX_EPOCH).expect("the clock is before 1970").as_secs()
    }

    pub(crate) fn rotate_to(&mut self, algorithm: Algorithm) {
        self.made += 1;
        self.keys.push(Arc::new(TestKey::generate(&format!("key-{}", self.made), algorithm)));
    }

    pub(crate) fn withdraw_old_keys(&mut self) {
        let old = self.keys.len().saturating_sub(1);
        self.keys.drain(..old);
    }

    /// Returns the signing key.
    pub(crate) fn key(&self) -> &Arc<TestKey> {
        self.keys.last().expect("the issuer has no key")
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &TestKey> {
        self.keys.iter().map(AsRef::as_ref)
    }
}
