//! The guarantees of `portcullis::Revocation` (expiry, status lists, introspection and the feed), each
//! with its lag, load and lockout. Only the expiry is also simulated. The others are closed forms, and
//! the report says so. Measurements are in `benches/RESULTS.md`.

use serde::Serialize;

use super::arguments::TuneArguments;
use super::closed_forms::either;
use super::feed;
use super::issuer::Offers;
use super::load::Load;
use super::mix::Kinds;
use super::scenario::Scenario;
use crate::units::duration;

/// The longest time until the published list contains a revocation, in seconds.
const PUBLICATION: f64 = 0.1;

/// The median time until a pushed revocation reaches an instance, in seconds. A test compares it with
/// `benches/RESULTS.md`.
const PUSHED: f64 = 0.0644;

/// The time for which the issuer lets a list be cached by default, in seconds.
const LIST_TTL: f64 = 60.0;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Mechanism {
    pub(super) name: String,
    pub(super) lag_bound: f64,
    /// The median lag of revoked sessions whose token has not expired, if no request is lost.
    pub(super) usual_lag: f64,
    /// Requests to the issuer per second, including refreshes and fetches.
    pub(super) issuer_requests: f64,
    pub(super) issuer_cores: f64,
    /// The issuer cores in the busiest minutes of the recorded refreshes and requests.
    pub(super) busiest_cores: Option<f64>,
    /// The share of active sessions that the outage locks out of routes with this guarantee.
    pub(super) locked_out: f64,
    /// The same share in a partition: clients reach the issuer but services do not, so only keys and
    /// lists age.
    pub(super) in_partition: f64,
    /// Whether the figures are closed forms without a simulation.
    pub(super) only_modelled: bool,
}

/// One row for each guarantee, and the figures for a service whose routes require a mix of
/// guarantees.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) rows: Vec<Mechanism>,
    /// The mix, with the bound and the lockout of each kind of route.
    pub(super) routes: Option<String>,
    /// The cores for the mix.
    pub(super) route_cores: RouteCores,
}

/// Cores of the issuer for the guarantees of the routes, in addition to those for refreshes and fetches.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteCores {
    pub(super) introspection: f64,
    /// Cores for the introspections of one active session.
    pub(super) per_active: f64,
    pub(super) status_lists: f64,
}

/// Returns a row for each guarantee, except those that the issuer is known to lack. `pushes`: the issuer
/// holds a request for its list open until the list changes.
pub(super) fn mechanisms(
    scenario: &Scenario,
    load: &Load,
    arguments: &TuneArguments,
    offers: Offers,
    pushes: bool,
) -> Ways {
    let max_age = arguments.list_max_age;
    let requests = load.refreshes + scenario.fetches();
    let expiry = Mechanism {
        name: "expiry".to_owned(),
        lag_bound: scenario.lag_bound(),
        usual_lag: load.lag_median,
        issuer_requests: requests,
        issuer_cores: load.issuer_cores(scenario),
        busiest_cores: load.busiest_minute.map(|_| load.busiest_cores(scenario)),
        locked_out: load.locked_out(scenario),
        in_partition: scenario.keys_ended(scenario.outage),
        only_modelled: false,
    };
    let instances = scenario.instances as f64;
    let with_list = |name: &str, usual_lag: f64, oldest: f64, questions: f64| {
        // The route rejects every request once the list is older than `max_age`. When the outage began,
        // the list was at most `oldest` old.
        let too_old = ((scenario.outage - max_age + oldest) / oldest).clamp(0.0, 1.0);
        Mechanism {
            name: format!("a status list, at most {} old, {name}", duration(max_age)),
            lag_bound: (max_age + PUBLICATION).min(expiry.lag_bound),
            usual_lag: usual_lag.min(expiry.usual_lag),
            issuer_requests: requests + questions,
            issuer_cores: expiry.issuer_cores + questions * scenario.costs.fetch,
            busiest_cores: expiry
                .busiest_cores
                .map(|cores| cores + questions * scenario.costs.fetch),
            locked_out: either(expiry.locked_out, too_old),
            in_partition: either(expiry.in_partition, too_old),
            only_modelled: true,
        }
    };
    // An instance polls after half of the maximum age, or up to a tenth earlier.
    let interval = (max_age / 2.0).clamp(1.0, LIST_TTL) * 0.95;
    let polled = with_list("polled", interval / 2.0, interval, instances / interval);
    // A long poll: the issuer answers after a third of the maximum age, or sooner if a token is revoked.
    let wait = (max_age / 3.0).floor().clamp(1.0, 60.0);
    let publications = (scenario.revocations_per_day / 86_400.0).min(1.0 / PUBLICATION);
    let questions = instances * (1.0 / wait + publications);
    let pushed = with_list("pushed", PUSHED, wait, questions);
    // `less`: the share of requests that are introspected.
    let introspected = |name: String, lag: f64, less: f64| Mechanism {
        name,
        lag_bound: lag.min(expiry.lag_bound),
        usual_lag: lag.min(expiry.usual_lag),
        issuer_requests: requests + less * load.validations,
        issuer_cores: expiry.issuer_cores + less * load.validations * scenario.costs.lookup,
        busiest_cores: expiry
            .busiest_cores
            .zip(load.busiest_validations)
            .map(|(cores, most)| cores + less * most * scenario.costs.lookup),
        locked_out: 1.0,
        in_partition: 1.0,
        only_modelled: true,
    };
    let mix = arguments.mix;
    let asked = introspected("introspection of each request".to_owned(), 0.0, 1.0);
    let reused = mix.reuse_for.map(|reuse| {
        let name = format!(
            "introspection, a response reused for {} on all of --live-share",
            duration(reuse)
        );
        // With fewer requests, an instance is less likely to have a recent response for the token.
        let of = |share: f64| {
            let less = scenario.introspections(share, reuse) / (share * scenario.validations());
            introspected(name.clone(), reuse, less)
        };
        let live = mix.live_share / 100.0;
        (of(1.0), of(if live > 0.0 { live } else { 1.0 }))
    });
    let list = if pushes { &pushed } else { &polled };
    let live = reused.as_ref().map_or(&asked, |(_, on_routes)| on_routes);
    let feed = feed::row(&expiry, arguments.feed_max_age);
    let kinds = Kinds { expiry: &expiry, list, feed: &feed, live };
    let together = mix.together(kinds, pushes);
    let routes = mix.routes(kinds, scenario.fan_out);
    let route_cores = mix.route_cores(kinds, scenario.active_sessions());
    let (lists, introspection) =
        (offers.status_lists != Some(false), offers.introspection != Some(false));
    let mut all = vec![expiry];
    all.extend([polled, pushed].into_iter().filter(|_| lists));
    let reused = reused.map(|(of_all, _)| of_all);
    all.extend([Some(asked), reused].into_iter().flatten().filter(|_| introspection));
    all.extend(Some(feed).filter(|_| offers.sends_logouts()));
    all.extend(together);
    Ways { rows: all, routes, route_cores }
}

#[cfg(test)]
mod tests {
    #[test]
    fn median_of_a_pushed_list_is_the_measured_one() {
        const RESULTS: &str = include_str!("../../../../benches/RESULTS.md");
        let row = RESULTS.lines().find(|line| line.starts_with("| status list, pushed |")).unwrap();
        let median = row.split('|').nth(2).unwrap().trim().strip_suffix(" ms").unwrap();
        let measured = median.parse::<f64>().unwrap() / 1e3;
        assert!((super::PUSHED / measured - 1.0).abs() < 0.1, "{measured}");
    }
}
