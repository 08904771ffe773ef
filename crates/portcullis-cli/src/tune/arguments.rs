//! The options of `portcullis tune`.

mod known;
mod read;

use std::path::PathBuf;

use clap::Args;

use super::costs::MeasuredAt;
use super::issuer::IssuerArguments;
use super::mix::Mix;
use super::peak::PeakArguments;
use super::scenario::Habit;
use crate::units::{micros, positive, seconds};
pub(super) use known::Known;

/// What the service is, and what is wanted of it. Durations are seconds, or have units: 90, 250ms,
/// 15m, 1h30m.
#[derive(Debug, Args)]
pub(crate) struct TuneArguments {
    /// How long an access token lives. [default: as --issuer says, or else
    /// as the issuer of --costs-of has it: 900s, and 300s with keycloak]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    access_expiry: Option<f64>,

    /// A second expiry, to be compared with the first.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    pub(crate) vs_access_expiry: Option<f64>,

    /// How long an instance uses a key set before it fetches it again.
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) jwks_ttl: f64,

    /// What the issuer's `Cache-Control: max-age` says of its keys, less `Age`, if it says anything:
    /// it shortens the TTL, down to 10 s. `no-cache` and the like do not: 0. [default: as --issuer says,
    /// or else as the issuer of --costs-of has it: 300s, and none with keycloak]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) jwks_max_age: Option<f64>,

    /// How long before its TTL an instance begins to renew a key set: it does so between one and two
    /// times this before. 0 for services without background refresh. [default: a tenth of the TTL, at
    /// most 30s]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) refresh_ahead: Option<f64>,

    /// The clock skew that is tolerated: adds to every lag, twice to the bound.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) leeway: f64,

    /// The deadline of a fetch of the keys.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) fetch_timeout: f64,

    /// How long beyond their TTL keys are used while the issuer cannot be reached.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) max_stale: f64,

    /// Sessions that are logged in. [default: 10000, or those of --activity]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000), help_heading = "Load")]
    pub(super) sessions: Option<u64>,

    /// Instances of all services, each with its own key set.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000_000), help_heading = "Load")]
    pub(super) instances: u64,

    /// The mean time between two requests of a session while it is active.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) request_every: f64,

    /// The mean length of a burst of activity.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) burst: f64,

    /// The mean length of a pause between two bursts; 0 for sessions that are always active.
    #[arg(long, value_name = "DURATION", default_value = "25m", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) pause: f64,

    /// Real activity in the place of the three above: a CSV file with a line for each request, the
    /// session and the time in seconds. A session's first token is a login, and not among the
    /// refreshes: see --login-peak.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request_every", "burst", "pause"], help_heading = "Load")]
    pub(super) activity: Option<PathBuf>,

    /// In --activity, how long a time without a request ends a burst.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = seconds, allow_hyphen_values = true, requires = "activity", help_heading = "Load")]
    pub(super) burst_gap: f64,

    /// When clients refresh: by a timer as the token expires, or lazily on a 401.
    #[arg(long, value_enum, default_value_t = Habit::Timer, help_heading = "Load")]
    pub(super) habit: Habit,

    /// How long before the expiry a client with a timer refreshes; never more than half of it.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) refresh_early: f64,

    /// After so long without a new token the issuer ends a session, and its user must log in again.
    /// [default: as the issuer of --costs-of has it: 30m with keycloak, and else never]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Load")]
    pub(super) session_idle: Option<f64>,

    /// Services that one request of a user goes through, each of which validates the token.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000), help_heading = "Load")]
    pub(super) fan_out: u64,

    /// Sessions that are revoked in a day.
    #[arg(long, value_name = "NUMBER", default_value_t = 100.0, value_parser = positive, help_heading = "Load")]
    pub(super) revocations_per_day: f64,

    /// Signing keys that are rotated in a day.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0 / 30.0, value_parser = positive, help_heading = "Load")]
    pub(super) rotations_per_day: f64,

    /// An outage of the issuer.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = seconds, allow_hyphen_values = true, help_heading = "Trouble")]
    pub(super) outage: f64,

    /// The share of instances that are restarted during the outage, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = positive, help_heading = "Trouble")]
    pub(super) restarted: f64,

    /// The instances keep their key set over a restart: `kept_keys_file`.
    #[arg(long, requires = "restarted", help_heading = "Trouble")]
    pub(super) kept_keys: bool,

    /// The standard deviation of the instances' clocks.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Trouble")]
    pub(super) clock_skew: f64,

    /// The issuer that is assumed: what the three figures below were measured at, and what else is
    /// known of it. --issuer stands over it.
    #[arg(long, value_enum, default_value_t = MeasuredAt::Companion, value_name = "ISSUER", help_heading = "Costs")]
    pub(super) costs_of: MeasuredAt,

    /// Cores that the issuer has for refreshes and fetches.
    #[arg(long, value_name = "NUMBER", default_value_t = 2.0, value_parser = positive, help_heading = "Costs")]
    pub(super) issuer_cores: f64,

    /// CPU time of a refresh at the issuer. [default: as --costs-of says]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) refresh_cost: Option<f64>,

    /// CPU time of a fetch of the keys, or of a status list, at the issuer. [default: as --costs-of
    /// says]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) fetch_cost: Option<f64>,

    /// CPU time of the issuer to look a session up, for routes with `Revocation::live`. [default: as
    /// --costs-of says]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) lookup_cost: Option<f64>,

    /// A report of `portcullis bench --json`, whose first algorithm says what a validation costs.
    #[arg(long, value_name = "FILE", help_heading = "Costs")]
    pub(super) bench: Option<PathBuf>,

    /// CPU time of a validation with its signature check. [default: as --bench says, or else ES256 on
    /// the machine of benches/RESULTS.md; RS256 with --costs-of keycloak]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) verify_cost: Option<f64>,

    /// CPU time of a request whose token was verified before, by that instance. [default: ES256 there]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) hit_cost: Option<f64>,

    /// The age of a status list that routes ask for: `Revocation::status_list`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, allow_hyphen_values = true, help_heading = "Other mechanisms")]
    pub(super) list_max_age: f64,

    /// The peak of logins.
    #[command(flatten)]
    pub(super) peak: PeakArguments,

    /// What the routes ask for.
    #[command(flatten)]
    pub(super) mix: Mix,

    /// The issuer that is asked.
    #[command(flatten)]
    pub(super) issuer: IssuerArguments,

    /// Recommend an expiry with which no revoked session is accepted for longer.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Goal")]
    pub(crate) max_lag: Option<f64>,

    /// Recommend an expiry with no more refreshes at the issuer in a second.
    #[arg(long, value_name = "NUMBER", value_parser = positive, help_heading = "Goal")]
    pub(crate) max_refresh_rps: Option<f64>,

    /// Recommend a TTL with which no withdrawn key is accepted for longer.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Goal")]
    pub(crate) max_key_lag: Option<f64>,

    /// Recommend a max_stale and an expiry with which an outage of this length is survived.
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Goal")]
    pub(super) survive: Option<f64>,

    /// By this share of the sessions that are active as it ends, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = positive, requires = "survive", help_heading = "Goal")]
    pub(super) survivors: f64,

    /// What chance is drawn from: the same seed gives the same report.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = "Simulation")]
    pub(crate) seed: u64,

    /// How long a time is simulated.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = seconds, allow_hyphen_values = true, help_heading = "Simulation")]
    pub(crate) simulate: f64,

    /// Run a real issuer and real instances in this process as well, on a clock that does not wait,
    /// and show what is measured beside the model. Needs a build with the feature `live`.
    #[arg(long, help_heading = "Live")]
    pub(crate) live: bool,

    /// Sessions of the live run, each of which is logged in, used, refreshed and revoked.
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000), help_heading = "Live")]
    pub(crate) live_sessions: u64,

    /// Write an HTML page with plots, which needs nothing else.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,

    /// Write an HTML page with sliders, which works offline: the effect of each setting on lag, load
    /// and lockout. It starts with the settings of this command line; its address keeps the others.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) page: Option<PathBuf>,

    /// What is written to standard output.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// Text for people, unless something else is asked for.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub(crate) struct Form {
    /// One JSON object.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// The one page for a security review, in Markdown.
    #[arg(long, help_heading = "Output")]
    pub(crate) memo: bool,
}
