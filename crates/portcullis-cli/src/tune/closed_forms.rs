//! The closed forms: plain functions of seconds and shares. The script of `--page` restates them. `simulate`
//! uses none of them, and `agreement` compares them with the simulation.
//!
//! The letters of the formulas:
//!
//! - *b* is the mean burst and *p* the mean pause, both exponential (*p* = 0: always active).
//! - *X* is the access expiry, *L* the leeway, and *U* the age of a token at which a client needs the next one.
//! - *T* is the TTL of the keys. An instance renews them between 2·*a* and *a* before the end of the TTL.
//! - *ρ* is the rate of rotations, *S* the time beyond the TTL for which stale keys are used, *D*
//!   the length of an outage.
//!
//! Only active sessions refresh, so each refresh starts the process anew and renewal theory applies.

use std::f64::consts::SQRT_2;

use super::waiting::{kept, unseen};

/// The share of time that a session spends in bursts, which is the share of active sessions: b / (b + p).
pub(super) fn active_share(burst: f64, pause: f64) -> f64 {
    burst / (burst + pause)
}

/// The probability that a session is active at a time `after` one at which it was active:
/// s + (1 − s)·e^(−after·(1/b + 1/p)), with s the [`active_share`].
pub(super) fn active_again(burst: f64, pause: f64, after: f64) -> f64 {
    if pause == 0.0 {
        return 1.0;
    }
    let share = active_share(burst, pause);
    share + (1.0 - share) * (-mixing(burst, pause) * after).exp()
}

/// The probability that a session is active at a time `after` one at which it was inactive. 1 without pauses.
pub(super) fn active_back(burst: f64, pause: f64, after: f64) -> f64 {
    if pause == 0.0 {
        return 1.0;
    }
    active_share(burst, pause) * -(-mixing(burst, pause) * after).exp_m1()
}

/// The expected time in bursts between two ages of a session that was active at age 0: the integral
/// of [`active_again`].
pub(super) fn active_time(burst: f64, pause: f64, from: f64, to: f64) -> f64 {
    if pause == 0.0 {
        return to - from;
    }
    let (share, mixing) = (active_share(burst, pause), mixing(burst, pause));
    let forgotten = (-mixing * from).exp() - (-mixing * to).exp();
    share * (to - from) + (1.0 - share) / mixing * forgotten
}

/// The rate at which the state of a session becomes independent of its past: 1/b + 1/p.
fn mixing(burst: f64, pause: f64) -> f64 {
    1.0 / burst + 1.0 / pause
}

/// The longest time for which a revoked session is accepted: X + 2·L. The leeway counts twice. A token is
/// accepted until one leeway after its expiry, and an issuer whose clock is ahead dates it up to one leeway
/// into the future. `max_token_lifetime` in the core has the same bound.
pub(super) fn lag_bound(expiry: f64, leeway: f64) -> f64 {
    expiry + 2.0 * leeway
}

/// The mean time between two refreshes of a session: U + (1 − again(U))·p. Clients that refresh at the
/// next request add the time until that request, with the pauses in it: wait·(1 + p/b).
pub(super) fn cycle(used: f64, wait: f64, burst: f64, pause: f64) -> f64 {
    used + (1.0 - active_again(burst, pause, used)) * pause + wait * (1.0 + pause / burst)
}

/// The probability that a session, revoked at a random moment, is accepted for longer than `lag`:
/// (min(A − lag, U) + (1 − again(U))·p·(1 − e^(−(A − lag − U)/p))) / cycle.
/// A is the age until which a token is `accepted`, U the age until which it is `used`, p the mean pause. An
/// active session replaces its token at the age U, so only an inactive session has an older one.
pub(super) fn lag_exceeds(
    lag: f64,
    accepted: f64,
    used: f64,
    burst: f64,
    pause: f64,
    cycle: f64,
) -> f64 {
    let rest = (accepted - lag).max(0.0);
    let older = if rest > used && pause > 0.0 {
        let resting = 1.0 - active_again(burst, pause, used);
        resting * pause * -(-(rest - used) / pause).exp_m1()
    } else {
        0.0
    };
    (rest.min(used) + older) / cycle
}

/// Of the sessions that are active at the end of an outage, the share whose token is then older than
/// `limit`. A token of age y when the outage begins is not older than that if y + D < limit. A session has a
/// token of age y > U in two cases: it has been inactive since the token reached the age U, or its lazy
/// client has made no request since.
pub(super) fn tokens_older(
    limit: f64,
    outage: f64,
    [used, wait]: [f64; 2],
    burst: f64,
    pause: f64,
    cycle: f64,
) -> f64 {
    let young = (limit - outage).max(0.0);
    let mut serve = active_time(burst, pause, outage, outage + young.min(used));
    if young > used {
        let active = active_again(burst, pause, used);
        let [as_active, as_inactive] = kept(young - used, active, wait, burst, pause);
        let again = active_again(burst, pause, outage);
        serve += as_active * again + as_inactive * active_back(burst, pause, outage);
    }
    (1.0 - serve / (cycle * active_share(burst, pause))).clamp(0.0, 1.0)
}

/// The `refresh_ahead` in effect: the setting, but at most a third of the TTL. An instance renews its keys
/// between one and two times this value before the end of their TTL.
pub(super) fn ahead(refresh_ahead: f64, ttl: f64) -> f64 {
    refresh_ahead.min(ttl / 3.0)
}

/// The mean time between two fetches of an instance: T − 1.5·a if there are no rotations.
pub(super) fn fetch_cycle(ttl: f64, ahead: f64, rotations: f64) -> f64 {
    time_older(0.0, ttl, ahead, rotations)
}

/// The probability that an instance's keys are older than `age` at a random moment. By symmetry in time,
/// this is also the probability that the instance does not fetch keys within the next `age`.
pub(super) fn key_age_exceeds(age: f64, ttl: f64, ahead: f64, rotations: f64) -> f64 {
    time_older(age, ttl, ahead, rotations) / fetch_cycle(ttl, ahead, rotations)
}

/// The mean time, per fetch, for which keys are older than `age`: the integral over y ≥ `age` of the
/// probability that keys reach the age y, e^(−ρy)·min((T − a − y)/a, 1). An instance renews keys at an age
/// between T − 2a and T − a, uniformly distributed, or at a rotation if that comes first.
fn time_older(age: f64, ttl: f64, ahead: f64, rotations: f64) -> f64 {
    let (age, latest) = (age.max(0.0), ttl - ahead);
    let earliest = latest - ahead;
    let level = (earliest - age).max(0.0);
    let mut time = (-rotations * age).exp() * level * mean_decay(rotations * level);
    let from = age.max(earliest);
    let slope = latest - from;
    // `slope` is not positive if a = 0.
    if slope > 0.0 {
        let falling = slope * slope / ahead * mean_falling_decay(rotations * slope);
        time += (-rotations * from).exp() * falling;
    }
    time
}

/// The integral of e^(−x·s) over s from 0 to 1.
fn mean_decay(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { -(-x).exp_m1() / x }
}

/// The integral of (1 − s)·e^(−x·s) over s from 0 to 1. A small x uses the series, because the formula would
/// lose digits by cancellation.
fn mean_falling_decay(x: f64) -> f64 {
    if x < 1e-3 {
        return 0.5 - x / 6.0 + x * x / 24.0 - x * x * x / 120.0;
    }
    (1.0 - mean_decay(x)) / x
}

/// The longest time for which a withdrawn key is accepted while the issuer is reachable: the TTL, a fetch
/// that fails after its timeout, the back-off of 1.1 s, and the next fetch.
pub(super) fn key_lag_bound(ttl: f64, fetch_timeout: f64) -> f64 {
    const BACK_OFF: f64 = 1.1;
    ttl + 2.0 * fetch_timeout + BACK_OFF
}

/// The share of instances without usable keys at the end of an outage: those whose keys were older than
/// T + S − D when it began, and those that were restarted without a kept key set.
pub(super) fn keys_ended(
    outage: f64,
    ttl: f64,
    ahead: f64,
    rotations: f64,
    max_stale: f64,
    restarted: f64,
) -> f64 {
    let left = ttl + max_stale - outage;
    let old = if left <= 0.0 { 1.0 } else { key_age_exceeds(left, ttl, ahead, rotations) };
    1.0 - (1.0 - old) * (1.0 - restarted)
}

/// The probability that at least one of n independent events happens: 1 − (1 − share)^n.
pub(super) fn any(share: f64, of: f64) -> f64 {
    1.0 - (1.0 - share).powf(of)
}

/// The probability that at least one of two independent events happens: 1 − (1 − one)·(1 − other).
pub(super) fn either(one: f64, other: f64) -> f64 {
    1.0 - (1.0 - one) * (1.0 - other)
}

/// The expected number of `instances` that see a token before it reaches the age `used`:
/// n·(1 − E e^(−τ/(r·n))), where τ is the time in bursts and r the mean time between two requests.
pub(super) fn instances_that_see(
    used: f64,
    request_every: f64,
    instances: f64,
    burst: f64,
    pause: f64,
) -> f64 {
    let [unseen, _] = unseen(used, 1.0 / (request_every * instances), burst, pause);
    instances * (1.0 - unseen)
}

/// The share of clocks that are wrong by more than `secs` in one direction: Q(secs/σ).
pub(super) fn clocks_beyond(secs: f64, skew: f64) -> f64 {
    if skew == 0.0 { 0.0 } else { libm::erfc(secs / skew / SQRT_2) / 2.0 }
}

/// Of the requests with an unexpired token, the share that an instance rejects because its clock is wrong by
/// more than the leeway. Clock errors are normally distributed. The share is the integral of
/// again(y)·(Q((X + L − y)/σ) + Q((L + y)/σ)) over the ages y at which tokens are used, divided by the
/// integral of again(y). A client that refreshes after a 401 repeats the rejected request with a token of
/// age 0. These repeated requests have the weight `wait`, the mean time until the next request.
pub(super) fn refused_by_skew(
    expiry: f64,
    leeway: f64,
    used: f64,
    wait: f64,
    skew: f64,
    burst: f64,
    pause: f64,
) -> f64 {
    if skew == 0.0 {
        return 0.0;
    }
    let oldest = used.min(expiry);
    let beyond = |secs: f64| clocks_beyond(secs, skew);
    // The integrand is negligible beyond nine standard deviations.
    let edge = (9.0 * skew).min(oldest);
    let too_young =
        simpson(0.0, edge, |age| active_again(burst, pause, age) * beyond(leeway + age));
    let too_old = simpson(oldest - edge, oldest, |age| {
        active_again(burst, pause, age) * beyond(expiry + leeway - age)
    });
    let repeated = wait * (beyond(leeway) + beyond(expiry + leeway));
    ((repeated + too_young + too_old) / (wait + active_time(burst, pause, 0.0, oldest))).min(1.0)
}

/// The share of sessions that need a new token at some moment within `time`. This is the residual of the
/// renewal process of refreshes. A token is due at the age `used` if the session is then active, and
/// otherwise when the session becomes active.
pub(super) fn due_within(time: f64, used: f64, burst: f64, pause: f64, cycle: f64) -> f64 {
    let late = (time - used).max(0.0);
    let inactive = 1.0 - active_again(burst, pause, used);
    let idle = if pause > 0.0 { inactive * pause * -(-late / pause).exp_m1() } else { 0.0 };
    ((time.min(used) + idle) / cycle).min(1.0)
}

/// The integral of `f` by Simpson's rule.
pub(super) fn simpson(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    const STEPS: u32 = 512;
    let step = (to - from) / f64::from(STEPS);
    let weight = |index: u32| match index {
        0 | STEPS => 1.0,
        odd if odd % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let sum: f64 = (0..=STEPS).map(|i| weight(i) * f(from + f64::from(i) * step)).sum();
    sum * step / 3.0
}

/// The smallest value, at most `most`, from which on a monotonic condition holds.
pub(super) fn bisect(most: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, most);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
