//! The options of `portcullis tune`.

use std::path::PathBuf;

use clap::Args;

use super::activity::Recorded;
use super::scenario::{Activity, Costs, Habit, Scenario, Verifier};
use crate::exit::Failure;

/// What the service is, and what is wanted of it. Durations are seconds, or have a unit: 90, 60s,
/// 15m, 1h.
#[derive(Debug, Args)]
pub(crate) struct TuneArguments {
    /// How long an access token lives.
    #[arg(long, value_name = "DURATION", default_value = "900s", value_parser = duration)]
    pub(crate) access_expiry: f64,

    /// A second expiry, to be compared with the first.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) vs_access_expiry: Option<f64>,

    /// How long an instance uses a key set before it fetches it again.
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = duration)]
    jwks_ttl: f64,

    /// The clock skew that is tolerated: adds to every lag.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    leeway: f64,

    /// The deadline of a fetch of the keys.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    fetch_timeout: f64,

    /// How long beyond their TTL keys are used while the issuer can not be reached.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    max_stale: f64,

    /// Sessions that are logged in. [default: 10000, or those of --activity]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000), help_heading = "Load")]
    sessions: Option<u64>,

    /// Instances of the service, each with its own key set.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000_000), help_heading = "Load")]
    instances: u64,

    /// The mean time between two requests of a session while it is active.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, help_heading = "Load")]
    request_every: f64,

    /// The mean length of a burst of activity.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration, help_heading = "Load")]
    burst: f64,

    /// The mean length of a pause between two bursts; 0 for sessions that are always active.
    #[arg(long, value_name = "DURATION", default_value = "25m", value_parser = duration, help_heading = "Load")]
    pause: f64,

    /// Real activity in the place of the three above: a CSV file with a line for each request, the
    /// session and the time in seconds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request_every", "burst", "pause"], help_heading = "Load")]
    activity: Option<PathBuf>,

    /// In --activity, how long a time without a request ends a burst.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, requires = "activity", help_heading = "Load")]
    burst_gap: f64,

    /// When clients refresh: by a timer as the token expires, or lazily on a 401.
    #[arg(long, value_enum, default_value_t = Habit::Timer, help_heading = "Load")]
    habit: Habit,

    /// Sessions that are revoked in a day.
    #[arg(long, value_name = "NUMBER", default_value_t = 100.0, value_parser = positive, help_heading = "Load")]
    revocations_per_day: f64,

    /// Signing keys that are rotated in a day.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0 / 30.0, value_parser = positive, help_heading = "Load")]
    rotations_per_day: f64,

    /// An outage of the issuer; at least the leeway.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration, help_heading = "Trouble")]
    outage: f64,

    /// The standard deviation of the instances' clocks.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration, help_heading = "Trouble")]
    clock_skew: f64,

    /// CPU time of a validation with its signature check. [default: ES256 in the README]
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 40.5, value_parser = positive, help_heading = "Costs")]
    verify_cost: f64,

    /// CPU time of a request whose token was verified before, by that instance. [default: in the
    /// README, with the token cache]
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0.3, value_parser = positive, help_heading = "Costs")]
    hit_cost: f64,

    /// CPU time of a refresh at the issuer. [default: the companion issuer's on SQLite, in
    /// benches/RESULTS.md]
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 3100.0, value_parser = positive, help_heading = "Costs")]
    refresh_cost: f64,

    /// CPU time of a fetch of the keys, or of a status list, at the issuer. [default: its status
    /// list over a new connection, there]
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 1200.0, value_parser = positive, help_heading = "Costs")]
    fetch_cost: f64,

    /// The age of a status list that routes ask for: `Revocation::status_list`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, help_heading = "Other mechanisms")]
    pub(super) list_max_age: f64,

    /// CPU time of the issuer to look a session up, for routes with `Revocation::live`: an assumption.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 200.0, value_parser = positive, help_heading = "Other mechanisms")]
    lookup_cost: f64,

    /// Recommend an expiry with which no revoked session is accepted for longer.
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Goal")]
    pub(crate) max_lag: Option<f64>,

    /// Recommend an expiry with no more refreshes at the issuer in a second.
    #[arg(long, value_name = "NUMBER", value_parser = positive, help_heading = "Goal")]
    pub(crate) max_refresh_rps: Option<f64>,

    /// Recommend a TTL with which no withdrawn key is accepted for longer.
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Goal")]
    pub(crate) max_key_lag: Option<f64>,

    /// What chance is drawn from: the same seed gives the same report.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = "Simulation")]
    pub(crate) seed: u64,

    /// How long a time is simulated.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration, help_heading = "Simulation")]
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

impl TuneArguments {
    /// What was recorded, if there is a file.
    pub(super) fn recorded(&self) -> Result<Option<Recorded>, Failure> {
        let file = self.activity.as_deref();
        file.map(|file| Recorded::read(file, self.burst_gap)).transpose()
    }

    /// The issuer's CPU time for one look-up, in seconds.
    pub(super) fn lookup_cost(&self) -> f64 {
        self.lookup_cost / 1e6
    }

    /// The scenario with one of the two expiries.
    pub(super) fn scenario(&self, access_expiry: f64, recorded: Option<&Recorded>) -> Scenario {
        let summary = recorded.map(Recorded::summary);
        Scenario {
            access_expiry,
            verifier: Verifier {
                jwks_ttl: self.jwks_ttl,
                leeway: self.leeway,
                fetch_timeout: self.fetch_timeout,
                max_stale: self.max_stale,
            },
            sessions: self.sessions.or(summary.map(|of| of.sessions)).unwrap_or(10_000),
            instances: self.instances,
            activity: recorded.map_or(
                Activity {
                    request_every: self.request_every,
                    burst: self.burst,
                    pause: self.pause,
                },
                Recorded::activity,
            ),
            habit: self.habit,
            revocations_per_day: self.revocations_per_day,
            rotations_per_day: self.rotations_per_day,
            outage: self.outage,
            clock_skew: self.clock_skew,
            costs: Costs {
                verify: self.verify_cost / 1e6,
                hit: self.hit_cost / 1e6,
                refresh: self.refresh_cost / 1e6,
                fetch: self.fetch_cost / 1e6,
            },
        }
    }

    /// What no option can see of itself.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for (name, value, least, most) in [
            ("--access-expiry", self.access_expiry, 1.0, 86_400.0),
            ("--vs-access-expiry", self.vs_access_expiry.unwrap_or(1.0), 1.0, 86_400.0),
            ("--jwks-ttl", self.jwks_ttl, 1.0, 86_400.0),
            ("--leeway", self.leeway, 0.0, 300.0),
            ("--request-every", self.request_every, 0.001, 86_400.0),
            ("--burst", self.burst, 1.0, 604_800.0),
            ("--pause", self.pause, 0.0, 604_800.0),
            ("--burst-gap", self.burst_gap, 1.0, 86_400.0),
            ("--list-max-age", self.list_max_age, 3.0, 86_400.0),
            ("--outage", self.outage, self.leeway.max(1.0), 604_800.0),
            ("--simulate", self.simulate, 60.0, 86_400.0),
        ] {
            if !(least..=most).contains(&value) {
                let expected = format!("it must be from {least} to {most} seconds");
                return Err(Failure::wrong(format!("{name} is {value} s: {expected}")));
            }
        }
        if self.live && !cfg!(feature = "live") {
            return Err(Failure::wrong(
                "--live: this build has no live run; install one that has: \
                 `cargo install portcullis-cli --features live`",
            ));
        }
        if self.live
            && self.access_expiry.fract() + self.vs_access_expiry.unwrap_or(1.0).fract() > 0.0
        {
            return Err(Failure::wrong("--live: an access expiry has whole seconds"));
        }
        Ok(())
    }
}

fn duration(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match text.get(number.len()..).unwrap_or_default() {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        other => return Err(format!("{other:?} is no unit: s, m, h or d")),
    };
    positive(number).map(|number| number * unit)
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it must be a number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        return Ok(number);
    }
    Err("it must be a number that is not negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_seconds() {
        for (text, secs) in
            [("90", 90.0), ("60s", 60.0), ("15m", 900.0), ("1.5h", 5400.0), ("1d", 86_400.0)]
        {
            assert_eq!(duration(text), Ok(secs), "{text}");
        }
        for text in ["", "s", "-1", "1y", "NaN", "inf", "1 m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
