//! The issuers, and the facts about each that the rows of the table use.

mod dex;
mod glewlwyd;
mod hydra;
mod keycloak;
mod oidc_provider;
mod spring;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portcullis::Policy;
use portcullis::feed::LogoutMatch;
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::http;

pub(crate) use dex::Dex;
pub(crate) use glewlwyd::Glewlwyd;
pub(crate) use hydra::Hydra;
pub(crate) use keycloak::Keycloak;
pub(crate) use oidc_provider::OidcProvider;
pub(crate) use spring::Spring;

/// The secret of every client.
pub(crate) const SECRET: &str = "only-for-tests";

/// Where logout tokens are received, at the path [`LOGOUT_PATH`].
pub(crate) const LOGOUT: &str = "127.0.0.1:4999";
pub(crate) const LOGOUT_PATH: &str = "/logout";

/// A new number for the name of a key; each is larger than the one before.
fn next_number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(1000);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// The facts about an issuer that do not depend on a running process.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The issuer's page of the guide.
    pub(crate) page: &'static str,
    pub(crate) profile: &'static str,
    /// Whether its access tokens and ID tokens are indistinguishable, as its page states. If they
    /// are indistinguishable, the profile rejects both, and the rows use the opt-in.
    pub(crate) indistinct: bool,
    pub(crate) issuer: &'static str,
    /// The URL that responds with 200 as soon as the issuer serves.
    pub(crate) ready: &'static str,
    pub(crate) ready_within: Duration,
    pub(crate) start: Start,
    /// Scopes and roles that the access token has, and some that it lacks.
    pub(crate) policies: [Policy; 2],
    /// The text for `policies` in the table.
    pub(crate) policy_words: &'static str,
    /// The algorithms of access tokens that the issuer offers.
    pub(crate) algorithms: &'static [&'static str],
    /// A note on the algorithms in the table.
    pub(crate) about_algorithms: &'static str,
    /// The maximum time from [`Issuer::rotate`] until the new key signs.
    pub(crate) rotates_within: Duration,
    /// `None` if the tests do not make the issuer send logout tokens.
    pub(crate) logouts: Option<Logouts>,
}

/// The issuer's logout tokens (OpenID Connect Back-Channel Logout 1.0), and the settings that apply them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logouts {
    /// The path of the claim in which access tokens name their session.
    pub(crate) session_at: &'static [&'static str],
    pub(crate) matches: LogoutMatch,
    /// Whether their `typ` is not `logout+jwt`.
    pub(crate) untyped: bool,
    /// The claims that their payload omits, as the issuer's page states.
    pub(crate) omitted: &'static [&'static str],
    /// The ways to end a session.
    pub(crate) ways: &'static [&'static str],
}

/// The tokens of a user who logged in.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) access_token: String,
    pub(crate) id_token: String,
    /// Empty if the issuer issued none.
    pub(crate) refresh_token: String,
}

impl Login {
    /// Takes the tokens from a token response.
    fn of(response: &Value) -> Outcome<Self> {
        let text = |name: &str| response.get(name).and_then(Value::as_str).map(str::to_owned);
        let token =
            |name| text(name).ok_or_else(|| Failure::new(format!("a login without {name}")));
        Ok(Self {
            access_token: token("access_token")?,
            id_token: token("id_token")?,
            refresh_token: text("refresh_token").unwrap_or_default(),
        })
    }

    /// The session, as the ID token names it.
    fn session(&self) -> Outcome<String> {
        let claims = http::claims(&self.id_token)?;
        let session = claims.get("sid").and_then(Value::as_str);
        session.map(str::to_owned).ok_or_else(|| Failure::new("an ID token without `sid`"))
    }
}

/// How the issuer is started for the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// By the commands on the issuer's guide page, with these parts of the text replaced.
    Page(&'static [(&'static str, &'static str)]),
    /// As a project in this repository: the folder below `tests/interop/third_party`, and the
    /// commands that build and start it.
    Own { folder: &'static str, build: &'static str, start: &'static str },
}

/// A real issuer that is running.
pub(crate) trait Issuer: Clone + Send + Sync + 'static {
    fn facts() -> Facts;

    /// Creates, after each start, the clients, users and other data that the rows need and the
    /// page's steps do not create.
    fn set_up(&self) -> impl Future<Output = Outcome<()>> + Send;

    /// An access token for the API that satisfies the first policy.
    fn access_token(&self) -> impl Future<Output = Outcome<String>> + Send;

    /// Signs access tokens with this algorithm from now on.
    fn sign_with(&self, algorithm: &str) -> impl Future<Output = Outcome<()>> + Send;

    /// An ID token with the API as its `aud`.
    fn id_token(&self) -> impl Future<Output = Outcome<String>> + Send;

    /// Creates a new key, which signs from now on or soon.
    fn rotate(&self) -> impl Future<Output = Outcome<()>> + Send;

    /// Other tokens of the issuer that must be rejected, each with its name.
    fn other_tokens(&self) -> impl Future<Output = Outcome<Vec<(&'static str, String)>>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Logs a user in, in a new session, to a client that is sent logout tokens.
    fn log_in(&self) -> impl Future<Output = Outcome<Login>> + Send {
        async { Err(Failure::new("no user can log in")) }
    }

    /// Ends the session of a login, in one of [`Logouts::ways`].
    fn end_session(&self, _: &Login, way: &str) -> impl Future<Output = Outcome<()>> + Send {
        let failure = Failure::new(format!("no way `{way}` to end a session"));
        async { Err(failure) }
    }
}
