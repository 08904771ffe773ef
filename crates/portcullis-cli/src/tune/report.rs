//! All results of one run.

use serde::Serialize;

use super::activity::{Recorded, Summary};
use super::arguments::{Sources, TuneArguments};
use super::figures::Figures;
use super::issuer::{Found, Habits, ISSUER_OPTIONS};
#[cfg(feature = "live")]
use super::live;
use super::load::Load;
use super::mechanisms::{self, Mechanism};
use super::outage::{self, Affected};
use super::partition::{self, Rejected};
use super::peak::LoginPeak;
use super::recommend::{self, Recommendation};
use super::simulate;
use super::sizing::Sizing;
use super::sweep::{self, Point};
use super::tiers::{self, Tier};
use crate::exit::Failure;
use crate::output;
use crate::units::{duration, number};

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The report is reproducible: the same command line and version give the same figures.
    pub(super) version: &'static str,
    pub(super) command: String,
    /// Warnings about an overloaded issuer, and about clocks for which a bound does not hold.
    pub(super) warnings: Vec<String>,
    pub(super) seed: u64,
    pub(super) simulated_secs: f64,
    /// The command line that repeats the report without --issuer.
    pub(super) repeat: Option<String>,
    /// Where the costs were measured. `cost_sources` has the source of each cost.
    pub(super) costs: String,
    pub(super) cost_sources: Sources,
    /// Measurements at the issuer that vary too much, or that stand in for another measurement.
    #[serde(skip)]
    pub(super) doubtful: Vec<String>,
    #[serde(skip)]
    pub(super) noisy: Vec<&'static str>,
    /// What --issuer found.
    pub(super) issuer: Option<Found>,
    #[serde(skip)]
    pub(super) habits: Habits,
    /// A summary of the recorded requests.
    pub(super) recorded: Option<Summary>,
    /// One for each given expiry; there are one or two.
    pub(super) settings: Vec<Figures>,
    pub(super) comparison: Option<Comparison>,
    /// The login peak, computed with the first expiry.
    pub(super) login_peak: Option<LoginPeak>,
    /// The cores that the issuer needs without a login peak, by the rule.
    pub(super) sizing: Sizing,
    /// The guarantees that the routes of the service require.
    pub(super) guarantees: Guarantees,
    pub(super) mechanisms: Vec<Mechanism>,
    /// The users that the outage affects with the first expiry.
    pub(super) affected: Affected,
    /// The share of requests to routes with `live().in_outage(…)` that get 503 in a partition.
    pub(super) in_partition: Vec<Rejected>,
    pub(super) tiers: Vec<Tier>,
    /// The text about the bound and the lockout of each kind of route.
    pub(super) routes: Option<String>,
    /// Mechanisms that the issuer does not offer, each with the reason.
    pub(super) left_out: Vec<&'static str>,
    pub(super) sweep: Vec<Point>,
    pub(super) recommendation: Option<Recommendation>,
}

/// The maximum ages of a status list and of the feed in seconds, and the share of requests for each
/// guarantee.
#[derive(Debug, Serialize)]
pub(super) struct Guarantees {
    pub(super) list_max_age: f64,
    pub(super) feed_max_age: f64,
    pub(super) live_share: f64,
    pub(super) list_share: f64,
    pub(super) feed_share: f64,
    /// The time in seconds for which an instance uses an introspection response again.
    pub(super) reuse_for: Option<f64>,
}

/// The number of refreshes with the second expiry, divided by that with the first.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) always_active: f64,
    /// With the recorded requests if there are any, and otherwise with the given bursts.
    pub(super) as_given: f64,
    pub(super) as_simulated: f64,
}

impl Report {
    /// Calls `step` with the name of each part before it starts, for a progress line.
    pub(super) fn new(
        arguments: &TuneArguments,
        command: String,
        step: &mut dyn FnMut(&str),
    ) -> Result<Self, Failure> {
        step("reading the files and the issuer");
        let known = arguments.known()?;
        let recorded = known.recorded.as_ref();
        let expiry = known.access_expiry(arguments);
        if arguments.vs_access_expiry == Some(expiry) {
            return Err(Failure::wrong(format!(
                "--vs-access-expiry is {}, and so is the access expiry; name another one to compare",
                duration(expiry)
            )));
        }
        let expiries = [Some(expiry), arguments.vs_access_expiry];
        let settings: Vec<_> = expiries
            .into_iter()
            .flatten()
            .map(|expiry| {
                step(&format!("simulating an expiry of {}", duration(expiry)));
                let scenario = arguments.scenario(expiry, &known);
                let window = arguments.simulate.ceil();
                let simulated = simulate::simulate(&scenario, window, arguments.seed);
                Figures::new(&scenario, &simulated, window, recorded)
            })
            .collect();
        #[cfg(feature = "live")]
        let settings = with_live(settings, arguments, step)?;
        let first = arguments.scenario(expiry, &known);
        let load = Load::of(&first, recorded);
        let habits = known.habits(arguments);
        let offers = habits.offers;
        arguments.mix.check_offers(offers)?;
        let ways = mechanisms::mechanisms(&first, &load, arguments, offers, habits.pushes);
        step("sweeping expiries and TTLs");
        let sourced = arguments.sourced(&known);
        let cost_sources = sourced.sources();
        let login_source = cost_sources.login.clone();
        let login_peak = arguments.peak.peak(&first, &load, ways.route_cores, login_source);
        let routes = ways.route_cores;
        let live = arguments.mix.live_share / 100.0;
        let in_partition = match offers.introspection {
            Some(false) => Vec::new(),
            _ => partition::rejected(&first, if live > 0.0 { live } else { 1.0 }),
        };
        let repeat = arguments.in_place_of_issuer(&known).map(|options| {
            // Leaves out --html and --page, which would overwrite this run's files, and the form, so
            // that a reader can append another one.
            let without = [ISSUER_OPTIONS, &["--html", "--page"]].concat();
            let command = output::command_without(&without, &["--json", "--memo"]);
            format!("{command} {}", options.join(" "))
        });
        let sweep = sweep::sweep(&first, known.max_age(arguments), recorded);
        step("searching for a recommendation");
        let mut report = Self {
            warnings: Vec::new(),
            version: env!("CARGO_PKG_VERSION"),
            command,
            seed: arguments.seed,
            simulated_secs: arguments.simulate.ceil(),
            repeat,
            costs: arguments.source_of_costs(&known),
            cost_sources,
            doubtful: arguments.doubtful(&known),
            noisy: arguments.noisy(&known),
            affected: Affected::new(&first, &load, login_peak.as_ref(), routes),
            sizing: Sizing::new(outage::usual_load(&first, &load, routes), first.hashes_on_half),
            in_partition,
            tiers: tiers::tiers(&first, recorded),
            comparison: comparison(&settings),
            settings,
            guarantees: Guarantees {
                list_max_age: arguments.list_max_age,
                feed_max_age: arguments.feed_max_age,
                live_share: arguments.mix.live_share / 100.0,
                list_share: arguments.mix.list_share / 100.0,
                feed_share: arguments.mix.feed_share / 100.0,
                reuse_for: arguments.mix.reuse_for,
            },
            mechanisms: ways.rows,
            routes: ways.routes,
            left_out: offers.lacks(),
            sweep,
            recommendation: recommend::recommend(arguments, &first, &known),
            login_peak,
            recorded: known.recorded.map(|Recorded { summary, .. }| summary),
            habits,
            issuer: known.issuer,
        };
        report.warnings = report.warnings();
        Ok(report)
    }

    /// The figures for which the closed form and the simulation disagree, with both values.
    pub(super) fn disagreements(&self) -> Vec<String> {
        let all = self.settings.iter().flat_map(|figures| &figures.agreement);
        all.filter(|figure| !figure.agrees)
            .map(|figure| {
                format!(
                    "{}: {} by the closed form and {} by the simulation; chance explains a difference of {}",
                    figure.name,
                    number(figure.model),
                    number(figure.simulated),
                    number(figure.allowed)
                )
            })
            .collect()
    }
}

/// Adds the measurements of a live run to each setting, if --live is set.
#[cfg(feature = "live")]
fn with_live(
    mut settings: Vec<Figures>,
    arguments: &TuneArguments,
    step: &mut dyn FnMut(&str),
) -> Result<Vec<Figures>, Failure> {
    if arguments.live {
        step("running an issuer and instances");
        for figures in &mut settings {
            let sessions = arguments.live_sessions;
            figures.live = Some(live::run(&figures.scenario, sessions, arguments.seed)?);
        }
    }
    Ok(settings)
}

fn comparison(settings: &[Figures]) -> Option<Comparison> {
    let [first, second] = settings else { return None };
    let rate = |figures: &Figures| figures.scenario.always_active().refreshes();
    Some(Comparison {
        always_active: rate(second) / rate(first),
        as_given: second.load().refreshes / first.load().refreshes,
        as_simulated: second.refreshes.simulated / first.refreshes.simulated,
    })
}
