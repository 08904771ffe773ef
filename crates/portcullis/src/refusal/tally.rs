//! Counts refusals, so that a log at `info` has one line for many of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tracing::Level;

use super::{Refusal, Site};
use crate::clock::Clock;
use crate::settings::Setting;

/// The time that one line covers.
const WINDOW: Duration = Duration::from_secs(60);

/// The maximum number of lines per minute. Above this number, lines are distinguished by their rule
/// only.
const MAX_LINES: usize = 1024;

/// The refusals of a service that were counted and not yet logged. The first refusal of each key is
/// logged at once. The refusals of the following minute are logged as one line at the end of that
/// minute, and so on until a minute has no refusal.
pub(crate) struct Tally {
    counted: Mutex<Counted>,
    clock: Arc<dyn Clock>,
    /// A runtime with timers, which fetches also need. Without a runtime, a line is written when a
    /// later request is refused.
    runtime: Option<Handle>,
}

#[derive(Default)]
struct Counted {
    windows: HashMap<Key, Window>,
    sweeping: bool,
}

/// The values that all refusals of one line share.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    rule: &'static str,
    issuer: Option<Arc<str>>,
    route: Option<Arc<str>>,
}

struct Window {
    /// The start of the window, by the service's monotonic clock.
    begun: Duration,
    /// The number of refusals since the start of the window.
    count: u64,
    line: Line,
}

/// The other fields of a line, taken from the first refusal that it counts.
#[derive(Clone)]
struct Line {
    kind: &'static str,
    setting: Option<&'static Setting>,
    reason: String,
    remedy: &'static str,
}

impl Tally {
    pub(crate) fn new(clock: Arc<dyn Clock>, runtime: Option<Handle>) -> Arc<Self> {
        Arc::new(Self { counted: Mutex::default(), clock, runtime })
    }

    pub(super) fn note(self: &Arc<Self>, refusal: &Refusal, site: &Site) {
        if !tracing::enabled!(target: "portcullis::refused", Level::INFO) {
            return;
        }
        let now = self.clock.monotonic();
        let mut counted = self.counted();
        let ended = counted.end(now);
        let first = counted.count(refusal, site, now);
        let runtime = self.runtime.as_ref().filter(|_| !counted.sweeping);
        counted.sweeping |= runtime.is_some();
        drop(counted);
        ended.iter().chain(&first).for_each(write);
        if let Some(runtime) = runtime {
            drop(runtime.spawn(sweep(Sweeper(Arc::downgrade(self)))));
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// Counts a refusal. Returns the counts if the refusal is the first of its key.
    fn count(&mut self, refusal: &Refusal, site: &Site, now: Duration) -> Option<Counts> {
        let (rule, issuer) = (refusal.rule(), refusal.issuer().cloned());
        let mut key = Key { rule, issuer, route: site.route.clone() };
        if self.windows.len() >= MAX_LINES && !self.windows.contains_key(&key) {
            key = Key { rule, issuer: None, route: None };
        }
        match self.windows.entry(key) {
            Entry::Occupied(mut window) => {
                window.get_mut().count += 1;
                None
            }
            Entry::Vacant(free) => {
                let (kind, setting) = (refusal.kind().as_str(), refusal.setting());
                let (reason, remedy) = (refusal.reason().to_string(), refusal.remedy());
                let line = Line { kind, setting, reason, remedy };
                let counts = (free.key().clone(), 1, line.clone());
                free.insert(Window { begun: now, count: 0, line });
                Some(counts)
            }
        }
    }

    /// Ends the windows that are over, and returns their counts.
    fn end(&mut self, now: Duration) -> Vec<Counts> {
        let mut ended = Vec::new();
        self.windows.retain(|key, window| {
            if now.saturating_sub(window.begun) < WINDOW {
                return true;
            }
            let count = std::mem::take(&mut window.count);
            window.begun = now;
            if count > 0 {
                ended.push((key.clone(), count, window.line.clone()));
            }
            count > 0
        });
        ended
    }

    /// The end of the window that ends first.
    fn next_end(&self) -> Option<Duration> {
        self.windows.values().map(|window| window.begun + WINDOW).min()
    }
}

type Counts = (Key, u64, Line);

fn write((key, count, line): &Counts) {
    tracing::info!(
        target: "portcullis::refused",
        count, kind = line.kind, rule = key.rule, issuer = key.issuer.as_deref(),
        route = key.route.as_deref(), setting = line.setting.map(tracing::field::display),
        reason = line.reason, remedy = line.remedy,
        "requests were refused",
    );
}

/// The task that writes each line at the end of its minute, as long as there are windows.
struct Sweeper(Weak<Tally>);

async fn sweep(mut sweeper: Sweeper) {
    let mut wait = WINDOW;
    loop {
        tokio::time::sleep(wait.max(Duration::from_secs(1))).await;
        let Some(tally) = sweeper.0.upgrade() else { return };
        let now = tally.clock.monotonic();
        let mut counted = tally.counted();
        let ended = counted.end(now);
        let next = counted.next_end();
        counted.sweeping = next.is_some();
        drop(counted);
        ended.iter().for_each(write);
        let Some(next) = next else {
            sweeper.0 = Weak::new();
            return;
        };
        wait = next.saturating_sub(now);
    }
}

/// Lets a later refusal start a new task if this one ends because its runtime shuts down.
impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(tally) = self.0.upgrade() {
            tally.counted().sweeping = false;
        }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}
