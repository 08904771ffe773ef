//! The timeline of a session: bursts and pauses, tokens and refreshes.

use rand::RngExt as _;
use rand_distr::{Exp1, StandardNormal};

use super::instances::KeySet;
use super::{Chance, Tally};
use crate::tune::scenario::{Habit, Scenario};

/// Runs sessions through the window, and adds their events to the tally.
pub(super) fn run(
    scenario: &Scenario,
    sessions: u64,
    window: f64,
    chance: &mut Chance,
    keys: &mut Chance,
    tally: &mut Tally,
) {
    for _ in 0..sessions {
        let mut session = Session::at_some_moment(scenario, chance, tally);
        let probe = chance.random::<f64>() * window;
        session.advance(probe, chance, tally);
        session.probe(probe, chance, keys, tally);
        session.advance(window, chance, tally);
        tally.session_ends();
    }
}

/// The scale of the time for which a token that is due is kept. For a timer this is the mean pause. For
/// lazy clients it is a time that only one wait in a hundred million exceeds.
fn longest_wait(scenario: &Scenario) -> f64 {
    let activity = &scenario.activity;
    match scenario.habit {
        Habit::Timer => activity.pause,
        Habit::Lazy => {
            let between = activity.request_every / activity.burst;
            20.0 * (activity.request_every + activity.pause * (1.0 + between))
        }
    }
}

#[derive(Debug, Clone)]
struct Session<'a> {
    scenario: &'a Scenario,
    active: bool,
    /// When the session becomes active or inactive.
    switch_at: f64,
    /// When the session's token was issued.
    issued_at: f64,
    /// The time of the session's next event other than a switch: its token becomes due, or it refreshes.
    /// Infinite while the session is inactive and its token is due.
    next_at: f64,
    /// `active_since`: when this burst began, or the token was issued if that is later. `active_for`:
    /// the time in earlier bursts with this token.
    active_since: f64,
    active_for: f64,
}

impl<'a> Session<'a> {
    /// The stationary state at time 0: the token was issued at a random moment in the past and not
    /// replaced since.
    fn at_some_moment(scenario: &'a Scenario, chance: &mut Chance, tally: &mut Tally) -> Self {
        let used = scenario.used_for();
        let limit = used + longest_wait(scenario);
        loop {
            let mut age = chance.random::<f64>() * limit;
            if scenario.habit == Habit::Timer && age > used {
                // A pause is memoryless, so its age has the same distribution as its length.
                age = used + scenario.activity.pause * chance.sample::<f64, _>(Exp1);
            }
            let mut session = Self::refreshed(scenario, -age, chance);
            let issued_at = session.issued_at;
            let until = if scenario.habit == Habit::Timer { (used - age).min(0.0) } else { 0.0 };
            while session.issued_at == issued_at && session.step(until, chance, tally) {}
            if session.issued_at == issued_at && (until == 0.0 || !session.active) {
                if until < 0.0 {
                    session.rest_until(0.0, chance);
                }
                return session;
            }
        }
    }

    /// Continues a pause, and draws its end again.
    fn rest_until(&mut self, now: f64, chance: &mut Chance) {
        self.next_at = f64::INFINITY;
        self.plan_switch(now, chance);
    }

    /// Returns an active session with a new token.
    fn refreshed(scenario: &'a Scenario, now: f64, chance: &mut Chance) -> Self {
        let mut session = Self {
            scenario,
            active: true,
            switch_at: f64::INFINITY,
            issued_at: now,
            next_at: now + scenario.used_for(),
            active_since: now,
            active_for: 0.0,
        };
        session.plan_switch(now, chance);
        session
    }

    fn plan_switch(&mut self, now: f64, chance: &mut Chance) {
        let activity = &self.scenario.activity;
        self.switch_at = match (self.active, activity.pause) {
            (true, 0.0) => f64::INFINITY,
            (true, _) => now + activity.burst * chance.sample::<f64, _>(Exp1),
            (false, pause) => now + pause * chance.sample::<f64, _>(Exp1),
        };
    }

    /// Runs all events up to the time `until`.
    fn advance(&mut self, until: f64, chance: &mut Chance, tally: &mut Tally) {
        while self.step(until, chance, tally) {}
    }

    /// Runs the next event, if it is not later than `until`.
    fn step(&mut self, until: f64, chance: &mut Chance, tally: &mut Tally) -> bool {
        let switches = self.switch_at <= self.next_at;
        let now = if switches { self.switch_at } else { self.next_at };
        if now > until {
            return false;
        }
        if switches {
            self.switch(now, chance, tally);
        } else {
            self.due(now, chance, tally);
        }
        true
    }

    fn switch(&mut self, now: f64, chance: &mut Chance, tally: &mut Tally) {
        self.active = !self.active;
        self.plan_switch(now, chance);
        let is_due = now >= self.issued_at + self.scenario.used_for();
        if self.active {
            self.active_since = now;
            if is_due {
                self.wants(now, chance, tally);
            }
        } else if is_due {
            self.next_at = f64::INFINITY;
        } else {
            self.active_for += now - self.active_since;
        }
    }

    /// Handles a token that becomes due, or a request that is rejected because the token has expired.
    fn due(&mut self, now: f64, chance: &mut Chance, tally: &mut Tally) {
        let due_at = self.issued_at + self.scenario.used_for();
        if now > due_at {
            self.refresh(now, tally);
        } else if self.active {
            self.active_for += now - self.active_since;
            self.wants(now, chance, tally);
        } else {
            self.next_at = f64::INFINITY;
        }
    }

    /// Plans the refresh of an active session whose token is due.
    fn wants(&mut self, now: f64, chance: &mut Chance, tally: &mut Tally) {
        match self.scenario.habit {
            Habit::Timer => self.refresh(now, tally),
            Habit::Lazy => {
                let wait = self.scenario.activity.request_every * chance.sample::<f64, _>(Exp1);
                // Must be later than the moment at which the token became due, because `due` compares
                // the two.
                self.next_at = (now + wait).max(now.next_up());
            }
        }
    }

    fn refresh(&mut self, now: f64, tally: &mut Tally) {
        let logs_in = self.scenario.is_ended(now - self.issued_at);
        tally.refresh(now, self.active_for, logs_in);
        self.issued_at = now;
        self.next_at = now + self.scenario.used_for();
        self.active_since = now;
        self.active_for = 0.0;
    }

    /// Counts the results of three events at this moment: a revocation, the beginning of an outage, and
    /// a request to an instance with a wrong clock.
    fn probe(&self, now: f64, chance: &mut Chance, keys: &mut Chance, tally: &mut Tally) {
        let Scenario { access_expiry, outage, clock_skew, verifier, session_idle, .. } =
            *self.scenario;
        let age = now - self.issued_at;
        let accepted_for = self.scenario.accepted_for();
        tally.lag(accepted_for - age);

        let mut away = self.clone();
        while away.switch_at <= now + outage {
            away.active = !away.active;
            away.plan_switch(away.switch_at, chance);
        }
        if away.active {
            // A request needs usable keys at one instance of each service.
            let serve =
                (0..self.scenario.fan_out).filter(|_| self.keys_serve(outage, keys)).count();
            tally.outage(
                age + outage >= accepted_for,
                (serve as u64) < self.scenario.fan_out,
                age + outage >= self.scenario.used_for(),
                session_idle.is_some_and(|idle| age + outage >= idle),
            );
        }

        // Counts the requests of a time span that is too short for a lazy client to repeat two. One
        // request has a token of random age, and the repeated one has a token of age 0.
        let every = self.scenario.activity.request_every;
        let (part, repeats) = match self.scenario.habit {
            Habit::Timer => (1.0, false),
            Habit::Lazy => (every.min(accepted_for) / every, age < every.min(accepted_for)),
        };
        let requests = self.active && age < access_expiry && chance.random::<f64>() < part;
        for age in [requests.then_some(age), repeats.then_some(0.0)].into_iter().flatten() {
            let seen = age + clock_skew * chance.sample::<f64, _>(StandardNormal);
            tally.skewed(seen >= accepted_for || seen < -verifier.leeway);
        }
    }

    /// Returns whether a random instance has usable keys at the end of an outage.
    fn keys_serve(&self, outage: f64, chance: &mut Chance) -> bool {
        let Scenario { verifier, restarted, kept_keys, .. } = self.scenario;
        let age = KeySet::at_some_moment(self.scenario, chance).age + outage;
        let forgotten = chance.random::<f64>() < *restarted && !kept_keys;
        !forgotten && age < verifier.used_ttl + verifier.max_stale
    }
}
