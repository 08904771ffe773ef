//! The `max_stale` and the expiry that survive a given outage, and their costs.

use super::activity::Recorded;
use super::load::Load;
use super::recommend::{DAY, Recommendation, shortest};
use super::scenario::{Habit, Scenario, Verifier};
use crate::units::{duration, number, percent};

/// The longest time between two attempts of an instance to fetch its keys, with its jitter: after the
/// outage it may take as long until the next.
const RETRY: f64 = 33.0;

impl Recommendation {
    /// `survivors`: the share of active sessions that must go on to the end of the outage.
    pub(super) fn survive(
        &mut self,
        outage: f64,
        survivors: f64,
        scenario: &Scenario,
        recorded: Option<&Recorded>,
    ) {
        let ttl = scenario.verifier.used_ttl;
        // The oldest keys are of an instance that is about to renew them, and they must last until it
        // has been to the issuer again.
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
        let lost = |expiry: u64| Load::of(&with(expiry), recorded).tokens_ended;
        let keys = with(1);
        self.max_stale = Some(max_stale as u64);
        self.why.push(format!(
            "max_stale of {}, of which {} are for the next attempt after the outage (up to {} of back-off, and \
             the fetch), {}: no instance is without keys after {} in which it cannot fetch them (TTL {}); a \
             withdrawn key is then accepted for up to {} while the issuer cannot be reached{}",
            duration(max_stale),
            duration(margin),
            duration(RETRY),
            if given < max_stale {
                format!("more than the {} that is set", duration(given))
            } else {
                format!("at least; the {} that is set does it, too", duration(given))
            },
            duration(outage),
            duration(ttl),
            duration(keys.key_lag_bound_in_outage()),
            match keys.keys_forgotten() {
                0.0 => String::new(),
                share => format!(
                    "; but {} of the instances, which are restarted meanwhile: set kept_keys_file",
                    percent(share)
                ),
            }
        ));
        match shortest(1.0 - survivors, lost) {
            Some(expiry) => {
                let scenario = with(expiry);
                let load = Load::of(&scenario, recorded);
                self.access_expiry = Some(expiry);
                self.refreshes = Some(load.refreshes);
                self.why.push(format!(
                    "an access expiry of {}: {} of the active sessions still have an accepted token after \
                     {} without the issuer. It costs a lag of up to {}, and takes {} refreshes/s; {} \
                     sessions ask for a token when the issuer is back{}, and {} cores need {} for them",
                    duration(expiry as f64),
                    percent(1.0 - load.tokens_ended),
                    duration(outage),
                    duration(scenario.lag_bound()),
                    number(load.refreshes),
                    number(load.waiting),
                    match load.logging_in {
                        0.0 => String::new(),
                        logins => format!(" ({} of them must log in)", number(logins)),
                    },
                    number(scenario.issuer_cores),
                    duration(load.recovery(&scenario)),
                ));
                self.why.push(stale_keys(&scenario));
            }
            None => self.unmet(format!(
                "no expiry up to {} keeps {} of the active sessions through {} without the issuer: a \
                 session gets its tokens from there alone. The longest keeps {}: --survivors up to that can \
                 be reached",
                duration(DAY as f64),
                percent(survivors),
                duration(outage),
                percent(1.0 - lost(DAY))
            )),
        }
        if scenario.habit == Habit::Timer {
            self.early(survivors, with(1), recorded);
        }
        self.why.push(format!(
            "a partition, in which clients reach the issuer and services do not, is another case: tokens \
             are renewed, and max_stale alone decides. With this one no session is locked out, unless a key is \
             rotated meanwhile (with {} rotations a day: {} of such outages); tokens under a key that no \
             service could fetch are refused",
            number(scenario.rotations_per_day),
            percent(-(-outage * scenario.rotations_per_day / 86_400.0).exp_m1())
        ));
    }
}

impl Recommendation {
    /// The same by clients that refresh as long before the expiry as the outage lasts.
    fn early(&mut self, survivors: f64, scenario: Scenario, recorded: Option<&Recorded>) {
        let outage = scenario.outage;
        let with = |expiry: u64| Scenario {
            access_expiry: expiry as f64,
            refresh_early: outage,
            ..scenario
        };
        let lost = |expiry: u64| Load::of(&with(expiry), recorded).tokens_ended;
        let Some(expiry) = shortest(1.0 - survivors, lost) else { return };
        let scenario = with(expiry);
        let load = Load::of(&scenario, recorded);
        self.why.push(format!(
            "or clients that refresh {} before the expiry (as early as the outage lasts, and at half of a \
             shorter one): then an expiry of {} keeps as many, with a lag of up to {} and {} refreshes/s",
            duration(scenario.access_expiry - scenario.used_for()),
            duration(scenario.access_expiry),
            duration(scenario.lag_bound()),
            number(load.refreshes)
        ));
    }
}

/// Which clients benefit from stale keys in an outage without new tokens.
fn stale_keys(scenario: &Scenario) -> String {
    format!(
        "in a full outage no client gets a new token: {} after its beginning (expiry + leeway) no honest \
         client has one that is accepted, and from then on stale keys mostly serve whoever holds a stolen \
         signing key. A max_stale beyond that is for partitions alone",
        duration(scenario.accepted_for())
    )
}
