//! The headers of forwarded requests and responses.

use std::net::IpAddr;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Prefix of the headers that describe the client's connection.
const X_FORWARDED: &str = "x-forwarded-";
const X_REAL_IP: &str = "x-real-ip";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers by which some frameworks choose another path or method than the request's.
const OVERRIDES: [&str; 5] = [
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// Removes the headers that would make an app run the code of another route than the request's.
pub(crate) fn remove_overrides(headers: &mut HeaderMap) {
    remove_folded(headers, |name| OVERRIDES.contains(&name));
}

/// Returns a name in the form that programs compare which treat some characters alike: CGI, WSGI
/// and PHP read `X_Auth_Subject` as `X-Auth-Subject`.
pub(crate) fn folded(name: &HeaderName) -> String {
    let fold = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    name.as_str().chars().map(fold).collect()
}

/// Removes the headers that `remove` matches by their [folded](folded) name.
pub(crate) fn remove_folded(headers: &mut HeaderMap, remove: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| remove(&folded(name))).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether the request has the headers of a WebSocket handshake of HTTP/1.1. No other protocol is
/// upgraded to: with `h2c`, a client could send requests past the sidecar.
pub(crate) fn is_handshake(headers: &HeaderMap, version: Version) -> bool {
    version == Version::HTTP_11
        && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && tokens(headers, &UPGRADE).eq_ignore_case("websocket")
}

trait Alone {
    fn eq_ignore_case(self, text: &str) -> bool;
}

impl<'h, I: Iterator<Item = &'h str>> Alone for I {
    fn eq_ignore_case(mut self, text: &str) -> bool {
        self.next().is_some_and(|token| token.eq_ignore_ascii_case(text)) && self.next().is_none()
    }
}

/// Adds the headers of a WebSocket handshake, or of the response to one, after [`end_hop`].
pub(crate) fn add_handshake(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Removes hop-by-hop headers ([RFC 9110 §7.6.1]).
///
/// [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
pub(crate) fn end_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter_map(|name| name.parse::<HeaderName>().ok())
        // A client must not be able to remove `Host`, nor its address that a proxy names: proxies
        // pass its `Connection` on.
        .filter(|name| {
            let name = name.as_str();
            name != HOST && name != X_REAL_IP && !name.starts_with(X_FORWARDED)
        })
        .collect();
    let always = [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        // hyper has already answered it.
        EXPECT,
    ];
    for name in always.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Ends the hop of a request. hyper frames the forwarded body by what it read, not by a header.
pub(crate) fn end_request_hop(headers: &mut HeaderMap) {
    end_hop(headers);
    headers.remove(CONTENT_LENGTH);
}

/// The comma-separated tokens of all lines of a header.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// Sets `Host` to the authority that the request is for ([RFC 9112 §3.2.2]), and returns whether
/// there is exactly one.
///
/// [RFC 9112 §3.2.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
pub(crate) fn set_host(headers: &mut HeaderMap, uri: &Uri, version: Version) -> bool {
    let lines = headers.get_all(HOST).iter().count();
    match uri.authority().map(|host| HeaderValue::try_from(host.as_str())) {
        Some(Ok(host)) => {
            headers.insert(HOST, host);
            lines < 2
        }
        Some(Err(_)) => false,
        // HTTP/1.0 does not require the header.
        None => lines == 1 || (lines == 0 && version == Version::HTTP_10),
    }
}

/// Describes the client's connection in headers. Those of the request remain only if it came from a
/// proxy that sets them.
pub(crate) fn set_forwarded(headers: &mut HeaderMap, peer: IpAddr, is_proxy: bool) {
    let kept = |name: &str| is_proxy && headers.contains_key(name);
    let (has_host, has_proto) = (kept(X_FORWARDED_HOST.as_str()), kept(X_FORWARDED_PROTO.as_str()));
    let before = if is_proxy { tokens(headers, &X_FORWARDED_FOR).collect() } else { Vec::new() };
    let peer = peer.to_canonical().to_string();
    let chain = [before, vec![&*peer]].concat().join(", ");
    // Two names that an app treats alike could contradict each other.
    let remove = |name: &HeaderName| {
        let folded = folded(name);
        let describes = folded.starts_with(X_FORWARDED) || folded == X_REAL_IP || name == FORWARDED;
        describes && !(is_proxy && folded == name.as_str() && name != FORWARDED)
    };
    let names: Vec<HeaderName> = headers.keys().filter(|name| remove(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    if let Ok(chain) = HeaderValue::try_from(chain) {
        headers.insert(X_FORWARDED_FOR, chain);
    }
    if let (false, Some(host)) = (has_host, headers.get(HOST).cloned()) {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if !has_proto {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
}

/// The places in a request that may contain a credential of the gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialPlaces {
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) cookie: Option<String>,
    /// Prefixes of WebSocket subprotocols that are tokens.
    pub(crate) subprotocols: Vec<String>,
    /// WebSocket subprotocols after which a token follows.
    pub(crate) markers: Vec<String>,
}

impl CredentialPlaces {
    /// Removes all credentials: the app does not need them, and so cannot leak them.
    pub(crate) fn remove_from(&self, headers: &mut HeaderMap) {
        headers.remove(AUTHORIZATION);
        for name in &self.headers {
            headers.remove(name);
        }
        self.remove_cookies(headers, None);
        self.remove_subprotocols(headers);
    }

    /// Removes the configured cookie, and the issuer's cookies with each of their prefixes
    /// (RFC 6265bis §4.1.3). A configured cookie with the value `foreign` remains.
    pub(crate) fn remove_cookies(&self, headers: &mut HeaderMap, foreign: Option<&str>) {
        let is_credential = |cookie: &str| {
            let (name, value) = cookie.split_once('=').unwrap_or((cookie, ""));
            let name = name.trim();
            if self.cookie.as_deref() == Some(name) {
                return foreign != Some(value.trim().trim_matches('"'));
            }
            let rest = ["__Host-", "__Secure-"].iter().find_map(|prefix| name.strip_prefix(prefix));
            rest.unwrap_or(name).starts_with("portcullis-")
        };
        let cookies: Vec<&[u8]> = headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|line| line.as_bytes().split(|b| *b == b';'))
            .collect();
        let kept: Vec<&[u8]> = cookies
            .iter()
            .map(|cookie| cookie.trim_ascii())
            .filter(|cookie| !cookie.is_empty() && !is_credential(&String::from_utf8_lossy(cookie)))
            .collect();
        let kept = HeaderValue::from_bytes(&kept.join(&b"; "[..]));
        headers.remove(COOKIE);
        if let Ok(kept) = kept
            && !kept.is_empty()
        {
            headers.insert(COOKIE, kept);
        }
    }

    fn remove_subprotocols(&self, headers: &mut HeaderMap) {
        if self.subprotocols.is_empty() && self.markers.is_empty() {
            return;
        }
        let mut follows_marker = false;
        let is_kept = |protocol: &&str| {
            let is_token = std::mem::take(&mut follows_marker)
                || self.subprotocols.iter().any(|prefix| protocol.starts_with(prefix));
            follows_marker = !is_token && self.markers.iter().any(|marker| marker == protocol);
            !is_token && !follows_marker
        };
        let kept: Vec<&str> = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).filter(is_kept).collect();
        let kept = HeaderValue::try_from(kept.join(", "));
        headers.remove(SEC_WEBSOCKET_PROTOCOL);
        if let Ok(kept) = kept
            && !kept.is_empty()
        {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
        };
        let mut lines: Vec<String> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn hop_by_hop_headers_and_those_that_connection_names_are_removed() {
        let mut headers = headers(&[
            ("host", "api.example"),
            ("connection", "close, X-Hop , HOST"),
            ("connection", "x-other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("x-end", "1"),
            ("keep-alive", "5"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("content-length", "7"),
        ]);
        end_request_hop(&mut headers);
        assert_eq!(lines(&headers), ["host: api.example", "x-end: 1"]);
    }

    #[test]
    fn only_a_websocket_handshake_is_an_upgrade() {
        for (connection, upgrade, version, expected) in [
            ("Upgrade", "websocket", Version::HTTP_11, true),
            ("keep-alive, upgrade", "WebSocket", Version::HTTP_11, true),
            ("close", "websocket", Version::HTTP_11, false),
            ("upgrade", "h2c", Version::HTTP_11, false),
            ("upgrade", "h2c, websocket", Version::HTTP_11, false),
            ("upgrade", "websocket", Version::HTTP_2, false),
            ("upgrade", "websocket", Version::HTTP_10, false),
        ] {
            let headers = headers(&[("connection", connection), ("upgrade", upgrade)]);
            assert_eq!(is_handshake(&headers, version), expected, "{connection} {upgrade}");
        }
    }

    #[test]
    fn request_without_exactly_one_host_is_found() {
        for (lines_before, target, version, expected, host) in [
            (&[("host", "a")][..], "/", Version::HTTP_11, true, Some("a")),
            (&[], "/", Version::HTTP_11, false, None),
            (&[], "/", Version::HTTP_10, true, None),
            (&[("host", "a"), ("host", "a")], "/", Version::HTTP_11, false, Some("a")),
            (&[("host", "a")], "http://b/", Version::HTTP_11, true, Some("b")),
            (&[("host", "a"), ("host", "b")], "http://b/", Version::HTTP_11, false, Some("b")),
            (&[], "http://b/", Version::HTTP_2, true, Some("b")),
        ] {
            let mut headers = headers(lines_before);
            let one = set_host(&mut headers, &target.parse().unwrap(), version);
            assert_eq!(one, expected, "{lines_before:?} {target}");
            assert_eq!(headers.get(HOST).map(|host| host.to_str().unwrap()), host);
        }
    }

    #[test]
    fn clients_headers_about_its_connection_are_replaced_and_those_of_a_proxy_are_kept() {
        let sent = [
            ("host", "api.example"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x-forwarded_host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "444"),
            ("x-real-ip", "1.2.3.4"),
        ];
        let peer = "::ffff:10.0.0.7".parse().unwrap();
        let mut of_client = headers(&sent);
        set_forwarded(&mut of_client, peer, false);
        let expected = [
            "host: api.example",
            "x-forwarded-for: 10.0.0.7",
            "x-forwarded-host: api.example",
            "x-forwarded-proto: http",
        ];
        assert_eq!(lines(&of_client), expected);
        let mut of_proxy = headers(&sent);
        set_forwarded(&mut of_proxy, peer, true);
        let expected = [
            "host: api.example",
            "x-forwarded-for: 1.2.3.4, 10.0.0.7",
            "x-forwarded-host: api.example",
            "x-forwarded-port: 444",
            "x-forwarded-proto: https",
            "x-real-ip: 1.2.3.4",
        ];
        assert_eq!(lines(&of_proxy), expected);
    }

    #[test]
    fn credentials_are_removed_from_every_place_and_the_rest_is_kept() {
        let places = CredentialPlaces {
            headers: vec![HeaderName::from_static("x-access-token")],
            cookie: Some("session".to_owned()),
            subprotocols: vec!["bearer.".to_owned()],
            markers: vec!["bearer".to_owned()],
        };
        let mut sent = headers(&[
            ("authorization", "Bearer a"),
            ("x-access-token", "a"),
            ("cookie", "theme=dark; session=a; portcullis-access=a"),
            ("cookie", "__Host-portcullis-access=a; __Secure-portcullis-refresh=r;; n\u{e4}me=1"),
            ("sec-websocket-protocol", "chat, bearer.a, bearer"),
            ("sec-websocket-protocol", "a, v2"),
            ("x-own", "stays"),
        ]);
        places.remove_from(&mut sent);
        let expected =
            ["cookie: theme=dark; n\u{e4}me=1", "sec-websocket-protocol: chat, v2", "x-own: stays"];
        assert_eq!(lines(&sent), expected);
        let mut only = headers(&[("cookie", "session=a"), ("sec-websocket-protocol", "bearer, a")]);
        places.remove_from(&mut only);
        assert!(only.is_empty(), "{only:?}");
    }
}
