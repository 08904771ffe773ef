//! Filters and sets the headers of forwarded requests and responses.

use std::net::IpAddr;

use axum::http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use portcullis_axum::portcullis::Authenticated;

/// Prefix of the headers that identify the caller to the app. Many frameworks treat `-` and `_` alike, so the
/// proxy removes both spellings from client requests.
const TOLD: &str = "x-sidecar-";
const SUBJECT: HeaderName = HeaderName::from_static("x-sidecar-subject");
const SCOPE: HeaderName = HeaderName::from_static("x-sidecar-scope");

/// Prefix of the headers that describe the client's connection, set by clients or other proxies.
const X_FORWARDED: &str = "x-forwarded-";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Removes hop-by-hop headers ([RFC 9110 §7.6.1]).
///
/// [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
pub(crate) fn end_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A client must not be able to remove `Host`.
        .filter(|name| *name != HOST)
        .collect();
    let always = [
        CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        // This proxy has already answered the `Expect` header.
        EXPECT,
    ];
    for name in always.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Sets the forwarding headers from this proxy's connection, and removes those of the request.
pub(crate) fn tell_of_client(headers: &mut HeaderMap, uri: &Uri, client: IpAddr) {
    remove_all(headers, X_FORWARDED);
    headers.remove(FORWARDED);
    if let Ok(address) = HeaderValue::try_from(client.to_canonical().to_string()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    // HTTP/2 has `:authority` instead of `Host`.
    let host = uri.authority().and_then(|host| HeaderValue::try_from(host.as_str()).ok());
    if let (Some(host), false) = (host, headers.contains_key(HOST)) {
        headers.insert(HOST, host);
    }
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// Sets the headers that identify the caller, and removes the credentials: the app does not need them, and so
/// cannot leak them.
pub(crate) fn tell_who(headers: &mut HeaderMap, who: Option<&Authenticated>) {
    remove_all(headers, TOLD);
    headers.remove(AUTHORIZATION);
    keep_other_cookies(headers);
    let Some(who) = who else { return };
    let registered = who.registered();
    let told =
        [(SUBJECT, registered.subject().unwrap_or_default()), (SCOPE, registered.scope().as_str())];
    for (name, value) in told {
        // Omits a value that is not valid in a header: the app then sees no caller.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

fn remove_all(headers: &mut HeaderMap, beginning: &str) {
    let own = |name: &&HeaderName| name.as_str().replace('_', "-").starts_with(beginning);
    let names: Vec<HeaderName> = headers.keys().filter(own).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Removes the issuer's cookies, with each of their prefixes (RFC 6265bis §4.1.3).
fn keep_other_cookies(headers: &mut HeaderMap) {
    let is_issuers = |cookie: &str| {
        let name = ["__Host-", "__Secure-"]
            .iter()
            .find_map(|prefix| cookie.strip_prefix(prefix))
            .unwrap_or(cookie);
        name.starts_with("portcullis-")
    };
    let kept: Vec<&str> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .map(str::trim)
        .filter(|cookie| !cookie.is_empty() && !is_issuers(cookie))
        .collect();
    let kept = (!kept.is_empty()).then(|| HeaderValue::try_from(kept.join("; ")));
    headers.remove(COOKIE);
    if let Some(Ok(kept)) = kept {
        headers.insert(COOKIE, kept);
    }
}
