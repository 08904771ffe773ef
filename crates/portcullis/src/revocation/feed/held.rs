//! The entries of one issuer, and the tokens that they revoke.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Target;
use crate::claims::NumericDate;

/// The divisor for the number of entries that become a watermark when the set is full: the oldest tenth.
/// Replacing few and old entries keeps the watermark old, so it rejects few tokens that were not revoked.
const CONDENSED: usize = 10;

/// The values of a token that entries can name.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TokenNames<'t> {
    pub(crate) session: Option<&'t str>,
    pub(crate) token: Option<&'t str>,
    pub(crate) subject: Option<&'t str>,
    /// The claims that may name the client: `client_id`, `azp`, `cid`.
    pub(crate) clients: [Option<&'t str>; 3],
    pub(crate) issued_at: Option<NumericDate>,
}

/// The time of an event, and the time from which its entry is no longer needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: u64,
    pub(super) until: u64,
}

#[derive(Default)]
pub(super) struct Held {
    sessions: Named,
    tokens: Named,
    subjects: Named,
    clients: Named,
    /// All tokens that were issued before this event are rejected.
    pub(super) watermark: Option<Event>,
    pub(super) recent: VecDeque<(u64, Target)>,
}

pub(super) type Named = HashMap<Box<str>, Event>;

impl Event {
    /// Merges a later report of the same event. Returns whether more tokens may now be rejected.
    fn extend(&mut self, other: Self) -> bool {
        let refuses_more = other.at > self.at;
        self.at = self.at.max(other.at);
        self.until = self.until.max(other.until);
        refuses_more
    }

    /// Whether a token was issued before the event, by the issuer's clock. `leeway` allows for
    /// differences between the clocks of the issuer's machines. A token without `iat` counts as issued
    /// before the event.
    fn is_after(self, issued_at: Option<NumericDate>, leeway: Duration) -> bool {
        let end = Duration::from_secs(self.at).saturating_add(leeway);
        issued_at.is_none_or(|issued_at| issued_at.as_duration() <= end)
    }
}

impl Held {
    pub(super) fn all(&mut self) -> [&mut Named; 4] {
        [&mut self.sessions, &mut self.tokens, &mut self.subjects, &mut self.clients]
    }

    pub(super) fn len(&self) -> usize {
        [&self.sessions, &self.tokens, &self.subjects, &self.clients]
            .iter()
            .map(|named| named.len())
            .sum()
    }

    /// Adds an event. Returns whether more tokens may now be rejected.
    pub(super) fn add(&mut self, target: &Target, event: Event) -> bool {
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

    pub(super) fn refuses(&self, names: &TokenNames<'_>, leeway: Duration) -> bool {
        let of = |named: &Named, name: Option<&str>| name.and_then(|name| named.get(name)).copied();
        let is_after = |event: Event| event.is_after(names.issued_at, leeway);
        of(&self.sessions, names.session).is_some()
            || of(&self.tokens, names.token).is_some()
            || of(&self.subjects, names.subject).is_some_and(is_after)
            || names.clients.iter().any(|name| of(&self.clients, *name).is_some_and(is_after))
            || self.watermark.is_some_and(is_after)
    }

    /// Replaces the oldest entries by a watermark.
    pub(super) fn condense(&mut self) {
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
