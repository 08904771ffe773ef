//! What the figures are called, and what they are.

mod live;

use crate::tune::figures::{Figure, Figures};
use crate::tune::text::loaded;
use crate::tune::warnings;
use crate::units::{duration, number, percent};

impl Figures {
    pub(in crate::tune) fn lines(&self) -> Vec<(String, String)> {
        let mut lines = self.session_lines();
        lines.extend(self.key_lines());
        lines.extend(self.issuer_lines());
        lines.extend(self.outage_lines());
        lines.push(line("refused since clocks differ", self.refused_by_skew.show(percent)));
        lines
    }

    /// By the recorded requests, if there are any; or else by both ways.
    pub(in crate::tune) fn by_file(
        &self,
        of_file: impl Fn(&crate::tune::replay::Replayed) -> Option<f64>,
        figure: Figure,
        unit: fn(f64) -> String,
    ) -> String {
        match self.recorded.as_ref().and_then(of_file) {
            Some(value) => format!("{}  (by its means: {})", unit(value), unit(figure.model)),
            None => figure.show(unit),
        }
    }

    fn session_lines(&self) -> Vec<(String, String)> {
        let agreeing =
            format!("{}; {} if clocks agree", self.session_bound(), duration(self.lag_longest));
        let without = self.by_file(|file| Some(1.0 - file.with_lag), self.without_lag, percent);
        let median = self.by_file(|file| Some(file.lag_median), self.lag_median, duration);
        let p99 = self.by_file(|file| Some(file.lag_p99), self.lag_p99, duration);
        vec![
            line("a revoked session is accepted for at most", agreeing),
            line("  not at all, since its token had expired", without),
            line("  of the others, half for at most", median),
            line("  and 99 of 100 for at most", p99),
            line("  the longest simulated", duration(self.lag_max)),
            line("  all revocations of a day together", duration(self.exposure_per_day)),
        ]
    }

    /// With the share of instances where it does not hold, if it is one in ten thousand.
    pub(in crate::tune) fn session_bound(&self) -> String {
        let (bound, behind) = (duration(self.lag_bound), self.scenario.clocks_behind());
        if behind > warnings::RARE {
            return format!("{bound}, and longer at {} whose clock is behind", percent(behind));
        }
        bound
    }

    fn key_lines(&self) -> Vec<(String, String)> {
        vec![
            line("a withdrawn key is accepted for at most", self.key_bound()),
            line("  by half of the instances for at most", self.key_lag_median.show(duration)),
            line("  by 99 of 100 for at most", self.key_lag_p99.show(duration)),
            line(
                "  until the last instance notices, usually",
                duration(self.key_lag_last_instance),
            ),
            line("  while the issuer is away, at most", duration(self.key_lag_bound_in_outage)),
        ]
    }

    /// By the setting, and by the issuer's header while it sends that.
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
        match &self.recorded {
            Some(file) => {
                lines.push(line("  in the busiest minute", number(file.busiest_minute)));
                lines.extend(
                    file.busiest_second.map(|most| line("  in the busiest second", number(most))),
                );
                lines.push(line(
                    "  without first tokens (logins), in their busiest minute",
                    format!(
                        "{}/s at most, which are in no figure here",
                        number(file.busiest_logins)
                    ),
                ));
            }
            None => lines
                .push(line("  in the busiest second simulated", self.busiest_second.to_string())),
        }
        lines.push(line("JWKS fetches/s at the issuer", self.fetches.show(number)));
        lines.push(line("  all that, in cores of the issuer", self.cores()));
        lines.push(line(
            "validations whose token was verified before",
            self.by_file(|file| Some(file.cache_hits), self.cache_hits, percent),
        ));
        lines.push(line(
            "  CPU of a validation, with the token cache",
            duration(self.cpu_per_validation),
        ));
        lines.push(line("  and without", duration(self.cpu_per_validation_without_cache)));
        lines
    }

    /// Of the issuer, on average and in the busiest minute.
    pub(in crate::tune) fn cores(&self) -> String {
        let loaded = |cores: f64| loaded(cores, self.scenario.issuer_cores);
        match self.busiest_cores {
            Some(most) => {
                format!("{}; {} in the busiest minute", loaded(self.issuer_cores), loaded(most))
            }
            None => loaded(self.issuer_cores),
        }
    }

    pub(in crate::tune) fn outage_lines(&self) -> Vec<(String, String)> {
        let load = self.load();
        let outage = duration(self.scenario.outage);
        let locked = load.locked_out(&self.scenario);
        let waiting = self.waiting_after_outage;
        let mut lines = vec![
            line(
                &format!("locked out by {outage} without issuer"),
                self.by_file(|file| file.tokens_ended.map(|_| locked), self.locked_out, percent),
            ),
            line(
                "  since their token has ended",
                self.by_file(|file| file.tokens_ended, self.tokens_ended, percent),
            ),
            line(
                "  since the keys of an instance have (a partition)",
                self.keys_ended.show(percent),
            ),
            line(
                "  who ask for a token when it is back",
                self.by_file(|file| file.waiting, waiting, number),
            ),
        ];
        lines.extend(self.logging_in_after_outage.map(|figure| {
            line(
                "    of them, who must log in, having been idle",
                self.by_file(|file| file.logging_in, figure, number),
            )
        }));
        lines.push(line(
            &format!(
                "  what {} cores of the issuer need for them",
                number(self.scenario.issuer_cores)
            ),
            self.recovery.map_or_else(
                || "never done: it has less than it needs anyway".to_owned(),
                duration,
            ),
        ));
        lines
    }
}

fn line(name: &str, text: String) -> (String, String) {
    (name.to_owned(), text)
}
