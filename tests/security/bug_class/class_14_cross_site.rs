//! A cookie that another site's page causes to be sent: cross-site request forgery.
//!
//! A cookie is accepted with an unsafe request only if the browser states, in one header line, that
//! a page of this origin or of a configured origin sent the request.

use http::Request;
use portcullis::Algorithm;
use portcullis::Authenticator;
use portcullis::testing::TestKey;

use super::support::{builder, claims};

const TRUSTED: &str = "https://app.example";

async fn auth(key: &TestKey, cookie: &str) -> Authenticator {
    builder(key).cookie(cookie).also_trusted_origin(TRUSTED).build().await.unwrap()
}

/// The outcome of `POST https://HOST/` with the cookie and these headers.
async fn outcome(
    auth: &Authenticator,
    cookie: &str,
    host: &str,
    headers: &[(&str, &str)],
) -> &'static str {
    let mut request = Request::post("/").header("host", host).header("cookie", cookie);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match auth.authenticate(&request.body(()).unwrap()).await {
        Ok(_) => "accepted",
        Err(refusal) => refusal.rule(),
    }
}

/// A network attacker responds as `http://api.example`, and its page posts to the https API. A
/// cookie with `__Host-` or `__Secure-` is sent over https only, so the API's own pages use https.
#[tokio::test]
async fn unencrypted_page_with_a_secure_cookie_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&claims());
    for prefix in ["__Host-", "__Secure-", "__host-", "__SECURE-"] {
        let name = format!("{prefix}access");
        let (auth, cookie) = (auth(&key, &name).await, format!("{name}={token}"));
        for (host, origin, expected) in [
            ("api.example", "https://api.example", "accepted"),
            ("api.example", "http://api.example", "cross_site"),
            ("api.example:443", "https://api.example", "accepted"),
            ("api.example", "https://api.example:443", "accepted"),
            ("api.example:443", "http://api.example:443", "cross_site"),
            ("api.example:8443", "https://api.example:8443", "accepted"),
            ("api.example:8443", "https://api.example", "cross_site"),
            ("api.example:80", "http://api.example", "cross_site"),
            ("api.example:80", "https://api.example", "cross_site"),
            ("api.example", "https://api.example:8443", "cross_site"),
            ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "accepted"),
            ("[2001:db8::1]", "https://[2001:db8::1]", "accepted"),
            ("[2001:db8::1]", "https://[2001:db8::1]:443", "accepted"),
            ("[2001:db8::1]", "http://[2001:db8::1]", "cross_site"),
            ("[2001:db8::1]", "https://[2001:db8::2]", "cross_site"),
            ("API.example", "https://api.EXAMPLE", "accepted"),
        ] {
            let origin = [("origin", origin)];
            let outcome = outcome(&auth, &cookie, host, &origin).await;
            assert_eq!(outcome, expected, "{name} {host} {origin:?}");
        }
    }
}

/// A cookie without a prefix may belong to a site without TLS: behind a proxy the service cannot
/// tell. Default ports are those of the page's own scheme.
#[tokio::test]
async fn unencrypted_page_with_a_plain_cookie_must_match_the_authority() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (auth, cookie) = (auth(&key, "access").await, format!("access={}", key.token(&claims())));
    for (host, origin, expected) in [
        ("api.example", "https://api.example", "accepted"),
        ("api.example", "http://api.example", "accepted"),
        ("api.example:80", "http://api.example", "accepted"),
        ("api.example:443", "https://api.example", "accepted"),
        ("api.example:443", "http://api.example", "cross_site"),
        ("api.example:80", "https://api.example", "cross_site"),
        ("api.example:8080", "http://api.example", "cross_site"),
        ("api.example:8080", "http://api.example:8080", "accepted"),
    ] {
        let outcome = outcome(&auth, &cookie, host, &[("origin", origin)]).await;
        assert_eq!(outcome, expected, "{host} {origin}");
    }
}

#[tokio::test]
async fn foreign_origin_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&claims());
    for name in ["__Host-access", "access"] {
        let (auth, cookie) = (auth(&key, name).await, format!("{name}={token}"));
        for origin in [
            "null",
            "",
            "https://",
            "https:///",
            "https://evil.example",
            "https://api.example.evil.example",
            "https://evil.example/api.example",
            "https://api.example/",
            "https://api.example/path",
            "https://api.example?x",
            "https://api.example#x",
            "https://api.example.",
            "https://user@api.example",
            "https://api.example@evil.example",
            "https://api.example:443@evil.example",
            "https://api.example:",
            "https://api.example:x",
            "https://api.example:+443",
            "https://api.example:65979",
            "https://api.example:443:443",
            "https://api.example https://api.example",
            "https://api.example, https://api.example",
            "https://evil.example, https://api.example",
            "HTTPS://api.example",
            "ftp://api.example",
            "wss://api.example",
            "api.example",
            "//api.example",
            "https:api.example",
            "https://[api.example]",
            "https://*",
        ] {
            let outcome = outcome(&auth, &cookie, "api.example", &[("origin", origin)]).await;
            assert_eq!(outcome, "cross_site", "{name} {origin:?}");
        }
        for (host, origin) in [
            ("", "https://"),
            ("user@api.example", "https://user@api.example"),
            ("api.example:x", "https://api.example:x"),
            ("api.example/", "https://api.example/"),
            ("null", "null"),
        ] {
            let outcome = outcome(&auth, &cookie, host, &[("origin", origin)]).await;
            assert_eq!(outcome, "cross_site", "{name} {host:?} {origin:?}");
        }
    }
}

/// If there are two `Origin` lines, one parser takes the first and another the last. A browser
/// sends only one.
#[tokio::test]
async fn repeated_origin_lines_are_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&claims());
    let own = ("origin", "https://api.example");
    let trusted = ("origin", TRUSTED);
    let evil = ("origin", "https://evil.example");
    let same = ("sec-fetch-site", "same-origin");
    let cross = ("sec-fetch-site", "cross-site");
    let none = ("sec-fetch-site", "none");
    for name in ["__Host-access", "access"] {
        let (auth, cookie) = (auth(&key, name).await, format!("{name}={token}"));
        for (headers, expected) in [
            (&[own][..], "accepted"),
            (&[trusted], "accepted"),
            (&[same], "accepted"),
            (&[none], "accepted"),
            (&[trusted, cross], "accepted"),
            // A page without a referrer: the browser sends no origin, and attests the site.
            (&[("origin", "null"), same], "accepted"),
            (&[own, own], "cross_site"),
            (&[own, evil], "cross_site"),
            (&[evil, own], "cross_site"),
            (&[trusted, trusted], "cross_site"),
            (&[trusted, evil], "cross_site"),
            (&[evil, trusted], "cross_site"),
            (&[own, own, same], "cross_site"),
            (&[trusted, evil, same], "cross_site"),
            (&[same, same], "cross_site"),
            (&[same, cross], "cross_site"),
            (&[cross, same], "cross_site"),
            (&[none, same], "cross_site"),
            (&[same, same, own], "cross_site"),
            (&[same, same, trusted], "cross_site"),
            (&[("sec-fetch-site", "same-origin, same-origin")], "cross_site"),
        ] {
            let outcome = outcome(&auth, &cookie, "api.example", headers).await;
            assert_eq!(outcome, expected, "{name} {headers:?}");
        }
        // If the request names two hosts, neither is chosen as its own host.
        let hosts = [("host", "evil.example"), ("origin", "https://evil.example")];
        assert_eq!(outcome(&auth, &cookie, "api.example", &hosts).await, "cross_site");
        let hosts = [("host", "evil.example"), own];
        assert_eq!(outcome(&auth, &cookie, "api.example", &hosts).await, "cross_site");
    }
}
