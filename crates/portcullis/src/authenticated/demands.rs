//! The requirements of the gate and the route for a caller. A stream that outlives the request must keep
//! meeting them.

use std::sync::Arc;

use super::Authenticated;
use crate::refusal::Unreported;
use crate::revocation::Means;

/// A requirement of a gate or a route.
pub(crate) trait Demand: Send + Sync {
    /// Checks the policy alone.
    fn is_met_by(&self, who: &Authenticated) -> Result<(), Unreported>;

    /// Calls `visit` with each revocation check that is required.
    fn visit_means(&self, visit: &mut dyn FnMut(Means));
}

/// The requirements that a caller has met. The first requirement of a gate, and the first one of a route,
/// are recorded without an allocation.
#[derive(Clone, Default)]
pub(crate) struct Demands {
    gate: Option<Arc<dyn Demand>>,
    route: Option<Arc<dyn Demand>>,
}

impl Demands {
    pub(crate) fn set_gate(&mut self, demand: Option<Arc<dyn Demand>>) {
        self.gate = demand;
    }

    /// Adds a requirement of a route. Earlier requirements remain.
    pub(crate) fn add(&mut self, demand: Arc<dyn Demand>) {
        self.route = Some(match self.route.take() {
            Some(outer) => Arc::new(Both(outer, demand)),
            None => demand,
        });
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn Demand>> {
        self.gate.iter().chain(&self.route)
    }

    /// Checks all policies.
    pub(crate) fn are_met_by(&self, who: &Authenticated) -> Result<(), Unreported> {
        self.all().try_for_each(|demand| demand.is_met_by(who))
    }

    /// Returns the revocation checks of all requirements, without duplicates.
    pub(crate) fn means(&self) -> Vec<Means> {
        let mut all = Vec::new();
        for demand in self.all() {
            demand.visit_means(&mut |means| {
                if means != Means::Expiry && !all.contains(&means) {
                    all.push(means);
                }
            });
        }
        all
    }
}

/// The requirements of two nested layers.
struct Both(Arc<dyn Demand>, Arc<dyn Demand>);

impl Demand for Both {
    fn is_met_by(&self, who: &Authenticated) -> Result<(), Unreported> {
        self.0.is_met_by(who).and_then(|()| self.1.is_met_by(who))
    }

    fn visit_means(&self, visit: &mut dyn FnMut(Means)) {
        self.0.visit_means(visit);
        self.1.visit_means(visit);
    }
}
