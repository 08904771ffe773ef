//! The wait of an active or an inactive session for a request: closed forms for the states that the
//! session passes through. λ = 1/b and μ = 1/p are the rates at which bursts and pauses end. θ is the
//! rate of requests in a burst.

/// The roots of x² + (λ + θ + μ)x + θμ = 0. The root nearer to zero comes first.
fn roots(theta: f64, burst: f64, pause: f64) -> [f64; 2] {
    let (lambda, mu) = (1.0 / burst, 1.0 / pause);
    let root = ((lambda + theta - mu).powi(2) + 4.0 * lambda * mu).sqrt();
    // `fast` is the root that needs no subtraction, which would cancel digits. `slow` follows from it,
    // because the product of the roots is θμ.
    let fast = -(lambda + theta + mu + root) / 2.0;
    [theta * mu / fast, fast]
}

/// The probability that no request comes within `time`: u for a session that is active at first, v for
/// an inactive one. It equals E e^(−θτ), where τ is the part of `time` that the session spends in
/// bursts. So u and v solve u' = −(λ + θ)u + λv and v' = μu − μv, with u = v = 1 at 0.
pub(super) fn unseen(time: f64, theta: f64, burst: f64, pause: f64) -> [f64; 2] {
    if pause == 0.0 {
        return [(-theta * time).exp(); 2];
    }
    let [slow, fast] = roots(theta, burst, pause);
    let slow_part = (-theta - fast) / (slow - fast);
    let slowly = slow_part * (slow * time).exp();
    let quickly = (1.0 - slow_part) * (fast * time).exp();
    // v = (u' + (λ + θ)u)/λ, for each of the two exponential terms of u.
    let lambda = 1.0 / burst;
    let inactive = |root: f64| (root + lambda + theta) / lambda;
    [slowly + quickly, slowly * inactive(slow) + quickly * inactive(fast)]
}

/// The mean time, up to `time`, for which a session keeps a token that is due: while active and while
/// inactive. `active` is the probability that the session is active when the token becomes due. With a
/// timer (`wait` 0), the session replaces the token as soon as it is active. A lazy client replaces it
/// at its next request. Let α and ι be the probabilities that the session still keeps the token and is
/// active or inactive: α' = −(λ + θ)α + μι and ι' = λα − μι. Their integrals follow from (α + ι)' = −θα
/// and from ι'.
pub(super) fn kept(time: f64, active: f64, wait: f64, burst: f64, pause: f64) -> [f64; 2] {
    let inactive = 1.0 - active;
    if wait == 0.0 {
        return [0.0, inactive * pause * -(-time / pause).exp_m1()];
    }
    if pause == 0.0 {
        return [wait * -(-time / wait).exp_m1(), 0.0];
    }
    let theta = 1.0 / wait;
    let [from_active, from_inactive] = unseen(time, theta, burst, pause);
    let as_active = wait * (1.0 - active * from_active - inactive * from_inactive);
    let [slow, fast] = roots(theta, burst, pause);
    let slow_part = (active / burst - inactive / pause - fast * inactive) / (slow - fast);
    let left = slow_part * (slow * time).exp() + (inactive - slow_part) * (fast * time).exp();
    [as_active, pause * (as_active / burst + inactive - left)]
}
