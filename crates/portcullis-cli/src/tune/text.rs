//! The report as text, in sentences and columns.

mod lines;

pub(super) use lines::{EXPIRED, computed, recorded};

use std::fmt::{self, Write as _};

use super::figures::{Figure, Figures};
use super::report::{Comparison, Report};
use super::scenario::Habit;
use super::tiers::TIERS_TABLE;
use crate::output::escaped;
use crate::units::{duration, number};

/// The assumptions of every figure. The memo and the HTML report contain them as well.
pub(super) const ASSUMPTIONS: &[&str] = &[
    "A session is revoked at a random moment. The lag is the time for which its access token is accepted \
     after that, whether or not a client uses it. Clocks agree, unless a figure names clock skew; the bound \
     holds with clocks that differ by the leeway.",
    "Some revoked sessions are not accepted because their token had already expired. Their share \
     does not apply to an attacker who uses the session, for example on a stolen laptop: such a \
     session is accepted until its token expires, at most for the bound.",
    "`(computed)` marks closed forms that are not simulated, and `(simulated)` the reverse. Figures with ± are both.",
    "Bursts and pauses have exponential lengths, and requests arrive at random in a burst. A timer refreshes \
     when the token expires, or earlier by --refresh-early, while the session is active; otherwise when the session \
     becomes active. A lazy client refreshes when a request is rejected with 401, and repeats that request \
     with the new token.",
    "With --activity, the figures are those of the recorded requests. `By its means` is the closed \
     form for exponential bursts and pauses with the same means as the file. It differs from the \
     recorded figure if the file's bursts have similar lengths or coincide. Curves over other \
     expiries and outages use the means. The first token of a session counts as a login, not as a \
     refresh: it has its own line and does not count towards the issuer's cores (see \
     --login-peak).",
    "A session without a new token for --session-idle must log in instead of refreshing. These logins are among \
     the refreshes, and the issuer's cores include their cost. Not modelled: a maximum session lifetime at the \
     issuer.",
    "The cost of a login is that of a password grant. A browser login (authorization code) computes the same \
     password hash, and its pages are further requests: measure your own, and set --login-cost.",
    "The JWKS TTL bounds how long a withdrawn key is accepted. It does not shorten the revocation of sessions.",
    "Each instance renews its keys in the background, between one and two times `refresh_ahead` before their \
     TTL, and at once when a token names an unknown key. Each fetch starts a new TTL.",
    "Requests go to a random instance. Token cache hits assume that an instance remembers every token that it \
     has validated until the token expires. A request that is rejected with 401 is not counted as a validation.",
    "An outage locks out a session that is active at its end if its token has expired, or if its \
     request reaches an instance with expired keys. Keys expire max_stale after their TTL, counted \
     from the last fetch of each instance.",
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
        if let Some(recorded) = self.recorded_text() {
            writeln!(f, "Recorded: {recorded}\n")?;
        }
        if let Some(issuer) = &self.issuer {
            writeln!(f, "Issuer {} ({} requests):", escaped(&issuer.issuer), issuer.requests)?;
            write_lines(f, &issuer.lines())?;
            writeln!(f)?;
        }
        if let (Some(peak), Some(first)) = (&self.login_peak, self.settings.first()) {
            writeln!(f, "Login peak: {}\n", peak.text(&first.scenario))?;
        }
        writeln!(f, "Sizing: {}.\n", self.sizing_text())?;
        if let Some(first) = self.settings.first() {
            writeln!(f, "{}", self.affected_title())?;
            write_lines(f, &self.affected.lines(&first.scenario))?;
            writeln!(f)?;
        }
        writeln!(f, "{GUARANTEES}\n{}", self.guarantees_table().text().trim_end())?;
        if let Some(routes) = &self.routes {
            writeln!(f, "  your routes: {routes}")?;
        }
        for note in [self.feed_text(), self.partition_text()].into_iter().flatten() {
            writeln!(f, "  {note}")?;
        }
        for why in &self.left_out {
            writeln!(f, "  left out: {why}")?;
        }
        writeln!(f, "\n{TIERS_TABLE}\n{}", self.tiers_table().text().trim_end())?;
        writeln!(f, "\n{FRONT}\n{}", self.front_table().text().trim_end())?;
        if let Some(recommendation) = &self.recommendation {
            writeln!(f, "\nRecommendation. {COMPUTED}")?;
            for why in &recommendation.why {
                writeln!(f, "  - {why}")?;
            }
        }
        writeln!(f, "\nAssumptions:")?;
        for assumption in ASSUMPTIONS {
            writeln!(f, "  - {assumption}")?;
        }
        writeln!(f, "  - Costs at the issuer, unless an option sets them: {}.", self.costs)?;
        writeln!(f, "\nInputs:")?;
        write_lines(f, &self.inputs())?;
        writeln!(f, "\n{}", self.agreement())?;
        write!(f, "{}", self.provenance())
    }
}

/// Explains the table of guarantees.
pub(super) const GUARANTEES: &str = "Guarantees that a route can require (`Revocation`), at the \
    first expiry. Rows with *, and the shares of your routes, are closed forms without a \
    simulation. So are the lag bound and the cores of the row `expiry`; its other values are \
    simulated as well, or recorded: see the figures. ! is more cores than the issuer has. No row \
    contains a login peak. Each service of a request introspects, so --fan-out multiplies \
    introspections. A response that is reused (--reuse-for, `Revocation::reuse_for`) saves an \
    introspection only if the same instance gets another request with the same token in that time; \
    the median lag of its row is an upper limit. `locked out` is the share of the sessions active \
    at the end of a full outage; \
    `in a partition`, clients reach the issuer and services do not: routes with introspection \
    answer every request with 503, and routes with a status list do so once the list is older than \
    its maximum age; routes with the feed answer as with the expiry. These shares are without \
    `Revocation::in_outage`, which locks out fewer sessions. In the row `your routes`, both lags are \
    those of the routes with the longest lag, usually those that rely on the expiry. --reuse-for \
    applies to all routes of --live-share, and is their lag.";

/// Explains the table of the sweep.
pub(super) const FRONT: &str = "The best settings of the sweep: every setting with a lower lag \
    bound needs more issuer cores. The lag bound is that of sessions or that of keys, whichever is \
    longer. TTLs beyond the issuer's max-age are left out. Closed forms without a simulation, or \
    from recorded requests.";

/// States how the recommendation was computed.
pub(super) const COMPUTED: &str =
    "Computed by closed forms without a simulation, or from recorded requests:";

/// Writes names and values. The values are aligned.
fn write_lines<N: AsRef<str>>(f: &mut fmt::Formatter<'_>, lines: &[(N, String)]) -> fmt::Result {
    let names = lines.iter().map(|(name, _)| name.as_ref().chars().count());
    let width = names.max().unwrap_or_default();
    lines.iter().try_for_each(|(name, text)| writeln!(f, "  {:<width$}  {text}", name.as_ref()))
}

impl Report {
    /// The heading of the table of users that the outage affects.
    pub(super) fn affected_title(&self) -> String {
        self.settings.first().map_or_else(String::new, |first| {
            format!(
                "Users that a full outage of {} affects, at an expiry of {} (closed forms without a simulation):",
                duration(first.scenario.outage),
                duration(first.scenario.access_expiry)
            )
        })
    }

    /// A summary of the recorded requests.
    pub(super) fn recorded_text(&self) -> Option<String> {
        let recorded = self.recorded.as_ref()?;
        Some(format!(
            "{} requests of {} sessions in {}; means: one request every {} in a burst, bursts of {}, pauses of {}",
            recorded.requests,
            recorded.sessions,
            duration(recorded.span),
            duration(recorded.request_every),
            duration(recorded.burst),
            duration(recorded.pause)
        ))
    }

    /// States whether the closed forms and the simulation agree.
    pub(super) fn agreement(&self) -> String {
        let off = self.disagreements();
        let figures = self.settings.iter().map(|figures| figures.agreement.len()).sum::<usize>();
        let probability = super::agreement::FALSE_ALARM;
        if off.is_empty() {
            return format!(
                "Closed forms and simulation agree in all {figures} figures that both compute. By chance alone, \
                 one report in {} would show a disagreement. ± is the interval of 95 % of simulations.",
                1.0 / probability
            );
        }
        format!("CLOSED FORM AND SIMULATION DISAGREE:\n  {}", off.join("\n  "))
    }

    /// The version, command line and seed that reproduce the report.
    pub(super) fn provenance(&self) -> String {
        let mut text = format!(
            "Generated by portcullis {} with `{}`: {} of every session and instance simulated, seed {}.",
            self.version,
            self.command,
            duration(self.simulated_secs),
            self.seed
        );
        if let Some(repeat) = &self.repeat {
            text += &format!(" Command to repeat it without the issuer: `{repeat}`.");
        }
        text
    }
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
        "  lag bound    {} instead of {}, including twice the leeway of {}  (computed)",
        duration(second.lag_bound),
        duration(first.lag_bound),
        duration(first.scenario.verifier.leeway)
    )?;
    let given = if first.recorded.is_some() { "the recorded requests" } else { "these bursts" };
    writeln!(
        f,
        "  refreshes    {} times as many for sessions that are always active  (computed)\n               {} \
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
                let early = scenario.access_expiry - scenario.used_for();
                format!("refresh by timer, {} early", duration(early))
            }
            Habit::Timer => "refresh by timer".to_owned(),
            Habit::Lazy => "refresh on a 401".to_owned(),
        };
        writeln!(
            f,
            "Access expiry {}, leeway {}, JWKS TTL {}; {} sessions that {habit}, {} instances",
            duration(scenario.access_expiry),
            duration(scenario.verifier.leeway),
            duration(scenario.verifier.jwks_ttl),
            scenario.sessions,
            scenario.instances
        )?;
        write_lines(f, &self.lines())
    }
}

impl Figure {
    /// The closed form, and the simulation with its interval, of which two digits are significant.
    pub(super) fn show(self, unit: fn(f64) -> String) -> String {
        let mut text = unit(self.model);
        let error = unit(two_digits(self.error));
        let _ = write!(text, "  (simulated {} ± {error})", unit(self.simulated));
        text
    }
}

fn two_digits(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let scale = 10.0_f64.powf(1.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}
