//! The gates of the suite, and the comparison of a service with the cases.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis::testing::{AUDIENCE, TestKey, builder};
use portcullis::{
    Algorithm, AuthenticatorBuilder, Gate, IssuerSettings,
    adapter::MaybeReady,
    keys::{CandidateKeys, KeyRequest, KeySource, ResolveError, SharedKeySet},
    token::TokenPlace,
};

use super::cases::{self, Case, Tokens};
use super::client::Client;
use super::exchange::Answer;
use super::protocol::Protocol;
use super::service::{ABSENT_ISSUER, BUSY_ISSUER, LATE_ISSUER};

/// The gates to put in front of a service, and the cases to check it with.
///
/// ```no_run
/// use std::net::SocketAddr;
///
/// use portcullis_testing::conformance::{Protocol, Suite};
///
/// # async fn serve(_: &Suite) -> SocketAddr { unimplemented!() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let suite = Suite::plain().await;
/// // Your adapter: the routes of the module's table, behind the gates of the suite.
/// let address = serve(&suite).await;
/// let report = suite.run("my-adapter", address, Protocol::Http1).await;
/// assert!(report.wrong.is_empty(), "{report}");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Suite {
    /// The gate for routes that require a token.
    pub strict: Gate,
    /// The gate for routes with an optional token.
    pub optional: Gate,
    /// The gate for routes that may receive credentials other than tokens.
    pub foreign: Gate,
    grpc: bool,
    cases: Vec<Case>,
}

impl Suite {
    /// Creates a suite for refusals without bodies, which adapters of any framework support.
    pub async fn plain() -> Self {
        Self::new(|builder| builder, false).await
    }

    /// Creates a suite for refusals with bodies and for metadata. It is for adapters whose
    /// framework creates bodies from bytes.
    pub async fn with_bodies() -> Self {
        let change = |builder: AuthenticatorBuilder| {
            builder.problem_json().protected_resource("https://api.example/v1")
        };
        Self::new(change, true).await
    }

    async fn new(
        change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
        bodies: bool,
    ) -> Self {
        let key = TestKey::generate("k", Algorithm::Es256);
        let keys = SharedKeySet::new(TestKey::key_set([&key]));
        let late = IssuerSettings::new(LATE_ISSUER, AUDIENCE).key_source(Late(keys));
        let absent = IssuerSettings::new(ABSENT_ISSUER, AUDIENCE).key_source(Absent);
        let busy = IssuerSettings::new(BUSY_ISSUER, AUDIENCE).key_source(Busy);
        let builder = builder(&key)
            .also_issuer(late)
            .also_issuer(absent)
            .also_issuer(busy)
            .token_places([
                TokenPlace::authorization(),
                TokenPlace::header("x-access-token"),
                TokenPlace::websocket_prefix("bearer."),
                TokenPlace::websocket_pair("bearer"),
                TokenPlace::websocket_base64url(cases::K8S),
            ])
            .cookie("__Host-portcullis-access")
            .also_trusted_origin("https://app.example");
        let auth = change(builder).build().await.unwrap();
        Self {
            strict: Gate::new(auth.clone()),
            optional: Gate::new(auth.clone()).optional(),
            foreign: Gate::new(auth).optional().pass_foreign(),
            grpc: false,
            cases: cases::all(&Tokens::new(&key), bodies),
        }
    }

    /// Declares the gates as gRPC, regardless of the protocol of the service behind them.
    #[must_use]
    pub fn grpc(self) -> Self {
        let (strict, optional) = (self.strict.grpc(), self.optional.grpc());
        let foreign = self.foreign.grpc();
        Self { strict, optional, foreign, grpc: true, ..self }
    }

    /// Sends every case that `protocol` can carry to the service at `address`.
    pub async fn run(&self, adapter: &str, address: SocketAddr, protocol: Protocol) -> Report {
        let mut report = Report { name: format!("{adapter}, {protocol}"), cases: 0, wrong: vec![] };
        let client = Client { address, protocol };
        for case in &self.cases {
            let Some(expected) = case.expected(protocol, self.grpc) else { continue };
            report.cases += 1;
            let answer = client.send(case).await;
            if let Some(difference) = expected.difference(&answer) {
                report.wrong.push(format!("{case}: {difference}"));
            }
        }
        report
    }

    /// Passes each token of the cases to the strict gate without a request. The outcome must match
    /// that of a request with the token.
    pub async fn run_bare_tokens(&self) -> Report {
        let mut report = Report { name: "bare token".to_owned(), cases: 0, wrong: vec![] };
        for case in &self.cases {
            let Some(token) = case.bare_token() else { continue };
            let Some(expected) = case.expected(Protocol::Http1, self.grpc) else { continue };
            report.cases += 1;
            let difference = match self.strict.authenticate_token(token).await {
                Ok(who) => {
                    let who = who.subject().unwrap_or("anonymous");
                    (expected.status != 200 || expected.body != who)
                        .then(|| format!("expected {expected}\n    but got {who}"))
                }
                Err(refusal) => expected.difference(&Answer::of(refusal.into_full_response())),
            };
            report.wrong.extend(difference.map(|difference| format!("{case}: {difference}")));
        }
        report
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    /// The adapter and the protocol.
    pub name: String,
    /// The number of cases that ran.
    pub cases: usize,
    /// Each case with a different response, and the difference.
    pub wrong: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cases, wrong } = self;
        write!(f, "{name:<24} {cases:>3} cases, {} wrong", wrong.len())?;
        wrong.iter().try_for_each(|wrong| write!(f, "\n  {wrong}"))
    }
}

impl Answer {
    /// Describes the difference to `other`, if there is one.
    fn difference(&self, other: &Self) -> Option<String> {
        (self != other).then(|| format!("expected {self}\n    but got {other}"))
    }
}

#[derive(Debug)]
struct Late(SharedKeySet);

impl KeySource for Late {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        let keys = self.0.resolve(wanted);
        MaybeReady::pending(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            keys.await
        })
    }
}

#[derive(Debug)]
struct Absent;

impl KeySource for Absent {
    fn resolve(&self, _: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        MaybeReady::Ready(Err(unavailable()))
    }
}

/// A key source whose budget for unknown keys is spent.
#[derive(Debug)]
struct Busy;

impl KeySource for Busy {
    fn resolve(&self, _: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        let retry_after = Duration::from_secs(7);
        MaybeReady::Ready(Err(ResolveError::BudgetSpent { retry_after, source: None }))
    }
}

fn unavailable() -> ResolveError {
    ResolveError::Unavailable { retry_after: Duration::from_secs(7), source: None }
}

/// The tokens that the cases use.
impl Tokens {
    fn new(key: &TestKey) -> Self {
        let forged = TestKey::generate("k", Algorithm::Es256);
        let unknown = TestKey::generate("other", Algorithm::Es256);
        Self::signed(key, &forged, &unknown)
    }
}
