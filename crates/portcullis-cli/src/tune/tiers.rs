//! Tiers of routes with `Policy::max_token_age`: their bounds, and their costs by the share of sessions
//! that use them. Closed forms without a simulation.

use serde::Serialize;

use super::activity::Recorded;
use super::load::Load;
use super::scenario::Scenario;
use super::tables::{Table, loaded};
use crate::units::{duration, number, percent};

/// The `max_token_age` of each tier, in seconds.
const TIERS: [f64; 3] = [60.0, 300.0, 900.0];

/// The share of sessions that use the tier in the first of the two costs.
const FEW: f64 = 0.1;

/// Explains the table of tiers.
pub(super) const TIERS_TABLE: &str = "Tiers: all routes accept the same token, and single routes \
    set a shorter bound with `Policy::max_token_age`. Clients of those routes must refresh before \
    their token reaches that age. The cost is that of all refreshes and fetches: in one column if \
    10 % of the sessions use the tier, in the other if all do. Between 10 % and 100 %, it grows \
    linearly with the share. No age gives a bound below twice the leeway: a shorter bound needs introspection, a status \
    list or the feed, with the bounds above. A tier with an age of the access expiry or more would have no effect and is left out. Rows are \
    closed forms without a simulation.";

#[derive(Debug, Clone, Serialize)]
pub(super) struct Tier {
    /// `None`: the tier has the bound of the access expiry alone.
    pub(super) max_token_age: Option<f64>,
    pub(super) lag_bound: f64,
    /// The first figure is for a tier that a tenth of the sessions use, the second for one that all use.
    pub(super) refreshes: [f64; 2],
    pub(super) issuer_cores: [f64; 2],
    pub(super) locked_out: f64,
}

impl Tier {
    fn new(age: Option<f64>, first: &Scenario, recorded: Option<&Recorded>) -> Self {
        let of = Scenario { access_expiry: age.unwrap_or(first.access_expiry), ..*first };
        let (load, base) = (Load::of(&of, recorded), Load::of(first, recorded));
        let by_share = |all: f64, base: f64| [base + FEW * (all - base), all];
        Self {
            max_token_age: age,
            lag_bound: of.lag_bound(),
            refreshes: by_share(load.refreshes, base.refreshes),
            issuer_cores: by_share(load.issuer_cores(&of), base.issuer_cores(first)),
            locked_out: load.locked_out(&of),
        }
    }
}

pub(super) fn tiers(first: &Scenario, recorded: Option<&Recorded>) -> Vec<Tier> {
    let shorter = TIERS.into_iter().filter(|age| *age < first.access_expiry).map(Some);
    shorter.chain([None]).map(|age| Tier::new(age, first, recorded)).collect()
}

pub(super) fn table(tiers: &[Tier], has: f64) -> Table {
    let columns = vec![
        "setting of the route",
        "accepted for at most",
        "refreshes/s (10 % of sessions)",
        "refreshes/s (all)",
        "issuer cores (10 %)",
        "issuer cores (all)",
        "locked out",
    ];
    let row = |tier: &Tier| {
        let ([few, all], [few_cores, all_cores]) = (tier.refreshes, tier.issuer_cores);
        vec![
            tier.max_token_age.map_or_else(
                || "none: the expiry".to_owned(),
                |age| format!("max_token_age({age} s)"),
            ),
            duration(tier.lag_bound),
            number(few),
            number(all),
            loaded(few_cores, has),
            loaded(all_cores, has),
            percent(tier.locked_out),
        ]
    };
    Table::new(columns, tiers.iter().map(row).collect())
}
