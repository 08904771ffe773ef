//! A model of refresh tokens: two processes of the issuer on one store, two tabs of a browser that share
//! a cookie, and a thief who copies it. Responses may be lost.
//!
//! Each decision is [`Kept::judge`]. The row of the session changes as in `store/sql/sessions/refresh.rs`,
//! and one request at a time.

use stateright::{Checker, Model, Property};

use super::{AT_ONCE, Budget, Judgement, Kept, Rotation, Rules};
use crate::domain::tokens::Until;

/// How long a spent token may be repeated, in seconds.
const GRACE: i64 = 3;

/// The lifetime of the session, in seconds.
const MAX: i64 = 9;

/// How much the clock of each process is ahead, in seconds.
const CLOCKS: [i64; 2] = [0, 1];

/// A token: its generation, and a number that no other token has.
type Token = (i64, u8);

/// What presents tokens.
const TABS: usize = 2;
const THIEF: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Row {
    current: Token,
    previous: Option<Token>,
    sealed: Option<u8>,
    rotated_at: i64,
    late: (i64, i64),
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Request {
    None,
    /// A process has read the token and the time; its transaction follows.
    Prepared {
        token: Token,
        now: i64,
    },
    /// The response is on its way.
    Answered(Option<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    now: i64,
    row: Row,
    /// When the current token was made, by the true time.
    spent_at: i64,
    requests: [Request; 3],
    cookie: Token,
    /// When the browser got the cookie.
    cookie_at: i64,
    copy: Option<Token>,
    /// The successor that the holder of each token was given.
    successors: Vec<(Token, Token)>,
    losses: u8,
    next: u8,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    TwoSuccessors,
    HonestTokenRefused,
    AcceptedBeyondTheBound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Second,
    /// A tab or the thief sends its token to a process.
    Send(usize, usize),
    Commit(usize),
    Deliver(usize),
    Lose(usize),
    Steal,
}

struct Refreshes {
    has_thief: bool,
    /// The number of responses to the tabs that may be lost.
    losses: u8,
    until: i64,
}

fn hash(token: Token) -> [u8; 32] {
    [token.1; 32]
}

fn rotation(token: Token, now: i64, successor: u8) -> Rotation {
    Rotation {
        session_id: String::new(),
        presented: hash(token),
        generation: token.0,
        successor: [successor; 32],
        sealed: vec![successor],
        former_successor: None,
        now,
        now_millis: now * 1000,
        until: Until { expiry: now, extend_to: now, free: now },
        rules: Rules { idle_secs: MAX, max_secs: MAX, grace_secs: GRACE, budget: Budget::new(0) },
        key_version: None,
        address: None,
        user_agent: None,
    }
}

impl State {
    /// Makes the transaction of a prepared request. Returns the new token.
    fn commit(&mut self, token: Token, now: i64) -> Option<Token> {
        let rotation = rotation(token, now, self.next);
        let row = &self.row;
        if row.has_ended || rotation.rules.expires_at(0, now) <= now {
            return None;
        }
        let kept = Kept {
            generation: row.current.0,
            current: Some(hash(row.current)),
            previous: row.previous.map(hash),
            sealed: row.sealed.map(|sealed| vec![sealed]),
            rotated_at: row.rotated_at,
            late_generation: row.late.0,
            late_generations: row.late.1,
            budget_until: 0,
            former: None,
        };
        match kept.judge(&rotation) {
            Judgement::Rotate { .. } => {
                let successor = (row.current.0 + 1, self.next);
                self.next += 1;
                self.row = Row {
                    current: successor,
                    previous: Some(token),
                    sealed: Some(successor.1),
                    rotated_at: now,
                    ..row.clone()
                };
                self.spent_at = self.now;
                Some(successor)
            }
            Judgement::Repeat { late, .. } => {
                let successor = (row.current.0, row.sealed?);
                if let Some(late) = late {
                    self.row.late = (row.current.0, late);
                }
                // The age that a process sees differs by the difference of the clocks.
                if self.now - self.spent_at > GRACE + CLOCKS[1] {
                    self.fault = Some(Fault::AcceptedBeyondTheBound);
                }
                Some(successor)
            }
            Judgement::Reused | Judgement::Diverged => {
                self.row.has_ended = true;
                None
            }
            Judgement::Limited { .. } | Judgement::Unknown => None,
        }
    }

    fn record(&mut self, who: usize, token: Token, answer: Option<Token>) {
        if let Some(successor) = answer {
            let before = self.successors.iter().find(|(of, _)| *of == token);
            match before {
                Some((_, other)) if *other != successor => self.fault = Some(Fault::TwoSuccessors),
                Some(_) => {}
                None => self.successors.push((token, successor)),
            }
            if self.now >= MAX + CLOCKS[1] {
                self.fault = Some(Fault::AcceptedBeyondTheBound);
            }
        } else if who < TABS && self.copy.is_none() && self.now + CLOCKS[1] < MAX {
            self.fault = Some(Fault::HonestTokenRefused);
        }
    }

    /// Whether the browser still has a spent token, because responses were lost.
    fn must_repeat(&self) -> bool {
        self.cookie != self.row.current && !self.row.has_ended
    }
}

impl Model for Refreshes {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let first = (1, 1);
        let row = Row {
            current: first,
            previous: None,
            sealed: None,
            rotated_at: 0,
            late: (0, 0),
            has_ended: false,
        };
        vec![State {
            now: 0,
            row,
            spent_at: 0,
            requests: [Request::None; 3],
            cookie: first,
            cookie_at: -1,
            copy: None,
            successors: Vec::new(),
            losses: 0,
            next: 2,
            fault: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.push(Action::Second);
        for (who, request) in state.requests.iter().enumerate() {
            match request {
                Request::None => actions.extend([0, 1].map(|process| Action::Send(who, process))),
                Request::Prepared { .. } => actions.push(Action::Commit(who)),
                Request::Answered(_) => actions.extend([Action::Deliver(who), Action::Lose(who)]),
            }
        }
        if self.has_thief && state.copy.is_none() {
            actions.push(Action::Steal);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Second => {
                // A process takes less than a second. A browser that got no response repeats its request
                // within the grace period; the clocks of the processes may shorten it.
                let is_busy = |request: &Request| matches!(request, Request::Prepared { .. });
                let is_answered = |request: &Request| matches!(request, Request::Answered(_));
                let age = state.now + 1 - state.spent_at;
                let waits = state.must_repeat() && age + CLOCKS[1] > GRACE;
                if state.requests.iter().any(is_busy)
                    || state.requests[..TABS].iter().any(is_answered)
                    || (waits && state.copy.is_none())
                {
                    return None;
                }
                state.now += 1;
            }
            Action::Send(who, process) => {
                // A browser that has just got tokens does not refresh within the same second.
                if who < TABS && state.cookie_at == state.now {
                    return None;
                }
                let token = if who == THIEF { state.copy? } else { state.cookie };
                let now = state.now + CLOCKS[process];
                state.requests[who] = Request::Prepared { token, now };
            }
            Action::Commit(who) => {
                let Request::Prepared { token, now } = state.requests[who] else { return None };
                let answer = state.commit(token, now);
                state.record(who, token, answer);
                state.requests[who] = Request::Answered(answer);
            }
            Action::Deliver(who) => {
                let Request::Answered(answer) = state.requests[who] else { return None };
                state.requests[who] = Request::None;
                match answer {
                    Some(token) if who == THIEF => state.copy = Some(token),
                    Some(token) if token.0 > state.cookie.0 => {
                        (state.cookie, state.cookie_at) = (token, state.now);
                    }
                    _ => {}
                }
            }
            Action::Lose(who) => {
                if who == THIEF || state.losses == self.losses {
                    return None;
                }
                state.requests[who] = Request::None;
                state.losses += 1;
            }
            Action::Steal => state.copy = Some(state.cookie),
        }
        (state != *before).then_some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.now <= self.until && state.row.current.0 <= if self.has_thief { 3 } else { 4 }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::<Self>::always("no refresh token has two successors", |_, state| {
                state.fault != Some(Fault::TwoSuccessors)
            }),
            Property::<Self>::always("no honest token is refused", |_, state| {
                state.fault != Some(Fault::HonestTokenRefused)
            }),
            Property::<Self>::always("no token is accepted beyond the bound", |_, state| {
                state.fault != Some(Fault::AcceptedBeyondTheBound)
            }),
            Property::<Self>::sometimes("a late repeat is answered", |_, state| {
                state.row.late.1 > 0 && state.now - state.spent_at > AT_ONCE
            }),
        ];
        if self.has_thief {
            properties.push(Property::<Self>::sometimes("reuse ends the session", |_, state| {
                state.row.has_ended
            }));
        }
        properties
    }
}

fn explore(name: &str, refreshes: Refreshes) {
    let began = std::time::Instant::now();
    let checker = refreshes.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    let (states, secs) = (checker.unique_state_count(), began.elapsed().as_secs_f64());
    println!("explored refresh: {name}: {states} states, {secs:.1} s");
}

/// The horizon, in seconds.
fn until([few, many]: [i64; 2]) -> i64 {
    if std::env::var_os("PORTCULLIS_PROOF").is_some() { many } else { few }
}

#[test]
fn two_tabs_and_lost_responses_get_one_successor_each_time() {
    explore(
        "two tabs and lost responses",
        Refreshes { has_thief: false, losses: 2, until: until([6, 11]) },
    );
}

#[test]
fn copied_token_gets_no_second_successor() {
    explore("a thief", Refreshes { has_thief: true, losses: 0, until: until([5, 6]) });
}
