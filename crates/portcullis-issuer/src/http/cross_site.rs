//! Protection from cross-site requests. A browser also sends cookies with requests of another
//! site's pages. This module rejects such requests, and tells browsers which other pages may read
//! responses (CORS).

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::problem::Problem;
use crate::config::IssuerConfig;

/// How long a browser may cache the response to a preflight.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

/// Lets the pages of trusted origins send cookies, and read the answers
/// (<https://fetch.spec.whatwg.org/#http-cors-protocol>). Every response has `Vary: Origin`, so
/// that no cache serves it to a page of another origin.
pub(super) fn cors(config: &IssuerConfig) -> CorsLayer {
    let origins = config.trusted_origins.iter().filter_map(|origin| origin.parse().ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.collect::<Vec<HeaderValue>>()))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_MAX_AGE)
}

/// Rejects a request if the browser's headers show that it comes neither from the issuer's own
/// pages nor from pages of a trusted origin.
///
/// A request with neither header is accepted here, while [`portcullis`] rejects such a request with
/// its access cookie. The access cookie is `SameSite=Lax`, so a browser may send it from another
/// site's page. The refresh cookie is `SameSite=Strict`, and only `POST` routes read it. Every
/// browser that supports `SameSite` sends `Origin` with a `POST`. So a request with neither header
/// does not come from a browser but, for example, from curl with a cookie jar.
pub(super) fn check(headers: &HeaderMap, config: &IssuerConfig) -> Result<(), Problem> {
    let mut senders = headers.get_all(ORIGIN).iter();
    let (sender, more) = (senders.next(), senders.next());
    let is_trusted = |sender| config.trusted_origins.iter().any(|origin| sender == origin.as_str());
    if more.is_none() && sender.is_some_and(is_trusted) {
        return Ok(());
    }
    // <https://www.w3.org/TR/fetch-metadata/>; `none` means that the user typed the address or
    // followed a bookmark.
    let fetched_from_here = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| site == "same-origin" || site == "none");
    let is_own = |sender| sender == config.issuer.as_str();
    let sent_from_here = more.is_none() && sender.is_none_or(is_own);
    if fetched_from_here && sent_from_here { Ok(()) } else { Err(Problem::CrossSite) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    #[test]
    fn the_table() {
        const HERE: &str = "https://auth.example";
        const APP: &str = "https://app.example";
        let mut config = IssuerConfig::new(HERE, "identsphere.db");
        config.trusted_origins = vec![APP.to_owned()];
        for (headers, accepted) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", HERE)], true),
            (&[("origin", HERE)], true),
            (&[("sec-fetch-site", "same-site"), ("origin", APP)], true),
            (&[("origin", APP)], true),
            // The app's proxy serves the issuer under the app's origin.
            (&[("sec-fetch-site", "same-origin"), ("origin", APP)], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", HERE)], false),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "null")], false),
            (&[("origin", "http://auth.example")], false),
            (&[("origin", "http://app.example")], false),
            (&[("origin", "https://app.example:8443")], false),
            (&[("origin", "https://blog.example")], false),
            (&[("origin", "https://auth.example.evil.example")], false),
            (&[("origin", "https://app.example.evil.example")], false),
            (&[("origin", APP), ("origin", "https://evil.example")], false),
            (&[("origin", HERE), ("origin", "https://evil.example")], false),
        ] {
            let mut map = HeaderMap::new();
            for &(name, value) in headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(check(&map, &config).is_ok(), accepted, "{headers:?}");
        }
    }
}
