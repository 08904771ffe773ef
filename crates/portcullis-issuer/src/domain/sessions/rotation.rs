//! The decision on a presented refresh token, as a pure function.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::domain::hash::TokenHash;
use crate::domain::tokens::Until;

/// The time after its rotation within which a repeated token is not recorded, in seconds. Such
/// repeats come from the tabs of a browser that refresh at the same time, and from a client that
/// repeats a request.
const AT_ONCE: i64 = 2;

/// The maximum number of consecutive generations in which a token is repeated later than [`AT_ONCE`].
/// The holder of a copied token repeats it late in every generation, whereas lost responses are rare.
const LATE_GENERATIONS: i64 = 2;

/// The exchange of a refresh token for its successor.
#[derive(Clone)]
pub(crate) struct Rotation {
    pub(crate) session_id: String,
    pub(crate) presented: TokenHash,
    /// The generation of the presented token; 0 for a token of the former format.
    pub(crate) generation: i64,
    pub(crate) successor: TokenHash,
    /// The successor, sealed so that only the holder of the presented token can open it.
    pub(crate) sealed: Vec<u8>,
    /// The successor that a token of the former format was given before the upgrade.
    pub(crate) former_successor: Option<TokenHash>,
    pub(crate) now: i64,
    /// The current time in milliseconds, for the budget.
    pub(crate) now_millis: i64,
    /// The times of the access token that is about to be issued.
    pub(crate) until: Until,
    pub(crate) rules: Rules,
    /// The version of the key table that the caller knows, if the change must compare it.
    pub(crate) key_version: Option<i64>,
    /// The client's address and user agent, for the audit log; they do not affect the decision.
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation")
            .field("session_id", &self.session_id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// The settings of a rotation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The lifetime of an unused session, in seconds.
    pub(crate) idle_secs: i64,
    /// The maximum lifetime of a session, in seconds.
    pub(crate) max_secs: i64,
    /// How long a spent token may be repeated while its successor is unused, in seconds.
    pub(crate) grace_secs: i64,
    /// The budget of refreshes of a session.
    pub(crate) budget: Budget,
}

/// The budget of refreshes of each session in [`WINDOW`](Budget::WINDOW).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// The time after which one refresh returns to the budget, in milliseconds. 0 means no limit.
    pub(crate) interval: i64,
}

impl Budget {
    /// The period of the budget, in milliseconds: 5 minutes, as for the limits on logins.
    pub(crate) const WINDOW: i64 = 5 * 60 * 1000;

    pub(crate) fn new(refreshes: u32) -> Self {
        Self { interval: Self::WINDOW.checked_div(i64::from(refreshes)).unwrap_or(0) }
    }

    /// Takes one refresh from the budget (generic cell rate algorithm). Returns the new
    /// `taken_until`, or the number of seconds to wait.
    fn take(self, taken_until: i64, now_millis: i64) -> Result<i64, u64> {
        let until = taken_until.max(now_millis).saturating_add(self.interval);
        let over = until.saturating_sub(now_millis).saturating_sub(Self::WINDOW);
        match u64::try_from(over) {
            Ok(over @ 1..) if self.interval > 0 => Err(over.div_ceil(1000)),
            _ => Ok(until),
        }
    }
}

/// The stored state of a session's refresh tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    /// The generation of the current token; 0 while the current token is of the former format.
    pub(crate) generation: i64,
    pub(crate) current: Option<TokenHash>,
    pub(crate) previous: Option<TokenHash>,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) rotated_at: i64,
    /// The last generation in which a token was repeated late. The next field has the number of
    /// consecutive such generations.
    pub(crate) late_generation: i64,
    pub(crate) late_generations: i64,
    pub(crate) budget_until: i64,
    /// The stored row of the presented token, if it is of the former format.
    pub(crate) former: Option<Former>,
}

/// A token of the former format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Former {
    pub(crate) rotated_at: Option<i64>,
    /// Whether the token's successor is the current token. The token was exchanged for it before
    /// the upgrade to the new token format.
    pub(crate) successor_is_current: bool,
}

/// The decision on a presented token of a live session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The token is the current one: rotate it.
    Rotate { budget_until: i64 },
    /// The token was spent a moment ago, and its successor is unused. The response is repeated.
    Repeat {
        budget_until: i64,
        /// The number of consecutive generations with a late repeat; `None` if this repeat is not
        /// late.
        late: Option<i64>,
    },
    /// The token was spent, so it may have been stolen (RFC 9700 section 4.14.2).
    Reused,
    /// This issuer made the token, but the store does not have it, as after a restore from a
    /// backup.
    Diverged,
    /// The session's budget is spent.
    Limited { retry_after_secs: u64 },
    /// There is no such token.
    Unknown,
}

impl Kept {
    pub(crate) fn judge(&self, rotation: &Rotation) -> Judgement {
        let presented = rotation.presented;
        let is = |hash: &Option<TokenHash>| {
            hash.is_some_and(|hash| verify_slices_are_equal(&hash, &presented).is_ok())
        };
        if rotation.generation == 0 {
            let Some(former) = self.former else { return Judgement::Unknown };
            return match former.rotated_at {
                None if self.generation == 0 => self.rotate(rotation),
                Some(rotated_at) if self.generation == 0 && former.successor_is_current => {
                    self.repeat(rotation, rotated_at)
                }
                Some(_) if self.generation == 1 && is(&self.previous) && self.sealed.is_some() => {
                    self.repeat(rotation, self.rotated_at)
                }
                _ => Judgement::Reused,
            };
        }
        if rotation.generation == self.generation {
            return if is(&self.current) { self.rotate(rotation) } else { Judgement::Diverged };
        }
        if rotation.generation > self.generation {
            return Judgement::Diverged;
        }
        let is_predecessor = rotation.generation == self.generation - 1 && is(&self.previous);
        if is_predecessor && self.sealed.is_some() {
            return self.repeat(rotation, self.rotated_at);
        }
        Judgement::Reused
    }

    fn rotate(&self, rotation: &Rotation) -> Judgement {
        match rotation.rules.budget.take(self.budget_until, rotation.now_millis) {
            Ok(budget_until) => Judgement::Rotate { budget_until },
            Err(retry_after_secs) => Judgement::Limited { retry_after_secs },
        }
    }

    fn repeat(&self, rotation: &Rotation, rotated_at: i64) -> Judgement {
        let grace = rotation.rules.grace_secs;
        let age = rotation.now.saturating_sub(rotated_at);
        if grace <= 0 || age > grace {
            return Judgement::Reused;
        }
        let late = (age > AT_ONCE).then(|| match self.generation - self.late_generation {
            // Each generation counts only once, however often its predecessor is repeated.
            0 => self.late_generations.max(1),
            1 => self.late_generations + 1,
            _ => 1,
        });
        if late.is_some_and(|late| late > LATE_GENERATIONS) {
            return Judgement::Reused;
        }
        match rotation.rules.budget.take(self.budget_until, rotation.now_millis) {
            Ok(budget_until) => Judgement::Repeat { budget_until, late },
            Err(retry_after_secs) => Judgement::Limited { retry_after_secs },
        }
    }
}

impl Rules {
    /// Returns the age at which a refresh writes `last_used_at` again, in seconds. An unused
    /// session may end this much earlier.
    pub(crate) fn coarse(&self) -> i64 {
        (self.idle_secs / 20).min(300)
    }

    /// Returns when a session expires that is used now and not again.
    pub(crate) fn expires_at(&self, created_at: i64, now: i64) -> i64 {
        now.saturating_add(self.idle_secs).min(created_at.saturating_add(self.max_secs))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod models;
