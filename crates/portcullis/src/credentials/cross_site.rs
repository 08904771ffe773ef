//! Whether a cookie may speak for its user: browsers send it along with requests that other
//! sites' pages make (cross-site request forgery).
//!
//! Browsers say where a request comes from in `Sec-Fetch-Site` ([Fetch Metadata]) and `Origin`
//! ([RFC 6454 §7]); a page can set neither.
//!
//! [Fetch Metadata]: https://www.w3.org/TR/fetch-metadata/
//! [RFC 6454 §7]: https://www.rfc-editor.org/rfc/rfc6454#section-7

use http::header::{CONNECTION, HeaderName, ORIGIN};

use crate::request::{RequestView, is_safe};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request is safe, or sent by a page of this host or of a trusted origin.
pub(super) fn may_use_cookie(
    request: &(impl RequestView + ?Sized),
    trusted_origins: &[String],
) -> bool {
    if is_safe(request.method()) && !is_upgrade(request) {
        return true;
    }
    let origin = request.header(&ORIGIN, 0);
    if trusted_origins.iter().any(|trusted| origin == Some(trusted.as_bytes())) {
        return true;
    }
    match request.header(&SEC_FETCH_SITE, 0) {
        // `none` is the user's own doing: an address typed, a bookmark.
        Some(b"same-origin" | b"none") => true,
        // `same-site` is another host of the same domain, which need not be ours.
        Some(_) => false,
        // An older browser, or no browser at all: a page's request has an Origin.
        None => origin.is_some_and(|origin| is_own_host(origin, request)),
    }
}

/// A WebSocket handshake is a GET, but what follows it is not safe, and no preflight guards it.
fn is_upgrade(request: &(impl RequestView + ?Sized)) -> bool {
    (0..).map_while(|index| request.header(&CONNECTION, index)).any(|line| {
        line.split(|&byte| byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    })
}

/// Whether `origin` is the host that the request was sent to. The scheme is not compared: behind
/// a proxy that ends TLS nobody here knows it.
fn is_own_host(origin: &[u8], request: &(impl RequestView + ?Sized)) -> bool {
    let Some(host) = request.authority() else { return false };
    [&b"https://"[..], b"http://"]
        .iter()
        .filter_map(|scheme| origin.strip_prefix(*scheme))
        .any(|authority| !host.is_empty() && authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn allowed(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let trusted = ["https://app.example".to_owned()];
        may_use_cookie(&request.body(()).unwrap(), &trusted)
    }

    #[test]
    fn safe_requests_may_come_from_anywhere() {
        assert!(allowed("GET", &[("sec-fetch-site", "cross-site")]));
        assert!(allowed("HEAD", &[]));
    }

    #[test]
    fn unsafe_requests_must_come_from_here() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "post"] {
            assert!(!allowed(method, &[]), "{method}");
            assert!(allowed(method, &[("sec-fetch-site", "same-origin")]), "{method}");
        }
        assert!(allowed("POST", &[("sec-fetch-site", "none")]));
        for site in ["same-site", "cross-site", "Same-Origin", ""] {
            assert!(!allowed("POST", &[("sec-fetch-site", site)]), "{site}");
        }
        // Who says cross-site is not helped by an origin that looks right.
        let forged = [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://a.example"),
            ("host", "a.example"),
        ];
        assert!(!allowed("POST", &forged));
    }

    #[test]
    fn a_trusted_origin_is_compared_whole() {
        assert!(allowed(
            "POST",
            &[("sec-fetch-site", "same-site"), ("origin", "https://app.example")]
        ));
        for origin in ["https://app.example:8443", "http://app.example", "https://app.example.evil"]
        {
            assert!(!allowed("POST", &[("sec-fetch-site", "same-site"), ("origin", origin)]));
        }
    }

    #[test]
    fn without_fetch_metadata_the_origin_must_be_the_host() {
        let host = ("host", "api.example:8443");
        assert!(allowed("POST", &[host, ("origin", "https://api.example:8443")]));
        for origin in
            ["https://api.example", "null", "https://evil.example", "api.example:8443", ""]
        {
            assert!(!allowed("POST", &[host, ("origin", origin)]), "{origin}");
        }
        assert!(!allowed("POST", &[("host", ""), ("origin", "https://")]));
    }

    #[test]
    fn an_upgrade_is_not_safe() {
        let upgrade = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        assert!(!allowed("GET", &upgrade));
        let own =
            [("connection", "upgrade"), ("origin", "http://a.example"), ("host", "a.example")];
        assert!(allowed("GET", &own));
    }

    #[test]
    fn an_unknown_method_is_unsafe() {
        assert!(!may_use_cookie(&http::HeaderMap::new(), &[]));
    }
}
