//! An issuer in the process of the test.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use portcullis::testing::{AUDIENCE, TestKey, TestToken};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder,
    clock::{Clock, SystemClock},
};

use crate::server::{Published, Server};

/// An issuer with real keys, whose metadata and JWKS are served over loopback until it is dropped.
#[derive(Debug)]
pub struct TestIssuer {
    server: Server,
    published: Arc<Mutex<Published>>,
    keys: Mutex<Keys>,
    clock: Box<dyn Clock>,
}

#[derive(Debug)]
struct Keys {
    /// The last one signs.
    keys: Vec<Arc<TestKey>>,
    made: usize,
    /// By how much the clock of the issuer is fast, or slow.
    fast: Duration,
    slow: Duration,
}

impl TestIssuer {
    /// Starts one with an ES256 key, on the time of the system.
    pub async fn start() -> Self {
        Self::start_at(SystemClock::new()).await
    }

    /// Starts one that takes the time from `clock`, a [`ManualClock`](crate::ManualClock) for
    /// example.
    pub async fn start_at(clock: impl Clock) -> Self {
        let published = Arc::<Mutex<Published>>::default();
        let server = Server::start(published.clone()).await;
        let zero = Duration::ZERO;
        let keys = Keys { keys: Vec::new(), made: 0, fast: zero, slow: zero };
        let issuer = Self { server, published, keys: Mutex::new(keys), clock: Box::new(clock) };
        issuer.rotate();
        issuer
    }

    /// Its URL, the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// The settings of a service that takes its tokens: the issuer and [`AUDIENCE`].
    pub fn authenticator(&self) -> AuthenticatorBuilder {
        Authenticator::builder(self.url(), AUDIENCE)
    }

    /// A token for `subject`: by itself an RFC 9068 access token for [`AUDIENCE`] that lives for a
    /// quarter of an hour.
    #[must_use]
    pub fn token(&self, subject: &str) -> TestToken {
        let (now, key) = {
            let keys = self.keys();
            let now = self.clock.now() + keys.fast - keys.slow;
            (now, keys.keys.last().expect("there is always a key").clone())
        };
        let now = now.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs();
        TestToken::new(key, &self.url(), subject, now)
    }

    /// Publishes a new key and signs with it. The ones before stay published.
    pub fn rotate(&self) {
        self.rotate_to(Algorithm::Es256);
    }

    /// The same with a key of this algorithm.
    pub fn rotate_to(&self, algorithm: Algorithm) {
        let mut keys = self.keys();
        keys.made += 1;
        let key = TestKey::generate(&format!("key-{}", keys.made), algorithm);
        keys.keys.push(Arc::new(key));
        self.publish(&keys);
    }

    /// Publishes no key but the one that signs: what is withdrawn must be refused in time.
    pub fn withdraw_old_keys(&self) {
        let mut keys = self.keys();
        let old = keys.keys.len().saturating_sub(1);
        keys.keys.drain(..old);
        self.publish(&keys);
    }

    /// From now on every request to it is answered with 503, until it is
    /// [back](Self::end_outage).
    pub fn begin_outage(&self) {
        self.published().away = true;
    }

    /// Ends what [`begin_outage`](Self::begin_outage) began.
    pub fn end_outage(&self) {
        self.published().away = false;
    }

    /// Sets its clock ahead by this much: its tokens are from the future.
    pub fn skew_ahead(&self, by: Duration) {
        let mut keys = self.keys();
        (keys.fast, keys.slow) = (by, Duration::ZERO);
    }

    /// Sets its clock back by this much.
    pub fn skew_back(&self, by: Duration) {
        let mut keys = self.keys();
        (keys.fast, keys.slow) = (Duration::ZERO, by);
    }

    /// How often its keys were asked for.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.published().fetches
    }

    fn publish(&self, keys: &Keys) {
        self.published().jwks = TestKey::jwks(keys.keys.iter().map(AsRef::as_ref));
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap()
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManualClock, NOW};

    async fn rule(auth: &Authenticator, token: &TestToken) -> Option<&'static str> {
        auth.authenticate(&token.headers()).await.err().map(|refusal| refusal.rule())
    }

    #[tokio::test]
    async fn it_does_what_it_is_told_to() {
        let clock = ManualClock::at(NOW);
        let issuer = TestIssuer::start_at(clock.clone()).await;
        let auth = issuer.authenticator().clock(clock.clone()).without_background_refresh();
        let auth = auth.build().await.unwrap();
        assert_eq!(rule(&auth, &issuer.token("a")).await, None);
        assert_eq!(rule(&auth, &issuer.token("a").expired()).await, Some("exp"));
        assert_eq!(rule(&auth, &issuer.token("a").audience("other")).await, Some("aud"));
        assert_eq!(issuer.fetches(), 1);

        issuer.skew_ahead(Duration::from_secs(60));
        assert_eq!(rule(&auth, &issuer.token("a")).await, Some("iat"));
        issuer.skew_back(Duration::from_secs(3600));
        assert_eq!(rule(&auth, &issuer.token("a")).await, Some("exp"));
        issuer.skew_back(Duration::ZERO);

        let old = issuer.token("a");
        issuer.rotate_to(Algorithm::Ed25519);
        assert_eq!(rule(&auth, &issuer.token("a")).await, None);
        assert_eq!(rule(&auth, &old).await, None);
        assert_eq!(issuer.fetches(), 2);
        issuer.withdraw_old_keys();
        clock.advance(Duration::from_secs(301));
        assert_eq!(rule(&auth, &old).await, Some("kid"));

        issuer.begin_outage();
        issuer.rotate();
        clock.advance(Duration::from_secs(31));
        assert_eq!(rule(&auth, &issuer.token("a")).await, Some("key_budget"));
        issuer.end_outage();
        clock.advance(Duration::from_secs(60));
        assert_eq!(rule(&auth, &issuer.token("a")).await, None);
    }
}
