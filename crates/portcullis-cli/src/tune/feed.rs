//! `Revocation::feed`: its row in the table of guarantees, and the events that it misses. Closed forms
//! without a simulation.

use super::mechanisms::Mechanism;
use super::report::Report;
use super::scenario::Scenario;
use crate::units::{duration, number};

/// The mean time until an instance reads an entry from a store that does not notify. The instance
/// reads once a second.
const READ: f64 = 0.5;

/// The row has the issuer's load of the expiry: instances read the store and send the issuer no requests.
/// For the same reason, an outage locks out as many sessions as with the expiry alone.
pub(super) fn row(expiry: &Mechanism, max_age: f64) -> Mechanism {
    Mechanism {
        name: format!("the feed of reported logouts, at most {} old", duration(max_age)),
        lag_bound: max_age.min(expiry.lag_bound),
        usual_lag: READ.min(expiry.usual_lag),
        only_modelled: true,
        ..expiry.clone()
    }
}

/// The footnote: what the feed needs and misses, and the bound for the events that it misses.
fn text(scenario: &Scenario, max_age: f64) -> String {
    format!(
        "`Revocation::feed({})` (--feed-max-age): its lag begins when the service answers the \
         logout token with 200; the median is for a store that does not notify, which each \
         instance reads once a second. It needs no request to the issuer, which sends one \
         POST per ended session and client: {} POSTs/s by --revocations-per-day. It needs a store \
         that all instances share. It does not need the issuer, so outages lock out as many \
         sessions as with the expiry. It misses what the issuer does not report, such as \
         a user who is disabled or deleted at Keycloak, and what cannot be delivered, as in an outage or a \
         partition: for these, the expiry is the bound ({})",
        duration(max_age),
        number(scenario.revocations_per_day / 86_400.0),
        duration(scenario.lag_bound())
    )
}

impl Report {
    /// The footnote of the row, if the issuer sends logout tokens.
    pub(super) fn feed_text(&self) -> Option<String> {
        let scenario = self.settings.first()?.scenario;
        self.habits.offers.sends_logouts().then(|| text(&scenario, self.guarantees.feed_max_age))
    }
}
