//! One session's timeline: bursts and pauses, tokens and refreshes.

use rand::RngExt as _;
use rand_distr::{Exp1, StandardNormal};

use super::instances::KeySet;
use super::{Chance, Tally};
use crate::tune::scenario::{Habit, Scenario};

/// Runs so many sessions through the window, and puts what happens in it into the tally.
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

/// What the age of a token that is due is drawn from: for a timer the mean pause, and for lazy
/// clients so long a time that one wait in a hundred million is longer.
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
    /// When it becomes active, or ceases to be.
    switch_at: f64,
    /// When its token was issued.
    issued_at: f64,
    /// When the token is due, or the next refresh comes: never, while it rests with a due token.
    next_at: f64,
    /// Since when it is active with this token, and how long it was before.
    active_since: f64,
    active_for: f64,
}

impl<'a> Session<'a> {
    /// A session that has gone on for long, at moment zero: its token was issued at a random moment
    /// of the past, and has not been replaced since.
    fn at_some_moment(scenario: &'a Scenario, chance: &mut Chance, tally: &mut Tally) -> Self {
        let used = scenario.used_for();
        let limit = used + longest_wait(scenario);
        loop {
            let mut age = chance.random::<f64>() * limit;
            if scenario.habit == Habit::Timer && age > used {
                // A pause has no memory: how long it has gone on since is as random as its length.
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

    /// Goes on with the pause that it is in, whose end is drawn anew.
    fn rest_until(&mut self, now: f64, chance: &mut Chance) {
        self.next_at = f64::INFINITY;
        self.plan_switch(now, chance);
    }

    /// An active session with a new token.
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

    /// Lets everything happen that happens until then.
    fn advance(&mut self, until: f64, chance: &mut Chance, tally: &mut Tally) {
        while self.step(until, chance, tally) {}
    }

    /// Lets the next thing happen, if it happens until then.
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

    /// The token is due, or the request is made that finds it expired.
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

    /// An active session has a token that is due.
    fn wants(&mut self, now: f64, chance: &mut Chance, tally: &mut Tally) {
        match self.scenario.habit {
            Habit::Timer => self.refresh(now, tally),
            Habit::Lazy => {
                let wait = self.scenario.activity.request_every * chance.sample::<f64, _>(Exp1);
                // Never the very moment at which it became due.
                self.next_at = (now + wait).max(now.next_up());
            }
        }
    }

    fn refresh(&mut self, now: f64, tally: &mut Tally) {
        tally.refresh(now, self.active_for);
        self.issued_at = now;
        self.next_at = now + self.scenario.used_for();
        self.active_since = now;
        self.active_for = 0.0;
    }

    /// What would be, were the session revoked now; were the issuer away from now on; did it ask
    /// an instance whose clock is wrong.
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
            // Each service of the request has an instance of its own.
            let serve =
                (0..self.scenario.fan_out).filter(|_| self.keys_serve(outage, keys)).count();
            tally.outage(
                age + outage >= accepted_for,
                (serve as u64) < self.scenario.fan_out,
                age + outage >= self.scenario.used_for(),
                session_idle.is_some_and(|idle| age + outage >= idle),
            );
        }

        // Requests of a time in which a client repeats at most one: some have any age, and the repeated
        // one is made with a new token.
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

    /// Whether some instance has usable keys left after an outage.
    fn keys_serve(&self, outage: f64, chance: &mut Chance) -> bool {
        let Scenario { verifier, restarted, kept_keys, .. } = self.scenario;
        let age = KeySet::at_some_moment(self.scenario, chance).age + outage;
        let forgotten = chance.random::<f64>() < *restarted && !kept_keys;
        !forgotten && age < verifier.used_ttl + verifier.max_stale
    }
}
