//! `--live`: runs an issuer, instances and clients in one process, independently of the model. A
//! simulated clock advances from event to event, so hours pass in seconds. The speed of the machine has
//! no effect, and the same seed gives the same events.

mod clock;
mod session;
mod world;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::figures::DEVIATE;
use super::measured::Measured;
use super::scenario::Scenario;
use crate::exit::Failure;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::Exp1;
use rand_xoshiro::Xoshiro256PlusPlus;
use session::{Event, Session, What};
use world::World;

/// The measured time, as a multiple of the time for which a session uses one token.
const CYCLES: f64 = 4.0;

/// The number of attempts with a revoked token while it may still be accepted.
const TRIES: f64 = 100.0;

/// Runs the scenario with this number of sessions.
pub(super) fn run(scenario: &Scenario, sessions: u64, seed: u64) -> Result<Measured, Failure> {
    let scenario = Scenario { sessions, ..*scenario };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::wrong(format!("--live: cannot start threads: {error}")))?;
    runtime.block_on(async { Live::start(&scenario, seed).await?.run().await })
}

struct Live {
    scenario: Scenario,
    world: World,
    chance: Xoshiro256PlusPlus,
    sessions: Vec<Session>,
    events: BinaryHeap<Reverse<Event>>,
    from: u64,
    until: u64,
    refreshes: u64,
    requests: u64,
    wrongly_refused: u64,
    rotated: bool,
}

impl Live {
    /// Starts without sessions. Logins are spread over the lifetime of a token, and all sessions are
    /// revoked at the same moment. So tokens of all ages are revoked.
    async fn start(scenario: &Scenario, seed: u64) -> Result<Self, Failure> {
        let activity = &scenario.activity;
        let settled =
            if activity.pause == 0.0 { 0.0 } else { 3.0 * (activity.burst + activity.pause) };
        let from = micros(scenario.accepted_for() + settled);
        let until = from + micros(CYCLES * scenario.cycle());
        let mut live = Self {
            scenario: *scenario,
            world: World::start(scenario).await?,
            chance: Xoshiro256PlusPlus::seed_from_u64(seed),
            sessions: Vec::new(),
            events: BinaryHeap::new(),
            from,
            until,
            refreshes: 0,
            requests: 0,
            wrongly_refused: 0,
            rotated: false,
        };
        for number in 0..scenario.sessions as usize {
            live.sessions.push(Session::default());
            let phase = number as f64 / scenario.sessions as f64;
            live.plan(micros(phase * scenario.used_for()), number, What::Login);
            live.plan(until, number, What::Revoke);
        }
        Ok(live)
    }

    async fn run(mut self) -> Result<Measured, Failure> {
        while let Some(Reverse(event)) = self.events.pop() {
            self.world.clock.set(event.at);
            // Rotates the key halfway through. No request may be rejected because of that.
            if !self.rotated && event.at > self.from.midpoint(self.until) {
                self.world.rotate().await?;
                self.rotated = true;
            }
            self.happens(event).await?;
        }
        self.world.close().await;
        Ok(self.measured())
    }

    fn plan(&mut self, at: u64, number: usize, what: What) {
        self.events.push(Reverse(Event { at, number, what }));
    }

    fn after(&mut self, now: u64, mean: f64) -> u64 {
        now + micros(mean * self.chance.sample::<f64, _>(Exp1))
    }

    fn measured(&self) -> Measured {
        let mut lags: Vec<f64> = self.sessions.iter().filter_map(Session::lag).collect();
        lags.sort_by(f64::total_cmp);
        let quantile = |quantile: f64| {
            let rank = (quantile * lags.len() as f64).ceil() as usize;
            lags.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        let time = secs(self.until - self.from);
        Measured {
            sessions: self.scenario.sessions,
            refreshes: self.refreshes as f64 / time,
            refreshes_error: DEVIATE * (self.refreshes as f64).sqrt() / time,
            lag_median: quantile(0.5),
            lag_p99: quantile(0.99),
            lag_max: lags.last().copied().unwrap_or_default(),
            lag_step: step(&self.scenario),
            without_lag: 1.0 - lags.len() as f64 / self.sessions.len() as f64,
            requests: self.requests,
            wrongly_refused: self.wrongly_refused,
        }
    }
}

/// The time between two attempts with a revoked token.
fn step(scenario: &Scenario) -> f64 {
    scenario.accepted_for() / TRIES
}

fn micros(secs: f64) -> u64 {
    (secs * 1e6) as u64
}

fn secs(micros: u64) -> f64 {
    micros as f64 / 1e6
}
