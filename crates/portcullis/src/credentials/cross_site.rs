//! Prevents cross-site request forgery: browsers send cookies along with requests from other sites'
//! pages.
//!
//! Browsers send the origin of a request in `Sec-Fetch-Site` ([Fetch Metadata]) and `Origin`
//! ([RFC 6454 §7]). A page can set neither.
//!
//! [Fetch Metadata]: https://www.w3.org/TR/fetch-metadata/
//! [RFC 6454 §7]: https://www.rfc-editor.org/rfc/rfc6454#section-7

use std::convert::identity;

use http::header::{CONNECTION, HeaderName, ORIGIN};

use crate::request::{Repeated, RequestView, authority, is_safe, single, try_each_line};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request is safe, or comes from a page of this origin or of a trusted one.
pub(super) fn may_use_cookie(
    request: &(impl RequestView + ?Sized),
    cookie: &str,
    trusted_origins: &[String],
) -> bool {
    if is_safe(request.method()) && !is_upgrade(request) {
        return true;
    }
    is_from_own_page(request, cookie, trusted_origins).is_ok_and(identity)
}

/// Whether the browser's headers name a trusted page. A browser sends each of them once.
fn is_from_own_page(
    request: &(impl RequestView + ?Sized),
    cookie: &str,
    trusted_origins: &[String],
) -> Result<bool, Repeated> {
    let origin = single(request, &ORIGIN)?;
    let site = single(request, &SEC_FETCH_SITE)?;
    if trusted_origins.iter().any(|trusted| origin == Some(trusted.as_bytes())) {
        return Ok(true);
    }
    Ok(match (site, origin, authority(request)) {
        // `none` is a direct action of the user: a typed address or a bookmark.
        (Some(b"same-origin" | b"none"), ..) => true,
        // `same-site` is another host of the same domain, which may not be trusted.
        (Some(_), ..) => false,
        // The client is an older browser or no browser. An older browser sends an `Origin` with a
        // request from a page.
        (None, Some(origin), Some(authority)) => is_own(origin, authority, is_secure(cookie)),
        (None, ..) => false,
    })
}

/// Whether the request is a WebSocket handshake. A handshake is a GET, but the messages after it
/// are unsafe, and no preflight protects the handshake.
fn is_upgrade(request: &(impl RequestView + ?Sized)) -> bool {
    try_each_line(request, &CONNECTION, |line| {
        let mut options = line.split(|&byte| byte == b',');
        let upgrades = options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        if upgrades { Err(()) } else { Ok(()) }
    })
    .is_err()
}

/// Whether browsers send a cookie of this name over https only (RFC 6265bis §4.1.3). They compare
/// the prefixes case-insensitively.
fn is_secure(cookie: &str) -> bool {
    ["__Host-", "__Secure-"].iter().any(|prefix| {
        cookie.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

/// Whether `origin` ([RFC 6454 §6.2]) is the origin of `authority`, which the request was sent to.
/// Behind a proxy that terminates TLS, the request's scheme is unknown, so both schemes are
/// accepted unless the cookie proves https.
///
/// [RFC 6454 §6.2]: https://www.rfc-editor.org/rfc/rfc6454#section-6.2
fn is_own(origin: &[u8], authority: &[u8], must_be_https: bool) -> bool {
    let (rest, default_port) = if let Some(rest) = origin.strip_prefix(b"https://") {
        (rest, 443)
    } else if let Some(rest) = origin.strip_prefix(b"http://")
        && !must_be_https
    {
        (rest, 80)
    } else {
        return false;
    };
    let host_and_port = |text| split_port(text, default_port);
    host_and_port(rest).is_some_and(|(host, port)| {
        host_and_port(authority)
            .is_some_and(|(own, own_port)| host.eq_ignore_ascii_case(own) && port == own_port)
    })
}

/// Splits an authority into a host name or IP address and its port. `None` for any other authority,
/// such as one with a user (RFC 3986 §3.2).
fn split_port(authority: &[u8], default: u16) -> Option<(&[u8], u16)> {
    let is_address = authority.first() == Some(&b'[');
    let end = if is_address {
        authority.iter().position(|&byte| byte == b']')? + 1
    } else {
        authority.iter().position(|&byte| byte == b':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at_checked(end)?;
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let in_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let is_host = match host {
        [b'[', inside @ .., b']'] => !inside.is_empty() && inside.iter().all(in_address),
        name => !name.is_empty() && name.iter().all(in_name),
    };
    let port = match port {
        [] => default,
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(digits).ok()?.parse().ok()?
        }
        _ => return None,
    };
    is_host.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::request::tests::Counting;

    fn allowed(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let trusted = ["https://app.example".to_owned()];
        may_use_cookie(&request.body(()).unwrap(), "access", &trusted)
    }

    #[test]
    fn safe_request_is_allowed_from_any_origin() {
        assert!(allowed("GET", &[("sec-fetch-site", "cross-site")]));
        assert!(allowed("HEAD", &[]));
    }

    #[test]
    fn unsafe_request_is_allowed_only_from_own_origin() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "post"] {
            assert!(!allowed(method, &[]), "{method}");
            assert!(allowed(method, &[("sec-fetch-site", "same-origin")]), "{method}");
        }
        assert!(allowed("POST", &[("sec-fetch-site", "none")]));
        for site in ["same-site", "cross-site", "Same-Origin", ""] {
            assert!(!allowed("POST", &[("sec-fetch-site", site)]), "{site}");
        }
        // With `cross-site`, a matching `Origin` does not help.
        let forged = [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://a.example"),
            ("host", "a.example"),
        ];
        assert!(!allowed("POST", &forged));
    }

    #[test]
    fn trusted_origin_is_compared_as_a_whole() {
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
    fn without_fetch_metadata_origin_must_match_host() {
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
    fn upgrade_request_is_unsafe() {
        let upgrade = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        assert!(!allowed("GET", &upgrade));
        let own =
            [("connection", "upgrade"), ("origin", "http://a.example"), ("host", "a.example")];
        assert!(allowed("GET", &own));
    }

    #[test]
    fn absent_port_is_the_default_port() {
        for (authority, expected) in [
            ("a.example", Some(("a.example", 443))),
            ("a.example:443", Some(("a.example", 443))),
            ("a_b-c.example:8443", Some(("a_b-c.example", 8443))),
            ("127.0.0.1:1", Some(("127.0.0.1", 1))),
            ("[::1]", Some(("[::1]", 443))),
            ("[::ffff:1.2.3.4]:65535", Some(("[::ffff:1.2.3.4]", 65535))),
            ("", None),
            (":443", None),
            ("a.example:", None),
            ("a.example:65536", None),
            ("a.example:+1", None),
            ("a.example:1:1", None),
            ("u@a.example", None),
            ("u:p@a.example", None),
            ("a.example/", None),
            ("a example", None),
            ("\u{e4}.example", None),
            ("[]", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[a.example]", None),
            ("[::1%25eth0]", None),
        ] {
            let expected = expected.map(|(host, port): (&str, u16)| (host.as_bytes(), port));
            assert_eq!(split_port(authority.as_bytes(), 443), expected, "{authority}");
        }
    }

    #[test]
    fn forty_thousand_connection_lines_are_visited_once() {
        let lines = vec![&b"keep-alive"[..]; 40_000];
        let looks = std::cell::Cell::new(0);
        let request = Counting { name: "connection", lines, method: "GET", looks };
        assert!(may_use_cookie(&request, "access", &[]));
        assert_eq!(request.looks.get(), 40_000);
    }

    #[test]
    fn unknown_method_is_unsafe() {
        assert!(!may_use_cookie(&http::HeaderMap::new(), "access", &[]));
    }
}
