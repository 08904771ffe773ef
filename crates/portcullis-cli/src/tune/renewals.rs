//! The expected number of refreshes of a session since its login.

use super::closed_forms::{active_again, active_share, active_time, cycle};

/// With more tokens in a row than this, the number of refreshes grows with the time in bursts.
const EXACT: f64 = 64.0;

/// The expected number of refreshes by a timer before a session reaches the age `until`. The session is
/// active at age 0. This is the sum over k of the probability that the k-th refresh has happened.
pub(super) fn refreshes_until(until: f64, used: f64, burst: f64, pause: f64) -> f64 {
    let tokens = (until / used).floor();
    if pause == 0.0 {
        return tokens;
    }
    let exact = until.min(used * EXACT);
    let active = active_again(burst, pause, used);
    let by_then = |k: u32| kth(k, (exact - f64::from(k) * used).max(0.0) / pause, active);
    let few: f64 = (1..=tokens.min(EXACT) as u32).map(by_then).sum();
    let cycle = cycle(used, 0.0, burst, pause);
    few + active_time(burst, pause, exact, until) / (cycle * active_share(burst, pause))
}

/// The probability that the k-th refresh has happened. k tokens take k·U, and a pause for each token that
/// became due in one. The number of these pauses is binomial, and their lengths are exponential. j pauses
/// take at most `rest` mean pauses if a Poisson number with the mean `rest` is j or more.
fn kth(k: u32, rest: f64, active: f64) -> f64 {
    let mut binomial = active.powf(f64::from(k));
    let (mut poisson, mut at_least, mut sum) = ((-rest).exp(), 1.0_f64, 0.0);
    for j in 0..=k {
        sum += binomial * at_least.max(0.0);
        at_least -= poisson;
        let next = f64::from(j + 1);
        poisson *= rest / next;
        binomial *= f64::from(k - j) / next * (1.0 - active) / active;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refreshes_until_an_age_are_those_by_hand() {
        assert_eq!(refreshes_until(900.0, 300.0, 300.0, 0.0), 3.0);
        assert_eq!(refreshes_until(299.0, 300.0, 300.0, 1500.0), 0.0);
        // One refresh: the session is active when its token is due, or returns from the pause within 300 s.
        let active = active_again(300.0, 1500.0, 300.0);
        let one = active + (1.0 - active) * (1.0 - (-300.0_f64 / 1500.0).exp());
        assert!((refreshes_until(599.999_999, 300.0, 300.0, 1500.0) - one).abs() < 1e-6);
        // Almost no pauses: one refresh for each token.
        let all = refreshes_until(3001.0, 100.0, 1e6, 1e-3);
        assert!((all - 30.0).abs() < 1e-3, "{all}");
    }

    /// In the long run there is one refresh per cycle, and the approximation continues the sum.
    #[test]
    fn refreshes_of_many_tokens_continue_those_of_few() {
        let rate = |from: f64, to: f64| {
            let of = |until: f64| refreshes_until(until, 60.0, 300.0, 1500.0);
            (of(to) - of(from)) / (to - from)
        };
        let expected = 1.0 / cycle(60.0, 0.0, 300.0, 1500.0);
        assert!((rate(3000.0, 4500.0) / expected - 1.0).abs() < 1e-3);
        let [below, above] = [3839.9, 3840.1].map(|at| refreshes_until(at, 60.0, 300.0, 1500.0));
        assert!((above / below - 1.0).abs() < 1e-4, "{below}, {above}");
    }
}
