//! A model of key rotation: two processes of the issuer, one of which leads, and three verifiers.
//!
//! Time passes in minutes. The issuer's decisions are those of [`Schedule`]; a verifier's decisions
//! are those of the core ([`CachedKeys::decide`]). The rows of the key table change as in
//! `store/sql/keys/table.rs`. Any clock may differ from any other by up to the tolerated skew.

use std::time::Duration;

use portcullis::testing::{CachedKeys, KeyDecision};
use stateright::{Checker, Model, Property};

use super::schedule::Schedule;
use super::signing_key::SigningAlgorithm;
use super::store::{KeyState, StoredKey};

const MINUTE: i64 = 60;

/// In minutes: how long a key set may be cached, the skew, and how long stale keys are used in an
/// outage.
const MAX_AGE: i64 = 2;
const SKEW: i64 = 1;
const MAX_STALE: i64 = 2;

/// The number of keys that a model can have.
const KEYS: usize = 3;

/// A key of the table. Times are in minutes of the clock of the process that set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    state: u8,
    signs_from: i64,
    longest_max_age: i64,
    published_until: Option<i64>,
}

const NEXT: u8 = 0;
const ACTIVE: u8 = 1;
const RETIRED: u8 = 2;
const WITHDRAWN: u8 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Verifier {
    /// The keys of the cached set, one bit each.
    set: u8,
    fetched_at: i64,
    /// When fetches failed last, and how often in a row.
    failed: Option<(i64, u32)>,
    is_cut_off: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    now: i64,
    keys: [Option<Key>; KEYS],
    /// The process that leads; `None` after its death, until the other one notices.
    leader: Option<usize>,
    has_died: bool,
    /// The key that each process signs with, as it last read the table.
    signs: [usize; 2],
    /// The latest `exp` of the tokens of each key.
    tokens: [Option<i64>; KEYS],
    verifiers: [Verifier; 3],
    /// The key that an operator withdrew at once, and when.
    withdrawn: Option<(usize, i64)>,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    HonestTokenRefused,
    AcceptedBeyondTheBound,
    TooManyKeysPublished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Minute,
    /// The leader makes the change that is due.
    Turn,
    LeaderDies,
    OtherLeads,
    Sign(usize),
    /// A verifier gets a token of a key.
    Present(usize, usize),
    CutOff(usize),
    Reconnect(usize),
    /// An operator withdraws the active key at once; a new one signs from now on.
    Withdraw,
}

struct Rotation {
    /// The clocks of the processes and of the verifiers, in minutes ahead of the true time.
    processes: [i64; 2],
    verifiers: [i64; 3],
    /// The `max-age` that each process sends. It differs while a setting is rolled out.
    max_ages: [i64; 2],
    /// The lifetime of tokens, in minutes.
    lifetime: i64,
    /// Whether an operator may withdraw the active key. That breaks the rotation contract, so that honest
    /// tokens may be refused.
    has_operator: bool,
    has_outages: bool,
    until: i64,
}

impl Rotation {
    fn schedule(&self, process: usize) -> Schedule {
        let max_age = self.max_ages[process] * MINUTE;
        let (skew, token_lifetime) = (SKEW * MINUTE, self.lifetime * MINUTE);
        let longest = Schedule { period: None, max_age: MAX_AGE * MINUTE, skew, token_lifetime };
        Schedule { period: Some(longest.least_period().0), max_age, ..longest }
    }

    /// Makes the changes that are due by the leader's clock, like `KeyRing::turn`.
    fn turn(&self, state: &mut State, process: usize) -> bool {
        let (schedule, now) = (self.schedule(process), state.now + self.processes[process]);
        let stored = stored(&state.keys);
        if schedule.next_change(&stored).is_none_or(|due| due > now * MINUTE) {
            return false;
        }
        let before = state.keys;
        for key in state.keys.iter_mut().flatten() {
            if key.state == RETIRED && key.published_until.is_some_and(|until| until <= now) {
                key.state = WITHDRAWN;
            }
        }
        let at =
            |state: u8| before.iter().position(|key| key.is_some_and(|key| key.state == state));
        match (at(NEXT), at(ACTIVE)) {
            (Some(next), Some(active))
                if before[next].is_some_and(|next| next.signs_from <= now) =>
            {
                let until = now + self.lifetime + schedule.margin() / MINUTE;
                change(&mut state.keys, active, |key| {
                    (key.state, key.published_until) = (RETIRED, Some(until));
                });
                change(&mut state.keys, next, |key| {
                    (key.state, key.signs_from) = (ACTIVE, now);
                });
                note_promises(state, next, self.max_ages[process]);
            }
            (None, Some(active)) => {
                let stored = stored_key(before[active].as_ref());
                let due = stored.as_ref().and_then(|active| schedule.publishes_next_at(active));
                let free = state.keys.iter().position(Option::is_none);
                if let (Some(stored), Some(free)) = (stored, free)
                    && due.is_some_and(|due| due <= now * MINUTE)
                {
                    let signs_from = now + schedule.lead(&stored) / MINUTE;
                    let longest_max_age = self.max_ages[process];
                    let key =
                        Key { state: NEXT, signs_from, longest_max_age, published_until: None };
                    state.keys[free] = Some(key);
                }
            }
            _ => {}
        }
        state.keys != before
    }

    /// Makes states equal that have the same future: expired tokens, sets that are too old for any use, and
    /// failures whose back-off has ended.
    fn forget(&self, state: &mut State) {
        let slowest = state.now + self.verifiers.into_iter().min().unwrap_or(0);
        for token in &mut state.tokens {
            *token = token.filter(|exp| *exp > slowest);
        }
        let end = MAX_AGE + if self.has_outages { MAX_STALE } else { 0 };
        for verifier in &mut state.verifiers {
            if state.now - verifier.fetched_at >= end {
                verifier.fetched_at = state.now - end;
                // Without outages, the next token causes a fetch.
                verifier.set &= if self.has_outages { u8::MAX } else { 0 };
            }
            verifier.failed = verifier.failed.map(|_| (state.now - 1, 1));
        }
    }

    fn present(&self, state: &mut State, at: usize, key: usize) -> bool {
        let clock = state.now + self.verifiers[at];
        if state.tokens[key].is_none_or(|exp| exp <= clock) {
            return false;
        }
        let before = state.verifiers[at];
        let accepted = match decide(&state.verifiers[at], state.now, key) {
            KeyDecision::Use => true,
            KeyDecision::Reject => false,
            KeyDecision::Wait if before.is_cut_off => {
                let verifier = &mut state.verifiers[at];
                verifier.failed = Some((state.now, 1));
                // The keys are used until they are too old for any use.
                decide(verifier, state.now, key) == KeyDecision::Use
            }
            KeyDecision::Wait => {
                let set = published(&state.keys);
                let verifier = &mut state.verifiers[at];
                (verifier.set, verifier.fetched_at, verifier.failed) = (set, state.now, None);
                set & (1 << key) != 0
            }
        };
        let now = state.now;
        if accepted && let Some((withdrawn, since)) = state.withdrawn {
            let stale = if before.is_cut_off || before.failed.is_some() { MAX_STALE } else { 0 };
            if withdrawn == key && now >= since + MAX_AGE + stale {
                state.fault = Some(Fault::AcceptedBeyondTheBound);
            }
        }
        // In an outage, a new key cannot be known, and old keys may be too old.
        let is_impaired = before.is_cut_off || before.failed.is_some_and(|(at, _)| at == now);
        let is_too_old = now - before.fetched_at >= MAX_AGE + MAX_STALE;
        let has_key = before.set & (1 << key) != 0;
        let is_excused = state.withdrawn.is_some() || (is_impaired && (is_too_old || !has_key));
        if !accepted && !is_excused {
            state.fault = Some(Fault::HonestTokenRefused);
        }
        state.verifiers[at] != before || state.fault.is_some()
    }
}

fn change(keys: &mut [Option<Key>; KEYS], at: usize, change: impl FnOnce(&mut Key)) {
    if let Some(key) = &mut keys[at] {
        change(key);
    }
}

fn note_promises(state: &mut State, active: usize, max_age: i64) {
    change(&mut state.keys, active, |key| key.longest_max_age = key.longest_max_age.max(max_age));
}

/// The decision of the core. Forged tokens have spent the budget for unknown keys, so that only the
/// rotation contract keeps new keys known.
fn decide(verifier: &Verifier, now: i64, key: usize) -> KeyDecision {
    let minutes = |minutes: i64| Duration::from_secs(u64::try_from(minutes * MINUTE).unwrap());
    let cached = CachedKeys {
        has_key: verifier.set & (1 << key) != 0,
        age: Some(minutes(now - verifier.fetched_at)),
        failure: verifier.failed.map(|(at, failures)| (minutes(now - at), failures)),
        budget_in: minutes(1),
    };
    cached.decide(minutes(MAX_AGE), minutes(MAX_STALE))
}

fn active(keys: &[Option<Key>; KEYS]) -> Option<usize> {
    keys.iter().position(|key| key.is_some_and(|key| key.state == ACTIVE))
}

fn published(keys: &[Option<Key>; KEYS]) -> u8 {
    let is_published = |at: &usize| keys[*at].is_some_and(|key| key.state != WITHDRAWN);
    (0..KEYS).filter(is_published).fold(0, |set, at| set | 1 << at)
}

fn stored(keys: &[Option<Key>; KEYS]) -> Vec<StoredKey> {
    keys.iter().filter_map(|key| stored_key(key.as_ref())).collect()
}

fn stored_key(key: Option<&Key>) -> Option<StoredKey> {
    let key = key?;
    let state = match key.state {
        NEXT => KeyState::Next,
        ACTIVE => KeyState::Active,
        RETIRED => KeyState::Retired,
        _ => KeyState::Withdrawn,
    };
    Some(StoredKey {
        kid: String::new(),
        algorithm: SigningAlgorithm::Es256,
        state,
        public_jwk: String::new(),
        sealed: None,
        created_at: 0,
        signs_from: key.signs_from * MINUTE,
        longest_max_age_secs: key.longest_max_age * MINUTE,
        published_until: key.published_until.map(|until| until * MINUTE),
    })
}

impl Model for Rotation {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let longest_max_age = self.max_ages[0].max(self.max_ages[1]);
        let first = Key { state: ACTIVE, signs_from: 0, longest_max_age, published_until: None };
        let verifier = Verifier { set: 1, fetched_at: 0, failed: None, is_cut_off: false };
        vec![State {
            now: 0,
            keys: [Some(first), None, None],
            // With an operator, nothing is due within the horizon, so that it does not matter who leads.
            leader: (!self.has_operator).then_some(0),
            has_died: self.has_operator,
            signs: [0; 2],
            tokens: [None; KEYS],
            verifiers: [verifier; 3],
            withdrawn: None,
            fault: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend([Action::Minute, Action::Turn]);
        if !state.has_died {
            actions.push(Action::LeaderDies);
        }
        if state.leader.is_none() && !self.has_operator {
            actions.push(Action::OtherLeads);
        }
        let living = if state.has_died { 1..2 } else { 0..2 };
        actions.extend(living.map(Action::Sign));
        for (at, verifier) in state.verifiers.iter().enumerate() {
            actions.extend((0..KEYS).map(|key| Action::Present(at, key)));
            // One verifier at a time, and the first one, because the others differ in their clocks only.
            if self.has_outages && at == 0 {
                let is_cut_off = verifier.is_cut_off;
                actions.push(if is_cut_off { Action::Reconnect(at) } else { Action::CutOff(at) });
            }
        }
        if self.has_operator && state.withdrawn.is_none() {
            actions.push(Action::Withdraw);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        let has_changed = match action {
            Action::Minute => {
                state.now += 1;
                // A change reaches every process within a second.
                let active = active(&state.keys)?;
                state.signs = [active; 2];
                let longest = self.max_ages[0].max(self.max_ages[1]);
                note_promises(&mut state, active, longest);
                self.forget(&mut state);
                true
            }
            Action::Turn => {
                let leader = state.leader?;
                let has_changed = self.turn(&mut state, leader);
                // The leader reads the table after its change; the other process within a second.
                state.signs[leader] = active(&state.keys)?;
                if published(&state.keys).count_ones() > 3 {
                    state.fault = Some(Fault::TooManyKeysPublished);
                }
                has_changed
            }
            Action::LeaderDies => {
                (state.leader, state.has_died) = (None, true);
                true
            }
            Action::OtherLeads => {
                state.leader = Some(1);
                true
            }
            Action::Sign(process) => {
                let exp = state.now + self.processes[process] + self.lifetime;
                let latest = &mut state.tokens[state.signs[process]];
                *latest = (*latest).max(Some(exp));
                true
            }
            Action::Present(at, key) => self.present(&mut state, at, key),
            Action::CutOff(at) | Action::Reconnect(at) => {
                state.verifiers[at].is_cut_off = matches!(action, Action::CutOff(_));
                true
            }
            Action::Withdraw => {
                let at = active(&state.keys)?;
                let free = state.keys.iter().position(Option::is_none)?;
                let longest_max_age = MAX_AGE;
                let signs_from = state.now;
                let key = Key { state: ACTIVE, signs_from, longest_max_age, published_until: None };
                state.keys[free] = Some(key);
                change(&mut state.keys, at, |key| key.state = WITHDRAWN);
                state.withdrawn = Some((at, state.now));
                true
            }
        };
        (has_changed && state != *before).then_some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.now <= self.until
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::<Self>::always("no honest token is refused", |_, state| {
                state.fault != Some(Fault::HonestTokenRefused)
            }),
            Property::<Self>::always("no token is accepted beyond the bound", |_, state| {
                state.fault != Some(Fault::AcceptedBeyondTheBound)
            }),
            Property::<Self>::always("at most three keys are published", |_, state| {
                state.fault != Some(Fault::TooManyKeysPublished)
            }),
            Property::<Self>::sometimes("every verifier has the second key", |_, state| {
                state.verifiers.iter().all(|verifier| verifier.set & 2 != 0)
            }),
            Property::<Self>::sometimes("a key is withdrawn", |_, state| {
                state.keys.iter().flatten().any(|key| key.state == WITHDRAWN)
            }),
        ];
        if self.has_operator {
            properties.push(Property::<Self>::sometimes(
                "a withdrawn key is in use",
                |_, state| {
                    let [first, ..] = state.verifiers;
                    let is_used =
                        |(_, since)| first.failed.is_some_and(|(at, _)| at >= since + MAX_AGE);
                    state.withdrawn.is_some_and(is_used)
                },
            ));
        }
        if self.has_outages {
            properties.push(Property::<Self>::sometimes("stale keys are in use", |_, state| {
                let [first, ..] = state.verifiers;
                first.failed.is_some_and(|(at, _)| at - first.fetched_at >= MAX_AGE)
            }));
        }
        properties
    }
}

fn explore(name: &str, rotation: Rotation) {
    let began = std::time::Instant::now();
    let checker = rotation.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    let (states, secs) = (checker.unique_state_count(), began.elapsed().as_secs_f64());
    println!("explored rotation: {name}: {states} states, {secs:.1} s");
}

/// The horizon, in minutes: a rotation takes nine.
fn until() -> i64 {
    if std::env::var_os("PORTCULLIS_PROOF").is_some() { 12 } else { 10 }
}

const IN_STEP: Rotation = Rotation {
    processes: [0; 2],
    verifiers: [0; 3],
    max_ages: [MAX_AGE; 2],
    lifetime: 1,
    has_operator: false,
    has_outages: false,
    until: 0,
};

#[test]
fn rotation_with_different_clocks_refuses_no_honest_token() {
    for (name, processes, verifiers) in [
        ("the second process is ahead", [0, 1], [0, 0, 1]),
        ("the second process is late", [1, 0], [0, 1, 1]),
    ] {
        explore(name, Rotation { processes, verifiers, until: until(), ..IN_STEP });
    }
}

#[test]
fn rotation_while_max_age_is_rolled_out_refuses_no_honest_token() {
    let (processes, max_ages) = ([0, 1], [1, MAX_AGE]);
    explore("two settings of max-age", Rotation { processes, max_ages, until: until(), ..IN_STEP });
}

#[test]
fn withdrawn_key_is_accepted_within_the_bounds_only() {
    let rotation = Rotation {
        lifetime: 8,
        has_operator: true,
        has_outages: true,
        until: until() - 4,
        ..IN_STEP
    };
    explore("an operator withdraws a key, and outages", rotation);
}
