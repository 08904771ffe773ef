//! The revocations of one issuer, as the request path reads them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::held::{Event, Held, TokenNames};
use super::{Entry, Target};
use crate::listeners::Listeners;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Notify, RwLock};

/// The number of recent entries that [`IssuerFeed::since`] can return.
const RECENT: usize = 1024;

/// The revocations of one issuer, shared by all authenticators that use the same
/// [`Revocations`](super::Revocations).
pub(crate) struct IssuerFeed {
    /// Incremented by every entry that may reject a token that was accepted before. A token that was
    /// checked under the current generation needs no further check.
    generation: AtomicU64,
    held: RwLock<Held>,
    /// Notified after every new generation.
    listeners: Listeners,
    /// Whether the log already contains the warning that tokens of this issuer name no session.
    pub(super) has_warned: AtomicBool,
}

impl IssuerFeed {
    pub(super) fn new() -> Self {
        let (held, listeners, has_warned) = Default::default();
        Self { generation: AtomicU64::new(1), held, listeners, has_warned }
    }

    /// Returns the current generation, which is never 0.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether an entry revokes the token.
    pub(crate) fn refuses(&self, names: &TokenNames<'_>, leeway: Duration) -> bool {
        self.held.read().unwrap_or_else(PoisonError::into_inner).refuses(names, leeway)
    }

    /// Adds an entry. Returns the change in the number of entries.
    pub(super) fn add(&self, entry: &Entry, until: u64) -> isize {
        let event = Event { at: entry.at, until };
        self.change(|held| held.add(&entry.target, event).then(|| entry.target.clone()))
    }

    /// Replaces the oldest entries by a watermark. Returns the change in the number of entries.
    pub(super) fn condense(&self) -> isize {
        self.change(|held| {
            held.condense();
            Some(Target::All)
        })
    }

    /// Removes the entries that are no longer needed. Returns the change in the number of entries.
    pub(super) fn expire(&self, now: u64) -> isize {
        self.change(|held| {
            for named in held.all() {
                named.retain(|_, event| event.until > now);
                if named.capacity() / 4 > named.len() {
                    named.shrink_to(named.len() * 2);
                }
            }
            held.watermark = held.watermark.filter(|event| event.until > now);
            None
        })
    }

    fn change(&self, change: impl FnOnce(&mut Held) -> Option<Target>) -> isize {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let before = held.len();
        if let Some(target) = change(&mut held) {
            // Incremented after the entry is added, and under the lock. So a reader that sees the new
            // generation also finds the entry.
            let generation = self.generation.load(Ordering::Relaxed) + 1;
            held.recent.push_back((generation, target));
            if held.recent.len() > RECENT {
                held.recent.pop_front();
            }
            self.generation.store(generation, Ordering::Release);
            self.listeners.notify();
        }
        held.len().cast_signed() - before.cast_signed()
    }

    pub(crate) fn len(&self) -> usize {
        self.held.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns the time of the watermark, in seconds since 1970.
    pub(crate) fn watermark(&self) -> Option<u64> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.watermark.map(|event| event.at)
    }
}

/// For streams, which stay open after the check of their token.
impl IssuerFeed {
    /// Notifies `listener` of every new entry.
    pub(crate) fn notify(&self, listener: &Arc<Notify>) {
        self.listeners.add(listener);
    }

    /// Returns the targets that were revoked since a generation. `None` if the set no longer has all of
    /// them, so every caller must be checked again.
    pub(crate) fn since(&self, generation: u64) -> Option<Vec<Target>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = held.recent.front().map(|(number, _)| *number);
        if oldest.is_some_and(|oldest| oldest > generation + 1) {
            return None;
        }
        let newer = held.recent.iter().filter(|(number, _)| *number > generation);
        Some(newer.map(|(_, target)| target.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::NumericDate;

    const LEEWAY: Duration = Duration::from_secs(10);

    fn entry(target: Target, at: u64) -> Entry {
        Entry::new("i", target, at, at + 1000)
    }

    fn feed(entries: impl IntoIterator<Item = Entry>) -> IssuerFeed {
        let feed = IssuerFeed::new();
        for entry in entries {
            feed.add(&entry, entry.until);
        }
        feed
    }

    fn names(
        session: &'static str,
        subject: &'static str,
        iat: Option<u64>,
    ) -> TokenNames<'static> {
        TokenNames {
            session: Some(session),
            token: Some("t"),
            subject: Some(subject),
            clients: [None, Some("app"), None],
            issued_at: iat.map(NumericDate::from_secs),
        }
    }

    #[test]
    fn session_and_token_are_refused_whatever_their_iat() {
        for target in [Target::Session("s".to_owned()), Target::Token("t".to_owned())] {
            let feed = feed([entry(target, 100)]);
            for iat in [None, Some(50), Some(100), Some(5000)] {
                assert!(feed.refuses(&names("s", "alice", iat), LEEWAY), "{iat:?}");
            }
            let other = TokenNames { token: Some("u"), ..names("r", "alice", Some(50)) };
            assert!(!feed.refuses(&other, LEEWAY));
        }
    }

    #[test]
    fn subject_client_and_watermark_are_refused_up_to_the_event_and_the_leeway() {
        let subject = Target::Subject("alice".to_owned());
        for target in [subject, Target::Client("app".to_owned()), Target::All] {
            let feed = feed([entry(target, 100)]);
            for (iat, refused) in
                [(None, true), (Some(50), true), (Some(110), true), (Some(111), false)]
            {
                assert_eq!(feed.refuses(&names("s", "alice", iat), LEEWAY), refused, "{iat:?}");
            }
        }
        let other = feed([entry(Target::Subject("bob".to_owned()), 100)]);
        assert!(!other.refuses(&names("s", "alice", None), LEEWAY));
    }

    /// Entries of one kind do not match values of another kind.
    #[test]
    fn kinds_do_not_mix() {
        let feed = feed([entry(Target::Subject("x".to_owned()), 100)]);
        let token = TokenNames {
            session: Some("x"),
            token: Some("x"),
            subject: Some("y"),
            clients: [Some("x"); 3],
            issued_at: Some(NumericDate::from_secs(1)),
        };
        assert!(!feed.refuses(&token, LEEWAY));
    }

    #[test]
    fn repeated_entry_changes_no_generation_and_a_later_one_does() {
        let alice = |at| entry(Target::Subject("alice".to_owned()), at);
        let feed = feed([alice(100)]);
        let before = feed.generation();
        assert_eq!(feed.add(&alice(100), 1100), 0);
        assert_eq!(feed.add(&alice(90), 1090), 0);
        assert_eq!(feed.generation(), before);
        assert_eq!(feed.add(&alice(200), 1200), 0);
        assert_eq!(feed.generation(), before + 1);
        assert!(feed.refuses(&names("s", "alice", Some(200)), LEEWAY));
    }

    #[test]
    fn oldest_tenth_becomes_a_watermark() {
        let session = |number: u64| entry(Target::Session(format!("s{number}")), number);
        let feed = feed((100..200).map(session));
        assert_eq!(feed.condense(), -10);
        assert_eq!((feed.len(), feed.watermark()), (90, Some(109)));
        // The sessions of the dropped entries are still rejected, and so is every token issued before.
        assert!(feed.refuses(&names("s100", "alice", Some(100)), Duration::ZERO));
        assert!(feed.refuses(&names("honest", "alice", Some(109)), Duration::ZERO));
        assert!(!feed.refuses(&names("honest", "alice", Some(110)), Duration::ZERO));
        assert!(feed.refuses(&names("s110", "alice", Some(500)), Duration::ZERO));
        // The watermark lasts as long as the entries that it replaced.
        feed.expire(1108);
        assert_eq!(feed.watermark(), Some(109));
        feed.expire(1109);
        assert_eq!(feed.watermark(), None);
    }

    #[test]
    fn expired_entries_are_removed_and_no_other() {
        let ends = |until| Entry::new("i", Target::Session(format!("s{until}")), 1, until);
        let feed = feed([ends(100), ends(101)]);
        assert_eq!(feed.expire(100), -1);
        assert!(!feed.refuses(&names("s100", "alice", None), LEEWAY));
        assert!(feed.refuses(&names("s101", "alice", None), LEEWAY));
    }

    #[tokio::test(start_paused = true)]
    async fn listener_learns_of_every_entry_or_that_it_missed_some() {
        let feed = feed([]);
        let (start, listener) = (feed.generation(), Arc::new(Notify::new()));
        feed.notify(&listener);
        let session = |number: u64| entry(Target::Session(format!("s{number}")), number);
        feed.add(&session(1), 1001);
        tokio::time::timeout(LEEWAY, listener.notified()).await.unwrap();
        assert_eq!(feed.since(start), Some(vec![session(1).target]));
        assert_eq!(feed.since(feed.generation()), Some(Vec::new()));
        for number in 2..=1024 {
            feed.add(&session(number), 1001);
        }
        assert_eq!(feed.since(start).map(|all| all.len()), Some(1024));
        feed.add(&session(1025), 1001);
        assert_eq!(feed.since(start), None);
    }
}
