//! What a server's caching headers say of its key set ([RFC 9111]), within the operator's limits.
//!
//! [RFC 9111]: https://www.rfc-editor.org/rfc/rfc9111

use std::time::{Duration, SystemTime};

use http::header::{
    CACHE_CONTROL, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, PRAGMA,
    RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_cache_semantics::{CacheOptions, CachePolicy};
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
        let policy = self.policy(limits.ttl, now);
        let ttl = policy.time_to_live(now).clamp(limits.min_ttl, limits.ttl);
        // §5.2.2.2: stale keys are then not to be used, in an outage neither.
        let forbids_stale = !limits.ignore_must_revalidate
            && directives(&self.received).any(|name| name == "must-revalidate");
        let max_stale = if forbids_stale { Duration::ZERO } else { limits.max_stale };
        Lifetime::new(ttl, max_stale, limits, spread)
    }

    fn policy(&self, default: Duration, now: SystemTime) -> CachePolicy {
        let mut headers = self.received.clone();
        // The names of directives have no case (§5.2); the crate expects them in lower case.
        let mut control: Vec<_> = cache_control(&headers).collect();
        if !says_how_long(&headers) {
            // The operator's TTL, rather than a guess from the document's age (§4.2.2).
            control.push(format!("max-age={}", default.as_secs()));
        }
        if let Ok(control) = HeaderValue::try_from(control.join(", ")) {
            headers.insert(CACHE_CONTROL, control);
        }
        let mut answer = Response::new(());
        *answer.headers_mut() = headers;
        // The keys are for this process alone: `private` and `s-maxage` are not about it.
        let options = CacheOptions { shared: false, ..CacheOptions::default() };
        CachePolicy::new_options(&self.request(), &answer, now, options)
    }

    fn request(&self) -> Request<()> {
        Request::get(self.url.as_str()).body(()).unwrap_or_default()
    }
}

/// Whether the headers say anything of how long the answer is fresh.
fn says_how_long(headers: &HeaderMap) -> bool {
    let has_directive = directives(headers)
        .any(|name| matches!(name.as_str(), "max-age" | "no-cache" | "no-store"));
    has_directive || headers.contains_key(EXPIRES) || headers.contains_key(PRAGMA)
}

/// The lines of `Cache-Control`, in lower case.
fn cache_control(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    lines.filter_map(|line| line.to_str().ok()).map(str::to_ascii_lowercase)
}

/// The names of its directives.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let name = |directive: &str| directive.split('=').next().unwrap_or_default().trim().to_owned();
    cache_control(headers).flat_map(move |line| line.split(',').map(name).collect::<Vec<_>>())
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        ttl: Duration::from_secs(300),
        min_ttl: Duration::from_secs(10),
        refresh_ahead: Duration::from_secs(30),
        max_stale: Duration::from_secs(3600),
        ignore_must_revalidate: false,
        cooldown: Duration::from_secs(30),
        fetch_timeout: Duration::from_secs(5),
        stale_while_retrying: true,
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

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (value, secs) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Fri, 15 Jan 2027 08:01:00 GMT", Some(60)),
            ("Fri, 15 Jan 2027 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = headers(&[("retry-after", value)]).received;
            assert_eq!(retry_after(&headers, now()).map(|after| after.as_secs()), secs, "{value}");
        }
    }
}
