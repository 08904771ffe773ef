//! The store's part of housekeeping.

use std::fmt;

use crate::domain::{Answer, Member};

/// A step of housekeeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Erases the successors of refresh tokens that may not be repeated any more.
    EraseSuccessors,
    /// Deletes refresh tokens of the former format whose session has expired.
    ForgetFormerTokens,
    /// Deletes sessions that have expired.
    ForgetSessions,
    /// Frees places in status lists whose last token has expired.
    FreePlaces,
    /// Deletes used and revoked JWTs that have expired.
    ForgetJwts,
    /// Deletes MAC keys whose last session has ended, except the latest key, so that its number is
    /// not used again.
    ForgetRefreshKeys,
    /// Deletes old events.
    ForgetEvents,
    /// Deletes users' single-use tokens that have expired.
    ForgetUserTokens,
    /// Deletes ceremonies of passkeys that have expired.
    ForgetCeremonies,
    /// Deletes accounts with an unverified address that can no longer be verified.
    ForgetUnverified,
}

impl Chore {
    /// The chores that delete, in an order in which no statement deletes further rows by a cascade.
    pub(super) const DELETIONS: [Self; 9] = [
        Self::ForgetFormerTokens,
        Self::ForgetSessions,
        Self::FreePlaces,
        Self::ForgetJwts,
        Self::ForgetRefreshKeys,
        Self::ForgetEvents,
        Self::ForgetUserTokens,
        Self::ForgetCeremonies,
        Self::ForgetUnverified,
    ];
}

/// The store's part of housekeeping.
pub(crate) trait HousekeepingStore: Member + fmt::Debug {
    /// Deletes or erases at most `limit` rows that were due before this second. Returns their
    /// number.
    fn tidy(&self, chore: Chore, before: i64, limit: u64) -> Answer<'_, u64>;
    /// Records that housekeeping ran at `now`.
    fn beat(&self, now: i64) -> Answer<'_, ()>;
}
