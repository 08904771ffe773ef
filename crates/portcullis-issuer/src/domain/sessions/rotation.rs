//! What a presented refresh token is exchanged for: one pure table.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::domain::hash::TokenHash;
use crate::domain::tokens::Until;

/// How long after its rotation a token may be repeated without a note, in seconds: the tabs of a
/// browser that refresh at once, and a client that repeats a request.
const AT_ONCE: i64 = 2;

/// In how many consecutive generations a token may be repeated later than that. The holder of a
/// copied token does so at each rotation; a lost response is rare.
const LATE_GENERATIONS: i64 = 2;

/// One refresh token in exchange for another.
#[derive(Clone)]
pub(crate) struct Rotation {
    pub(crate) session_id: String,
    pub(crate) presented: TokenHash,
    /// That of the presented token, 0 for one of the former format.
    pub(crate) generation: i64,
    pub(crate) successor: TokenHash,
    /// The successor, which only the presented token opens.
    pub(crate) sealed: Vec<u8>,
    /// The successor that a token of the former format was given before the upgrade.
    pub(crate) former_successor: Option<TokenHash>,
    pub(crate) now: i64,
    /// The same in milliseconds, for the budget.
    pub(crate) now_millis: i64,
    /// For the token that is about to be issued.
    pub(crate) until: Until,
    pub(crate) rules: Rules,
    /// The version of the key table that the caller knows, if the change must compare it.
    pub(crate) key_version: Option<i64>,
    /// The client's, for the audit log; they decide nothing.
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
    /// How long a session lives if it is not used again, in seconds.
    pub(crate) idle_secs: i64,
    /// How long it lives however much it is used, in seconds.
    pub(crate) max_secs: i64,
    /// How long a spent token may be repeated while its successor is unused, in seconds.
    pub(crate) grace_secs: i64,
    /// The budget of refreshes of a session.
    pub(crate) budget: Budget,
}

/// So many refreshes per session in [`WINDOW`](Budget::WINDOW).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// How much time one refresh takes up, in milliseconds; 0 is no limit.
    pub(crate) interval: i64,
}

impl Budget {
    /// 5 minutes, as for the limits on logins, in milliseconds.
    pub(crate) const WINDOW: i64 = 5 * 60 * 1000;

    pub(crate) fn new(refreshes: u32) -> Self {
        Self { interval: Self::WINDOW.checked_div(i64::from(refreshes)).unwrap_or(0) }
    }

    /// Takes one refresh (the generic cell rate algorithm). Returns what is taken up then, or the
    /// seconds to wait.
    fn take(self, taken_until: i64, now_millis: i64) -> Result<i64, u64> {
        let until = taken_until.max(now_millis).saturating_add(self.interval);
        let over = until.saturating_sub(now_millis).saturating_sub(Self::WINDOW);
        match u64::try_from(over) {
            Ok(over @ 1..) if self.interval > 0 => Err(over.div_ceil(1000)),
            _ => Ok(until),
        }
    }
}

/// What the store has of a session's refresh tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    /// That of the current token, 0 while that is one of the former format.
    pub(crate) generation: i64,
    pub(crate) current: Option<TokenHash>,
    pub(crate) previous: Option<TokenHash>,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) rotated_at: i64,
    /// The current generation when a token was repeated late, and in how many consecutive ones.
    pub(crate) late_generation: i64,
    pub(crate) late_generations: i64,
    pub(crate) budget_until: i64,
    /// The row of the presented token of the former format.
    pub(crate) former: Option<Former>,
}

/// A token of the former format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Former {
    pub(crate) rotated_at: Option<i64>,
    /// Whether the successor that it was given before the upgrade is current.
    pub(crate) successor_is_current: bool,
}

/// The judgement on a presented token of a live session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is the current one.
    Rotate { budget_until: i64 },
    /// It was spent a moment ago, and its successor is unused.
    Repeat {
        budget_until: i64,
        /// In how many consecutive generations that was late; `None` if it is not.
        late: Option<i64>,
    },
    /// It was spent: one of two holders is a thief (RFC 9700 section 4.14.2).
    Reused,
    /// It is ours, and the store does not know it, as after a restored backup.
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
            // Each generation counts once, however often its predecessor is repeated.
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
    /// How old `last_used_at` gets before a refresh writes it again, in seconds. The time at which
    /// an unused session ends is as coarse: it may be that much earlier.
    pub(crate) fn coarse(&self) -> i64 {
        (self.idle_secs / 20).min(300)
    }

    /// When a session ends that is used now.
    pub(crate) fn expires_at(&self, created_at: i64, now: i64) -> i64 {
        now.saturating_add(self.idle_secs).min(created_at.saturating_add(self.max_secs))
    }
}

#[cfg(test)]
mod tests;
