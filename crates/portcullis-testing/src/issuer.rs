//! An in-process issuer for tests.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use portcullis::testing::{AUDIENCE, TestToken};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder,
    clock::{Clock, SystemClock},
};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use crate::revocation::{CLIENT_ID, SECRET};
use crate::server::Server;
use crate::state::State;

/// An issuer with real keys. It serves metadata, a JWKS, status lists and introspection over
/// loopback until it is dropped.
#[derive(Debug)]
pub struct TestIssuer {
    state: Arc<Mutex<State>>,
    /// The introspection client's secret.
    secret: NamedTempFile,
    _server: Server,
}

impl TestIssuer {
    /// Starts an issuer with an ES256 key, on the system clock.
    pub async fn start() -> Self {
        Self::start_at(SystemClock::new()).await
    }

    /// Starts an issuer on `clock`, for example a [`ManualClock`](crate::ManualClock).
    pub async fn start_at(clock: impl Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::new(url, clock)));
        let mut secret = NamedTempFile::new().unwrap();
        secret.write_all(SECRET.as_bytes()).unwrap();
        Self { _server: Server::start(listener, state.clone()), state, secret }
    }

    /// Returns the issuer's URL, the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> String {
        self.state().url.clone()
    }

    /// Returns the settings of a service that accepts the issuer's tokens: the issuer,
    /// [`AUDIENCE`], and introspection at `{url}/introspect` by the client `api`. The client's
    /// secret is in a temporary file that is deleted with the issuer. The settings support both
    /// [`Revocation::live`](portcullis::Revocation::live) and
    /// [`Revocation::status_list`](portcullis::Revocation::status_list).
    pub fn authenticator(&self) -> AuthenticatorBuilder {
        let url = self.url();
        Authenticator::builder(&url, AUDIENCE)
            .introspection_url(format!("{url}/introspect"))
            .introspection_client_id(CLIENT_ID)
            .introspection_secret_file(self.secret.path())
    }

    /// Returns a token for `subject`: by default an RFC 9068 access token for [`AUDIENCE`] with a
    /// lifetime of 15 minutes. Each token has its own index in the status list `{url}/status/1`, in
    /// `/status/2` after 65,536 tokens, and so on.
    #[must_use]
    pub fn token(&self, subject: &str) -> TestToken {
        let mut state = self.state();
        let (uri, index) = state.next_place();
        TestToken::new(state.key().clone(), &state.url, subject, state.now()).status(&uri, index)
    }

    /// Revokes `token` and every token derived from it. Introspection and the status list report
    /// the revocation from the next request on.
    ///
    /// # Panics
    ///
    /// Panics if the token's `status` is not an entry of one of this issuer's status lists.
    pub fn revoke(&self, token: &TestToken) {
        let place = token.get("status").and_then(|status| self.state().place(status));
        let place = place.expect("the token's `status` is not in a list of this issuer");
        self.state().revoked.insert(place);
    }

    /// Publishes a new key and signs with it. Older keys stay published.
    pub fn rotate(&self) {
        self.rotate_to(Algorithm::Es256);
    }

    /// Publishes a new key of this algorithm and signs with it. Older keys stay published.
    pub fn rotate_to(&self, algorithm: Algorithm) {
        self.state().rotate_to(algorithm);
    }

    /// Publishes only the current signing key. Services must reject withdrawn keys within their
    /// limits.
    pub fn withdraw_old_keys(&self) {
        self.state().withdraw_old_keys();
    }

    /// Answers every request with 503, until [`end_outage`](Self::end_outage) is called.
    pub fn begin_outage(&self) {
        self.state().away = true;
    }

    /// Ends an outage that [`begin_outage`](Self::begin_outage) started.
    pub fn end_outage(&self) {
        self.state().away = false;
    }

    /// Sets the issuer's clock ahead by `by`: its tokens are issued in the future.
    pub fn skew_ahead(&self, by: Duration) {
        let mut state = self.state();
        (state.fast, state.slow) = (by, Duration::ZERO);
    }

    /// Sets the issuer's clock back by `by`.
    pub fn skew_back(&self, by: Duration) {
        let mut state = self.state();
        (state.fast, state.slow) = (Duration::ZERO, by);
    }

    /// Returns the number of JWKS requests.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.state().fetches
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use portcullis::{Gate, Revocation};

    use super::*;
    use crate::{ManualClock, NOW, TestKey, verdict};

    async fn rule(auth: &Authenticator, token: &TestToken) -> Option<&'static str> {
        auth.authenticate(&token.headers()).await.err().map(|refusal| refusal.rule())
    }

    #[tokio::test]
    async fn test_issuer_follows_its_script() {
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

    async fn outcome(gate: &Gate, token: &TestToken) -> (u16, &'static str) {
        match verdict(gate, &token.headers()).await {
            Ok(_) => (200, "accepted"),
            Err(refusal) => (refusal.status().as_u16(), refusal.rule()),
        }
    }

    const LIVE: Revocation = Revocation::live();

    async fn issuer_and_gates() -> (TestIssuer, ManualClock, [Gate; 2]) {
        let clock = ManualClock::at(NOW);
        let issuer = TestIssuer::start_at(clock.clone()).await;
        let auth = issuer.authenticator().clock(clock.clone()).without_background_refresh();
        let auth = auth.build().await.unwrap();
        let list = Revocation::status_list(Duration::from_secs(10));
        let gates = [LIVE, list].map(|by| Gate::new(auth.clone()).revocation(by).unwrap());
        (issuer, clock, gates)
    }

    #[tokio::test]
    async fn revoked_token_is_rejected() {
        let (issuer, clock, gates) = issuer_and_gates().await;
        let (token, other) = (issuer.token("a"), issuer.token("a"));
        for gate in &gates {
            assert_eq!(outcome(gate, &token).await, (200, "accepted"));
        }
        issuer.revoke(&token);
        clock.advance(Duration::from_secs(11));
        // The token `later` is issued after the list was fetched, and its list is signed with
        // another key.
        issuer.rotate();
        let later = issuer.token("a");
        issuer.state().issued = 1 << 16;
        let in_the_second_list = issuer.token("a");
        for (gate, rule) in gates.iter().zip(["inactive", "revoked"]) {
            assert_eq!(outcome(gate, &token).await, (401, rule));
            assert_eq!(outcome(gate, &token.clone().scopes(["a"])).await, (401, rule));
            for good in [&other, &later, &in_the_second_list] {
                assert_eq!(outcome(gate, good).await, (200, "accepted"));
            }
        }
        issuer.revoke(&in_the_second_list);
        clock.advance(Duration::from_secs(11));
        for (gate, rule) in gates.iter().zip(["inactive", "revoked"]) {
            assert_eq!(outcome(gate, &in_the_second_list).await, (401, rule));
            assert_eq!(outcome(gate, &other).await, (200, "accepted"));
        }
    }

    #[tokio::test]
    async fn outage_makes_the_revocation_status_unavailable() {
        let (issuer, clock, gates) = issuer_and_gates().await;
        let token = issuer.token("a");
        for gate in &gates {
            assert_eq!(outcome(gate, &token).await, (200, "accepted"));
        }
        issuer.begin_outage();
        clock.advance(Duration::from_secs(11));
        for gate in &gates {
            assert_eq!(outcome(gate, &token).await.0, 503);
        }
        issuer.end_outage();
        clock.advance(Duration::from_secs(11));
        for gate in &gates {
            assert_eq!(outcome(gate, &token).await, (200, "accepted"));
        }
    }

    #[tokio::test]
    async fn token_without_a_status_reference_is_rejected_only_by_a_list_gate() {
        let (issuer, _, [live, list]) = issuer_and_gates().await;
        let token = issuer.token("a").without("status");
        assert_eq!(outcome(&live, &token).await, (200, "accepted"));
        assert_eq!(outcome(&list, &token).await, (401, "no_status"));
    }

    #[tokio::test]
    async fn introspection_is_active_only_for_own_valid_tokens() {
        let (issuer, clock, _) = issuer_and_gates().await;
        let active = |token: &str| issuer.state().introspect(token)["active"] == true;
        let token = issuer.token("a");
        assert!(active(&token.sign()));
        assert_eq!(issuer.state().introspect(&token.sign())["sub"], "a");
        let list = issuer.state().status_list(1);
        let stranger = Arc::new(TestKey::generate("key-1", Algorithm::Es256));
        for bad in [
            token.clone().expired().sign(),
            token.clone().issuer("https://other.example").sign(),
            token.clone().without("exp").sign(),
            token.clone().signed_with(stranger).sign(),
            list,
            String::new(),
        ] {
            assert!(!active(&bad), "{bad}");
        }
        clock.advance(Duration::from_secs(900));
        assert!(!active(&token.sign()));
    }

    #[tokio::test]
    async fn introspection_with_a_wrong_secret_fails() {
        let issuer = TestIssuer::start().await;
        let auth = issuer.authenticator().introspection_client_id("other").build().await.unwrap();
        let gate = Gate::new(auth).revocation(LIVE).unwrap();
        assert_eq!(outcome(&gate, &issuer.token("a")).await.0, 503);
    }

    #[tokio::test]
    async fn token_with_typ_of_another_kind_is_rejected() {
        let issuer = TestIssuer::start().await;
        let auth = issuer.authenticator().build().await.unwrap();
        let token = issuer.token("a");
        assert_eq!(rule(&auth, &token.clone().header("typ", "AT+JWT")).await, None);
        assert_eq!(rule(&auth, &token.clone().header("typ", "dpop+jwt")).await, Some("typ"));
        assert_eq!(rule(&auth, &token.header("kid", "key-2")).await, Some("kid"));
    }
}
