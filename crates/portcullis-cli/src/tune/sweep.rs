//! All combinations of several expiries and TTLs, with the best ones marked.

use serde::Serialize;

use super::activity::Recorded;
use super::load::Load;
use super::scenario::{Scenario, used_ttl};

pub(super) const EXPIRIES: [f64; 8] = [30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
pub(super) const TTLS: [f64; 6] = [30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

#[derive(Debug, Clone, Serialize)]
pub(super) struct Point {
    pub(super) access_expiry: f64,
    pub(super) jwks_ttl: f64,
    pub(super) lag_bound: f64,
    pub(super) key_lag_bound: f64,
    pub(super) refreshes: f64,
    pub(super) fetches: f64,
    pub(super) issuer_cores: f64,
    pub(super) locked_out: f64,
    /// Whether every point with a lower `worst` bound needs more issuer cores.
    pub(super) on_front: bool,
}

impl Point {
    fn new(scenario: &Scenario, load: &Load) -> Self {
        Self {
            access_expiry: scenario.access_expiry,
            jwks_ttl: scenario.verifier.jwks_ttl,
            lag_bound: scenario.lag_bound(),
            key_lag_bound: scenario.key_lag_bound(),
            refreshes: load.refreshes,
            fetches: scenario.fetches(),
            issuer_cores: load.issuer_cores(scenario),
            locked_out: load.locked_out(scenario),
            on_front: false,
        }
    }

    /// The larger of two bounds: that of revoked sessions and that of withdrawn keys.
    fn worst(&self) -> f64 {
        self.lag_bound.max(self.key_lag_bound)
    }

    fn beats(&self, other: &Self) -> bool {
        let (ours, theirs) =
            ((self.worst(), self.issuer_cores), (other.worst(), other.issuer_cores));
        ours.0 <= theirs.0 && ours.1 <= theirs.1 && ours != theirs
    }
}

pub(super) fn sweep(
    scenario: &Scenario,
    jwks_max_age: Option<f64>,
    recorded: Option<&Recorded>,
) -> Vec<Point> {
    let points: Vec<_> = EXPIRIES
        .into_iter()
        .flat_map(|access_expiry| {
            // The TTL has no effect on the load of clients.
            let load = Load::of(&Scenario { access_expiry, ..*scenario }, recorded);
            // Leaves out TTLs above the issuer's max-age, because max-age shortens them all to the same
            // TTL.
            let kept = |ttl: &f64| *ttl == TTLS[0] || used_ttl(*ttl, jwks_max_age) == *ttl;
            let points = TTLS.into_iter().filter(kept).map(|ttl| {
                let verifier = scenario.verifier.with_ttl(ttl, jwks_max_age);
                Point::new(&Scenario { access_expiry, verifier, ..*scenario }, &load)
            });
            points.collect::<Vec<_>>()
        })
        .collect();
    let on_front = |point: &Point| !points.iter().any(|other| other.beats(point));
    points.iter().map(|point| Point { on_front: on_front(point), ..point.clone() }).collect()
}
