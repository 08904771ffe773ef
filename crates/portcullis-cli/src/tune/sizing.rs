//! The cores that the issuer needs for a load, and those of them that compute password hashes.

use serde::Serialize;

use super::report::Report;
use super::scenario::Scenario;
use crate::units::number;

/// The rule for every issuer, in the report, on the page and in the guide.
pub(super) const RULE: &str =
    "The issuer needs the cores of its whole load at 70 % utilisation, rounded up.";

/// The rest of the rule, for an issuer that hashes passwords like the companion.
pub(super) const RULE_OF_HALF: &str = "The companion issuer hashes passwords on at most half of a \
    process's cores: it needs twice the cores of its logins if that is more, and one process \
    needs an even number of cores.";

/// A utilisation that leaves room for the queues of random arrivals: with two cores, requests then wait about
/// as long as they take.
pub(super) const USABLE: f64 = 0.7;

/// A rounding error of the load does not add a core.
const ROUNDING: f64 = 1e-9;

/// Cores of the issuer, or seconds of CPU time there: of everything, and of the logins among it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Work {
    pub(super) all: f64,
    pub(super) logins: f64,
}

/// The cores by the rule.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Sizing {
    pub(super) load: Work,
    pub(super) cores: f64,
    /// Whether twice the cores of the logins is more than the load at 70 %.
    pub(super) by_logins: bool,
}

/// A time that the issuer needs, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Served {
    pub(super) secs: f64,
    /// Whether the logins take the longest, because they have only a part of the cores.
    pub(super) by_logins: bool,
}

impl Sizing {
    pub(super) fn new(load: Work, hashes_on_half: bool) -> Self {
        let (at_70_percent, twice) = (load.all / USABLE, 2.0 * load.logins);
        let by_logins = hashes_on_half && twice > at_70_percent;
        let need = if by_logins { twice } else { at_70_percent } - ROUNDING;
        let cores = if hashes_on_half { 2.0 * (need / 2.0).ceil() } else { need.ceil() };
        Self { load, cores, by_logins }
    }

    fn text(&self) -> String {
        let logins = match self.load.logins {
            0.0 => String::new(),
            cores => format!(", {} of them for logins,", number(cores)),
        };
        format!(
            "a load of {} cores{logins} needs {}{}",
            number(self.load.all),
            counted(self.cores),
            if self.by_logins { ", by the logins" } else { "" }
        )
    }
}

impl Work {
    /// The time in which the issuer does this work: beside the first load for `left` seconds, and beside
    /// the second one after that. `None` if it never ends.
    pub(super) fn time(self, scenario: &Scenario, loads: [Self; 2], left: f64) -> Option<Served> {
        let all = time(self.all, scenario.issuer_cores, loads.map(|load| load.all), left)?;
        if self.logins == 0.0 {
            return Some(Served { secs: all, by_logins: false });
        }
        let cores = scenario.login_cores();
        let logins = time(self.logins, cores, loads.map(|load| load.logins), left)?;
        Some(Served { secs: all.max(logins), by_logins: logins > all })
    }
}

/// A number of cores.
pub(super) fn counted(cores: f64) -> String {
    format!("{} core{}", number(cores), if cores == 1.0 { "" } else { "s" })
}

/// The time for `work` beside the load of a peak for `left` seconds, and beside the load without it after
/// that.
fn time(work: f64, cores: f64, [in_peak, after]: [f64; 2], left: f64) -> Option<f64> {
    // Negative if the peak alone needs more cores than there are: the work grows.
    let served = (cores - in_peak) * left;
    if served >= work && served > 0.0 {
        return Some(work / (cores - in_peak));
    }
    (cores > after).then(|| left + (work - served) / (cores - after))
}

impl Scenario {
    /// What of the rule holds for the issuer.
    pub(super) fn rule(&self) -> String {
        if self.hashes_on_half { format!("{RULE} {RULE_OF_HALF}") } else { RULE.to_owned() }
    }

    /// The cores that compute password hashes, if the issuer is one process.
    pub(super) fn login_cores(&self) -> f64 {
        let has = self.issuer_cores;
        if self.hashes_on_half { (has / 2.0).floor().max(1.0).min(has) } else { has }
    }

    /// The reason why the issuer never catches up, if it is not the load of `cores`.
    pub(super) fn logins_never_end(&self, cores: f64) -> Option<String> {
        (cores < self.issuer_cores).then(|| {
            format!(
                "never: the usual logins need all of the issuer's cores for logins ({})",
                counted(self.login_cores())
            )
        })
    }

    /// Why a recovery takes as long as it does.
    pub(super) fn logins_decide(&self) -> String {
        format!("limited by the logins, for which the issuer has {}", counted(self.login_cores()))
    }
}

impl Report {
    /// The text of the sizing rule, and the number of cores that it yields.
    pub(super) fn sizing_text(&self) -> String {
        let Some(scenario) = self.settings.first().map(|first| first.scenario) else {
            return String::new();
        };
        let mut text = format!("{} Without a login peak, {}", scenario.rule(), self.sizing.text());
        if let Some(peak) = &self.login_peak {
            text += &format!("; in the login peak, {}", peak.sizing.text());
        }
        text + &format!(". --issuer-cores is {}", number(scenario.issuer_cores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_the_larger_of_the_load_at_70_percent_and_twice_the_logins() {
        for (all, logins, on_half, cores, by_logins) in [
            // 70 %: 4.29, logins: 5.
            (3.0, 2.5, true, 6.0, true),
            (3.0, 2.5, false, 5.0, false),
            // 70 %: 4.29, logins: 4.
            (3.0, 2.0, true, 6.0, false),
            (2.8, 2.0, true, 4.0, false),
            (2.0, 2.0, true, 4.0, true),
            (0.1, 0.0, true, 2.0, false),
            (0.1, 0.0, false, 1.0, false),
            (7.0, 6.0, true, 12.0, true),
            (7.0, 6.0, false, 10.0, false),
        ] {
            let of = Sizing::new(Work { all, logins }, on_half);
            assert_eq!((of.cores, of.by_logins), (cores, by_logins), "{all}, {logins}, {on_half}");
        }
    }

    /// With the cores of the rule, the logins have all that they need.
    #[test]
    fn half_of_the_cores_of_the_rule_suffice_for_the_logins() {
        for step in 1..200 {
            let logins = 0.07 * f64::from(step);
            let sizing = Sizing::new(Work { all: 1.01 * logins, logins }, true);
            let of = Scenario { issuer_cores: sizing.cores, ..Scenario::for_test() };
            assert!(of.hashes_on_half && of.login_cores() >= logins - 1e-6, "{sizing:?}");
            assert!(sizing.cores - 2.0 < (2.0 * logins).max(1.01 * logins / USABLE), "{sizing:?}");
        }
    }

    #[test]
    fn hashes_have_half_of_the_cores_of_a_process_and_at_least_one() {
        const ISSUER: &str =
            include_str!("../../../portcullis-issuer/src/domain/users/password.rs");
        assert!(ISSUER.contains("Semaphore::new((cores / 2).max(1))"), "the limit has changed");
        let cores = |issuer_cores: f64, hashes_on_half: bool| {
            Scenario { issuer_cores, hashes_on_half, ..Scenario::for_test() }.login_cores()
        };
        let on_half = [0.5, 1.0, 2.0, 3.0, 8.0, 9.0].map(|has| cores(has, true));
        assert_eq!(on_half, [0.5, 1.0, 1.0, 1.0, 4.0, 4.0]);
        assert_eq!(cores(9.0, false), 9.0);
    }

    /// 600 s of logins and 100 s of refreshes on 8 cores: logins have 4.
    #[test]
    fn logins_after_an_outage_have_half_of_the_cores() {
        let of = Scenario { issuer_cores: 8.0, ..Scenario::for_test() };
        let work = Work { all: 700.0, logins: 600.0 };
        let idle = Work { all: 0.0, logins: 0.0 };
        let served = work.time(&of, [idle; 2], 0.0).unwrap();
        assert_eq!((served.secs, served.by_logins), (150.0, true));
        let everywhere = Scenario { hashes_on_half: false, ..of };
        let served = work.time(&everywhere, [idle; 2], 0.0).unwrap();
        assert_eq!((served.secs, served.by_logins), (87.5, false));
        // A peak with 3 cores of logins leaves one for 100 s, and then there are 4.
        let peak = Work { all: 3.5, logins: 3.0 };
        let served = work.time(&of, [peak, idle], 100.0).unwrap();
        assert_eq!((served.secs, served.by_logins), (225.0, true));
        // The usual logins need all of their cores, and other cores are idle.
        let busy = Work { all: 4.0, logins: 4.0 };
        assert!(work.time(&of, [busy; 2], 0.0).is_none());
        assert_eq!(Work { all: 100.0, logins: 0.0 }.time(&of, [busy; 2], 0.0).unwrap().secs, 25.0);
    }
}
