//! What a server's caching headers say of its key set ([RFC 9111]), within the operator's limits.
//!
//! [RFC 9111]: https://www.rfc-editor.org/rfc/rfc9111

use std::time::{Duration, SystemTime};

use http::header::{
    AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    PRAGMA, VARY,
};
use http::{HeaderMap, HeaderName};
use url::Url;

use super::freshness::{Lifetime, Limits};

/// The headers of the answer that brought the keys at hand.
#[derive(Debug, Clone)]
pub(super) struct Headers {
    url: Url,
    received: HeaderMap,
}

impl Headers {
    pub(super) fn new(url: Url, received: HeaderMap) -> Self {
        Self { url, received }
    }

    /// What makes the next request for `url` conditional (RFC 9110 §13.1): nothing, if the keys
    /// came from elsewhere.
    pub(super) fn conditions(&self, url: &Url) -> HeaderMap {
        let mut conditions = HeaderMap::new();
        if self.url == *url {
            for (validator, condition) in
                [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)]
            {
                if let Some(value) = self.received.get(validator) {
                    conditions.insert(condition, value.clone());
                }
            }
        }
        conditions
    }

    /// How long the keys may be used: never longer than the operator says, and shorter if the
    /// server does, but not under the floor.
    pub(super) fn lifetime(&self, limits: &Limits, now: SystemTime, spread: f64) -> Lifetime {
        let directives = directives(&self.received);
        let ttl = fresh_for(&self.received, &directives, now).unwrap_or(limits.ttl);
        let ttl = ttl.saturating_sub(age(&self.received)).clamp(limits.min_ttl, limits.ttl);
        // §5.2.2.2: stale keys are then not to be used, in an outage neither.
        let forbids_stale = !limits.ignore_must_revalidate
            && directives.iter().any(|(name, _)| name == "must-revalidate");
        let max_stale = if forbids_stale { Duration::ZERO } else { limits.max_stale };
        Lifetime::new(ttl, max_stale, limits, spread)
    }
}

/// How long the answer is fresh from when the server made it (§4.2.1), if its headers say so. What
/// cannot be read is stale. `private` and `s-maxage` are not about a cache of one process, and
/// nothing is guessed from the document's age (§4.2.2).
fn fresh_for(
    headers: &HeaderMap,
    directives: &[(String, String)],
    now: SystemTime,
) -> Option<Duration> {
    let has = |wanted: &str| directives.iter().any(|(name, _)| name == wanted);
    if has("no-cache") || has("no-store") || text(headers, VARY) == Some("*") {
        return Some(Duration::ZERO);
    }
    if let Some((_, seconds)) = directives.iter().find(|(name, _)| name == "max-age") {
        return Some(Duration::from_secs(seconds.parse().unwrap_or(0)));
    }
    if headers.contains_key(EXPIRES) {
        let made = date(headers, DATE).unwrap_or(now);
        let expires = date(headers, EXPIRES).unwrap_or(made);
        return Some(expires.duration_since(made).unwrap_or_default());
    }
    headers.contains_key(PRAGMA).then_some(Duration::ZERO)
}

/// How long the answer was in caches on the way (§5.1).
fn age(headers: &HeaderMap) -> Duration {
    let seconds = text(headers, AGE).and_then(|value| value.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// The directives of `Cache-Control`: names, which have no case (§5.2), and values.
fn directives(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directive = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned())
    };
    lines.flat_map(|line| line.split(',')).map(directive).collect()
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const LIMITS: Limits = Limits {
        ttl: Duration::from_secs(300),
        min_ttl: Duration::from_secs(10),
        refresh_ahead: Duration::from_secs(30),
        max_stale: Duration::from_secs(3600),
        ignore_must_revalidate: false,
        cooldown: Duration::from_secs(30),
        fetch_timeout: Duration::from_secs(5),
    };

    /// 2027-01-15T08:00:00Z, a Friday.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(crate::testing::NOW)
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> Headers {
        let url = Url::parse("https://issuer.example/keys").unwrap();
        let received = lines.iter().map(|&(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        let mut map = HeaderMap::new();
        for (name, value) in received {
            map.append(name, value);
        }
        Headers::new(url, map)
    }

    /// TTL and `max_stale`, in seconds.
    fn lifetime(lines: &[(&'static str, &'static str)]) -> (u64, u64) {
        let lifetime = headers(lines).lifetime(&LIMITS, now(), 0.0);
        (lifetime.ttl.as_secs(), (lifetime.end - lifetime.ttl).as_secs())
    }

    #[test]
    fn the_server_may_only_shorten_the_ttl_and_not_below_the_floor() {
        for (lines, ttl) in [
            (&[][..], 300),
            (&[("cache-control", "max-age=60")], 60),
            (&[("cache-control", "public, MAX-AGE=60")], 60),
            (&[("cache-control", "public"), ("cache-control", "max-age=60")], 60),
            (&[("cache-control", "max-age=86400")], 300),
            (&[("cache-control", "max-age=1")], 10),
            (&[("cache-control", "no-store")], 10),
            (&[("cache-control", "no-cache")], 10),
            (&[("pragma", "no-cache")], 10),
            (&[("cache-control", "max-age=nonsense")], 10),
            (&[("cache-control", "max-age")], 10),
            (&[("cache-control", "max-age=99999999999999999999")], 10),
            (&[("cache-control", "max-age=20, max-age=60")], 20),
            (&[("cache-control", "no-cache=\"a\", max-age=60")], 10),
            (&[("cache-control", "max-age=60"), ("vary", "*")], 10),
            (&[("pragma", "no-cache"), ("last-modified", "Fri, 15 Jan 2027 07:00:00 GMT")], 10),
            // What says nothing of time leaves the operator's.
            (&[("cache-control", "public")], 300),
            (&[("cache-control", "immutable")], 300),
            (&[("last-modified", "Fri, 15 Jan 2027 07:59:00 GMT")], 300),
            // Not for a private cache.
            (&[("cache-control", "private, max-age=60")], 60),
            (&[("cache-control", "s-maxage=20, max-age=60")], 60),
            // Age is subtracted, max-age comes before Expires.
            (&[("cache-control", "max-age=60"), ("age", "40")], 20),
            (&[("cache-control", "max-age=60"), ("age", "100")], 10),
            (&[("age", "40")], 260),
            (
                &[
                    ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
                    ("expires", "Fri, 15 Jan 2027 08:02:00 GMT"),
                ],
                120,
            ),
            (
                &[
                    ("cache-control", "max-age=60"),
                    ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
                    ("expires", "Fri, 15 Jan 2027 08:02:00 GMT"),
                ],
                60,
            ),
            (&[("expires", "0")], 10),
        ] {
            assert_eq!(lifetime(lines).0, ttl, "{lines:?}");
        }
    }

    #[test]
    fn must_revalidate_forbids_stale_keys_unless_told_otherwise() {
        assert_eq!(lifetime(&[("cache-control", "max-age=60, must-revalidate")]), (60, 0));
        assert_eq!(lifetime(&[("cache-control", "max-age=60")]), (60, 3600));
        let limits = Limits { ignore_must_revalidate: true, ..LIMITS };
        let headers = headers(&[("cache-control", "must-revalidate")]);
        let lifetime = headers.lifetime(&limits, now(), 0.0);
        assert_eq!(lifetime.end - lifetime.ttl, LIMITS.max_stale);
    }

    #[test]
    fn requests_are_conditional_for_the_same_url_only() {
        let modified = "Fri, 15 Jan 2027 07:00:00 GMT";
        let headers = headers(&[("etag", "\"a\""), ("last-modified", modified)]);
        let conditions = headers.conditions(&headers.url);
        assert_eq!(conditions[IF_NONE_MATCH], "\"a\"");
        assert_eq!(conditions[IF_MODIFIED_SINCE], modified);
        let other = Url::parse("https://issuer.example/other").unwrap();
        assert!(headers.conditions(&other).is_empty());
    }
}
