//! Findings about a key set, each with a remedy. The worst come first.

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

/// The default leeway of a service, in seconds.
const LEEWAY: u64 = 10;

pub(super) fn findings(examined: &Examined, arguments: &JwksArguments) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(fault) = &examined.fault {
        let remedy = match &arguments.url {
            Some(url) if examined.is_answered => Cow::Owned(format!(
                "check that this is the URL of the key set; for the issuer's URL use `--issuer {url}`"
            )),
            _ => Cow::Borrowed("check the URL; if it is right, the issuer must fix its server"),
        };
        found.push(Finding { level: Level::Fault, what: fault.clone(), remedy });
    }
    let mut add = |level, what: String, remedy: &'static str| {
        found.push(Finding { level, what, remedy: remedy.into() });
    };
    if examined.fault.is_none() && examined.accepted.is_empty() {
        add(
            Level::Fault,
            "no usable key: every token is rejected".to_owned(),
            "have the issuer publish a public key for verifying signatures",
        );
    }
    for key in &examined.skipped {
        let kid = key.kid.as_deref().unwrap_or("without kid");
        let what = format!("the key {kid:?} is skipped: {}", key.reason);
        if key.is_fault {
            let remedy =
                "tokens signed by it are rejected; have the issuer fix or withdraw the key";
            add(Level::Warning, what, remedy);
        } else {
            let remedy = "no action needed, unless the key signs tokens for this service";
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
            format!(
                "the server's clock is {} s {} this machine's",
                off.unsigned_abs(),
                if off > 0 { "ahead of" } else { "behind" }
            ),
            "beyond the leeway (default 10 s) valid tokens are rejected: synchronize both clocks",
        );
    }
    if keys.millis as f64 > arguments.fetch_timeout * 500.0 {
        add(
            Level::Warning,
            format!(
                "the response took {} s, more than half of the fetch timeout",
                secs(keys.millis)
            ),
            "raise fetch_timeout, or find out why the issuer is slow",
        );
    }
    if examined.accepted.len() > 1 && examined.accepted.iter().any(|key| key.kid.is_none()) {
        add(
            Level::Warning,
            "several keys, some without `kid`".to_owned(),
            "during a rotation, tokens do not identify their key: have the issuer set a `kid` on each key",
        );
    }
    if examined.accepted.len() == 1 {
        add(
            Level::Note,
            "one key: the next key is not published ahead of its use".to_owned(),
            "services fetch again for an unknown `kid`, at most once per cooldown (default 30 s); for verifiers \
             that refetch only by time, the issuer must publish the next key at least max-age \
             before its first use",
        );
    }
    found
}

/// Converts milliseconds to seconds, for output: 0.012.
pub(super) fn secs(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// Returns whether an `Expires` is in the past. An invalid date counts as past (RFC 9111 §5.3).
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
                    "{named}: obeyed, so keys are cached for less time, or not used in an outage"
                ),
                "unset obey_no_cache (off by default), unless this is intended",
            );
        } else {
            add(
                Level::Note,
                format!(
                    "{named}: not obeyed, since obey_no_cache is off; the TTL and max_stale apply"
                ),
                "no action needed",
            );
        }
    }
    match max_age(&control) {
        Some(0) => {}
        Some(secs) if secs > ttl => add(
            Level::Note,
            format!("max-age is {secs} s; the TTL of {ttl} s applies, since it is shorter"),
            "verifiers without a TTL setting notice a rotation or withdrawal only after max-age",
        ),
        Some(_) => {}
        None if keys.expires.is_none() && forbidding.is_empty() => add(
            Level::Note,
            "no header limits how long the keys may be cached: the TTL applies".to_owned(),
            "no action needed",
        ),
        None => {}
    }
    if !keys.etag {
        add(
            Level::Note,
            "neither ETag nor Last-Modified: every fetch transfers the whole key set".to_owned(),
            "no action needed",
        );
    }
}
