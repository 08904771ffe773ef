//! The table of the open streams: by the second of their expiry, and by what can end many of them at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use super::ended::Ended;
use super::entry::{Ending, Entry};
use super::group::{Group, GroupKey, NONE, Watch};
use super::names::{NameHash, Names};
use crate::remote::status_list::Statuses;

struct Slot {
    entry: Weak<Entry>,
    watch: Watch,
}

impl Slot {
    fn is_in(&self, group: &Arc<Group>) -> bool {
        Arc::ptr_eq(&self.watch.group, group)
    }
}

#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    ends: BTreeSet<(u64, u32)>,
    checks: BTreeSet<(u64, u32)>,
    /// By the second at which the revocation status has been unknown for too long.
    overdue: BTreeSet<(u64, u32)>,
    groups: HashMap<GroupKey, Arc<Group>>,
    names: Names,
    /// The number of the running background task.
    pub(super) running: Option<u64>,
    /// Whether the background task is being started.
    pub(super) starting: bool,
    /// The number of background tasks so far.
    pub(super) started: u64,
}

impl Table {
    /// Adds a stream. Returns whether the caller must start the background task.
    pub(super) fn insert(&mut self, entry: &Arc<Entry>, watch: Watch) -> bool {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        entry.put_at(at);
        self.fill(at, Arc::downgrade(entry), watch);
        let starts = self.running.is_none() && !self.starting;
        self.starting |= starts;
        starts
    }

    /// Replaces the token of a stream that is in the table.
    pub(super) fn replace(&mut self, entry: &Arc<Entry>, watch: Watch) {
        if let Some((at, slot)) = self.take(entry) {
            self.fill(at, slot.entry, watch);
        }
    }

    fn fill(&mut self, at: u32, entry: Weak<Entry>, mut watch: Watch) {
        watch.group = self.groups.entry(watch.group.key()).or_insert(watch.group).clone();
        self.ends.insert((watch.end, at));
        self.names.insert(&watch.names, at);
        if watch.check != NONE {
            self.checks.insert((watch.check, at));
        }
        if watch.overdue() != NONE {
            self.overdue.insert((watch.overdue(), at));
        }
        if let Some(place) = self.slots.get_mut(at as usize) {
            *place = Some(Slot { entry, watch });
        }
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        if let Some((at, _)) = self.take(entry) {
            self.free.push(at);
        }
    }

    fn take(&mut self, entry: &Entry) -> Option<(u32, Slot)> {
        let at = entry.place()?;
        let is_own = |slot: &mut Slot| std::ptr::eq(slot.entry.as_ptr(), entry);
        let slot = self.slots.get_mut(at as usize)?.take_if(is_own)?;
        self.ends.remove(&(slot.watch.end, at));
        self.checks.remove(&(slot.watch.check, at));
        self.overdue.remove(&(slot.watch.overdue(), at));
        self.names.remove(&slot.watch.names, at);
        Some((at, slot))
    }

    fn watch_of(&mut self, entry: &Entry) -> Option<(u32, &mut Watch)> {
        let at = entry.place()?;
        let slot = self.slots.get_mut(at as usize)?.as_mut()?;
        std::ptr::eq(slot.entry.as_ptr(), entry).then_some((at, &mut slot.watch))
    }

    /// Sets the second at which this stream is next checked by itself.
    pub(super) fn check_at(&mut self, entry: &Entry, second: u64) {
        let Some((at, watch)) = self.watch_of(entry) else { return };
        let before = std::mem::replace(&mut watch.check, second);
        self.checks.remove(&(before, at));
        if second != NONE {
            self.checks.insert((second, at));
        }
    }

    /// Records that the revocation status of a stream is known at `second`.
    pub(super) fn known_at(&mut self, entry: &Entry, second: u64) {
        let Some((at, watch)) = self.watch_of(entry) else { return };
        let before = watch.overdue();
        watch.known_at = second;
        let overdue = watch.overdue();
        self.overdue.remove(&(before, at));
        if overdue != NONE {
            self.overdue.insert((overdue, at));
        }
    }

    /// Returns the group of a stream.
    pub(super) fn group_of(&mut self, entry: &Entry) -> Option<Arc<Group>> {
        self.watch_of(entry).map(|(_, watch)| watch.group.clone())
    }

    /// Ends one stream. `ending` keeps the stream until the lock is released, because dropping the
    /// stream would lock the table.
    pub(super) fn end(&mut self, entry: Arc<Entry>, reason: Ended, ending: &mut Ending) {
        if let Some((at, _)) = self.take(&entry) {
            self.free.push(at);
            entry.mark(reason);
        }
        ending.push((entry, reason));
    }

    fn end_at(&mut self, at: u32, reason: Ended, ending: &mut Ending) {
        let slot = self.slots.get(at as usize).and_then(Option::as_ref);
        // A stream that is being dropped removes itself from the table.
        if let Some(entry) = slot.and_then(|slot| slot.entry.upgrade()) {
            self.end(entry, reason, ending);
        }
    }

    /// Ends the streams that have expired by `second`.
    pub(super) fn end_expired(&mut self, second: u64, ending: &mut Ending) {
        let expired: Vec<_> = self.ends.range(..=(second, u32::MAX)).map(|(_, at)| *at).collect();
        for at in expired {
            self.end_at(at, Ended::Expired, ending);
        }
    }

    /// Ends the streams whose revocation status has been unknown for too long by `second`, whether
    /// they are being introspected or still wait for that.
    pub(super) fn end_overdue(&mut self, second: u64, ending: &mut Ending) {
        let overdue: Vec<_> =
            self.overdue.range(..=(second, u32::MAX)).map(|(_, at)| *at).collect();
        for at in overdue {
            self.end_at(at, Ended::StatusUnknown, ending);
        }
    }

    /// Ends every stream of `group` for which `reason` returns a reason. `reason` gets the index in the
    /// status list.
    fn end_in(
        &mut self,
        group: &Arc<Group>,
        ending: &mut Ending,
        reason: impl Fn(u64) -> Option<Ended>,
    ) {
        let found: Vec<_> = (0u32..)
            .zip(&self.slots)
            .filter_map(|(at, slot)| {
                let slot = slot.as_ref().filter(|slot| slot.is_in(group))?;
                reason(slot.watch.index).map(|reason| (at, reason))
            })
            .collect();
        for (at, reason) in found {
            self.end_at(at, reason, ending);
        }
    }

    pub(super) fn end_group(&mut self, group: &Arc<Group>, reason: Ended, ending: &mut Ending) {
        self.end_in(group, ending, |_| Some(reason));
    }

    /// Ends the streams of `group` whose tokens are not valid in this version of their status list.
    pub(super) fn end_revoked(
        &mut self,
        group: &Arc<Group>,
        statuses: &Statuses,
        ending: &mut Ending,
    ) {
        self.end_in(group, ending, |index| match statuses.get(index) {
            Some(0) => None,
            Some(_) => Some(Ended::SessionRevoked),
            None => Some(Ended::StatusUnknown),
        });
    }

    pub(super) fn end_all(&mut self, reason: Ended, ending: &mut Ending) {
        for at in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            self.end_at(at, reason, ending);
        }
    }

    /// Returns the places of the streams of `group`.
    pub(super) fn members(&self, group: &Arc<Group>) -> Vec<u32> {
        let is_member = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.is_in(group));
        (0u32..).zip(&self.slots).filter(|(_, slot)| is_member(slot)).map(|(at, _)| at).collect()
    }

    /// Returns the places of the streams whose tokens have one of these names. Some may belong to other
    /// groups.
    pub(super) fn named(&self, names: &[NameHash]) -> Vec<u32> {
        names.iter().flat_map(|name| self.names.places(*name)).collect()
    }

    /// Returns the stream at a place, if it is in `group`.
    pub(super) fn member(&self, group: &Arc<Group>, at: u32) -> Option<Arc<Entry>> {
        let slot = self.slots.get(at as usize)?.as_ref()?;
        if slot.is_in(group) { slot.entry.upgrade() } else { None }
    }

    /// Takes at most `max` streams whose own check is due by `second`.
    pub(super) fn take_due(&mut self, second: u64, max: usize) -> Vec<Arc<Entry>> {
        let due: Vec<_> = self.checks.range(..=(second, u32::MAX)).take(max).copied().collect();
        due.into_iter()
            .filter_map(|(check, at)| {
                self.checks.remove(&(check, at));
                let slot = self.slots.get_mut(at as usize)?.as_mut()?;
                slot.watch.check = NONE;
                slot.entry.upgrade()
            })
            .collect()
    }

    /// Returns the groups that have streams, and removes the others.
    pub(super) fn groups(&mut self) -> Vec<Arc<Group>> {
        self.groups.retain(|_, group| Arc::strong_count(group) > 1);
        self.groups.values().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Releases the memory of an empty table.
    pub(super) fn shrink(&mut self) {
        (self.slots, self.free, self.names) = Default::default();
        self.groups.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }
}
