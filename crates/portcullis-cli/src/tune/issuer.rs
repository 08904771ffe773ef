//! `--issuer`: what one issuer does and offers, and what its work takes, measured there with a bounded
//! number of requests, one at a time.

mod client;
mod measure;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::exit::Failure;
use crate::output::escaped;
use crate::units::{duration, seconds};
pub(super) use measure::Timing;

/// The issuer to measure, and the client to measure it with.
#[derive(Debug, Clone, Args)]
pub(crate) struct IssuerArguments {
    /// Ask this issuer: its metadata and the headers of its keys; with a client, also how long its
    /// tokens live, and what a grant and an introspection take. What it does not offer is left out.
    #[arg(long, value_name = "URL", help_heading = "Your issuer")]
    issuer: Option<String>,

    /// A client of that issuer that may have tokens by client credentials.
    #[arg(long, value_name = "ID", requires_all = ["issuer", "client_secret_file"], help_heading = "Your issuer")]
    client_id: Option<String>,

    /// A file with the client's secret in its first line.
    #[arg(long, value_name = "FILE", requires = "client_id", help_heading = "Your issuer")]
    client_secret_file: Option<PathBuf>,

    /// The scope that the client asks for. [default: none]
    #[arg(long, value_name = "SCOPE", requires = "client_id", help_heading = "Your issuer")]
    client_scope: Option<String>,

    /// Fetches, grants and introspections to measure, each so many; 4 requests more in all.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=200), requires = "issuer", help_heading = "Your issuer")]
    issuer_requests: u64,

    /// The deadline of each of these requests.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Your issuer")]
    issuer_timeout: f64,

    /// Certificates (PEM) that are trusted as well.
    #[arg(long, value_name = "FILE", requires = "issuer", help_heading = "Your issuer")]
    ca_file: Option<PathBuf>,
}

/// What was found. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Found {
    pub(super) issuer: String,
    /// How many requests it took in all.
    pub(super) requests: u64,
    /// What it says of caching its keys, and how long a service uses them for it at most.
    pub(super) cache_control: Option<String>,
    pub(super) max_age: Option<f64>,
    pub(super) fetch: Timing,
    pub(super) grant: Option<Timing>,
    pub(super) introspection: Option<Timing>,
    /// Of the tokens that its client was given.
    pub(super) token_lifetime: Option<f64>,
    /// Whether the issuer says of the client's own token that it is not active.
    pub(super) may_not_ask: bool,
    pub(super) offers: Offers,
}

/// What of the issuer decides the figures of other settings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habits {
    /// What its headers say of its keys.
    pub(super) max_age: Option<f64>,
    pub(super) offers: Offers,
    /// Whether it is known to push its status list.
    pub(super) pushes: bool,
}

/// Whether the issuer has what a route can ask for; `None` if that cannot be told from outside.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Offers {
    pub(super) introspection: Option<bool>,
    pub(super) status_lists: Option<bool>,
    pub(super) backchannel_logout: Option<bool>,
}

impl Offers {
    /// Why a mechanism is left out, if it is.
    pub(super) fn lacks(self) -> Vec<&'static str> {
        let missing = [
            (self.status_lists, "status lists: the tokens of this issuer have no place in one"),
            (self.introspection, "asking at each request: this issuer has no introspection"),
        ];
        missing.into_iter().filter_map(|(has, why)| (has == Some(false)).then_some(why)).collect()
    }
}

impl IssuerArguments {
    /// Asks the issuer, if one is named.
    pub(super) fn ask(&self) -> Result<Option<Found>, Failure> {
        let Some(issuer) = &self.issuer else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Failure::wrong(format!("no thread to ask the issuer on: {error}")))?;
        runtime.block_on(measure::ask(self, issuer)).map(Some)
    }
}

impl Found {
    /// Where costs come from that were measured there.
    pub(super) fn source(&self) -> String {
        let mut of = vec![format!("a fetch of the keys {}", self.fetch)];
        match &self.grant {
            Some(grant) => of.push(format!("a grant, which stands for a refresh, {grant}")),
            None => of.push("a refresh was not measured, for want of a client".to_owned()),
        }
        if let Some(introspection) = &self.introspection {
            of.push(format!("an introspection {introspection}"));
        }
        format!(
            "{}, measured just now from here with {} requests, one at a time: {}. These are times with the \
             network in them, which stand for CPU time; what an issuer does beside its answers, such as \
             compiling and collecting garbage, comes on top. What is not named is as --costs-of says",
            self.issuer,
            self.requests,
            of.join("; ")
        )
    }

    /// Why a mechanism is left out, if it is.
    pub(super) fn lacks(&self) -> Vec<&'static str> {
        self.offers.lacks()
    }

    /// What it does and has, in lines.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let offered = |offer: Option<bool>, unknown: &str| match offer {
            Some(true) => "offered".to_owned(),
            Some(false) => "not offered, and left out below".to_owned(),
            None => format!("not known: {unknown}"),
        };
        let mut introspection = offered(self.offers.introspection, "its metadata do not say");
        if self.may_not_ask {
            introspection += ", and not measured: it says of the client's own token that it is not active, so \
                              that this client may not ask (at Keycloak it must be in the token's `aud`)";
        }
        let control = escaped(self.cache_control.as_deref().unwrap_or("not sent"));
        vec![
            (
                "Cache-Control of its keys",
                match self.max_age {
                    Some(age) => {
                        format!("{control}: a service uses them for {} at most", duration(age))
                    }
                    None => format!("{control}: the TTL of the service decides"),
                },
            ),
            (
                "its tokens live for",
                self.token_lifetime
                    .map_or_else(|| "not known: no client was given".to_owned(), duration),
            ),
            ("introspection", introspection),
            (
                "status lists",
                offered(self.offers.status_lists, "give a client, whose token says so"),
            ),
            (
                "back-channel logout",
                match self.offers.backchannel_logout {
                    Some(true) => "offered: it ends sessions of web clients, and no access token",
                    _ => "not offered",
                }
                .to_owned(),
            ),
        ]
    }
}
