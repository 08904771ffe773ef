//! What of a message's head goes on to the other side.

use std::net::IpAddr;

use axum::http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use portcullis_axum::portcullis::Authenticated;

/// What the headers begin with by which the app is told who asks. Many an app takes `-` and `_` for
/// the same, so that a client shall send neither.
const TOLD: &str = "x-sidecar-";
const SUBJECT: HeaderName = HeaderName::from_static("x-sidecar-subject");
const SCOPE: HeaderName = HeaderName::from_static("x-sidecar-scope");

/// What a proxy in front of this one, or a client, has said of the connection.
const X_FORWARDED: &str = "x-forwarded-";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Takes out what is for this connection only ([RFC 9110 §7.6.1]).
///
/// [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
pub(crate) fn end_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Without it nobody knows whom the request is for.
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
        // It was answered here.
        EXPECT,
    ];
    for name in always.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Says whose request it is, as far as this proxy has seen it, and forgets what others say.
pub(crate) fn tell_of_client(headers: &mut HeaderMap, uri: &Uri, client: IpAddr) {
    remove_all(headers, X_FORWARDED);
    headers.remove(FORWARDED);
    if let Ok(address) = HeaderValue::try_from(client.to_canonical().to_string()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    // Over HTTP/2 it stands elsewhere.
    let host = uri.authority().and_then(|host| HeaderValue::try_from(host.as_str()).ok());
    if let (Some(host), false) = (host, headers.contains_key(HOST)) {
        headers.insert(HOST, host);
    }
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// Says who asks, and keeps the credentials from the app: it has no use for them, and what it does
/// not have nobody can steal from it.
pub(crate) fn tell_who(headers: &mut HeaderMap, who: Option<&Authenticated>) {
    remove_all(headers, TOLD);
    headers.remove(AUTHORIZATION);
    keep_other_cookies(headers);
    let Some(who) = who else { return };
    let registered = who.registered();
    let told =
        [(SUBJECT, registered.subject().unwrap_or_default()), (SCOPE, registered.scope().as_str())];
    for (name, value) in told {
        // What can not be said in a header is not said: then the app knows nobody.
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

/// Takes out the issuer's cookies, under every prefix that it gives them (RFC 6265bis §4.1.3).
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
