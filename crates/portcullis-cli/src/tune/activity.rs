//! Recorded requests from a CSV file with one line per request: its session and its time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::scenario::Activity;
use crate::exit::Failure;
use crate::units::duration;

#[derive(Debug)]
pub(super) struct Recorded {
    /// The times of each session's requests, in order.
    pub(super) sessions: Vec<Vec<f64>>,
    /// A longer gap between requests ends a burst.
    pub(super) gap: f64,
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) summary: Summary,
}

/// The numbers of sessions and requests, and the time span and the mean times in seconds.
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

    pub(super) fn parse(text: &str, gap: f64) -> Result<Self, String> {
        let mut sessions = BTreeMap::<&str, Vec<f64>>::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (session, time) = line.split_once(',').ok_or_else(|| {
                format!("line {}: expected a session, a comma and a time", number + 1)
            })?;
            match seconds(time) {
                Some(secs) => sessions.entry(session.trim()).or_default().push(secs),
                None if number == 0 && is_head(session, time) => {}
                None => return Err(format!("line {}: {}", number + 1, no_time(session, time))),
            }
        }
        let mut sessions: Vec<_> = sessions.into_values().collect();
        sessions.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        let times = || sessions.iter().flatten().copied();
        let (from, until) =
            times().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), at| (a.min(at), b.max(at)));
        let summary = Summary::of(&sessions, gap, until - from);
        if summary.requests == 0 || summary.span < 60.0 {
            let spans = if summary.requests == 0 { 0.0 } else { summary.span };
            return Err(format!(
                "it must span at least 60 s; its {} requests span {}",
                summary.requests,
                duration(spans)
            ));
        }
        if summary.request_every <= 0.0 {
            return Err(format!(
                "no session has two requests at different times within --burst-gap, {}; raise --burst-gap or \
                 record more requests",
                duration(gap)
            ));
        }
        Ok(Self { gap, from, until, summary, sessions })
    }

    pub(super) fn activity(&self) -> Activity {
        let Summary { request_every, burst, pause, .. } = self.summary;
        Activity { request_every, burst, pause }
    }
}

fn seconds(time: &str) -> Option<f64> {
    time.trim().parse::<f64>().ok().filter(|secs| secs.is_finite())
}

/// Whether the line is a header: the session is not a number, and the time has no digits.
fn is_head(session: &str, time: &str) -> bool {
    seconds(session).is_none() && !time.contains(|c: char| c.is_ascii_digit())
}

/// Why a line has no valid time.
fn no_time(session: &str, time: &str) -> &'static str {
    if time.contains(',') {
        "more than two columns; expected a session and a time"
    } else if seconds(session).is_some() {
        "the time is not in seconds; the columns may be swapped: the session must come first, then the time"
    } else {
        "the time is not in seconds; write 12.5 or 1700000000 instead of a date"
    }
}

impl Summary {
    /// Computes the mean times between requests. Leaves out the time before the first request of a session and
    /// after its last one, which the file does not show.
    fn of(sessions: &[Vec<f64>], gap: f64, span: f64) -> Self {
        let (mut within, mut gaps) = (Mean::default(), Mean::default());
        let mut bursts = 0.0_f64;
        for times in sessions {
            bursts += 1.0;
            for wait in times.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?)) {
                if wait > gap {
                    gaps.add(wait);
                    bursts += 1.0;
                } else {
                    within.add(wait);
                }
            }
        }
        let request_every = within.mean();
        Self {
            sessions: sessions.len() as u64,
            requests: sessions.iter().map(|times| times.len() as u64).sum(),
            span,
            request_every,
            // Each request counts as active time until the next request.
            burst: within.sum / bursts + request_every,
            pause: (gaps.mean() - request_every).max(0.0),
        }
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
    fn gap_separates_bursts_from_pauses() {
        // Session a: two bursts of three requests each, 10 s apart, with a pause of 600 s between the
        // bursts. Session b: a single request.
        let text = "session,time\na,0\na,10\na,20\na,620\nb,100\na,630\n\na,640\n";
        let summary = Recorded::parse(text, 60.0).unwrap().summary;
        assert_eq!((summary.sessions, summary.requests, summary.span), (2, 7, 640.0));
        assert_eq!(summary.request_every, 10.0);
        assert!((summary.burst - (40.0 / 3.0 + 10.0)).abs() < 1e-9, "{summary:?}");
        assert_eq!(summary.pause, 590.0);
    }

    #[test]
    fn malformed_line_is_rejected_with_its_number() {
        for (text, told) in [
            ("", "at least 60 s"),
            ("a,0\na,30", "at least 60 s"),
            ("a,0\nb,100", "no session has two requests"),
            ("a,0\nb,100", "within --burst-gap, 60 s"),
            ("a,0\na,30", "its 2 requests span 30 s"),
            // A first line that contains a digit in its time is data, not a header.
            (
                "a,2026-01-01T00:00:00Z\na,2026-01-01T00:01:00Z",
                "line 1: the time is not in seconds",
            ),
            ("0,alice\n90,alice", "line 1: the time is not in seconds; the columns may be swapped"),
            ("session,time\na,0,x", "line 2: more than two"),
            ("a,0\na", "line 2"),
            ("a,0\na,yesterday", "line 2"),
            ("a,0\na,NaN", "line 2"),
        ] {
            let error = Recorded::parse(text, 60.0).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
