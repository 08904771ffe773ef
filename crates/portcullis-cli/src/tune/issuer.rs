//! `--issuer`: reads the metadata and headers of one issuer, and measures its mechanisms and costs. Sends a
//! bounded number of requests, one at a time.

mod client;
mod limited;
mod measure;
mod told;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::exit::Failure;
use crate::units::{duration, seconds};
pub(super) use measure::Timing;
pub(super) use told::OwnCosts;

/// The issuer to measure, and the client for it.
#[derive(Debug, Clone, Args)]
pub(crate) struct IssuerArguments {
    /// Read this issuer's metadata and JWKS headers, and measure a fetch; with a client also the token
    /// lifetime, a grant and an introspection. Mechanisms that it does not offer are left out.
    #[arg(long, value_name = "URL", help_heading = "Your issuer")]
    issuer: Option<String>,

    /// Client of that issuer with the client credentials grant.
    #[arg(long, value_name = "ID", requires_all = ["issuer", "client_secret_file"], help_heading = "Your issuer")]
    client_id: Option<String>,

    /// File with the client's secret in its first line.
    #[arg(long, value_name = "FILE", requires = "client_id", help_heading = "Your issuer")]
    client_secret_file: Option<PathBuf>,

    /// Scope that the client requests. [default: none]
    #[arg(long, value_name = "SCOPE", requires = "client_id", help_heading = "Your issuer")]
    client_scope: Option<String>,

    /// User of that issuer: measures logins (password grants) and refreshes instead of client-credentials
    /// grants. The client must be allowed to use the password grant.
    #[arg(long, value_name = "NAME", requires_all = ["client_id", "password_file"], help_heading = "Your issuer")]
    username: Option<String>,

    /// File with the user's password in its first line.
    #[arg(long, value_name = "FILE", requires = "username", help_heading = "Your issuer")]
    password_file: Option<PathBuf>,

    /// Number of requests of each kind to measure (fetches, grants, refreshes, introspections), at
    /// most 200 of each; 4 further requests are made.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=200), requires = "issuer", help_heading = "Your issuer")]
    issuer_requests: u64,

    /// Timeout of each request to that issuer, from 100 ms to 60 s. Fetching its metadata and
    /// keys may take three times as long in total, at most 60 s.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Your issuer")]
    issuer_timeout: f64,

    /// Further trusted certificates (PEM).
    #[arg(long, value_name = "FILE", requires = "issuer", help_heading = "Your issuer")]
    ca_file: Option<PathBuf>,
}

/// The names of all options in [`IssuerArguments`].
pub(super) const ISSUER_OPTIONS: &[&str] = &[
    "--issuer",
    "--client-id",
    "--client-secret-file",
    "--client-scope",
    "--username",
    "--password-file",
    "--issuer-requests",
    "--issuer-timeout",
    "--ca-file",
];

/// What was found at the issuer. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Found {
    pub(super) issuer: String,
    /// The number of requests made.
    pub(super) requests: u64,
    /// The `Cache-Control` of its JWKS, and the TTL that a service derives from it.
    pub(super) cache_control: Option<String>,
    pub(super) max_age: Option<f64>,
    pub(super) fetch: Timing,
    /// A client-credentials grant, without a user.
    pub(super) grant: Option<Timing>,
    /// A login of the user, and a refresh of its session.
    pub(super) password: Option<Timing>,
    pub(super) refresh: Option<Timing>,
    pub(super) introspection: Option<Timing>,
    /// The lifetime of the tokens that the client received.
    pub(super) token_lifetime: Option<f64>,
    /// Whether introspection reports the client's own token as inactive, so the client may not introspect.
    pub(super) may_not_ask: bool,
    /// Whether the issuer is a Keycloak: its metadata has the path of one, and it has no status lists.
    pub(super) is_keycloak: bool,
    /// The `alg` of its tokens.
    pub(super) algorithm: Option<String>,
    pub(super) offers: Offers,
}

/// A mechanism that an issuer may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lacked {
    /// It has no introspection endpoint.
    Introspection,
    /// Its tokens have no `status` claim.
    StatusLists,
    /// It sends no logout tokens.
    BackchannelLogout,
}

/// Properties of the issuer that apply to all settings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habits {
    /// The `max-age` of the issuer's JWKS.
    pub(super) max_age: Option<f64>,
    pub(super) offers: Offers,
    /// Whether the issuer pushes its status list.
    pub(super) pushes: bool,
}

/// Whether the issuer offers each mechanism; `None` if its metadata do not show that.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Offers {
    pub(super) introspection: Option<bool>,
    pub(super) status_lists: Option<bool>,
    pub(super) backchannel_logout: Option<bool>,
}

impl Offers {
    /// The mechanisms that the issuer does not offer, each with the reason.
    pub(super) fn lacks(self) -> Vec<&'static str> {
        let missing = [
            (self.status_lists, "status lists: this issuer's tokens have no `status` claim"),
            (self.introspection, "introspection: this issuer has no introspection endpoint"),
        ];
        let lacked = missing.into_iter().filter(|(has, _)| *has == Some(false));
        let feed = "the feed: this issuer announces no back-channel logout (`backchannel_logout_supported`). A \
                    webhook that calls `Revocations` can fill it";
        let feed = Some(feed).filter(|_| !self.sends_logouts());
        lacked.map(|(_, why)| why).chain(feed).collect()
    }

    /// Whether the issuer is known to send logout tokens, which `Revocation::feed` applies.
    pub(super) fn sends_logouts(self) -> bool {
        self.backchannel_logout == Some(true)
    }
}

impl IssuerArguments {
    pub(super) fn is_given(&self) -> bool {
        self.issuer.is_some()
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        if (0.1..=60.0).contains(&self.issuer_timeout) {
            return Ok(());
        }
        let given = duration(self.issuer_timeout);
        Err(Failure::wrong(format!("--issuer-timeout is {given}; it must be from 100 ms to 60 s")))
    }

    /// Measures the issuer, if one is given.
    pub(super) fn ask(&self) -> Result<Option<Found>, Failure> {
        let Some(issuer) = &self.issuer else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Failure::wrong(format!("--issuer: cannot start a thread: {error}")))?;
        runtime.block_on(measure::ask(self, issuer)).map(Some)
    }
}
