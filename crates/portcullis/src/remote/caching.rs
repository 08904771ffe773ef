//! A server's caching headers ([RFC 9111]), applied within the operator's limits.
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

/// The headers of the response with the cached keys.
#[derive(Debug, Clone)]
pub(super) struct Headers {
    url: Url,
    received: HeaderMap,
}

impl Headers {
    pub(super) fn new(url: Url, received: HeaderMap) -> Self {
        Self { url, received }
    }

    /// Returns headers that make the next request for `url` conditional (RFC 9110 §13.1); none if
    /// the keys came from another URL.
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

    /// Returns how long the keys may be used. This is the operator's limit, or the server's lifetime if
    /// that is shorter, but never less than the minimum.
    ///
    /// Directives that forbid caching, such as `no-cache`, apply only if the operator obeys them, because
    /// most issuers' frameworks send them with every response by default.
    pub(super) fn lifetime(&self, limits: &Limits, now: SystemTime, spread: f64) -> Lifetime {
        let directives = directives(&self.received);
        let has = |wanted: &str| directives.iter().any(|(name, _)| name == wanted);
        let given = fresh_for(&self.received, &directives, now);
        let is_uncacheable = has("no-cache")
            || has("no-store")
            || text(&self.received, VARY) == Some("*")
            || given.is_none() && self.received.contains_key(PRAGMA);
        let given = match given {
            _ if limits.obey_no_cache && is_uncacheable => Some(Duration::ZERO),
            Some(Duration::ZERO) if !limits.obey_no_cache => None,
            given => given,
        };
        let left = |fresh: Duration| fresh.saturating_sub(age(&self.received));
        let ttl = given.map_or(limits.ttl, left).clamp(limits.min_ttl, limits.ttl);
        // §4.2.4: these forbid stale use, even during an outage.
        let forbids_stale = ["must-revalidate", "no-cache", "no-store"].into_iter().any(has);
        let max_stale =
            if limits.obey_no_cache && forbids_stale { Duration::ZERO } else { limits.max_stale };
        Lifetime::new(ttl, max_stale, limits, spread)
    }
}

impl Headers {
    /// Returns whether the response must not be stored on disk (§5.2.2.5). Always false unless the
    /// operator obeys such headers.
    pub(super) fn forbids_storage(&self, limits: &Limits) -> bool {
        limits.obey_no_cache
            && directives(&self.received).iter().any(|(name, _)| name == "no-store")
    }
}

/// Returns how long the response is fresh from its generation at the server (§4.2.1), if its
/// headers state that. Unreadable values count as stale. `private` and `s-maxage` do not apply to a
/// cache within one process. There is no heuristic lifetime from the document's age (§4.2.2).
fn fresh_for(
    headers: &HeaderMap,
    directives: &[(String, String)],
    now: SystemTime,
) -> Option<Duration> {
    if let Some((_, seconds)) = directives.iter().find(|(name, _)| name == "max-age") {
        return Some(delta_seconds(seconds).unwrap_or_default());
    }
    if headers.contains_key(EXPIRES) {
        let made = date(headers, DATE).unwrap_or(now);
        let expires = date(headers, EXPIRES).unwrap_or(made);
        return Some(expires.duration_since(made).unwrap_or_default());
    }
    None
}

/// Parses a number of seconds (§1.2.2). A number that is too large saturates.
fn delta_seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

/// Returns how long the response was in upstream caches (§5.1).
fn age(headers: &HeaderMap) -> Duration {
    text(headers, AGE).and_then(delta_seconds).unwrap_or_default()
}

/// Returns the directives of `Cache-Control`: case-insensitive names (§5.2), and values.
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
        obey_no_cache: false,
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

    type Lines = [(&'static str, &'static str)];

    /// Returns TTL and `max_stale`, in seconds.
    fn lifetime(lines: &Lines, obey_no_cache: bool) -> (u64, u64) {
        let limits = Limits { obey_no_cache, ..LIMITS };
        let lifetime = headers(lines).lifetime(&limits, now(), 0.0);
        (lifetime.ttl.as_secs(), (lifetime.end - lifetime.ttl).as_secs())
    }

    /// Freshness directives apply whether or not `no-cache` is obeyed.
    #[test]
    fn server_headers_only_shorten_the_ttl_down_to_min_ttl() {
        for (lines, ttl) in [
            (&[][..], 300),
            (&[("cache-control", "max-age=60")], 60),
            (&[("cache-control", "public, MAX-AGE=60")], 60),
            (&[("cache-control", "public"), ("cache-control", "max-age=60")], 60),
            (&[("cache-control", "max-age=\"60\"")], 60),
            (&[("cache-control", "max-age=86400")], 300),
            (&[("cache-control", "max-age=1")], 10),
            (&[("cache-control", "max-age=99999999999999999999")], 300),
            (&[("cache-control", "max-age=20, max-age=60")], 20),
            // Directives without a lifetime do not change the operator's TTL.
            (&[("cache-control", "public")], 300),
            (&[("cache-control", "immutable")], 300),
            (&[("last-modified", "Fri, 15 Jan 2027 07:59:00 GMT")], 300),
            // `private` and `s-maxage` do not affect a private cache.
            (&[("cache-control", "private, max-age=60")], 60),
            (&[("cache-control", "s-maxage=20, max-age=60")], 60),
            // Age is subtracted from the server's lifetime; `max-age` takes precedence over
            // `Expires`.
            (&[("cache-control", "max-age=60"), ("age", "40")], 20),
            (&[("cache-control", "max-age=60"), ("age", "100")], 10),
            (&[("cache-control", "max-age=86400"), ("age", "86300")], 100),
            (&[("age", "40")], 300),
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
        ] {
            for obey_no_cache in [false, true] {
                assert_eq!(lifetime(lines, obey_no_cache), (ttl, 3600), "{lines:?}");
            }
        }
    }

    #[test]
    fn no_cache_headers_are_obeyed_only_with_obey_no_cache() {
        const SPRING: &str = "no-cache, no-store, max-age=0, must-revalidate";
        for (lines, by_default, obeyed) in [
            // The defaults of Keycloak, Spring, Hydra and Dex.
            (&[("cache-control", "no-cache")][..], (300, 3600), (10, 0)),
            (
                &[("cache-control", SPRING), ("pragma", "no-cache"), ("expires", "0")],
                (300, 3600),
                (10, 0),
            ),
            (
                &[("cache-control", "private, no-cache, no-store, must-revalidate")],
                (300, 3600),
                (10, 0),
            ),
            (&[("cache-control", "max-age=600, must-revalidate")], (300, 3600), (300, 0)),
            (&[("cache-control", "max-age=60, must-revalidate")], (60, 3600), (60, 0)),
            (&[("cache-control", "no-store")], (300, 3600), (10, 0)),
            (&[("cache-control", "must-revalidate")], (300, 3600), (300, 0)),
            (&[("cache-control", "max-age=0")], (300, 3600), (10, 3600)),
            (&[("cache-control", "max-age=0"), ("age", "40")], (300, 3600), (10, 3600)),
            (&[("cache-control", "max-age=nonsense")], (300, 3600), (10, 3600)),
            (&[("cache-control", "max-age=-1")], (300, 3600), (10, 3600)),
            (&[("cache-control", "max-age")], (300, 3600), (10, 3600)),
            (&[("cache-control", "no-cache=\"a\", max-age=60")], (60, 3600), (10, 0)),
            (&[("cache-control", "max-age=60"), ("vary", "*")], (60, 3600), (10, 3600)),
            (&[("pragma", "no-cache")], (300, 3600), (10, 3600)),
            (&[("cache-control", "max-age=60"), ("pragma", "no-cache")], (60, 3600), (60, 3600)),
            (&[("expires", "0")], (300, 3600), (10, 3600)),
            (&[("expires", "Fri, 15 Jan 2027 07:00:00 GMT")], (300, 3600), (10, 3600)),
        ] {
            assert_eq!(lifetime(lines, false), by_default, "{lines:?}");
            assert_eq!(lifetime(lines, true), obeyed, "{lines:?}, obeyed");
        }
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
