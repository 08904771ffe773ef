//! Each cost with its source: an option, a measurement in this run, or an assumption.

use serde::Serialize;

use super::{Known, TuneArguments};
use crate::tune::costs::{self, MeasuredAt};
use crate::tune::issuer::Found;
use crate::tune::peak;
use crate::tune::scenario::Costs;
use crate::units::duration;

/// CPU time in microseconds.
#[derive(Debug, Clone)]
pub(in crate::tune) struct Cost {
    pub(in crate::tune) micros: f64,
    pub(in crate::tune) source: String,
    /// Whether repeating the report needs an option with this cost, because no given option, file or
    /// `--costs-of` yields it.
    pub(in crate::tune) needs_option: bool,
}

#[derive(Debug, Clone)]
pub(in crate::tune) struct Sourced {
    pub(in crate::tune) refresh: Cost,
    pub(in crate::tune) fetch: Cost,
    pub(in crate::tune) lookup: Cost,
    pub(in crate::tune) login: Cost,
    pub(in crate::tune) verify: Cost,
    pub(in crate::tune) hit: Cost,
    /// The source of the idle limit of sessions.
    pub(in crate::tune) session_idle: Option<String>,
}

/// The sources in the report.
#[derive(Debug, Clone, Serialize)]
pub(in crate::tune) struct Sources {
    pub(in crate::tune) refresh: String,
    pub(in crate::tune) fetch: String,
    pub(in crate::tune) lookup: String,
    pub(in crate::tune) login: String,
    pub(in crate::tune) verify: String,
    pub(in crate::tune) hit: String,
    pub(in crate::tune) session_idle: Option<String>,
}

impl Sourced {
    pub(in crate::tune) fn costs(&self) -> Costs {
        Costs {
            verify: self.verify.micros / 1e6,
            hit: self.hit.micros / 1e6,
            refresh: self.refresh.micros / 1e6,
            fetch: self.fetch.micros / 1e6,
            lookup: self.lookup.micros / 1e6,
            login: self.login.micros / 1e6,
        }
    }

    pub(in crate::tune) fn sources(&self) -> Sources {
        let source = |cost: &Cost| cost.source.clone();
        Sources {
            refresh: source(&self.refresh),
            fetch: source(&self.fetch),
            lookup: source(&self.lookup),
            login: source(&self.login),
            verify: source(&self.verify),
            hit: source(&self.hit),
            session_idle: self.session_idle.clone(),
        }
    }

    /// The options that set the costs which were measured in this run.
    pub(in crate::tune) fn options(&self) -> Vec<String> {
        [
            ("--refresh-cost", &self.refresh),
            ("--fetch-cost", &self.fetch),
            ("--lookup-cost", &self.lookup),
            ("--login-cost", &self.login),
            ("--verify-cost", &self.verify),
        ]
        .into_iter()
        .filter(|(_, cost)| cost.needs_option)
        .map(|(option, cost)| format!("{option} {}", cost.micros))
        .collect()
    }
}

impl TuneArguments {
    /// Chooses each cost: the option, otherwise a measurement (`--bench`, `--issuer`), otherwise
    /// that of `--costs-of`.
    pub(in crate::tune) fn sourced(&self, known: &Known) -> Sourced {
        let assumed = known.costs_of(self).costs();
        let of = format!("assumed: --costs-of {}", known.costs_of(self).name());
        let there = known.issuer.as_ref();
        let lookup = there.and_then(|found| found.introspection);
        let refresh = pick(
            ("--refresh-cost", self.refresh_cost),
            there.and_then(measured_refresh),
            (assumed.refresh, &of),
        );
        Sourced {
            login: self.login(known, refresh.micros),
            fetch: pick(
                ("--fetch-cost", self.fetch_cost),
                there.map(|found| rounded(found.fetch.median, "median fetch of the keys")),
                (assumed.fetch, &of),
            ),
            lookup: pick(
                ("--lookup-cost", self.lookup_cost),
                lookup.map(|lookup| rounded(lookup.median, "median introspection")),
                (assumed.lookup, &of),
            ),
            verify: self.verify(known),
            hit: match (&self.hit_cost, &known.validation) {
                (None, Some(of)) => by_bench(of.hit),
                (option, _) => {
                    pick(("--hit-cost", *option), None, (costs::HIT, "assumed: benches/RESULTS.md"))
                }
            },
            refresh,
            session_idle: known.session_idle(self).map(|(_, source)| source),
        }
    }

    fn login(&self, known: &Known, refresh: f64) -> Cost {
        let keycloak = known.issuer.as_ref().is_some_and(|found| found.is_keycloak);
        let (micros, source) = if keycloak || known.costs_of(self) == MeasuredAt::Keycloak {
            (costs::KEYCLOAK_LOGIN, "assumed: measured at Keycloak 26 with a password grant")
        } else {
            (refresh + peak::HASH, "assumed: a refresh and 50 ms for the password hash")
        };
        let password = known.issuer.as_ref().and_then(|found| found.password);
        let measured = password.map(|of| rounded(of.median, "median password grant"));
        let is_measured = measured.is_some();
        let cost = pick(("--login-cost", self.peak.login_cost), measured, (micros, source));
        // Without a peak, and without an idle limit at the issuer, the report has no logins.
        let has_logins = self.peak.is_given() || known.session_idle(self).is_some();
        let needs_option =
            (keycloak || is_measured) && self.peak.login_cost.is_none() && has_logins;
        Cost { needs_option, ..cost }
    }

    fn verify(&self, known: &Known) -> Cost {
        if let (None, Some(of)) = (self.verify_cost, &known.validation) {
            return by_bench(of.verify);
        }
        let of = known.costs_of(self);
        let assumed = of.costs().verify;
        let (micros, source) = match &known.issuer {
            Some(found) => match (found.algorithm.as_deref(), found.is_keycloak) {
                (Some(name), _) if name.starts_with("RS") || name.starts_with("PS") => {
                    (costs::VERIFY_RS256, format!("assumed: RS256; the issuer signs with {name}"))
                }
                (Some(name), _) => {
                    (costs::VERIFY, format!("assumed: ES256; the issuer signs with {name}"))
                }
                (None, true) => (
                    costs::VERIFY_RS256,
                    "assumed: RS256, the default of Keycloak, by the path of its metadata"
                        .to_owned(),
                ),
                (None, false) => (
                    assumed,
                    format!(
                        "assumed: {}, of --costs-of {}; RS256 takes {}; set --client-id \
                         to read the issuer's algorithm",
                        of.algorithm(),
                        of.name(),
                        duration(costs::VERIFY_RS256 / 1e6)
                    ),
                ),
            },
            None => (assumed, format!("assumed: {}, of --costs-of {}", of.algorithm(), of.name())),
        };
        let cost = pick(("--verify-cost", self.verify_cost), None, (micros, &source));
        Cost { needs_option: self.verify_cost.is_none() && micros != assumed, ..cost }
    }
}

/// The cost of a refresh, or that of a client-credentials grant if no refresh was measured.
fn measured_refresh(found: &Found) -> Option<(f64, String)> {
    if let Some(refresh) = found.refresh {
        return Some(rounded(refresh.median, "median refresh"));
    }
    let (micros, mut source) =
        rounded(found.grant?.median, "median client-credentials grant, which stands for a refresh");
    if found.is_keycloak {
        source += "; at Keycloak, a refresh costs about twice as much";
    }
    Some((micros, source))
}

/// Rounds to whole microseconds, as the option in the repeated command line does.
fn rounded(secs: f64, what: &str) -> (f64, String) {
    ((secs * 1e6).round().max(1.0), format!("measured: {what}"))
}

fn pick(
    (option, given): (&str, Option<f64>),
    measured: Option<(f64, String)>,
    (assumed, of): (f64, &str),
) -> Cost {
    match (given, measured) {
        (Some(micros), Some((unused, _))) => Cost {
            micros,
            source: format!("{option}, instead of the measured {}", duration(unused / 1e6)),
            needs_option: false,
        },
        (Some(micros), None) => Cost { micros, source: option.to_owned(), needs_option: false },
        (None, Some((micros, source))) => Cost { micros, source, needs_option: true },
        (None, None) => Cost { micros: assumed, source: of.to_owned(), needs_option: false },
    }
}

fn by_bench(micros: f64) -> Cost {
    Cost { micros, source: "measured: --bench".to_owned(), needs_option: false }
}
