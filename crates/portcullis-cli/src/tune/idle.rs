//! Logins of sessions that the issuer ended while they were idle (`--session-idle`), without an outage.

use super::closed_forms::active_again;
use super::scenario::Scenario;
use super::waiting::unseen;

/// The probability that a session's next token needs a login, because the session had no new token for
/// `idle` (I). With a timer, a token that is due at the age U is replaced when the pause ends:
/// (1 − again(U))·e^(−(I − U)/p). A lazy client also waits for a request; an active session waits for a
/// mean time of `wait`.
pub(super) fn ended_while_idle(idle: f64, used: f64, wait: f64, burst: f64, pause: f64) -> f64 {
    let rest = idle - used;
    if rest <= 0.0 {
        return 1.0;
    }
    let active = active_again(burst, pause, used);
    if wait == 0.0 {
        return (1.0 - active) * (-rest / pause).exp();
    }
    let [from_active, from_inactive] = unseen(rest, 1.0 / wait, burst, pause);
    active * from_active + (1.0 - active) * from_inactive
}

impl Scenario {
    /// Logins per second. The refreshes include these.
    pub(super) fn idle_logins(&self) -> f64 {
        let Some(idle) = self.session_idle else { return 0.0 };
        let (used, wait, activity) = (self.used_for(), self.waits_for(), &self.activity);
        self.refreshes() * ended_while_idle(idle, used, wait, activity.burst, activity.pause)
    }

    /// Whether the issuer has ended a session whose token has this age. The next token then needs a login.
    pub(super) fn is_ended(&self, age: f64) -> bool {
        self.session_idle.is_some_and(|idle| idle <= self.used_for() || age >= idle)
    }
}
