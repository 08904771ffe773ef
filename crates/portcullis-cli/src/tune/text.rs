//! The report in words and columns.

mod lines;

use std::fmt::{self, Write as _};

use super::figures::{Figure, Figures};
use super::report::{Comparison, Report};
use super::scenario::Habit;
use crate::output::escaped;
use crate::units::{duration, number, percent};

/// What every figure stands on. The memo and the page say it, too.
pub(super) const ASSUMPTIONS: &[&str] = &[
    "A session is revoked at a random moment; the lag is how long its access token is accepted after \
     that, whether or not anybody uses it. Clocks agree, unless it says otherwise; the bound holds with \
     clocks that differ by the leeway.",
    "Bursts and pauses have exponential lengths, and requests in a burst come at random. A timer \
     refreshes as the token expires, or as early as it says, while the session is active, or else when \
     it becomes active. A lazy client refreshes when a request is rejected with 401, and repeats that request \
     with the new token.",
    "With --activity the file decides. `By its means` is the closed form with bursts and pauses that are \
     exponential and have the file's means; where those of the file are alike, or come together, the two \
     differ. Curves over other expiries and outages are by the means. A session's first token is a login \
     and no refresh: it has a line of its own, and no part in the issuer's cores (see --login-peak).",
    "Who had no new token for as long as --session-idle says must log in after an outage, and does not \
     refresh. Not modelled: such logins without an outage, which count as refreshes here, and the longest \
     time that an issuer lets a session last.",
    "The JWKS TTL bounds how long a withdrawn key is accepted. It does not shorten the revocation of \
     sessions, however short it is.",
    "Each instance renews its keys by a task of its own, between one and two times `refresh_ahead` \
     before their TTL, and at once when a token names an unknown key. Both start a new TTL.",
    "Requests go to any instance. The cache hit rate is for instances that remember every token that \
     they have verified, while it lasts.",
    "An outage locks out who is active at its end and has no accepted token, or comes to an instance \
     whose keys have ended: max_stale after their TTL, which each counts from its own last fetch.",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "WARNING: {warning}\n")?;
        }
        for figures in &self.settings {
            writeln!(f, "{figures}")?;
        }
        if let (Some(comparison), [first, second]) = (&self.comparison, &self.settings[..]) {
            write_comparison(f, comparison, first, second)?;
        }
        if let Some(recorded) = &self.recorded {
            writeln!(
                f,
                "Recorded: {} requests of {} sessions in {}; in a burst every {}, bursts of {}, pauses of {}\n",
                recorded.requests,
                recorded.sessions,
                duration(recorded.span),
                duration(recorded.request_every),
                duration(recorded.burst),
                duration(recorded.pause)
            )?;
        }
        if let Some(issuer) = &self.issuer {
            writeln!(f, "The issuer {} ({} requests):", escaped(&issuer.issuer), issuer.requests)?;
            for (name, text) in issuer.lines() {
                writeln!(f, "  {name:<50} {text}")?;
            }
            writeln!(f)?;
        }
        if let (Some(peak), Some(first)) = (&self.login_peak, self.settings.first()) {
            writeln!(f, "Login peak: {}\n", peak.text(&first.scenario))?;
        }
        let has = self.settings.first().map_or(f64::INFINITY, |of| of.scenario.issuer_cores);
        writeln!(
            f,
            "Other ways to learn of a revocation, route by route (`Revocation`), with the first expiry.\n\
             Those with * are closed forms, and not simulated; ! is more than the issuer has.\n  \
             {:<44} {:>12} {:>10} {:>17} {:>12} {:>12}{}",
            "",
            "lag bound",
            "usually",
            "issuer requests/s",
            "issuer cores",
            "locked out",
            if self.recorded.is_some() { "  cores in the busiest minute" } else { "" }
        )?;
        for mechanism in &self.mechanisms {
            writeln!(
                f,
                "  {:<44} {:>12} {:>10} {:>17} {:>12} {:>12}{}",
                format!("{}{}", mechanism.name, if mechanism.only_modelled { " *" } else { "" }),
                duration(mechanism.lag_bound),
                duration(mechanism.usual_lag),
                number(mechanism.issuer_requests),
                loaded(mechanism.issuer_cores, has),
                percent(mechanism.locked_out),
                mechanism
                    .busiest_cores
                    .map_or_else(String::new, |most| { format!("  {:>27}", loaded(most, has)) })
            )?;
        }
        if let Some(routes) = &self.routes {
            writeln!(f, "  your routes: {routes}")?;
        }
        for why in &self.left_out {
            writeln!(f, "  left out: {why}")?;
        }
        writeln!(
            f,
            "\nSettings that nothing beats, in the larger of both bounds and issuer time; a TTL beyond the \
             issuer's max-age is none of its own:\n  \
             {:>8} {:>8} {:>12} {:>13} {:>12} {:>10} {:>12} {:>12}",
            "expiry",
            "TTL",
            "lag bound",
            "key lag",
            "refreshes/s",
            "fetches/s",
            "issuer cores",
            "locked out"
        )?;
        for point in self.sweep.iter().filter(|point| point.on_front) {
            writeln!(
                f,
                "  {:>8} {:>8} {:>12} {:>13} {:>12} {:>10} {:>12} {:>12}",
                duration(point.access_expiry),
                duration(point.jwks_ttl),
                duration(point.lag_bound),
                duration(point.key_lag_bound),
                number(point.refreshes),
                number(point.fetches),
                loaded(point.issuer_cores, has),
                percent(point.locked_out),
            )?;
        }
        if let Some(recommendation) = &self.recommendation {
            writeln!(f, "\nRecommended:")?;
            for why in &recommendation.why {
                writeln!(f, "  {why}")?;
            }
        }
        writeln!(f, "\nAssumptions:")?;
        for assumption in ASSUMPTIONS {
            writeln!(f, "  {assumption}")?;
        }
        writeln!(f, "  The issuer's costs are of {}.", self.costs)?;
        writeln!(f, "\nInputs:")?;
        for (name, value) in self.inputs() {
            writeln!(f, "  {name:<50} {value}")?;
        }
        writeln!(f, "\n{}", self.agreement())?;
        write!(f, "{}", self.provenance())
    }
}

impl Report {
    /// How far the closed forms and the simulation agree.
    pub(super) fn agreement(&self) -> String {
        let off = self.disagreements();
        let figures = self.settings.iter().map(|figures| figures.agreement.len()).sum::<usize>();
        let probability = super::agreement::FALSE_ALARM;
        if off.is_empty() {
            return format!(
                "Closed forms and simulation agree in all {figures} figures that both have, each within an \
                 interval that chance leaves in one of {} reports, taken together. ± beside a figure is \
                 what holds 95 of 100 simulations.",
                1.0 / probability
            );
        }
        format!("CLOSED FORM AND SIMULATION DISAGREE:\n  {}", off.join("\n  "))
    }

    /// What the report was made of, so that it can be made again.
    pub(super) fn provenance(&self) -> String {
        format!(
            "Made by portcullis {} with `{}`: {} of each session and instance simulated, none left out; \
             seed {}.",
            self.version,
            self.command,
            duration(self.simulated_secs),
            self.seed
        )
    }
}

/// Cores of the issuer, marked if it has fewer.
pub(super) fn loaded(cores: f64, has: f64) -> String {
    format!("{}{}", number(cores), if cores > has { " !" } else { "" })
}

fn write_comparison(
    f: &mut fmt::Formatter<'_>,
    comparison: &Comparison,
    first: &Figures,
    second: &Figures,
) -> fmt::Result {
    let from = duration(first.scenario.access_expiry);
    let to = duration(second.scenario.access_expiry);
    writeln!(f, "{to} instead of {from}:")?;
    writeln!(
        f,
        "  lag bound    {} instead of {}, twice the leeway of {} included",
        duration(second.lag_bound),
        duration(first.lag_bound),
        duration(first.scenario.verifier.leeway)
    )?;
    let given = if first.recorded.is_some() { "the recorded requests" } else { "these bursts" };
    writeln!(
        f,
        "  refreshes    {} times as many for sessions that are always active\n               {} \
         times as many for {given} (simulated bursts: {})\n",
        number(comparison.always_active),
        number(comparison.as_given),
        number(comparison.as_simulated)
    )
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scenario = &self.scenario;
        let habit = match scenario.habit {
            Habit::Timer if scenario.refresh_early > 0.0 => {
                format!(
                    "by timer, {} early",
                    duration(scenario.access_expiry - scenario.used_for())
                )
            }
            Habit::Timer => "by timer".to_owned(),
            Habit::Lazy => "on a 401".to_owned(),
        };
        writeln!(
            f,
            "Access expiry {}, leeway {}, JWKS TTL {}; {} sessions refreshing {habit}, {} instances",
            duration(scenario.access_expiry),
            duration(scenario.verifier.leeway),
            duration(scenario.verifier.jwks_ttl),
            scenario.sessions,
            scenario.instances
        )?;
        for (name, text) in self.lines() {
            writeln!(f, "  {name:<50} {text}")?;
        }
        if let Some(live) = &self.live {
            writeln!(f, "  live, with {} sessions and {} requests", live.sessions, live.requests)?;
            for (name, text) in self.live_lines(live) {
                writeln!(f, "    {name:<48} {text}")?;
            }
        }
        Ok(())
    }
}

impl Figure {
    pub(super) fn show(self, unit: fn(f64) -> String) -> String {
        let mut text = unit(self.model);
        let _ = write!(text, "  (simulated {} ± {})", unit(self.simulated), unit(self.error));
        text
    }
}
