//! `--issuer`: the metadata, headers, mechanisms and costs of one issuer, from a bounded number of requests,
//! one at a time.

mod client;
mod limited;
mod measure;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::exit::Failure;
use crate::output::escaped;
use crate::units::{duration, seconds};
pub(super) use measure::Timing;

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

    /// Number of fetches, of grants and of introspections to measure, at most 200; 4 further requests
    /// are made.
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

/// The options of this module.
pub(super) const ISSUER_OPTIONS: &[&str] = &[
    "--issuer",
    "--client-id",
    "--client-secret-file",
    "--client-scope",
    "--issuer-requests",
    "--issuer-timeout",
    "--ca-file",
];

/// The findings. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Found {
    pub(super) issuer: String,
    /// The number of requests made.
    pub(super) requests: u64,
    /// The `Cache-Control` of its JWKS, and the TTL that a service derives from it.
    pub(super) cache_control: Option<String>,
    pub(super) max_age: Option<f64>,
    pub(super) fetch: Timing,
    pub(super) grant: Option<Timing>,
    pub(super) introspection: Option<Timing>,
    /// The lifetime of the tokens that the client received.
    pub(super) token_lifetime: Option<f64>,
    /// Whether the issuer reports the client's own token as inactive.
    pub(super) may_not_ask: bool,
    /// By the path of its metadata.
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
}

/// Properties of the issuer that the figures of other settings need.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habits {
    /// The `max-age` of its JWKS.
    pub(super) max_age: Option<f64>,
    pub(super) offers: Offers,
    /// Whether it pushes its status list.
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
    /// The mechanisms that are left out, each with the reason.
    pub(super) fn lacks(self) -> Vec<&'static str> {
        let missing = [
            (self.status_lists, "status lists: this issuer's tokens have no `status` claim"),
            (self.introspection, "introspection: this issuer has no introspection endpoint"),
        ];
        missing.into_iter().filter_map(|(has, why)| (has == Some(false)).then_some(why)).collect()
    }
}

impl IssuerArguments {
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

impl Found {
    /// The source of the costs that were measured there. The options for a fetch, a refresh and an
    /// introspection replace their measurements.
    pub(super) fn source(&self, [fetch, refresh, lookup]: [Option<f64>; 3]) -> String {
        let used = |text: String, option: &str, given: Option<f64>| match given {
            Some(_) => format!("{text} (not used: {option} is set)"),
            None => text,
        };
        let keys = format!("a fetch of the keys {}", self.fetch);
        let mut of = vec![used(keys, "--fetch-cost", fetch)];
        of.push(match &self.grant {
            Some(grant) => used(
                format!("a client-credentials grant {grant}, which stands for a refresh"),
                "--refresh-cost",
                refresh,
            ),
            None => "no refresh, since --client-id is not set".to_owned(),
        });
        if let Some(introspection) = &self.introspection {
            of.push(used(format!("an introspection {introspection}"), "--lookup-cost", lookup));
        }
        format!(
            "{}, measured in this run from this machine with {} requests, one at a time: {}. These times \
             include the network and replace CPU times; the issuer's background work, such as garbage \
             collection, is not in them. They vary between runs: the medians of one Keycloak's grants were \
             2.2 to 27.7 ms within 20 min, so repeat the run. Costs that were not measured are those of \
             --costs-of",
            self.issuer,
            self.requests,
            of.join("; ")
        )
    }

    /// Measurements whose quartiles differ too much, without those that an option replaces.
    pub(super) fn noise(&self, [fetch, refresh, lookup]: [Option<f64>; 3]) -> Vec<String> {
        [
            ("a fetch of the keys", Some(self.fetch), "--fetch-cost", fetch),
            ("a grant", self.grant, "--refresh-cost", refresh),
            ("an introspection", self.introspection, "--lookup-cost", lookup),
        ]
        .into_iter()
        .filter(|(.., given)| given.is_none())
        .filter_map(|(what, timing, option, _)| {
            let [low, high] = timing?.noise()?.map(duration);
            Some(format!(
                "NOISY: the quartiles of {what} at the issuer are {low} and {high}. Do not rely on \
                 the median: repeat with more --issuer-requests, set {option} to the CPU time of \
                 the issuer's process per request, or make two reports, with the lowest and the \
                 highest cost that --costs-of names"
            ))
        })
        .collect()
    }

    /// Names and values for a report.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let offered = |offer: Option<bool>, unknown: &str| match offer {
            Some(true) => "offered".to_owned(),
            Some(false) => "not offered, and left out of this report".to_owned(),
            None => format!("unknown: {unknown}"),
        };
        let mut introspection = offered(self.offers.introspection, "not in its metadata");
        if self.may_not_ask {
            introspection += ", and not measured: the client's own token is reported as inactive, so this \
                              client is not allowed to introspect (Keycloak requires it in the token's `aud`)";
        }
        let control = escaped(self.cache_control.as_deref().unwrap_or("not sent"));
        let mut lines = vec![
            (
                "Cache-Control of its JWKS",
                match self.max_age {
                    Some(age) => {
                        format!("{control}: the TTL of a service is at most {}", duration(age))
                    }
                    None => format!("{control}: a service caches the keys for its own TTL"),
                },
            ),
            (
                "token lifetime",
                self.token_lifetime
                    .map_or_else(|| "unknown: give a client (--client-id)".to_owned(), duration),
            ),
            (
                "algorithm of its tokens",
                match (&self.algorithm, self.is_keycloak) {
                    (Some(name), _) => name.clone(),
                    (None, true) => "RS256 is assumed: the path of its metadata is Keycloak's. \
                                     --costs-of keycloak has its other defaults"
                        .to_owned(),
                    (None, false) => "unknown: give a client (--client-id)".to_owned(),
                },
            ),
            ("introspection", introspection),
            (
                "status lists",
                offered(self.offers.status_lists, "give a client (--client-id), to see its token"),
            ),
            (
                "back-channel logout",
                match self.offers.backchannel_logout {
                    Some(true) => "offered: ends sessions of web clients, but no access token",
                    _ => "not offered",
                }
                .to_owned(),
            ),
        ];
        if self.offers.status_lists != Some(false) {
            let push = "not checked; assumed only with --costs-of companion (the default)";
            lines.push(("push of its status list", push.to_owned()));
        }
        lines
    }
}
