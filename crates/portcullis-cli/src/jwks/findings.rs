//! What a person should know or do, worst first.

use std::borrow::Cow;

use portcullis::clock::{Clock as _, SystemClock};
use serde::Serialize;

use super::Examined;
use super::rotation::max_age;
use crate::cli::JwksArguments;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Fault,
    Warning,
    Note,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) what: String,
    pub(super) remedy: Cow<'static, str>,
}

/// The leeway of a service, in seconds, unless it is told otherwise.
const LEEWAY: u64 = 10;

pub(super) fn findings(examined: &Examined, arguments: &JwksArguments) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(fault) = &examined.fault {
        let remedy = match &arguments.url {
            Some(url) if examined.is_answered => Cow::Owned(format!(
                "are the keys at this very URL? for the issuer's own URL use `--issuer {url}`"
            )),
            _ => Cow::Borrowed("the issuer's side has to be mended; or the URL is wrong"),
        };
        found.push(Finding { level: Level::Fault, what: fault.clone(), remedy });
    }
    let mut add = |level, what: String, remedy: &'static str| {
        found.push(Finding { level, what, remedy: remedy.into() });
    };
    if examined.fault.is_none() && examined.accepted.is_empty() {
        add(
            Level::Fault,
            "no key can be used: every token is refused".to_owned(),
            "have the issuer publish a public key for signatures",
        );
    }
    for key in &examined.skipped {
        let kid = key.kid.as_deref().unwrap_or("without kid");
        let what = format!("the key {kid:?} is not used: {}", key.reason);
        if key.is_fault {
            let remedy = "tokens that it signs are refused; have the issuer mend or withdraw it";
            add(Level::Warning, what, remedy);
        } else {
            let remedy = "nothing needs to be done, unless it signs tokens for this service";
            add(Level::Note, what, remedy);
        }
    }
    let Some(keys) = examined.answers.last().filter(|_| examined.fault.is_none()) else {
        return found;
    };
    about_caching(examined, arguments, &mut add);
    if let Some(off) = keys.date_off_secs.filter(|off| off.unsigned_abs() > 1) {
        let level = if off.unsigned_abs() > LEEWAY { Level::Warning } else { Level::Note };
        add(
            level,
            format!("the server's clock is {off} s ahead of this machine's"),
            "beyond the leeway (10 s) good tokens are refused: synchronise both clocks",
        );
    }
    if keys.millis as f64 > arguments.fetch_timeout * 500.0 {
        add(
            Level::Warning,
            format!("the answer took {} s, more than half of the fetch timeout", secs(keys.millis)),
            "a slower one fails: raise fetch_timeout, or see why the issuer is slow",
        );
    }
    if examined.accepted.len() > 1 && examined.accepted.iter().any(|key| key.kid.is_none()) {
        add(
            Level::Warning,
            "some of several keys have no `kid`".to_owned(),
            "a rotation makes tokens ambiguous: have the issuer name its keys",
        );
    }
    if examined.accepted.len() == 1 {
        add(
            Level::Note,
            "one key: the next one is not published ahead of its use".to_owned(),
            "services fetch again for an unknown `kid`, at most every cooldown (30 s); verifiers that \
             only refetch by time need it published max-age ahead",
        );
    }
    found
}

/// Milliseconds as every duration is written, in seconds: 0.012.
pub(super) fn secs(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// Whether an `Expires` is over (RFC 9111 §5.3: what is no date is).
fn is_past(expires: &str) -> bool {
    let now = SystemClock::new().now();
    !httpdate::parse_http_date(expires).is_ok_and(|date| date > now)
}

fn about_caching(
    examined: &Examined,
    arguments: &JwksArguments,
    add: &mut impl FnMut(Level, String, &'static str),
) {
    let Some(keys) = examined.answers.last() else { return };
    let control = keys.cache_control.as_deref().unwrap_or_default().to_ascii_lowercase();
    let forbids = |directive: &&str| {
        let name = directive.split('=').next().unwrap_or_default().trim_end();
        ["no-store", "no-cache", "must-revalidate"].contains(&name) || *directive == "max-age=0"
    };
    let mut forbidding: Vec<_> = control.split(',').map(str::trim).filter(forbids).collect();
    if max_age(&control).is_none() && keys.expires.as_deref().is_some_and(is_past) {
        forbidding.push("a past Expires");
    }
    let ttl = arguments.jwks_ttl;
    if !forbidding.is_empty() {
        let named = forbidding.join(", ");
        if arguments.obey_no_cache {
            add(
                Level::Warning,
                format!(
                    "{named}: obeyed: keys are kept for a shorter time, or not through an outage"
                ),
                "leave out obey_no_cache, which is off by default, unless this is meant",
            );
        } else {
            add(
                Level::Note,
                format!(
                    "{named}: not obeyed, since obey_no_cache is off; the TTL and max_stale hold"
                ),
                "nothing needs to be done",
            );
        }
    }
    match max_age(&control) {
        Some(0) => {}
        Some(secs) if secs > ttl => add(
            Level::Note,
            format!("max-age is {secs} s; the TTL of {ttl} s decides, since it is shorter"),
            "verifiers without such a setting notice a rotation or a withdrawal that much later",
        ),
        Some(_) => {}
        None if keys.expires.is_none() && forbidding.is_empty() => add(
            Level::Note,
            "no header says how long the keys may be cached: the TTL decides".to_owned(),
            "nothing needs to be done",
        ),
        None => {}
    }
    if !keys.etag {
        add(
            Level::Note,
            "neither ETag nor Last-Modified: every fetch brings all keys".to_owned(),
            "nothing needs to be done",
        );
    }
}
