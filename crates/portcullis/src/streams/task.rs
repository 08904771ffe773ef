//! The background task: ends expired streams, and checks everything that the other streams depend
//! on.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use super::ended::Ended;
use super::entry::{Ending, Entry};
use super::group::{Finding, Group, NONE, second};
use super::registry::SessionsUnderWay;
use super::standing::standing;
use super::suspects::{self, Suspects};
use crate::clock::Timestamp;
use crate::maybe_ready::{MaybeReady, Pending};
use crate::refusal::RefusalKind;
use crate::sync::atomic::Ordering;
use crate::sync::{Handle, sleep, timeout};

/// The minimum time between two passes, so that a burst of changes causes one pass.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a check of a group may wait for keys or a status. Fetches have shorter limits.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The background task of a registry. If the task is dropped, the streams end, because no stream may
/// continue without checks.
struct Running {
    registry: Weak<SessionsUnderWay>,
    number: u64,
}

impl Drop for Running {
    /// Ends all streams if the runtime drops the task before the task has ended.
    fn drop(&mut self) {
        let Some(registry) = self.registry.upgrade() else { return };
        let mut ending = Ending::new();
        let mut table = registry.table();
        if table.running == Some(self.number) {
            table.running = None;
            // If the task is just being started, another runtime may run it.
            if !table.starting {
                table.end_all(Ended::Unwatched, &mut ending);
            }
        }
        drop(table);
        SessionsUnderWay::end(ending);
    }
}

impl SessionsUnderWay {
    /// Starts the background task on the authenticator's runtime. If that has been shut down, starts it
    /// on the current runtime.
    pub(super) fn start(self: &Arc<Self>) {
        let current = Handle::try_current().ok();
        for runtime in self.runtime.iter().chain(&current) {
            let number = {
                let mut table = self.table();
                table.started += 1;
                table.running = Some(table.started);
                table.started
            };
            runtime.spawn(run(Running { registry: Arc::downgrade(self), number }));
            let mut table = self.table();
            if table.running == Some(number) {
                table.starting = false;
                return;
            }
        }
        let mut ending = Ending::new();
        let mut table = self.table();
        table.starting = false;
        table.end_all(Ended::Unwatched, &mut ending);
        drop(table);
        Self::end(ending);
    }

    /// Checks everything once, except the streams that the feed may have revoked. Returns those, and
    /// the time until the next pass. Returns `None` if no stream is left.
    fn pass(self: &Arc<Self>) -> Option<(Vec<Suspects>, Duration)> {
        let at = Timestamp::now(&*self.clock);
        let now = second(at);
        let mut ending = Ending::new();
        let (groups, due) = {
            let mut table = self.table();
            table.end_expired(now, &mut ending);
            table.end_overdue(now, &mut ending);
            if table.is_empty() && !table.starting {
                table.running = None;
                table.shrink();
                drop(table);
                Self::end(ending);
                return None;
            }
            (table.groups(), table.take_due(now, self.asking.available_permits()))
        };
        let suspects = groups.iter().filter_map(|group| self.suspects(group)).collect();
        for group in &groups {
            self.check_group(group, at, &mut ending);
        }
        Self::end(ending);
        for entry in due {
            self.check_entry(entry, now);
        }
        let into = at.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wait = Duration::from_secs(1) - Duration::from_nanos(into.subsec_nanos().into());
        Some((suspects, wait))
    }

    fn check_group(self: &Arc<Self>, group: &Arc<Group>, at: Timestamp, ending: &mut Ending) {
        if let Some(statuses) = group.list().and_then(|list| list.statuses()) {
            let version = statuses.version() + 1;
            // A stream that is added from here on is compared when it is added.
            let mut table = self.table();
            if group.compared.swap(version, Ordering::Relaxed) != version {
                table.end_revoked(group, &statuses, ending);
            }
        }
        if group.is_forgotten() {
            self.table().end_group(group, Ended::IssuerForgotten, ending);
            return;
        }
        if group.is_asking.load(Ordering::Relaxed) {
            return;
        }
        let findings = group.check(at);
        if findings.iter().all(|finding| matches!(finding, Finding::Good)) {
            group.is_known();
        }
        for finding in findings {
            match finding {
                Finding::Ask(answer) => self.ask(group.clone(), answer),
                finding => {
                    if let Some(reason) = group.conclude(&finding, second(at)) {
                        self.table().end_group(group, reason, ending);
                    }
                }
            }
        }
    }

    /// Waits for a fetch in a separate task, so that other streams do not wait for it.
    fn ask(self: &Arc<Self>, group: Arc<Group>, answer: Pending<Finding>) {
        group.is_asking.store(true, Ordering::Relaxed);
        let registry = Arc::downgrade(self);
        tokio::spawn(async move {
            // A service's own source of keys may panic, or never answer. Then the state is unknown.
            let asking = tokio::spawn(answer);
            let abandon = asking.abort_handle();
            let answered = tokio::time::timeout(ANSWER_WITHIN, asking).await;
            abandon.abort();
            let finding = answered.ok().and_then(Result::ok).unwrap_or(Finding::Crowded);
            group.is_asking.store(false, Ordering::Relaxed);
            let Some(registry) = registry.upgrade() else { return };
            let now = second(Timestamp::now(&*registry.clock));
            if let Some(reason) = group.conclude(&finding, now) {
                let mut ending = Ending::new();
                registry.table().end_group(&group, reason, &mut ending);
                Self::end(ending);
            }
            registry.changed.notify_one();
        });
    }

    /// Checks the revocation status of one stream, as for a request.
    fn check_entry(self: &Arc<Self>, entry: Arc<Entry>, now: u64) {
        let Some(group) = self.table().group_of(&entry) else { return };
        let who = entry.caller();
        match standing(who, group.means().to_vec()) {
            MaybeReady::Ready(standing) => self.settle(&entry, standing, now),
            MaybeReady::Pending(standing) => {
                // Also free again if the check panics. Only the background task takes places.
                let place = self.asking.clone().try_acquire_owned();
                // A stream that is dropped in the meantime removes itself from the table.
                let (registry, entry) = (self.clone(), Arc::downgrade(&entry));
                tokio::spawn(async move {
                    let standing = standing.await;
                    drop(place);
                    if let Some(entry) = entry.upgrade() {
                        let now = second(Timestamp::now(&*registry.clock));
                        registry.settle(&entry, standing, now);
                    }
                    registry.changed.notify_one();
                });
            }
        }
    }

    pub(super) fn settle(&self, entry: &Arc<Entry>, standing: Result<(), RefusalKind>, now: u64) {
        let mut ending = Ending::new();
        let mut table = self.table();
        let Some(group) = table.group_of(entry) else { return };
        match (standing, group.live()) {
            (Ok(()), None) => table.check_at(entry, NONE),
            (Ok(()), Some((every, _))) => {
                // In an outage, this may be an old response.
                let known_at = entry.caller().introspected_at().map_or(now, second);
                table.known_at(entry, known_at);
                let next = known_at.saturating_add(every).max(now.saturating_add(1));
                table.check_at(entry, next);
            }
            (Err(RefusalKind::InvalidToken), _) => {
                table.end(entry.clone(), Ended::SessionRevoked, &mut ending);
            }
            // Each pass ends the streams whose status is unknown for too long.
            (Err(_), _) => table.check_at(entry, now.saturating_add(1)),
        }
        drop(table);
        Self::end(ending);
    }
}

async fn run(running: Running) {
    // Never hold a strong reference across an await, because it would keep the registry alive forever.
    while let Some(registry) = running.registry.upgrade() {
        let Some((suspects, wait)) = registry.pass() else { return };
        let changed = registry.changed.clone();
        drop(registry);
        for suspects in suspects {
            suspects::check(&running.registry, suspects).await;
        }
        sleep(PAUSE).await;
        let _ = timeout(wait.saturating_sub(PAUSE), changed.notified()).await;
    }
}
