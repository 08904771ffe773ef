//! The name of each figure in the report, and its value as text.

mod live;

use crate::tune::figures::{Figure, Figures};
use crate::tune::tables::loaded;
use crate::tune::warnings;
use crate::units::{duration, number, percent};

impl Figures {
    pub(in crate::tune) fn lines(&self) -> Vec<(String, String)> {
        let mut lines = self.session_lines();
        lines.extend(self.key_lines());
        lines.extend(self.issuer_lines());
        lines.extend(self.outage_lines());
        lines.push(line("rejected because of clock skew", self.refused_by_skew.show(percent)));
        lines.extend(self.live.as_ref().into_iter().flat_map(|live| self.live_lines(live)));
        lines
    }

    /// The value from the recorded requests if there are any; otherwise the closed form and the simulation.
    pub(in crate::tune) fn by_file(
        &self,
        of_file: impl Fn(&crate::tune::replay::Replayed) -> Option<f64>,
        figure: Figure,
        unit: fn(f64) -> String,
    ) -> String {
        match self.recorded.as_ref().and_then(of_file) {
            Some(value) => {
                format!("{}  (recorded; by its means: {})", unit(value), unit(figure.model))
            }
            None => figure.show(unit),
        }
    }

    fn session_lines(&self) -> Vec<(String, String)> {
        let agreeing =
            format!("{}; {} if clocks agree", self.session_bound(), duration(self.lag_longest));
        let sum = duration(self.exposure_per_day);
        let without = self.by_file(|file| Some(1.0 - file.with_lag), self.without_lag, percent);
        let median = self.by_file(|file| Some(file.lag_median), self.lag_median, duration);
        let p99 = self.by_file(|file| Some(file.lag_p99), self.lag_p99, duration);
        vec![
            line("a revoked session is accepted for at most", computed(&agreeing)),
            line(EXPIRED, without),
            line("  lag of the others, median", median),
            line("  lag of the others, 99th percentile", p99),
            line("  longest simulated lag", simulated(&duration(self.lag_max))),
            line("  sum of the lags of a day's revocations", self.by_load(&sum)),
        ]
    }

    /// The bound, and the share of instances for which it does not hold unless that share is small.
    pub(in crate::tune) fn session_bound(&self) -> String {
        let (bound, behind) = (duration(self.lag_bound), self.scenario.clocks_behind());
        if behind > warnings::RARE {
            return format!("{bound}, and longer at {} of the instances", percent(behind));
        }
        bound
    }

    fn key_lines(&self) -> Vec<(String, String)> {
        vec![
            line("a withdrawn key is accepted for at most", computed(&self.key_bound())),
            line("  lag of an instance, median", self.key_lag_median.show(duration)),
            line("  lag of an instance, 99th percentile", self.key_lag_p99.show(duration)),
            line(
                "  lag of the last instance, median",
                simulated(&duration(self.key_lag_last_instance)),
            ),
            line(
                "  while the issuer is unavailable, at most",
                computed(&duration(self.key_lag_bound_in_outage)),
            ),
        ]
    }

    /// The bound with the TTL setting, and that with the issuer's `max-age` if the header shortens the TTL.
    pub(in crate::tune) fn key_bound(&self) -> String {
        let (bound, verifier) = (duration(self.key_lag_bound), self.scenario.verifier);
        if verifier.used_ttl < verifier.jwks_ttl {
            let shorter = duration(self.scenario.key_lag_bound_by_header());
            let age = duration(verifier.used_ttl);
            return format!(
                "{shorter} while the issuer's max-age is {age}; {bound} by the TTL alone"
            );
        }
        bound
    }

    fn issuer_lines(&self) -> Vec<(String, String)> {
        let mut lines = vec![line(
            "refreshes/s at the issuer",
            self.by_file(|file| Some(file.refreshes), self.refreshes, number),
        )];
        lines.extend(self.idle_logins_line());
        match &self.recorded {
            Some(file) => {
                lines.push(line("  in the busiest minute", recorded(&number(file.busiest_minute))));
                lines.extend(
                    file.busiest_second
                        .map(|most| line("  in the busiest second", recorded(&number(most)))),
                );
                let logins = format!("{}, counted in no other figure", number(file.busiest_logins));
                lines.push(line("  logins/s in their busiest minute", recorded(&logins)));
            }
            None => lines.push(line(
                "  in the busiest second simulated",
                simulated(&self.busiest_second.to_string()),
            )),
        }
        lines.push(line("JWKS fetches/s at the issuer", self.fetches.show(number)));
        lines.push(line("  issuer cores for both", self.cores()));
        lines.push(line(
            "token cache hits",
            self.by_file(|file| Some(file.cache_hits), self.cache_hits, percent),
        ));
        lines.push(line(
            "  CPU per validation, with the token cache",
            self.by_load(&duration(self.cpu_per_validation)),
        ));
        lines.push(line(
            "  CPU per validation, without the token cache",
            computed(&duration(self.cpu_per_validation_without_cache)),
        ));
        lines
    }

    /// The logins that are among the refreshes, if the issuer ends idle sessions.
    pub(in crate::tune) fn idle_logins_line(&self) -> Option<(String, String)> {
        let figure = self.idle_logins?;
        let logins = self.by_file(|file| Some(file.idle_logins), figure, number);
        Some(line("  of these, logins of sessions that ended while idle", logins))
    }

    /// Cores of the issuer, on average and in the busiest minute.
    pub(in crate::tune) fn cores(&self) -> String {
        let loaded = |cores: f64| loaded(cores, self.scenario.issuer_cores);
        self.by_load(&match self.busiest_cores {
            Some(most) => {
                format!("{}; {} in the busiest minute", loaded(self.issuer_cores), loaded(most))
            }
            None => loaded(self.issuer_cores),
        })
    }

    /// Marks a figure that is computed from the load.
    fn by_load(&self, text: &str) -> String {
        match self.recorded {
            Some(_) => format!("{text}  (computed from the recorded requests)"),
            None => computed(text),
        }
    }

    pub(in crate::tune) fn outage_lines(&self) -> Vec<(String, String)> {
        let load = self.load();
        let outage = duration(self.scenario.outage);
        let locked = load.locked_out(&self.scenario);
        let waiting = self.waiting_after_outage;
        let mut lines = vec![
            line(
                &format!("locked out by a full outage of {outage}, of those active at its end"),
                self.by_file(|file| file.tokens_ended.map(|_| locked), self.locked_out, percent),
            ),
            line(
                "  because their token expired",
                self.by_file(|file| file.tokens_ended, self.tokens_ended, percent),
            ),
            line("  because an instance's keys expired (partition)", self.keys_ended.show(percent)),
            line(
                "  sessions that request a token after the outage",
                self.by_file(|file| file.waiting, waiting, number),
            ),
        ];
        lines.extend(self.logging_in_after_outage.map(|figure| {
            line(
                "    of these, logins after a long idle time",
                self.by_file(|file| file.logging_in, figure, number),
            )
        }));
        lines.push(line(
            &format!(
                "  time that {} issuer cores need for these, in addition to refreshes and fetches",
                number(self.scenario.issuer_cores)
            ),
            self.by_load(&match self.recovery {
                Some(secs) if self.recovery_by_logins => {
                    format!("{}, {}", duration(secs), self.scenario.logins_decide())
                }
                Some(secs) => duration(secs),
                None => self.scenario.logins_never_end(self.issuer_cores).unwrap_or_else(|| {
                    "never: refreshes and fetches need all of its cores".to_owned()
                }),
            }),
        ));
        lines
    }
}

/// The label of the share of revoked sessions without a lag.
pub(in crate::tune) const EXPIRED: &str =
    "  not accepted: its token had expired (no attacker uses it)";

/// Marks a figure that is only a closed form. A simulated figure has an interval instead of this mark.
pub(in crate::tune) fn computed(text: &str) -> String {
    format!("{text}  (computed)")
}

fn simulated(text: &str) -> String {
    format!("{text}  (simulated)")
}

pub(in crate::tune) fn recorded(text: &str) -> String {
    format!("{text}  (recorded)")
}

fn line(name: &str, text: String) -> (String, String) {
    (name.to_owned(), text)
}
