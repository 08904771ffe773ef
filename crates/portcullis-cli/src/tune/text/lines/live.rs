//! The figures that a live run measured, those of the model, and whether chance can explain the difference.

use crate::tune::figures::{DEVIATE, Figures};
use crate::tune::measured::Measured;
use crate::tune::scenario::Scenario;
use crate::units::{duration, number};

impl Figures {
    /// The measurements, next to the model of the same number of sessions.
    pub(in crate::tune) fn live_lines(&self, live: &Measured) -> Vec<(String, String)> {
        let scenario = Scenario { sessions: live.sessions, ..self.scenario };
        let refreshes = {
            let (model, error) = (scenario.refreshes(), live.refreshes_error);
            let range = (model - error, model + error);
            set_beside(live.refreshes, 0.0, model, range, number)
        };
        // The token is tried once per step, so it was accepted for up to one step longer than measured.
        let lag = |measured, quantile| {
            let (model, range) =
                (scenario.lag_quantile(quantile), likely(&scenario, live, quantile));
            set_beside(measured, live.lag_step, model, range, duration)
        };
        let measured = format!("{} sessions, {} requests", live.sessions, live.requests);
        let longest = format!(
            "{}  (tried every {}; bound {})",
            duration(live.lag_max),
            duration(live.lag_step),
            duration(self.lag_bound)
        );
        [
            ("measured by --live", measured),
            ("  refreshes/s", refreshes),
            ("  lag of a revoked session, median", lag(live.lag_median, 0.5)),
            ("  lag of a revoked session, 99th percentile", lag(live.lag_p99, 0.99)),
            ("  longest lag", longest),
            ("  valid tokens rejected", live.wrongly_refused.to_string()),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .into()
    }
}

/// The interval that contains this quantile of the lag in 95 % of the runs with the same number of
/// sessions.
fn likely(scenario: &Scenario, live: &Measured, quantile: f64) -> (f64, f64) {
    let lags = ((1.0 - live.without_lag) * live.sessions as f64).max(1.0);
    let error = DEVIATE * (quantile * (1.0 - quantile) / lags).sqrt();
    let at = |quantile: f64| scenario.lag_quantile(quantile.clamp(0.0, 1.0));
    (at(quantile - error), at(quantile + error))
}

/// The true value is up to one step more than the measured one.
fn set_beside(
    measured: f64,
    step: f64,
    model: f64,
    (low, high): (f64, f64),
    unit: fn(f64) -> String,
) -> String {
    let off = (measured / model - 1.0) * 100.0;
    let by_chance = measured + step >= low && measured <= high;
    format!(
        "{}  (model {}, {off:+.1} %; 95 % of such runs have {} to {}: {} chance)",
        unit(measured),
        unit(model),
        unit(low.max(0.0)),
        unit(high),
        if by_chance { "within" } else { "BEYOND" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_comes_with_what_chance_makes_of_so_few_sessions() {
        let scenario = Scenario::for_test();
        let live = |sessions, lag_median| Measured {
            sessions,
            refreshes: 1.0,
            refreshes_error: 0.1,
            lag_median,
            lag_p99: 900.0,
            lag_max: 905.0,
            lag_step: 1.0,
            without_lag: 0.5,
            requests: 1000,
            wrongly_refused: 0,
        };
        let model = scenario.lag_quantile(0.5);
        let said = |sessions, measured| {
            let range = likely(&scenario, &live(sessions, measured), 0.5);
            set_beside(measured, 1.0, model, range, duration)
        };
        // A difference of 23 % can be chance with 60 sessions, but not with 6000.
        assert!(said(60, 0.77 * model).contains("-23.0 %; 95 % of such runs have "));
        assert!(said(60, 0.77 * model).ends_with(": within chance)"), "{}", said(60, 0.77 * model));
        assert!(said(6000, 0.77 * model).ends_with(": BEYOND chance)"));
        assert!(said(6000, model).ends_with(": within chance)"));
    }
}
