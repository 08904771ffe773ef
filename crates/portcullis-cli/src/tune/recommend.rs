//! From a goal to settings, or to what stands against it.

use serde::Serialize;

use super::arguments::TuneArguments;
use super::scenario::Scenario;

#[derive(Debug, Serialize)]
pub(super) struct Recommendation {
    /// In whole seconds, as the settings are.
    pub(super) access_expiry: Option<u64>,
    pub(super) jwks_ttl: Option<u64>,
    pub(super) refreshes: Option<f64>,
    pub(super) why: Vec<String>,
}

/// The longest expiry and TTL that meet the goal: longer ones load the issuer less, and outlast
/// longer outages.
pub(super) fn recommend(arguments: &TuneArguments, scenario: &Scenario) -> Option<Recommendation> {
    let TuneArguments { max_lag, max_refresh_rps, max_key_lag, .. } = arguments;
    let mut found =
        Recommendation { access_expiry: None, jwks_ttl: None, refreshes: None, why: Vec::new() };
    let refreshes =
        |expiry: u64| Scenario { access_expiry: expiry as f64, ..*scenario }.refreshes();
    if max_lag.is_some() || max_refresh_rps.is_some() {
        let leeway = scenario.verifier.leeway;
        let longest = max_lag.map_or(86_400.0, |lag| (lag - leeway).clamp(0.0, 86_400.0)) as u64;
        let most = max_refresh_rps.unwrap_or(f64::INFINITY);
        let shortest = (1..=86_400).find(|&expiry| refreshes(expiry) <= most);
        match (longest, shortest) {
            (0, _) => found.why.push(format!(
                "the leeway alone is {leeway} s: no expiry keeps the lag below it. Make the leeway \
                 smaller, or look the session up where a route demands it"
            )),
            (_, None) => found.why.push(format!(
                "even tokens of a day take more than {most} refreshes/s: have more of the issuer"
            )),
            (longest, Some(shortest)) if shortest > longest => found.why.push(format!(
                "no expiry does both: {longest} s + {leeway} s leeway keeps the lag, and takes \
                 {:.1} refreshes/s; {most} refreshes/s allow {shortest} s or more, a lag of {} s. \
                 Allow one of the two, or look the session up where a route demands it",
                refreshes(longest),
                shortest as f64 + leeway,
            )),
            (longest, Some(shortest)) => {
                let expiry = if max_lag.is_some() { longest } else { shortest };
                found.access_expiry = Some(expiry);
                found.refreshes = Some(refreshes(expiry));
                found.why.push(format!(
                    "an access expiry of {expiry} s: at most {} s of lag with the leeway, and {:.1} \
                     refreshes/s",
                    expiry as f64 + leeway,
                    refreshes(expiry)
                ));
            }
        }
    }
    if let Some(lag) = max_key_lag {
        let ttl = (lag - scenario.verifier.fetch_timeout).floor();
        if ttl >= 1.0 {
            found.jwks_ttl = Some(ttl as u64);
            found.why.push(format!(
                "a JWKS TTL of {ttl} s: a withdrawn key is accepted for at most {lag} s while the \
                 issuer can be reached"
            ));
        } else {
            found.why.push(format!(
                "--max-key-lag is {lag} s, and one fetch may take {} s of it",
                scenario.verifier.fetch_timeout
            ));
        }
    }
    (!found.why.is_empty()).then_some(found)
}
