//! The options of `portcullis tune`.

mod known;
mod read;
mod sourced;

use std::path::PathBuf;

use clap::Args;

use super::costs::MeasuredAt;
use super::issuer::{IssuerArguments, Lacked};
use super::mix::Mix;
use super::peak::PeakArguments;
use super::scenario::Habit;
use crate::units::{micros, positive, seconds};
pub(super) use known::Known;
pub(super) use sourced::Sources;

/// The service, its load and its goals. Durations are seconds or have units: 90, 250ms, 15m, 1h30m.
#[derive(Debug, Args)]
pub(crate) struct TuneArguments {
    /// Lifetime of an access token. [default: that of --issuer, or else of --costs-of: 900s, 300s with
    /// keycloak]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    access_expiry: Option<f64>,

    /// Second expiry, to compare with the first.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    pub(crate) vs_access_expiry: Option<f64>,

    /// TTL of the key set in an instance (`PORTCULLIS_JWKS_TTL_SECS`).
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) jwks_ttl: f64,

    /// `max-age` of the issuer's JWKS response, minus its `Age`. If it is shorter than the TTL, it
    /// replaces the TTL (minimum 10 s). 0: the response has no `max-age`. Directives such as
    /// `no-cache` have no effect. [default: that of --issuer, or else of --costs-of: 300s, 0
    /// with keycloak]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) jwks_max_age: Option<f64>,

    /// Time before the end of the TTL at which an instance refreshes its key set in the background.
    /// The actual time is random, from this value to twice this value. 0: no background refresh.
    /// [default: a tenth of the TTL, at most 30s]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) refresh_ahead: Option<f64>,

    /// Tolerated clock skew: a revoked session is accepted for one leeway longer, or for up to two
    /// if the issuer's clock is ahead.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) leeway: f64,

    /// Timeout of a JWKS fetch in the services; for the requests of this command see --issuer-timeout.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) fetch_timeout: f64,

    /// Time beyond the TTL for which keys are used while the issuer is unreachable.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) max_stale: f64,

    /// Number of sessions. [default: 10000, or that of --activity]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000), help_heading = "Load")]
    pub(super) sessions: Option<u64>,

    /// Number of instances of all services, each with its own key set.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000_000), help_heading = "Load")]
    pub(super) instances: u64,

    /// Mean time between two requests of an active session.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) request_every: f64,

    /// Mean length of a burst of activity.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) burst: f64,

    /// Mean length of a pause between two bursts; 0 for sessions that are always active.
    #[arg(long, value_name = "DURATION", default_value = "25m", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) pause: f64,

    /// Recorded requests instead of the three options above: a CSV file with one line per request:
    /// the session, a comma and the time in seconds. The first token of a session counts as a
    /// login, not as a refresh: see --login-peak.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request_every", "burst", "pause"], help_heading = "Load")]
    pub(super) activity: Option<PathBuf>,

    /// Gap between two requests of a session in --activity after which a new burst begins.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = seconds, allow_hyphen_values = true, requires = "activity", help_heading = "Load")]
    pub(super) burst_gap: f64,

    /// When clients refresh.
    #[arg(long, value_enum, default_value_t = Habit::Timer, help_heading = "Load")]
    pub(super) habit: Habit,

    /// Time before the expiry at which a timer refreshes, at most half of the expiry.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) refresh_early: f64,

    /// Time without a new token after which the issuer ends a session, so its user must log in again.
    /// [default: that of --costs-of: none, 30m with keycloak]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) session_idle: Option<f64>,

    /// Number of services per user request, each of which validates the token.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000), help_heading = "Load")]
    pub(super) fan_out: u64,

    /// Revoked sessions a day.
    #[arg(long, value_name = "NUMBER", default_value_t = 100.0, value_parser = positive, help_heading = "Load")]
    pub(super) revocations_per_day: f64,

    /// Key rotations a day, at most 8640. An instance fetches at the first token with a new key.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0 / 30.0, value_parser = positive, help_heading = "Load")]
    pub(super) rotations_per_day: f64,

    /// Length of an outage of the issuer.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = seconds, allow_hyphen_values = true, help_heading = "Trouble")]
    pub(super) outage: f64,

    /// Share of instances that are restarted during the outage, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = positive, help_heading = "Trouble")]
    pub(super) restarted: f64,

    /// Instances keep their key set across a restart (`kept_keys_file`).
    #[arg(long, requires = "restarted", help_heading = "Trouble")]
    pub(super) kept_keys: bool,

    /// Standard deviation of the instances' clocks.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Trouble")]
    pub(super) clock_skew: f64,

    /// Issuer whose measured costs and known defaults are assumed. --issuer takes precedence. [default:
    /// companion; keycloak if --issuer is a Keycloak]
    #[arg(long, value_enum, value_name = "ISSUER", help_heading = "Costs")]
    costs_of: Option<MeasuredAt>,

    /// Cores of the issuer for refreshes, fetches and the guarantees of routes.
    #[arg(long, value_name = "NUMBER", default_value_t = 2.0, value_parser = positive, help_heading = "Costs")]
    pub(super) issuer_cores: f64,

    /// CPU time of a refresh at the issuer. [default: that of --issuer, or else of --costs-of]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) refresh_cost: Option<f64>,

    /// CPU time of a fetch of the JWKS or of a status list at the issuer. [default: that of --issuer, or
    /// else of --costs-of]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) fetch_cost: Option<f64>,

    /// CPU time of an introspection at the issuer, for routes with `Revocation::live`. [default: that of
    /// --issuer, or else of --costs-of]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) lookup_cost: Option<f64>,

    /// Report of `portcullis bench --json`: its first algorithm gives the costs of a validation.
    #[arg(long, value_name = "FILE", help_heading = "Costs")]
    pub(super) bench: Option<PathBuf>,

    /// CPU time of a validation that misses the token cache. [default: that of --bench, or else ES256 on
    /// the machine of benches/RESULTS.md; RS256 with --costs-of keycloak, or if --issuer uses it]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) verify_cost: Option<f64>,

    /// CPU time of a validation that hits the token cache. [default: that of --bench, or else ES256 on
    /// the machine of benches/RESULTS.md]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) hit_cost: Option<f64>,

    /// Maximum age of a status list on routes with `Revocation::status_list`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Other mechanisms")]
    pub(super) list_max_age: f64,

    /// Maximum age of what an instance knows of the reported logouts, on routes with `Revocation::feed`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Other mechanisms")]
    pub(super) feed_max_age: f64,

    /// A mechanism that the issuer does not offer, for a report without --issuer. May be repeated.
    #[arg(long, value_enum, value_name = "MECHANISM", help_heading = "Other mechanisms")]
    pub(super) lacks: Vec<Lacked>,

    /// A peak of logins.
    #[command(flatten)]
    pub(super) peak: PeakArguments,

    /// Guarantees that the routes require.
    #[command(flatten)]
    pub(super) mix: Mix,

    /// The issuer to measure.
    #[command(flatten)]
    pub(super) issuer: IssuerArguments,

    /// Recommend an expiry with which a revoked session is accepted for at most this long.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Goal")]
    pub(crate) max_lag: Option<f64>,

    /// Recommend an expiry with at most this many refreshes per second at the issuer.
    #[arg(long, value_name = "NUMBER", value_parser = positive, help_heading = "Goal")]
    pub(crate) max_refresh_rps: Option<f64>,

    /// Recommend a JWKS TTL with which a withdrawn key is accepted for at most this long.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Goal")]
    pub(crate) max_key_lag: Option<f64>,

    /// Recommend a max_stale and an expiry that survive an outage of this length.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Goal")]
    pub(super) survive: Option<f64>,

    /// Goal of --survive, in percent, below 100: of the sessions that are active at the end of the outage,
    /// the share that must not be locked out.
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = positive, requires = "survive", help_heading = "Goal")]
    pub(super) survivors: f64,

    /// Seed of the simulation: the same seed gives the same report.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = "Simulation")]
    pub(crate) seed: u64,

    /// Simulated time.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = seconds, allow_hyphen_values = true, help_heading = "Simulation")]
    pub(crate) simulate: f64,

    /// Also run an issuer and instances in this process, on a simulated clock, and compare their
    /// measurements with the model. Needs a build with the feature `live`.
    #[arg(long, help_heading = "Live")]
    pub(crate) live: bool,

    /// Number of sessions of the live run, each with logins, requests, refreshes and a revocation.
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000), help_heading = "Live")]
    pub(crate) live_sessions: u64,

    /// Write the report as a self-contained HTML page with plots.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,

    /// Write an offline HTML page with sliders for the effect of each setting on lag, load and lockout.
    /// It starts with the settings of this command line; its URL keeps the settings you change.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) page: Option<PathBuf>,

    /// The form of standard output.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// Text by default.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub(crate) struct Form {
    /// Write one JSON object.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// Write one page for a security review, in Markdown.
    #[arg(long, help_heading = "Output")]
    pub(crate) memo: bool,
}
