//! `--survive`: the `max_stale` and the expiry that survive a given outage, and their costs.

use super::activity::Recorded;
use super::load::Load;
use super::recommend::{DAY, Recommendation, shortest};
use super::scenario::{Habit, Scenario, Verifier};
use crate::units::{duration, number, percent};

/// The longest back-off between two attempts of an instance to fetch its keys, with jitter, in seconds.
/// So this much time may pass between the end of the outage and the first attempt.
const RETRY: f64 = 33.0;

impl Recommendation {
    /// `survivors`: of the sessions that are active when the outage ends, the share that must have an
    /// accepted token.
    pub(super) fn survive(
        &mut self,
        outage: f64,
        survivors: f64,
        scenario: &Scenario,
        recorded: Option<&Recorded>,
    ) {
        let ttl = scenario.verifier.used_ttl;
        // The instance with the oldest keys is just about to renew them when the outage begins. Its
        // keys must last until its first fetch after the outage.
        let margin = RETRY + scenario.verifier.fetch_timeout;
        let max_stale = ((outage - scenario.ahead()).max(0.0) + margin).ceil();
        let given = scenario.verifier.max_stale;
        let verifier = Verifier { max_stale, ..scenario.verifier };
        let with = |access_expiry: u64| Scenario {
            access_expiry: access_expiry as f64,
            outage,
            verifier,
            ..*scenario
        };
        let lost = |expiry: u64| Load::of(&with(expiry), recorded).locked_out(&with(expiry));
        let keys = with(1);
        self.max_stale = Some(max_stale as u64);
        self.why.push(format!(
            "A max_stale of at least {}, {}: no running instance loses its keys in an outage of {} (TTL {}). {}\
             {} for the first fetch after the outage (a back-off of up to {}, then the fetch). \
             With this max_stale, a withdrawn key is accepted for at most {} while the issuer \
             is unavailable, and with the given max_stale for at most {}{}",
            duration(max_stale),
            if given < max_stale {
                format!("more than the given {}", duration(given))
            } else {
                format!("which the given {} fulfils", duration(given))
            },
            duration(outage),
            duration(ttl),
            oldest_keys(outage, scenario.ahead()),
            duration(margin),
            duration(RETRY),
            duration(keys.key_lag_bound_in_outage()),
            duration(scenario.key_lag_bound_in_outage()),
            match keys.keys_forgotten() {
                0.0 => String::new(),
                share => format!(
                    ". Restarted instances ({}) have no keys: set kept_keys_file",
                    percent(share)
                ),
            }
        ));
        match shortest(1.0 - survivors, lost) {
            _ if survivors == 0.0 => {
                self.is_any_expiry = true;
                self.why.push(format!(
                    "With --survivors 0, no session needs an accepted token at the end of a full outage of {}, \
                     so any access expiry reaches the goal, and this max_stale matters only in a partition",
                    duration(outage)
                ));
            }
            Some(expiry) => {
                let scenario = with(expiry);
                let load = Load::of(&scenario, recorded);
                self.access_expiry = Some(expiry);
                self.refreshes = Some(load.refreshes);
                self.why.push(format!(
                    "An access expiry of {}, at the price of a lag of at most {} for a revoked session: {} of the \
                     active sessions are accepted at the end of the outage of {}. With this expiry, there are {} \
                     refreshes/s, and {} sessions request a token after that outage{}, for which {} issuer cores \
                     need {}",
                    duration(expiry as f64),
                    duration(scenario.lag_bound()),
                    percent(1.0 - load.locked_out(&scenario)),
                    duration(outage),
                    number(load.refreshes),
                    number(load.waiting.round()),
                    match load.logging_in {
                        0.0 => String::new(),
                        logins => format!(" ({} of them log in)", number(logins.round())),
                    },
                    number(scenario.issuer_cores),
                    recovery(&load, &scenario),
                ));
                self.why.push(stale_keys(&scenario));
            }
            None => self.unmet(format!(
                "No expiry up to {} keeps {} of the active sessions through an outage of {}, since only the \
                 issuer renews tokens{}. The longest keeps {}: lower --survivors to that",
                duration(DAY as f64),
                percent(survivors),
                duration(outage),
                match keys.keys_forgotten() {
                    0.0 => "",
                    _ => " and restarted instances have no keys (see --kept-keys)",
                },
                percent(1.0 - lost(DAY))
            )),
        }
        if scenario.habit == Habit::Timer && survivors > 0.0 {
            self.early(survivors, with(1), recorded);
        }
        self.why.push(format!(
            "In a partition, clients reach the issuer and services do not: tokens are renewed, and max_stale \
             alone decides. With this max_stale, {}. Exception: in {} of such outages a key is rotated, and \
             services reject the tokens that the new key signs, because they cannot fetch it",
            match with(1).keys_forgotten() {
                0.0 => "no session is locked out",
                _ => "only restarted instances lock sessions out",
            },
            percent(-(-outage * scenario.rotations()).exp_m1())
        ));
    }
}

impl Recommendation {
    /// The expiry for clients that refresh early, which is computed from the length of the outage.
    fn early(&mut self, survivors: f64, scenario: Scenario, recorded: Option<&Recorded>) {
        let outage = scenario.outage;
        let with = |expiry: u64| Scenario {
            access_expiry: expiry as f64,
            refresh_early: outage,
            ..scenario
        };
        let lost = |expiry: u64| Load::of(&with(expiry), recorded).locked_out(&with(expiry));
        let Some(expiry) = shortest(1.0 - survivors, lost) else { return };
        let scenario = with(expiry);
        let load = Load::of(&scenario, recorded);
        self.why.push(format!(
            "Alternatively, clients that refresh {} before the expiry (--refresh-early; at most half of the \
             expiry): an expiry of {} keeps as many sessions, with a lag of at most {} and {} refreshes/s",
            duration(scenario.access_expiry - scenario.used_for()),
            duration(scenario.access_expiry),
            duration(scenario.lag_bound()),
            number(load.refreshes)
        ));
    }
}

/// The terms of a sum: the part of the outage during which the oldest keys are stale.
fn oldest_keys(outage: f64, ahead: f64) -> String {
    let (outage_text, left) = (duration(outage), duration(ahead));
    if ahead == 0.0 {
        return format!(
            "The oldest keys have nothing of their TTL left when the outage begins: {outage_text} + "
        );
    }
    if ahead >= outage {
        return format!(
            "The oldest keys have {left} of their TTL left when the outage begins, which outlasts it: "
        );
    }
    format!(
        "The oldest keys have {left} of their TTL left when the outage begins, since an \
         instance renews its keys at least that long before their TTL ends: \
         {outage_text} − {left} + "
    )
}

/// The time that the issuer needs after the outage, as text.
fn recovery(load: &Load, scenario: &Scenario) -> String {
    match load.recovery(scenario) {
        Some(served) if served.by_logins => {
            format!("{}, {}", duration(served.secs), scenario.logins_decide())
        }
        Some(served) => duration(served.secs),
        None => {
            let all = "unlimited time, since refreshes and fetches need all of them";
            let logins =
                "unlimited time, since the usual logins need all cores that hash passwords";
            let is_all = load.issuer_cores(scenario) >= scenario.issuer_cores;
            if is_all { all } else { logins }.to_owned()
        }
    }
}

/// A text about the limits of `max_stale` in an outage in which no client gets a new token.
fn stale_keys(scenario: &Scenario) -> String {
    format!(
        "In a full outage no client gets a new token. After {} (expiry + leeway), the tokens of all honest \
         clients have expired, and stale keys mostly serve an attacker with a stolen signing key: a longer \
         max_stale helps only in partitions",
        duration(scenario.accepted_for())
    )
}
