//! Warnings: a load above the issuer's cores, logins above those that hash passwords, and clock skew that breaks
//! the bound.

use super::report::Report;
use super::sizing::{Sizing, counted};
use crate::units::{duration, number, percent};

/// If the share of instances with a wrong clock is smaller than this, there is no warning.
pub(super) const RARE: f64 = 1e-4;

impl Report {
    /// Returns the warnings in the order of the report.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Some(first) = self.settings.first() else { return Vec::new() };
        let (scenario, has) = (&first.scenario, first.scenario.issuer_cores);
        let mut all = Vec::new();
        let behind = scenario.clocks_behind();
        if behind > RARE {
            all.push(format!(
                "the bound does not hold: with a clock skew of {} (standard deviation), the clocks of {} of the \
                 instances are behind by more than the leeway of {}. They accept a revoked session for longer \
                 than {}, and others reject valid tokens. Synchronize the clocks",
                duration(scenario.clock_skew),
                percent(behind),
                duration(scenario.verifier.leeway),
                duration(first.lag_bound)
            ));
        }
        all.extend(self.doubtful.iter().cloned());
        let noisy = match self.noisy.is_empty() {
            true => String::new(),
            false => format!("; it may depend on the NOISY costs of {}", self.noisy.join(", ")),
        };
        let mut overload = |what: &str, cores: f64| {
            if cores > has {
                let (cores, has) = (number(cores), number(has));
                all.push(format!(
                    "overload: {what}: needs {cores} cores of the issuer, which has {has}{noisy}"
                ));
            }
        };
        for figures in &self.settings {
            let expiry = duration(figures.scenario.access_expiry);
            match figures.busiest_cores.filter(|most| *most > figures.issuer_cores) {
                Some(most) => {
                    overload(&format!("an expiry of {expiry}, in the busiest minute"), most);
                }
                None => overload(&format!("an expiry of {expiry}"), figures.issuer_cores),
            }
        }
        if let Some(peak) = &self.login_peak {
            overload("the login peak", peak.cores);
        }
        let queue = |what: &str, sizing: &Sizing| {
            let (logins, of) = (sizing.load.logins, scenario.login_cores());
            (of < has && logins > of).then(|| {
                format!(
                    "logins are the limit: {what}, they need {} cores, and the companion issuer hashes passwords on at most {} \
                     of its {} cores. Logins queue, and one that waits for more than 5 s gets 503. \
                     Size for {}{noisy}",
                    number(logins),
                    number(of),
                    number(has),
                    counted(sizing.cores)
                )
            })
        };
        let peak = self.login_peak.as_ref().map(|peak| &peak.sizing);
        let queues = [
            queue("without a login peak", &self.sizing),
            peak.and_then(|of| queue("in the login peak", of)),
        ];
        // Skips the first row, expiry, whose figures are those of the settings above. If the routes
        // have shares, only the row of the mix describes what the service will do.
        let rows = self.mechanisms.iter().skip(1);
        let last = self.routes.as_ref().map_or(0, |_| self.mechanisms.len().saturating_sub(2));
        for mechanism in rows.skip(last) {
            match mechanism.busiest_cores.filter(|most| *most > mechanism.issuer_cores) {
                Some(most) => overload(&format!("{}, in the busiest minute", mechanism.name), most),
                None => overload(&mechanism.name, mechanism.issuer_cores),
            }
        }
        all.extend(queues.into_iter().flatten());
        all
    }
}
