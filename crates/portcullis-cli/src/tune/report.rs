//! What is found out.

use serde::Serialize;

use super::activity::{Recorded, Summary};
use super::arguments::TuneArguments;
use super::figures::Figures;
use super::issuer::{Found, Habits};
#[cfg(feature = "live")]
use super::live;
use super::load::Load;
use super::mechanisms::{self, Mechanism};
use super::peak::LoginPeak;
use super::recommend::{self, Recommendation};
use super::simulate;
use super::sweep::{self, Point};
use crate::exit::Failure;
use crate::units::{duration, number};

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What made it: the same options with the same version give the same report.
    pub(super) version: &'static str,
    pub(super) command: String,
    /// What must not be overlooked.
    pub(super) warnings: Vec<String>,
    pub(super) seed: u64,
    pub(super) simulated_secs: f64,
    /// Where the issuer's costs were measured.
    pub(super) costs: String,
    /// What the issuer that was asked does and offers.
    pub(super) issuer: Option<Found>,
    #[serde(skip)]
    pub(super) habits: Habits,
    /// What the file of activity shows.
    pub(super) recorded: Option<Summary>,
    /// One for each expiry that was asked about.
    pub(super) settings: Vec<Figures>,
    pub(super) comparison: Option<Comparison>,
    /// Of the first expiry.
    pub(super) login_peak: Option<LoginPeak>,
    pub(super) mechanisms: Vec<Mechanism>,
    /// Of the service's own routes, kind by kind.
    pub(super) routes: Option<String>,
    /// Why others are not among them.
    pub(super) left_out: Vec<&'static str>,
    pub(super) sweep: Vec<Point>,
    pub(super) recommendation: Option<Recommendation>,
}

/// How many more refreshes the second expiry makes than the first.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) always_active: f64,
    /// By the recorded requests, or by these bursts.
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
        step("reading what is known");
        let known = arguments.known()?;
        let recorded = known.recorded.as_ref();
        let expiry = known.access_expiry(arguments);
        if arguments.vs_access_expiry == Some(expiry) {
            return Err(Failure::wrong(format!(
                "--vs-access-expiry is {}, as the access expiry is: there is nothing to compare",
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
        step("going through other expiries and TTLs");
        let sweep = sweep::sweep(&first, known.max_age(arguments), recorded);
        step("looking for what is recommended");
        let mut report = Self {
            warnings: Vec::new(),
            version: env!("CARGO_PKG_VERSION"),
            command,
            seed: arguments.seed,
            simulated_secs: arguments.simulate.ceil(),
            costs: arguments.source_of_costs(&known),
            comparison: comparison(&settings),
            settings,
            mechanisms: ways.rows,
            routes: ways.routes,
            left_out: offers.lacks(),
            sweep,
            recommendation: recommend::recommend(arguments, &first, &known),
            login_peak: arguments.peak.peak(&first, &load),
            recorded: known.recorded.map(|Recorded { summary, .. }| summary),
            habits,
            issuer: known.issuer,
        };
        report.warnings = report.warnings();
        Ok(report)
    }

    /// The figures of which the closed form and the simulation say different things, with both.
    pub(super) fn disagreements(&self) -> Vec<String> {
        let all = self.settings.iter().flat_map(|figures| &figures.agreement);
        all.filter(|figure| !figure.agrees)
            .map(|figure| {
                format!(
                    "{}: {} by the closed form and {} by the simulation, which chance lets differ by {}",
                    figure.name,
                    number(figure.model),
                    number(figure.simulated),
                    number(figure.allowed)
                )
            })
            .collect()
    }
}

/// With what a live run measures of each, if one is asked for.
#[cfg(feature = "live")]
fn with_live(
    mut settings: Vec<Figures>,
    arguments: &TuneArguments,
    step: &mut dyn FnMut(&str),
) -> Result<Vec<Figures>, Failure> {
    if arguments.live {
        step("running a real issuer and real instances");
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
