//! Compares closed forms and simulation over many settings.

use std::time::SystemTime;

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::exit::Exit;
use crate::tune::agreement::{self, FIGURES, FIGURES_OF_IDLE};
use crate::tune::scenario::{Activity, Habit, Scenario, Verifier, default_ahead, used_ttl};
use crate::tune::simulate::simulate;
use crate::tune::{html, memo, verdict};

const SETTINGS: usize = 500;

/// The probability that a figure of the grid is outside its interval by chance.
const FALSE_ALARM: f64 = 1e-3;

struct Draw(Xoshiro256PlusPlus);

impl Draw {
    /// Returns a number whose logarithm is uniformly distributed.
    fn between(&mut self, least: f64, most: f64) -> f64 {
        least * (most / least).powf(self.0.random::<f64>())
    }

    fn chance(&mut self, share: f64) -> bool {
        self.0.random::<f64>() < share
    }

    fn scenario(&mut self) -> Scenario {
        let jwks_ttl = self.between(10.0, 3600.0);
        let max_age = self.chance(0.3).then(|| self.between(1.0, 4000.0));
        let used_ttl = used_ttl(jwks_ttl, max_age);
        let max_stale = if self.chance(0.1) { 0.0 } else { self.between(10.0, 7200.0) };
        let refresh_ahead = match self.0.random_range(0..4) {
            0 => 0.0,
            1 => self.between(0.1, jwks_ttl),
            _ => default_ahead(jwks_ttl),
        };
        let access_expiry = self.between(10.0, 86_400.0).round();
        let leeway = if self.chance(0.1) { 0.0 } else { self.between(1.0, 60.0) };
        let accepted = access_expiry + leeway;
        // An outage near the expiry of keys, beyond it, near the expiry of tokens, or of any length.
        let outage = match self.0.random_range(0..5) {
            0 => used_ttl + max_stale - self.0.random::<f64>() * used_ttl,
            1 => (used_ttl + max_stale) * self.between(1.0, 5.0),
            2 => accepted * self.between(0.2, 1.2),
            _ => self.between(1.0, 20_000.0),
        }
        .max(1.0);
        let habit = if self.chance(0.3) { Habit::Lazy } else { Habit::Timer };
        let early = habit == Habit::Timer && self.chance(0.4);
        // Limits bursts to a few hundred per token, because more would only take time.
        let shortest = (accepted.max(outage) / 200.0).max(10.0);
        let burst = self.between(shortest, shortest.max(3600.0));
        let longest_pause = shortest.max(7200.0);
        let instances = self.between(1.0, 300.0).round();
        Scenario {
            access_expiry,
            verifier: Verifier {
                jwks_ttl,
                used_ttl,
                refresh_ahead,
                leeway,
                fetch_timeout: 5.0,
                max_stale,
            },
            sessions: 1500,
            instances: instances as u64,
            fan_out: if self.chance(0.3) {
                self.between(1.0, instances.min(20.0)).round() as u64
            } else {
                1
            },
            activity: Activity {
                request_every: self.between(0.5, 300.0),
                burst,
                pause: if self.chance(0.2) { 0.0 } else { self.between(shortest, longest_pause) },
            },
            habit,
            refresh_early: if early { self.between(1.0, 300.0) } else { 0.0 },
            // From common rates to one rotation per minute, which affects every TTL.
            rotations_per_day: self.between(0.01, 1440.0),
            outage,
            restarted: if self.chance(0.2) { self.0.random::<f64>() } else { 0.0 },
            kept_keys: self.chance(0.3),
            clock_skew: if self.chance(0.1) { 0.0 } else { self.between(0.1, 60.0) },
            ..Scenario::for_test()
        }
    }
}

/// Returns random scenarios.
pub(super) fn scenarios(count: usize, seed: u64) -> Vec<Scenario> {
    let mut draw = Draw(Xoshiro256PlusPlus::seed_from_u64(seed));
    (0..count).map(|_| draw.scenario()).collect()
}

/// Sets an idle limit in two thirds of the scenarios. The limits range from below the age at which a client
/// refreshes to two pauses above that age.
pub(super) fn with_idle_limits(scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let limited = scenarios.into_iter().enumerate().map(|(at, of)| {
        let above = of.activity.pause.max(of.waits_for()) * (at % 20) as f64 / 10.0;
        let idle = of.used_for() * if at % 20 == 0 { 0.8 } else { 1.0 } + above;
        Scenario { session_idle: (at % 3 > 0).then_some(idle), ..of }
    });
    limited.collect()
}

/// Each figure of each setting is within its interval, and no figure is biased over all settings.
#[test]
fn closed_forms_and_simulation_agree_over_a_grid() {
    let mut draw = Draw(Xoshiro256PlusPlus::seed_from_u64(19));
    let mut off = Vec::new();
    let mut deviations = vec![(0.0, 0.0); FIGURES + FIGURES_OF_IDLE];
    let mut names = Vec::new();
    let mut beyond = 0;
    for seed in 0..SETTINGS as u64 {
        let mut scenario = draw.scenario();
        // The first of three settings has no idle limit.
        let limits = with_idle_limits(vec![scenario; 60]);
        scenario.session_idle = limits[seed as usize % 60].session_idle;
        beyond +=
            u32::from(scenario.outage > scenario.verifier.used_ttl + scenario.verifier.max_stale);
        let window = draw.between(60.0, 7200.0).ceil();
        let simulated = simulate(&scenario, window, seed);
        let figures =
            agreement::compare(&scenario, &simulated, window, FALSE_ALARM / SETTINGS as f64);
        let further = scenario.session_idle.map_or(0, |_| FIGURES_OF_IDLE);
        assert_eq!(figures.len(), FIGURES + further);
        if further > 0 || names.is_empty() {
            names = figures.iter().map(|figure| figure.name).collect();
        }
        for (figure, (sum, count)) in figures.iter().zip(&mut deviations) {
            if !figure.agrees {
                off.push(format!("{seed}, {window} s: {figure:?}\n  of {scenario:?}"));
            }
            if let Some(deviation) = figure.deviations {
                *sum += deviation;
                *count += 1.0;
            }
        }
    }
    assert!(beyond > 50, "{beyond} outages beyond max_stale");
    assert!(off.is_empty(), "{} of {SETTINGS} settings:\n{}", off.len(), off.join("\n"));
    for (name, (sum, count)) in names.iter().zip(&deviations) {
        // The variance of a sum of standard normal deviates is their number.
        let together = sum / f64::sqrt(f64::max(*count, 1.0));
        println!("{name}: {count} settings, {together:+.2} deviations together");
        assert!(together.abs() < 4.5, "{name}: {together} over {count} settings");
    }
}

#[test]
fn slightly_wrong_model_is_noticed() {
    let scenario = Scenario { sessions: 40_000, clock_skew: 8.0, ..Scenario::for_test() };
    let disagree = |model: Scenario| {
        let simulated = simulate(&scenario, 3600.0, 1);
        let figures = agreement::compare(&model, &simulated, 3600.0, agreement::FALSE_ALARM);
        figures.iter().filter(|figure| !figure.agrees).map(|figure| figure.name).collect::<Vec<_>>()
    };
    assert_eq!(disagree(scenario), Vec::<&str>::new());
    let verifier = scenario.verifier;
    let ttl = |used_ttl| Scenario { verifier: Verifier { used_ttl, ..verifier }, ..scenario };
    let rotated = Scenario { rotations_per_day: 480.0, ..scenario };
    let longer = Activity { pause: 1650.0, ..scenario.activity };
    for (model, noticed) in [
        (Scenario { access_expiry: 810.0, ..scenario }, "refreshes in the simulated time"),
        (
            Scenario { access_expiry: 810.0, ..scenario },
            "lag of a revoked session (largest difference)",
        ),
        (Scenario { activity: longer, ..scenario }, "revoked sessions that are still accepted"),
        (Scenario { instances: 11, ..scenario }, "token cache misses"),
        (Scenario { outage: 330.0, ..scenario }, "tokens that expire in the outage"),
        (Scenario { outage: 330.0, ..scenario }, "sessions that the outage locks out"),
        (Scenario { outage: 330.0, ..scenario }, "sessions that request a token after the outage"),
        (Scenario { clock_skew: 16.0, ..scenario }, "requests rejected because of clock skew"),
        (Scenario { restarted: 0.01, ..scenario }, "key sets that expire in the outage"),
        (rotated, "fetches in the simulated time"),
        (rotated, "lag of a withdrawn key (largest difference)"),
        (ttl(240.0), "fetches in the simulated time"),
        (ttl(240.0), "lag of a withdrawn key (largest difference)"),
    ] {
        let disagreeing = disagree(model);
        assert!(disagreeing.contains(&noticed), "{noticed}: {disagreeing:?} of {model:?}");
    }
}

#[test]
fn disagreement_is_in_the_exit_code_and_in_every_form() {
    let mut report = super::report("--sessions 2000");
    assert_eq!(verdict(&report), Exit::Good);
    assert!(report.to_string().contains("agree in all 11 figures"));
    report.settings[0].agreement[0].agrees = false;
    assert_eq!(verdict(&report), Exit::Disagree);
    for text in
        [report.to_string(), memo::memo(&report, SystemTime::UNIX_EPOCH), html::page(&report)]
    {
        assert!(text.contains("CLOSED FORM AND SIMULATION DISAGREE:"), "{text}");
        assert!(text.contains("refreshes in the simulated time: "), "{text}");
    }
}
