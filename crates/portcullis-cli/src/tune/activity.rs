//! Real activity, from a file: a line for each request, with its session and its time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::scenario::{Activity, Habit, Scenario};
use crate::exit::Failure;

#[derive(Debug)]
pub(super) struct Recorded {
    /// The times of each session's requests, in order.
    sessions: Vec<Vec<f64>>,
    /// A longer time without a request ends a burst.
    gap: f64,
    from: f64,
    until: f64,
}

/// What was made of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Summary {
    pub(super) sessions: u64,
    pub(super) requests: u64,
    pub(super) span: f64,
    pub(super) request_every: f64,
    pub(super) burst: f64,
    pub(super) pause: f64,
}

impl Recorded {
    pub(super) fn read(file: &Path, gap: f64) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::wrong(format!("--activity: {}: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
        Self::parse(&text, gap).map_err(|why| wrong(&why))
    }

    fn parse(text: &str, gap: f64) -> Result<Self, String> {
        let mut sessions = BTreeMap::<&str, Vec<f64>>::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (session, time) = line
                .split_once(',')
                .ok_or_else(|| format!("line {}: not a session, a comma and a time", number + 1))?;
            match time.trim().parse::<f64>() {
                Ok(secs) if secs.is_finite() => {
                    sessions.entry(session.trim()).or_default().push(secs);
                }
                // The names of the columns.
                _ if number == 0 => {}
                _ => return Err(format!("line {}: the time is not in seconds", number + 1)),
            }
        }
        let mut sessions: Vec<_> = sessions.into_values().collect();
        sessions.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        let times = || sessions.iter().flatten().copied();
        let (from, until) =
            times().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), at| (a.min(at), b.max(at)));
        let recorded = Self { gap, from, until, sessions };
        let summary = recorded.summary();
        if summary.span < 60.0 || summary.request_every <= 0.0 {
            return Err("it needs a minute of requests, and sessions that have several".to_owned());
        }
        Ok(recorded)
    }

    /// The mean of what it shows. What lies before a session's first request and after its last one
    /// is not known, and is left out.
    pub(super) fn summary(&self) -> Summary {
        let (mut within, mut gaps) = (Mean::default(), Mean::default());
        let mut bursts = 0.0_f64;
        for times in &self.sessions {
            bursts += 1.0;
            for wait in times.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?)) {
                if wait > self.gap {
                    gaps.add(wait);
                    bursts += 1.0;
                } else {
                    within.add(wait);
                }
            }
        }
        let request_every = within.mean();
        Summary {
            sessions: self.sessions.len() as u64,
            requests: self.sessions.iter().map(|times| times.len() as u64).sum(),
            span: self.until - self.from,
            request_every,
            // A request stands for the time until the next would come.
            burst: within.sum / bursts + request_every,
            pause: (gaps.mean() - request_every).max(0.0),
        }
    }

    pub(super) fn activity(&self) -> Activity {
        let Summary { request_every, burst, pause, .. } = self.summary();
        Activity { request_every, burst, pause }
    }

    /// Refreshes in a second of the recorded requests themselves, for as many sessions as the
    /// scenario has. A login with the first request is none.
    pub(super) fn replay(&self, scenario: &Scenario) -> f64 {
        let used = scenario.used_for();
        let linger = self.summary().request_every;
        let refreshes = |times: &Vec<f64>| -> u64 {
            let Some(&first) = times.first() else { return 0 };
            let (mut due, mut last, mut count) = (first + used, first, 0);
            for &now in times {
                // A timer runs for as long as the burst does.
                if scenario.habit == Habit::Timer {
                    let awake = if now - last > self.gap { last + linger } else { now };
                    while due <= awake {
                        due += used;
                        count += 1;
                    }
                }
                if due <= now {
                    due = now + used;
                    count += 1;
                }
                last = now;
            }
            count
        };
        let all: u64 = self.sessions.iter().map(refreshes).sum();
        let scale = scenario.sessions as f64 / self.sessions.len() as f64;
        all as f64 / (self.until - self.from) * scale
    }
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn mean(&self) -> f64 {
        if self.count == 0.0 { 0.0 } else { self.sum / self.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_pauses_are_found_by_the_gap() {
        // Two bursts of three requests, 10 s apart in them, and 600 s in between; and one of one.
        let text = "session,time\na,0\na,10\na,20\na,620\nb,100\na,630\n\na,640\n";
        let summary = Recorded::parse(text, 60.0).unwrap().summary();
        assert_eq!((summary.sessions, summary.requests, summary.span), (2, 7, 640.0));
        assert_eq!(summary.request_every, 10.0);
        assert!((summary.burst - (40.0 / 3.0 + 10.0)).abs() < 1e-9, "{summary:?}");
        assert_eq!(summary.pause, 590.0);
    }

    #[test]
    fn what_is_no_activity_is_refused_with_its_line() {
        for (text, told) in [
            ("", "a minute"),
            ("a,0\na,30", "a minute"),
            ("a,0\nb,100", "several"),
            ("a,0\na", "line 2"),
            ("a,0\na,yesterday", "line 2"),
            ("a,0\na,NaN", "line 2"),
        ] {
            let error = Recorded::parse(text, 60.0).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn a_replay_counts_what_the_clients_would_have_asked_for() {
        let steady: String = (0..=3600).map(|secs| format!("a,{secs}\n")).collect();
        let recorded = Recorded::parse(&steady, 60.0).unwrap();
        let scenario = |access_expiry, habit| Scenario {
            access_expiry,
            habit,
            sessions: 10,
            ..Scenario::for_test()
        };
        // Every 60 s, of each of ten; a lazy client waits out the leeway of 10 s, too.
        let timer = recorded.replay(&scenario(60.0, Habit::Timer));
        assert!((timer - 10.0 * 60.0 / 3600.0).abs() < 1e-9, "{timer}");
        let lazy = recorded.replay(&scenario(60.0, Habit::Lazy));
        assert!((lazy - 10.0 * 51.0 / 3600.0).abs() < 1e-9, "{lazy}");
        // Who rests for an hour refreshes once when it is back, and a timer not while it rests.
        let resting = Recorded::parse("a,0\na,10\na,3600\n", 60.0).unwrap();
        for habit in [Habit::Timer, Habit::Lazy] {
            let rate = resting.replay(&scenario(900.0, habit));
            assert!((rate - 10.0 / 3600.0).abs() < 1e-9, "{habit:?}: {rate}");
        }
    }
}
