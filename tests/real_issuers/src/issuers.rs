//! The issuers: what the rows need to know of each.

mod dex;
mod glewlwyd;
mod hydra;
mod keycloak;
mod oidc_provider;
mod spring;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portcullis::Policy;

use crate::failure::Outcome;

pub(crate) use dex::Dex;
pub(crate) use glewlwyd::Glewlwyd;
pub(crate) use hydra::Hydra;
pub(crate) use keycloak::Keycloak;
pub(crate) use oidc_provider::OidcProvider;
pub(crate) use spring::Spring;

/// The secret of every client.
pub(crate) const SECRET: &str = "only-for-tests";

/// A number that was not used before, for the name of a key; each is larger than the one before.
fn next_number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(1000);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// What does not depend on a running issuer.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The page of the guide.
    pub(crate) page: &'static str,
    pub(crate) profile: &'static str,
    /// Whether nothing tells its access tokens from its ID tokens, as its page says. Then the profile
    /// refuses both, and the rows have the opt-in.
    pub(crate) indistinct: bool,
    pub(crate) issuer: &'static str,
    /// Answers 200 as soon as the issuer serves.
    pub(crate) ready: &'static str,
    pub(crate) ready_within: Duration,
    pub(crate) start: Start,
    /// Scopes and roles that the access token has, and some that it lacks.
    pub(crate) policies: [Policy; 2],
    /// What these policies are, for the table.
    pub(crate) policy_words: &'static str,
    /// The algorithms of access tokens that the issuer offers.
    pub(crate) algorithms: &'static [&'static str],
    /// What the table says about them besides.
    pub(crate) about_algorithms: &'static str,
    /// How long after [`Issuer::rotate`] the new key signs, at the latest.
    pub(crate) rotates_within: Duration,
}

/// How the issuer is started for the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// As its page says, with these parts of the text replaced.
    Page(&'static [(&'static str, &'static str)]),
    /// As a project of ours: the folder below `tests/interop/third_party`, how it is built and how started.
    Own { folder: &'static str, build: &'static str, start: &'static str },
}

/// A real issuer that runs.
pub(crate) trait Issuer: Clone + Send + Sync + 'static {
    fn facts() -> Facts;

    /// Makes what the rows need and the page does not, after each start.
    fn set_up(&self) -> impl Future<Output = Outcome<()>> + Send;

    /// An access token for the API that satisfies the first policy.
    fn access_token(&self) -> impl Future<Output = Outcome<String>> + Send;

    /// From now on access tokens are signed with this algorithm.
    fn sign_with(&self, algorithm: &str) -> impl Future<Output = Outcome<()>> + Send;

    /// An ID token with the API as its `aud`.
    fn id_token(&self) -> impl Future<Output = Outcome<String>> + Send;

    /// Makes a new key, which signs from now on or soon.
    fn rotate(&self) -> impl Future<Output = Outcome<()>> + Send;

    /// Other tokens of the issuer that must be refused, each with its name.
    fn other_tokens(&self) -> impl Future<Output = Outcome<Vec<(&'static str, String)>>> + Send {
        async { Ok(Vec::new()) }
    }
}
