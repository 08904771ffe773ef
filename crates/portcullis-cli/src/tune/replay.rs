//! A replay of the recorded requests, with the tokens that their clients would have had: neither means nor
//! exponential lengths, and with the peaks of the file.

use serde::Serialize;

use super::activity::Recorded;
use super::closed_forms::bisect;
use super::scenario::{Habit, Scenario};

/// The figures of a file at one setting.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Replayed {
    /// Per second: on average, in the busiest minute and in the busiest second.
    pub(super) refreshes: f64,
    pub(super) busiest_minute: f64,
    /// `None` if the scenario has many more sessions than the file, whose seconds are then a small sample.
    pub(super) busiest_second: Option<f64>,
    /// The logins of sessions that ended while idle, which `refreshes` includes: on average, and in
    /// their busiest minute.
    pub(super) idle_logins: f64,
    pub(super) busiest_idle_logins: f64,
    pub(super) validations: f64,
    /// Validations per second in the busiest minute of requests.
    pub(super) busiest_validations: f64,
    /// Logins per second in their busiest minute: the first tokens of sessions, which are not
    /// refreshes.
    pub(super) busiest_logins: f64,
    /// The share of moments at which a revoked session has an accepted token.
    pub(super) with_lag: f64,
    pub(super) lag_median: f64,
    pub(super) lag_p99: f64,
    pub(super) mean_lag: f64,
    /// Of the sessions that are active when an outage ends, the share whose token has expired, over all
    /// times of the outage; `None` if the file is shorter than the outage.
    pub(super) tokens_ended: Option<f64>,
    /// Sessions that request a token when the outage ends.
    pub(super) waiting: Option<f64>,
    /// The sessions in `waiting` that must log in: those without a token, and those that were idle
    /// for too long.
    pub(super) logging_in: Option<f64>,
    pub(super) cache_hits: f64,
    /// The time in seconds for which a session kept each token.
    #[serde(skip)]
    held: Vec<f64>,
}

/// The largest ratio of sessions to those of the file for which a single second is representative.
const SCALE: f64 = 2.0;

/// A session with the times at which it receives its tokens: the first at its first request.
struct Tokens<'a> {
    requests: &'a [f64],
    issued: Vec<f64>,
}

impl Replayed {
    pub(super) fn new(recorded: &Recorded, scenario: &Scenario) -> Self {
        let tokens: Vec<_> =
            recorded.sessions.iter().map(|times| Tokens::of(times, recorded, scenario)).collect();
        // Scales the counts to the number of sessions in the scenario.
        let scale = scenario.sessions as f64 / tokens.len().max(1) as f64;
        let span = recorded.until - recorded.from;
        let (minute, second) =
            busiest(recorded, tokens.iter().flat_map(|of| of.issued.iter().skip(1)));
        let (logins, _) = busiest(recorded, tokens.iter().filter_map(|of| of.issued.first()));
        let (asked, _) = busiest(recorded, recorded.sessions.iter().flatten());
        let requests: usize = recorded.sessions.iter().map(Vec::len).sum();
        let validations = requests as f64 * scenario.fan_out as f64;
        let refreshes: usize = tokens.iter().map(|of| of.issued.len().saturating_sub(1)).sum();
        let idle_logins: Vec<_> = tokens.iter().flat_map(|of| of.idle_logins(scenario)).collect();
        let (ended, _) = busiest(recorded, idle_logins.iter());
        let outage = Outage::average(&tokens, recorded.from, scenario);
        // A request stands for the time until the next one.
        let active = requests as f64 / span * recorded.summary.request_every * scale;
        let mut replayed = Self {
            refreshes: refreshes as f64 / span * scale,
            busiest_minute: f64::from(minute) / 60.0 * scale,
            busiest_second: (scale <= SCALE).then(|| f64::from(second) * scale),
            idle_logins: idle_logins.len() as f64 / span * scale,
            busiest_idle_logins: f64::from(ended) / 60.0 * scale,
            validations: validations / span * scale,
            busiest_validations: f64::from(asked) / 60.0 * scale * scenario.fan_out as f64,
            busiest_logins: f64::from(logins) / 60.0 * scale,
            with_lag: 0.0,
            lag_median: 0.0,
            lag_p99: 0.0,
            mean_lag: 0.0,
            tokens_ended: outage.map(|outage| outage.tokens_ended),
            waiting: outage.map(|outage| outage.waiting * active),
            logging_in: outage.map(|outage| outage.logging_in * active),
            cache_hits: 1.0 - new_to_instances(&tokens, scenario) / validations,
            held: tokens.iter().flat_map(|of| of.held(recorded.until)).collect(),
        };
        let accepted = scenario.accepted_for();
        replayed.with_lag = replayed.exceeds(0.0, scenario);
        let quantile = |quantile: f64| {
            let left = (1.0 - quantile) * replayed.with_lag;
            bisect(accepted, |lag| replayed.exceeds(lag, scenario) <= left)
        };
        (replayed.lag_median, replayed.lag_p99) = (quantile(0.5), quantile(0.99));
        // The integral of `exceeds`.
        let lags = replayed.held.iter().map(|held| held.min(accepted));
        let sum: f64 = lags.map(|used| used * (accepted - used / 2.0)).sum();
        replayed.mean_lag = sum / replayed.held.iter().sum::<f64>().max(1e-9);
        replayed
    }

    /// The share of moments at which a revoked session would be accepted for longer than `lag`.
    pub(super) fn exceeds(&self, lag: f64, scenario: &Scenario) -> f64 {
        let young = (scenario.accepted_for() - lag).max(0.0);
        let all: f64 = self.held.iter().sum();
        let such: f64 = self.held.iter().map(|held| held.min(young)).sum();
        if all == 0.0 { 0.0 } else { such / all }
    }
}

/// The number of `moments` in their busiest minute and in their busiest second.
fn busiest<'a>(recorded: &Recorded, moments: impl Iterator<Item = &'a f64>) -> (u32, u32) {
    let span = recorded.until - recorded.from;
    let mut by_second = vec![0_u32; span.ceil() as usize + 1];
    for at in moments {
        if let Some(count) = by_second.get_mut((at - recorded.from) as usize) {
            *count += 1;
        }
    }
    // A sliding sum over 60 s.
    let (mut minute, mut most) = (0, 0);
    for (second, count) in by_second.iter().enumerate() {
        minute += count;
        if let Some(gone) = second.checked_sub(60).and_then(|before| by_second.get(before)) {
            minute -= gone;
        }
        most = most.max(minute);
    }
    (most, by_second.iter().copied().max().unwrap_or_default())
}

impl<'a> Tokens<'a> {
    fn of(requests: &'a [f64], recorded: &Recorded, scenario: &Scenario) -> Self {
        let used = scenario.used_for();
        let linger = recorded.summary.request_every;
        let mut issued: Vec<f64> = requests.first().copied().into_iter().collect();
        let mut last = requests.first().copied().unwrap_or_default();
        let mut due = last + used;
        for &now in requests {
            // A timer runs only during a burst.
            if scenario.habit == Habit::Timer {
                let awake = if now - last > recorded.gap { last + linger } else { now };
                while due <= awake {
                    issued.push(due);
                    due += used;
                }
            }
            if due <= now {
                issued.push(now);
                due = now + used;
            }
            last = now;
        }
        Self { requests, issued }
    }

    fn held(&self, until: f64) -> Vec<f64> {
        let ends = self.issued.iter().skip(1).copied().chain([until]);
        self.issued.iter().zip(ends).map(|(from, to)| (to - from).max(0.0)).collect()
    }

    /// The times of the tokens that needed a login because the issuer had ended the session.
    fn idle_logins(&self, scenario: &Scenario) -> Vec<f64> {
        let next = self.issued.iter().zip(self.issued.iter().skip(1));
        next.filter(|(last, at)| scenario.is_ended(*at - *last)).map(|(_, at)| *at).collect()
    }

    /// The issue time of the session's token at that moment.
    fn at(&self, moment: f64) -> Option<f64> {
        let before = self.issued.partition_point(|issued| *issued <= moment);
        self.issued.get(before.checked_sub(1)?).copied()
    }
}

/// The expected number of instances that see each token, summed over tokens: each request goes to a random
/// instance of every service.
fn new_to_instances(tokens: &[Tokens<'_>], scenario: &Scenario) -> f64 {
    let other = 1.0 - (scenario.fan_out as f64 / scenario.instances as f64).min(1.0);
    let seen = |of: &Tokens<'_>| -> f64 {
        let ends = of.issued.iter().skip(1).copied().chain([f64::INFINITY]);
        let requests = |(from, to): (&f64, f64)| {
            let before = |moment: f64| of.requests.partition_point(|at| *at < moment);
            (before(to) - before(*from)) as i32
        };
        let counts = of.issued.iter().zip(ends).map(requests);
        counts.map(|n| scenario.instances as f64 * (1.0 - other.powi(n))).sum()
    };
    tokens.iter().map(seen).sum()
}

/// Of the requests at the end of an outage, the shares with an expired token, with a client that requests a
/// token, and with a client that logs in.
#[derive(Debug, Clone, Copy)]
struct Outage {
    tokens_ended: f64,
    waiting: f64,
    logging_in: f64,
}

impl Outage {
    /// Averages over all requests at which an outage could end. A session that logs in during the outage
    /// has no token.
    fn average(tokens: &[Tokens<'_>], from: f64, scenario: &Scenario) -> Option<Self> {
        let (mut requests, mut ended, mut waiting, mut logging_in) = (0.0, 0.0, 0.0, 0.0);
        let idle = scenario.session_idle.map(|idle| idle.max(scenario.used_for()));
        for of in tokens {
            for &end in of.requests {
                let begin = end - scenario.outage;
                if begin < from {
                    continue;
                }
                let age = of.at(begin).map_or(f64::INFINITY, |issued| end - issued);
                requests += 1.0;
                ended += f64::from(u8::from(age >= scenario.accepted_for()));
                waiting += f64::from(u8::from(age >= scenario.used_for()));
                logging_in += f64::from(u8::from(idle.is_some_and(|idle| age >= idle)));
            }
        }
        (requests > 0.0).then(|| Self {
            tokens_ended: ended / requests,
            waiting: waiting / requests,
            logging_in: logging_in / requests,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(access_expiry: f64, habit: Habit) -> Scenario {
        Scenario { access_expiry, habit, sessions: 10, ..Scenario::for_test() }
    }

    #[test]
    fn replay_counts_the_refreshes_of_the_clients() {
        let steady: String = (0..=3600).map(|secs| format!("a,{secs}\n")).collect();
        let recorded = Recorded::parse(&steady, 60.0).unwrap();
        // Each of ten clients refreshes every 60 s. A lazy client also waits for the leeway of 10 s.
        let timer = Replayed::new(&recorded, &scenario(60.0, Habit::Timer));
        assert!((timer.refreshes - 10.0 * 60.0 / 3600.0).abs() < 1e-9, "{timer:?}");
        let lazy = Replayed::new(&recorded, &scenario(60.0, Habit::Lazy));
        assert!((lazy.refreshes - 10.0 * 51.0 / 3600.0).abs() < 1e-9, "{lazy:?}");
        // A session that pauses for an hour refreshes once when it returns, also by timer.
        let resting = Recorded::parse("a,0\na,10\na,3600\n", 60.0).unwrap();
        for habit in [Habit::Timer, Habit::Lazy] {
            let rate = Replayed::new(&resting, &scenario(900.0, habit)).refreshes;
            assert!((rate - 10.0 / 3600.0).abs() < 1e-9, "{habit:?}: {rate}");
        }
    }

    #[test]
    fn peaks_lags_and_lockouts_match_the_file() {
        // One request of each of a hundred sessions, an hour of silence, and then all at once.
        let text: String = (0..100)
            .map(|session| format!("{session},0\n{session},3600\n{session},3601\n"))
            .collect();
        let recorded = Recorded::parse(&text, 60.0).unwrap();
        let scenario = Scenario { sessions: 200, ..scenario(890.0, Habit::Timer) };
        let replayed = Replayed::new(&recorded, &scenario);
        assert_eq!((replayed.busiest_second, replayed.busiest_minute), (Some(200.0), 200.0 / 60.0));
        let many = Replayed::new(&recorded, &Scenario { sessions: 30_000, ..scenario });
        assert_eq!(many.busiest_second, None);
        // The first tokens count as logins, not refreshes. Then each session sends two requests.
        assert_eq!(replayed.busiest_logins, 200.0 / 60.0);
        assert_eq!(replayed.busiest_validations, 400.0 / 60.0);
        assert!((replayed.refreshes - 200.0 / 3601.0).abs() < 1e-9, "{replayed:?}");
        // A token of 890 s and the leeway is accepted for a quarter of the hour.
        assert!((replayed.with_lag - 901.0 / 3601.0).abs() < 1e-9, "{replayed:?}");
        assert!((replayed.lag_median - 450.0).abs() < 1.0, "{replayed:?}");
        // Every session that is active at the end of an outage has an expired token.
        assert_eq!(replayed.tokens_ended, Some(1.0));
        // With an idle limit of 30 min all of them log in.
        assert_eq!(replayed.logging_in, Some(0.0));
        let limited = Scenario { session_idle: Some(1800.0), ..scenario };
        let limited = Replayed::new(&recorded, &limited);
        assert!(
            limited.waiting.unwrap() > 0.0 && limited.logging_in == limited.waiting,
            "{limited:?}"
        );
        // An hour without a new token ends each session.
        assert_eq!((replayed.idle_logins, limited.idle_logins), (0.0, limited.refreshes));
        assert_eq!(limited.busiest_idle_logins, limited.busiest_minute);
        // Three requests with two tokens, each with one cache miss.
        let one = Replayed::new(&recorded, &Scenario { instances: 1, ..scenario });
        assert!((one.cache_hits - 1.0 / 3.0).abs() < 1e-9, "{one:?}");
    }
}
