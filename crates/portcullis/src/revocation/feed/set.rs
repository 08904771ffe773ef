//! The revocations of one issuer, as the request path reads them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::{Entry, Target};
use crate::claims::NumericDate;

/// The number of recent entries that [`IssuerFeed::since`] can return.
const RECENT: usize = 1024;

/// The divisor for the entries that become a watermark when the set is full: the oldest tenth. The
/// watermark is then as old as possible, and refuses few tokens that nobody revoked.
const CONDENSED: usize = 10;

/// What a token says about itself, as far as entries can name it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TokenNames<'t> {
    pub(crate) session: Option<&'t str>,
    pub(crate) token: Option<&'t str>,
    pub(crate) subject: Option<&'t str>,
    /// The claims that may name the client: `client_id`, `azp`, `cid`.
    pub(crate) clients: [Option<&'t str>; 3],
    pub(crate) issued_at: Option<NumericDate>,
}

/// The revocations of one issuer, shared by all authenticators that use the same
/// [`Revocations`](super::Revocations).
pub(crate) struct IssuerFeed {
    /// Incremented with every entry that may refuse a token that was accepted before. A token that
    /// was checked under the current generation needs no further check.
    generation: AtomicU64,
    held: RwLock<Held>,
    changed: watch::Sender<u64>,
    /// Whether the log has said that tokens of this issuer name no session.
    pub(super) has_warned: AtomicBool,
}

/// The time of an event, and the time from which it matters no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Event {
    at: u64,
    until: u64,
}

#[derive(Default)]
struct Held {
    sessions: Named,
    tokens: Named,
    subjects: Named,
    clients: Named,
    /// All tokens that were issued before this event are refused.
    watermark: Option<Event>,
    recent: VecDeque<(u64, Target)>,
}

type Named = HashMap<Box<str>, Event>;

impl Event {
    /// Merges a later report of the same event. Returns whether it may refuse more tokens.
    fn extend(&mut self, other: Self) -> bool {
        let refuses_more = other.at > self.at;
        self.at = self.at.max(other.at);
        self.until = self.until.max(other.until);
        refuses_more
    }

    /// Whether a token was issued before the event, by the issuer's clock. `leeway` covers the
    /// difference between the clocks of the issuer's own machines. A token without `iat` counts as
    /// issued before.
    fn is_after(self, issued_at: Option<NumericDate>, leeway: Duration) -> bool {
        let end = Duration::from_secs(self.at).saturating_add(leeway);
        issued_at.is_none_or(|issued_at| issued_at.as_duration() <= end)
    }
}

impl Held {
    fn all(&mut self) -> [&mut Named; 4] {
        [&mut self.sessions, &mut self.tokens, &mut self.subjects, &mut self.clients]
    }

    fn len(&self) -> usize {
        [&self.sessions, &self.tokens, &self.subjects, &self.clients]
            .iter()
            .map(|named| named.len())
            .sum()
    }

    /// Adds an event. Returns whether it may refuse more tokens than before.
    fn add(&mut self, target: &Target, event: Event) -> bool {
        let named = match target {
            Target::Session(_) => &mut self.sessions,
            Target::Token(_) => &mut self.tokens,
            Target::Subject(_) => &mut self.subjects,
            Target::Client(_) => &mut self.clients,
            Target::All => {
                let is_new = self.watermark.is_none();
                return self.watermark.get_or_insert(event).extend(event) || is_new;
            }
        };
        match named.get_mut(target.value()) {
            Some(known) => known.extend(event),
            None => {
                named.insert(target.value().into(), event);
                true
            }
        }
    }

    fn refuses(&self, names: &TokenNames<'_>, leeway: Duration) -> bool {
        let of = |named: &Named, name: Option<&str>| name.and_then(|name| named.get(name)).copied();
        let is_after = |event: Event| event.is_after(names.issued_at, leeway);
        of(&self.sessions, names.session).is_some()
            || of(&self.tokens, names.token).is_some()
            || of(&self.subjects, names.subject).is_some_and(is_after)
            || names.clients.iter().any(|name| of(&self.clients, *name).is_some_and(is_after))
            || self.watermark.is_some_and(is_after)
    }

    /// Replaces the oldest entries by a watermark.
    fn condense(&mut self) {
        let mut times: Vec<u64> =
            self.all().iter().flat_map(|named| named.values().map(|event| event.at)).collect();
        let number = (times.len() / CONDENSED).max(1) - 1;
        if times.is_empty() {
            return;
        }
        let (_, newest, _) = times.select_nth_unstable(number);
        let mut watermark = Event { at: *newest, until: 0 };
        for named in self.all() {
            named.retain(|_, event| {
                let stays = event.at > watermark.at;
                if !stays {
                    watermark.until = watermark.until.max(event.until);
                }
                stays
            });
        }
        self.add(&Target::All, watermark);
    }
}

impl IssuerFeed {
    pub(super) fn new() -> Self {
        let (held, has_warned) = (RwLock::default(), AtomicBool::new(false));
        Self { generation: AtomicU64::new(1), held, changed: watch::Sender::new(1), has_warned }
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

    /// Removes the entries that matter no more. Returns the change in the number of entries.
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
            // After the entry is in place, and under the lock: a reader that sees the new
            // generation finds the entry.
            let generation = self.generation.load(Ordering::Relaxed) + 1;
            held.recent.push_back((generation, target));
            if held.recent.len() > RECENT {
                held.recent.pop_front();
            }
            self.generation.store(generation, Ordering::Release);
            self.changed.send_replace(generation);
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

/// For responses that outlive the check of their token.
#[cfg_attr(not(test), expect(dead_code, reason = "streams that end with their session use it"))]
impl IssuerFeed {
    /// Returns a receiver of the current generation, which changes with every new entry.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Returns what was revoked since a generation; `None` if that is too long ago, and every
    /// caller must be checked again.
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

    /// A value of one kind is no value of another.
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
        // The dropped sessions are still refused, and with them what was issued before.
        assert!(feed.refuses(&names("s100", "alice", Some(100)), Duration::ZERO));
        assert!(feed.refuses(&names("honest", "alice", Some(109)), Duration::ZERO));
        assert!(!feed.refuses(&names("honest", "alice", Some(110)), Duration::ZERO));
        assert!(feed.refuses(&names("s110", "alice", Some(500)), Duration::ZERO));
        // The watermark lasts as long as what it replaced.
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

    #[test]
    fn subscriber_learns_of_every_entry_or_that_it_missed_some() {
        let feed = feed([]);
        let (start, changed) = (feed.generation(), feed.subscribe());
        let session = |number: u64| entry(Target::Session(format!("s{number}")), number);
        feed.add(&session(1), 1001);
        assert!(changed.has_changed().unwrap());
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
