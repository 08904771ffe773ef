//! Settings that reach a goal, or the reason why no setting reaches it.

use serde::Serialize;

use super::activity::Recorded;
use super::arguments::{Known, TuneArguments};
use super::load::Load;
use super::scenario::Scenario;
use crate::units::{duration, number};

#[derive(Debug, Default, Serialize)]
pub(super) struct Recommendation {
    /// The recommended settings, in whole seconds like the settings themselves.
    pub(super) access_expiry: Option<u64>,
    pub(super) jwks_ttl: Option<u64>,
    pub(super) max_stale: Option<u64>,
    pub(super) refreshes: Option<f64>,
    /// Two goals that no expiry reaches together, and the expiry that each requires.
    pub(super) conflict: Option<Conflict>,
    pub(super) why: Vec<String>,
    /// Whether the outage goal has no survivors, so that each expiry reaches it.
    #[serde(skip)]
    pub(super) is_any_expiry: bool,
    /// Whether no setting reaches one of the goals.
    pub(super) unmet: bool,
}

/// Two expiries, in whole seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Conflict {
    /// The longest expiry that satisfies --max-lag.
    pub(super) max_lag_expiry: u64,
    /// The shortest expiry that the other goal requires; `other_goal` is the option of that goal.
    pub(super) other_expiry: u64,
    pub(super) other_goal: &'static str,
}

impl Conflict {
    pub(super) fn text(&self) -> String {
        format!(
            "The goals conflict: {} requires an expiry of {} or more, --max-lag one of {} or less",
            self.other_goal,
            duration(self.other_expiry as f64),
            duration(self.max_lag_expiry as f64)
        )
    }
}

/// The longest expiry and TTL that are considered, in seconds.
pub(super) const DAY: u64 = 86_400;

/// Finds the longest expiry and TTL that reach the goals. Longer ones cause less load at the issuer and
/// survive longer outages.
pub(super) fn recommend(
    arguments: &TuneArguments,
    scenario: &Scenario,
    known: &Known,
) -> Option<Recommendation> {
    let recorded = known.recorded.as_ref();
    let mut found = Recommendation::default();
    let has_load_goal = arguments.max_lag.is_some() || arguments.max_refresh_rps.is_some();
    if has_load_goal {
        found.expiry(arguments, scenario, recorded);
    }
    if let Some(lag) = arguments.max_key_lag {
        found.ttl(lag, scenario, known.max_age(arguments));
    }
    if let Some(outage) = arguments.survive {
        let within = found.access_expiry.take();
        found.refreshes = None;
        found.survive(outage, arguments.survivors / 100.0, scenario, recorded);
        if has_load_goal {
            found.reconcile(within, arguments.max_lag.is_some(), scenario, recorded);
        }
    }
    found.set_beside(arguments, scenario, known);
    (!found.why.is_empty()).then_some(found)
}

impl Recommendation {
    /// The recommended settings, without their reasons; `None` if there are none.
    pub(super) fn settings(&self) -> Option<String> {
        let secs = |secs: u64| duration(secs as f64);
        let settings: Vec<_> = [
            self.access_expiry.map(|expiry| format!("an access expiry of {}", secs(expiry))),
            self.jwks_ttl.map(|ttl| format!("a JWKS TTL of {}", secs(ttl))),
            self.max_stale.map(|stale| format!("a max_stale of at least {}", secs(stale))),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!settings.is_empty()).then(|| settings.join(", "))
    }

    /// Names the options that show the figures of the recommendation, because the report shows those of
    /// the given settings. In a conflict, the expiry is that of --max-lag.
    fn set_beside(&mut self, arguments: &TuneArguments, scenario: &Scenario, known: &Known) {
        let expiry = self.access_expiry.or(self.conflict.map(|of| of.max_lag_expiry));
        self.why.extend(
            expiry
                .filter(|secs| *secs as f64 != scenario.access_expiry)
                .and_then(|secs| known.change_of_expiry(arguments, secs as f64)),
        );
        let outage = arguments.survive.filter(|_| self.max_stale.is_some());
        let secs = |secs: Option<u64>| secs.map(|secs| secs as f64);
        let max_stale = secs(self.max_stale).filter(|secs| *secs > scenario.verifier.max_stale);
        let other: Vec<_> = [
            ("--access-expiry", secs(expiry), scenario.access_expiry),
            ("--jwks-ttl", secs(self.jwks_ttl), scenario.verifier.jwks_ttl),
            ("--max-stale", max_stale, scenario.verifier.max_stale),
            ("--outage", outage, scenario.outage),
        ]
        .into_iter()
        .filter_map(|(option, found, given)| {
            found.filter(|found| *found != given).map(|found| format!("{option} {found}"))
        })
        .collect();
        if !other.is_empty() {
            self.why.push(format!(
                "These sentences are about the recommended settings. The other figures are those of the given \
                 settings (expiry {}, TTL {}, max_stale {}, outage {}). For those of this \
                 recommendation{}, add `{}`",
                duration(scenario.access_expiry),
                duration(scenario.verifier.jwks_ttl),
                duration(scenario.verifier.max_stale),
                duration(scenario.outage),
                if self.conflict.is_some() { " with the expiry of --max-lag" } else { "" },
                other.join(" ")
            ));
        }
    }

    /// Combines two expiries. `within` meets the lag and load goals: it is the longest such expiry
    /// if the lag is bounded (`is_longest`), and otherwise the shortest. `self.access_expiry` is
    /// the shortest expiry that meets the outage goal.
    fn reconcile(
        &mut self,
        within: Option<u64>,
        is_longest: bool,
        scenario: &Scenario,
        recorded: Option<&Recorded>,
    ) {
        let needed = self.access_expiry.take();
        self.refreshes = None;
        // Without survivors, the outage sets no expiry.
        let needed = needed.or(self.is_any_expiry.then_some(0));
        let (Some(within), Some(needed)) = (within, needed) else { return };
        if is_longest && needed > within {
            let conflict =
                Conflict { max_lag_expiry: within, other_expiry: needed, other_goal: "--survive" };
            self.conflict = Some(conflict);
            self.unmet(format!(
                "{}. Keep {} and lower --survive or --survivors, or raise --max-lag; single routes can have a \
                 shorter bound than the others",
                conflict.text(),
                duration(within as f64)
            ));
            return;
        }
        let expiry = within.max(needed);
        let with = Scenario { access_expiry: expiry as f64, ..*scenario };
        self.access_expiry = Some(expiry);
        self.refreshes = Some(Load::of(&with, recorded).refreshes);
        self.why.push(format!("An access expiry of {} reaches all goals", duration(expiry as f64)));
    }

    /// Records why no setting reaches the goal.
    pub(super) fn unmet(&mut self, why: String) {
        self.unmet = true;
        self.why.push(why);
    }

    fn expiry(
        &mut self,
        arguments: &TuneArguments,
        scenario: &Scenario,
        recorded: Option<&Recorded>,
    ) {
        let with = |expiry: u64| Scenario { access_expiry: expiry as f64, ..*scenario };
        let refreshes = |expiry: u64| Load::of(&with(expiry), recorded).refreshes;
        // The part of the bound that does not depend on the expiry.
        let beside = with(0).lag_bound();
        let longest =
            arguments.max_lag.map_or(DAY as f64, |lag| (lag - beside).clamp(0.0, DAY as f64))
                as u64;
        let most = arguments.max_refresh_rps.unwrap_or(f64::INFINITY);
        let bound = |expiry: u64| duration(with(expiry).lag_bound());
        match (longest, shortest(most, refreshes)) {
            (0, _) => self.unmet(format!(
                "No expiry reaches the goal: twice the leeway alone is a lag of {}. Lower --leeway, or require \
                 introspection on single routes",
                duration(beside)
            )),
            (_, None) => self.unmet(format!(
                "No expiry reaches the goal: even tokens of 24 h need more than {} refreshes/s. Raise \
                 --max-refresh-rps",
                number(most)
            )),
            (longest, Some(shortest)) if shortest > longest => {
                self.conflict = Some(Conflict {
                    max_lag_expiry: longest,
                    other_expiry: shortest,
                    other_goal: "--max-refresh-rps",
                });
                self.unmet(format!(
                "No expiry reaches both goals. The longest expiry within --max-lag is {} (a lag of \
                 at most {}), which causes {} refreshes/s. For {} refreshes/s, the expiry must be \
                 {} or more (a lag of at most {}). Raise --max-lag or --max-refresh-rps, or \
                 require introspection on single routes",
                duration(longest as f64),
                bound(longest),
                number(refreshes(longest)),
                number(most),
                duration(shortest as f64),
                bound(shortest),
            ));
            }
            (longest, Some(shortest)) => {
                let expiry = if arguments.max_lag.is_some() { longest } else { shortest };
                self.access_expiry = Some(expiry);
                self.refreshes = Some(refreshes(expiry));
                self.why.push(format!(
                    "An access expiry of {}: a lag of at most {}, including twice the leeway, and {} refreshes/s",
                    duration(expiry as f64),
                    bound(expiry),
                    number(refreshes(expiry))
                ));
            }
        }
    }

    fn ttl(&mut self, lag: f64, scenario: &Scenario, max_age: Option<f64>) {
        let with =
            |ttl: f64| Scenario { verifier: scenario.verifier.with_ttl(ttl, max_age), ..*scenario };
        // The part of the bound that does not depend on the TTL.
        let beside = with(0.0).key_lag_bound();
        let ttl = (lag - beside).min(DAY as f64).floor();
        if ttl >= 1.0 {
            let scenario = with(ttl);
            self.jwks_ttl = Some(ttl as u64);
            self.why.push(format!(
                "A JWKS TTL of {}: a withdrawn key is accepted for at most {} while the issuer is reachable, \
                 and {} instances make {} fetches/s",
                duration(ttl),
                duration(scenario.key_lag_bound()),
                scenario.instances,
                number(scenario.fetches())
            ));
        } else {
            self.unmet(format!(
                "No TTL reaches the goal: --max-key-lag is {}, and a failed fetch with its retry \
                 may take {} of it. Raise --max-key-lag or lower --fetch-timeout",
                duration(lag),
                duration(beside)
            ));
        }
    }
}

/// The shortest expiry for which `of` is at most `most`. `of` decreases as the expiry grows.
pub(super) fn shortest(most: f64, of: impl Fn(u64) -> f64) -> Option<u64> {
    if of(DAY) > most {
        return None;
    }
    let (mut low, mut high) = (0, DAY);
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if of(middle) <= most {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}
