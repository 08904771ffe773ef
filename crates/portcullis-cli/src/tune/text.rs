//! The report in words and columns.

use std::fmt::{self, Write as _};

use super::measured::Measured;
use super::report::{Comparison, Figure, Figures, Report};
use super::scenario::{Habit, Scenario};

/// What every figure stands on. The memo and the page say it, too.
pub(super) const ASSUMPTIONS: &[&str] = &[
    "A session is revoked at a random moment; the lag is how long its access token is accepted after \
     that, whether or not anybody uses it. Clocks agree, unless it says otherwise.",
    "Bursts and pauses have exponential lengths, and requests in a burst come at random. A timer \
     refreshes as the token expires while the session is active, or else when it becomes active.",
    "The JWKS TTL bounds how long a withdrawn key is accepted. It does not shorten the revocation of \
     sessions, however short it is.",
    "Requests go to any instance. The cache hit rate is for instances that remember every token that \
     they have verified, while it lasts; its closed form is exact for sessions that are always active, \
     and an estimate for others.",
    "What a refresh and a fetch cost the issuer was measured with the companion issuer, on another machine \
     than yours; your own figures can be given.",
    "An outage locks out who is active at its end and has no accepted token.",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
                secs(recorded.span),
                secs(recorded.request_every),
                secs(recorded.burst),
                secs(recorded.pause)
            )?;
        }
        writeln!(
            f,
            "Other ways to learn of a revocation, route by route (`Revocation`), with the first expiry.\n\
             Those with * are closed forms, and not simulated.\n  \
             {:<44} {:>9} {:>9} {:>17} {:>12} {:>10}",
            "", "lag bound", "usually", "issuer requests/s", "issuer cores", "locked out"
        )?;
        for mechanism in &self.mechanisms {
            writeln!(
                f,
                "  {:<44} {:>9} {:>9} {:>17} {:>12} {:>10}",
                format!("{}{}", mechanism.name, if mechanism.only_modelled { " *" } else { "" }),
                secs(mechanism.lag_bound),
                secs(mechanism.usual_lag),
                number(mechanism.issuer_requests),
                number(mechanism.issuer_cores),
                percent(mechanism.locked_out)
            )?;
        }
        writeln!(
            f,
            "\nSettings that nothing beats, in the larger of both bounds and issuer time:"
        )?;
        writeln!(f, "{FRONT_HEAD}")?;
        for point in self.sweep.iter().filter(|point| point.on_front) {
            writeln!(
                f,
                "  {:>8} {:>8} {:>10} {:>10} {:>12} {:>10} {:>12} {:>10}",
                secs(point.access_expiry),
                secs(point.jwks_ttl),
                secs(point.lag_bound),
                secs(point.key_lag_bound),
                number(point.refreshes),
                number(point.fetches),
                number(point.issuer_cores),
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
        write!(
            f,
            "\nSimulated: {} of each session and instance, none left out; seed {}. ± is what chance \
             does to 95 of 100 such simulations.",
            secs(self.simulated_secs),
            self.seed
        )
    }
}

const FRONT_HEAD: &str = "    expiry      TTL  lag bound    key lag  refreshes/s  fetches/s \
                          issuer cores  locked out";

fn write_comparison(
    f: &mut fmt::Formatter<'_>,
    comparison: &Comparison,
    first: &Figures,
    second: &Figures,
) -> fmt::Result {
    let from = secs(first.scenario.access_expiry);
    let to = secs(second.scenario.access_expiry);
    writeln!(f, "{to} instead of {from}:")?;
    writeln!(
        f,
        "  lag bound    {} instead of {}, the leeway of {} included",
        secs(second.lag_bound),
        secs(first.lag_bound),
        secs(first.scenario.verifier.leeway)
    )?;
    writeln!(
        f,
        "  refreshes    {:.1} times as many for sessions that are always active\n               {:.1} \
         times as many for these bursts (simulated: {:.1})\n",
        comparison.always_active, comparison.as_given, comparison.as_simulated
    )
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scenario = &self.scenario;
        let habit = match scenario.habit {
            Habit::Timer => "by timer",
            Habit::Lazy => "on a 401",
        };
        writeln!(
            f,
            "Access expiry {}, leeway {}, JWKS TTL {}; {} sessions refreshing {habit}, {} instances",
            secs(scenario.access_expiry),
            secs(scenario.verifier.leeway),
            secs(scenario.verifier.jwks_ttl),
            scenario.sessions,
            scenario.instances
        )?;
        for (name, text) in self.lines() {
            writeln!(f, "  {name:<44} {text}")?;
        }
        if let Some(live) = &self.live {
            writeln!(f, "  live, with {} sessions and {} requests", live.sessions, live.requests)?;
            for (name, text) in self.live_lines(live) {
                writeln!(f, "    {name:<42} {text}")?;
            }
        }
        Ok(())
    }
}

impl Figures {
    /// What the figures are called, and what they are.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let outage = secs(self.scenario.outage);
        let line = |name: &str, text: String| (name.to_owned(), text);
        let mut lines = vec![
            line("a revoked session is accepted for at most", secs(self.lag_bound)),
            line("  half of them for at most", self.lag_median.show(secs)),
            line("  99 of 100 for at most", self.lag_p99.show(secs)),
            line("  the longest simulated", secs(self.lag_max)),
            line("  not at all: the token had expired", self.without_lag.show(percent)),
            line("  all revocations of a day together", secs(self.exposure_per_day)),
            line("a withdrawn key is accepted for at most", secs(self.key_lag_bound)),
            line("  by half of the instances for at most", self.key_lag_median.show(secs)),
            line("  by 99 of 100 for at most", self.key_lag_p99.show(secs)),
            line("  until the last instance notices, usually", secs(self.key_lag_last_instance)),
            line("  while the issuer is away, at most", secs(self.key_lag_bound_in_outage)),
            line("refreshes/s at the issuer", self.refreshes.show(number)),
            line("  in the busiest second simulated", self.busiest_second.to_string()),
            line("JWKS fetches/s at the issuer", self.fetches.show(number)),
            line("  all that, in cores of the issuer", number(self.issuer_cores)),
            line("requests whose token was verified before", self.cache_hits.show(percent)),
            line("  CPU of a validation, with the token cache", micros(self.cpu_per_request)),
            line("  and without", micros(self.cpu_per_request_without_cache)),
            (format!("locked out by {outage} without issuer"), self.locked_out.show(percent)),
            line("  who all ask when it is back", number(self.waiting_after_outage.round())),
            line("refused since clocks differ", self.refused_by_skew.show(percent)),
        ];
        if let Some(replayed) = self.replayed {
            lines.push(line("refreshes/s of the recorded requests, replayed", number(replayed)));
        }
        lines
    }
}

impl Figures {
    /// What was measured, beside the model of as many sessions.
    fn live_lines(&self, live: &Measured) -> Vec<(&'static str, String)> {
        let scenario = Scenario { sessions: live.sessions, ..self.scenario };
        let both = |measured: f64, model: f64, unit: fn(f64) -> String| {
            let off = (measured / model - 1.0) * 100.0;
            format!("{}  (model {}, {off:+.1} %)", unit(measured), unit(model))
        };
        vec![
            ("refreshes/s", both(live.refreshes, scenario.refreshes(), number)),
            ("lag, median", both(live.lag_median, scenario.lag_quantile(0.5), secs)),
            ("lag, 99 of 100", both(live.lag_p99, scenario.lag_quantile(0.99), secs)),
            (
                "lag, the longest",
                format!("{}  (bound {})", secs(live.lag_max), secs(self.lag_bound)),
            ),
            ("requests that were wrongly refused", live.wrongly_refused.to_string()),
        ]
    }
}

impl Figure {
    fn show(self, unit: fn(f64) -> String) -> String {
        let mut text = unit(self.model);
        let _ = write!(text, "  (simulated {} ± {})", unit(self.simulated), unit(self.error));
        text
    }
}

pub(super) fn secs(secs: f64) -> String {
    format!("{} s", number(secs))
}

fn micros(secs: f64) -> String {
    format!("{:.1} µs", secs * 1e6)
}

pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        tiny if tiny < 0.001 => "below 0.001 %".to_owned(),
        some if some < 0.1 => format!("{some:.3} %"),
        percent => format!("{percent:.1} %"),
    }
}

pub(super) fn number(number: f64) -> String {
    if number.fract() == 0.0 || number.abs() >= 10_000.0 {
        format!("{number:.0}")
    } else if number.abs() >= 1.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.4}")
    }
}
