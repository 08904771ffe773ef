//! The discrete-event simulation. It simulates all sessions and all instances, each on a timeline of its
//! own, because none waits for another. So memory does not grow with their number. Each starts in its
//! stationary state, at a random moment long after its beginning.
//!
//! The random numbers of a block of sessions come from the seed and the block's number, so the number of
//! threads does not change the result.

mod instances;
mod session;
mod tally;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::scenario::Scenario;
pub(super) use instances::KeyLags;
pub(super) use tally::{Misses, Share, Tally};

/// The random number generator.
type Chance = Xoshiro256PlusPlus;

/// The number of sessions in one block.
const BLOCK: u64 = 4096;

#[derive(Debug)]
pub(super) struct Simulated {
    pub(super) sessions: Tally,
    pub(super) keys: KeyLags,
}

pub(super) fn simulate(scenario: &Scenario, window: f64, seed: u64) -> Simulated {
    let blocks = scenario.sessions.div_ceil(BLOCK);
    let next = AtomicU64::new(0);
    let whole = Mutex::new(Tally::new(scenario, window));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut tally = Tally::new(scenario, window);
                loop {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    if block >= blocks {
                        break;
                    }
                    let sessions = BLOCK.min(scenario.sessions - block * BLOCK);
                    // Keys have their own random generator, so the sessions are the same whether or
                    // not keys expire.
                    let (mut own, mut keys) = (chance(seed, block), chance(!seed, block));
                    session::run(scenario, sessions, window, &mut own, &mut keys, &mut tally);
                }
                whole.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&tally);
            });
        }
    });
    Simulated {
        sessions: whole.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
        keys: instances::run(scenario, window, &mut chance(seed, u64::MAX)),
    }
}

fn chance(seed: u64, block: u64) -> Chance {
    // `seed_from_u64` applies SplitMix64, so similar seeds give unrelated numbers.
    Chance::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ block.rotate_left(17))
}
