//! The session's cookies (RFC 6265bis for the prefixes).
//!
//! | cookie | for |
//! |---|---|
//! | `__Host-portcullis-access`, or `__Secure-` with a cookie domain | the access token, for the issuer and the apps of the domain |
//! | `__Secure-portcullis-refresh` | the refresh token, for the issuer's `/v1/auth` only |
//! | `__Host-portcullis-session` | proof that this host set the others: [`HostCookies`] |

use axum::http::header::{COOKIE, InvalidHeaderValue, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use url::Url;

use super::problem::Problem;
use crate::config::IssuerConfig;
use crate::domain::host_cookie::HostCookies;

pub(super) const REFRESH: &str = "__Secure-portcullis-refresh";
pub(super) const HOST: &str = "__Host-portcullis-session";
const REFRESH_PATH: &str = "/v1/auth";

/// The maximum number of segments in the path of a planted cookie: the issuer's paths have no more.
const MAX_SEGMENTS: usize = 4;

/// Returns the access cookie's name. A `__Host-` cookie is sent to one host only, so with a cookie
/// domain the prefix is `__Secure-`.
pub(super) fn access_name(config: &IssuerConfig) -> String {
    let prefix = if config.cookie_domain.is_some() { "__Secure-" } else { "__Host-" };
    format!("{prefix}{}", portcullis::token::ACCESS_COOKIE)
}

/// Sets the refresh cookie and the `__Host-` cookie.
pub(super) fn set_session(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
    refresh_token: &str,
    host_cookie: &str,
) -> Result<(), InvalidHeaderValue> {
    let secs = config.refresh_expiry.as_secs();
    append(headers, REFRESH, refresh_token, &refresh_attributes(secs))?;
    append(headers, HOST, host_cookie, &host_attributes(secs))
}

/// Sets the access cookie.
pub(super) fn set_access(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
    access_token: &str,
) -> Result<(), InvalidHeaderValue> {
    let secs = config.access_expiry.as_secs();
    append(headers, &access_name(config), access_token, &access_attributes(config, secs))
}

/// Clears the cookies of a session.
pub(super) fn clear(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
) -> Result<(), InvalidHeaderValue> {
    append(headers, &access_name(config), "", &access_attributes(config, 0))?;
    append(headers, REFRESH, "", &refresh_attributes(0))?;
    append(headers, HOST, "", &host_attributes(0))
}

/// Clears all cookies with these names that a request to `path` sends, for every domain and path
/// with which a host of the domain may have set them. A cookie is replaced only by a cookie with
/// the same domain and path (RFC 6265bis §5.7).
pub(super) fn clear_planted(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
    path: &str,
) -> Result<(), InvalidHeaderValue> {
    clear(headers, config)?;
    let access = access_name(config);
    for name in [REFRESH, &access].into_iter().filter(|name| name.starts_with("__Secure-")) {
        for domain in domains(config) {
            for path in prefixes(path) {
                append(headers, name, "", &format!("Path={path}{domain}; Max-Age=0; Secure"))?;
            }
        }
    }
    Ok(())
}

/// Returns the `Domain` attributes of cookies that reach the issuer's host: no attribute, the host
/// itself, and its parents up to the registrable domain.
fn domains(config: &IssuerConfig) -> Vec<String> {
    let mut domains = vec![String::new()];
    let issuer = Url::parse(&config.issuer).ok();
    let Some(host) = issuer.as_ref().and_then(Url::domain) else { return domains };
    let Some(registrable) = psl::domain_str(host) else { return domains };
    let mut next = Some(host);
    while let Some(domain) = next {
        domains.push(format!("; Domain={domain}"));
        next = domain.split_once('.').map(|(_, parent)| parent);
        next = next.filter(|parent| parent.ends_with(registrable));
    }
    domains
}

/// Returns the cookie paths that match a request's path (RFC 6265bis §5.1.4).
fn prefixes(path: &str) -> Vec<String> {
    let mut prefixes = vec!["/".to_owned()];
    let mut prefix = String::new();
    for segment in path.split('/').skip(1).take(MAX_SEGMENTS) {
        // Other bytes could end the attribute, and no path of the issuer has them.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if segment.is_empty() || !segment.bytes().all(plain) {
            break;
        }
        prefix = format!("{prefix}/{segment}");
        prefixes.push(prefix.clone());
        if prefix.len() < path.len() {
            prefixes.push(format!("{prefix}/"));
        }
    }
    prefixes
}

fn access_attributes(config: &IssuerConfig, secs: u64) -> String {
    let domain = config.cookie_domain.as_ref().map(|domain| format!("; Domain={domain}"));
    let domain = domain.unwrap_or_default();
    format!("Path=/{domain}; Max-Age={secs}; Secure; HttpOnly; SameSite=Lax")
}

fn refresh_attributes(secs: u64) -> String {
    format!("Path={REFRESH_PATH}; Max-Age={secs}; Secure; HttpOnly; SameSite=Strict")
}

/// Returns the attributes of the `__Host-` cookie. On this host, browsers send it with the same
/// requests as the access cookie.
fn host_attributes(secs: u64) -> String {
    format!("Path=/; Max-Age={secs}; Secure; HttpOnly; SameSite=Lax")
}

fn append(
    headers: &mut HeaderMap,
    name: &str,
    value: &str,
    attributes: &str,
) -> Result<(), InvalidHeaderValue> {
    let cookie = HeaderValue::try_from(format!("{name}={value}; {attributes}"))?;
    headers.append(SET_COOKIE, cookie);
    Ok(())
}

/// Returns the value of a cookie.
///
/// # Errors
///
/// [`Problem::AmbiguousCookie`] if there are several: another host of the domain may have set one.
pub(super) fn value<'h>(headers: &'h HeaderMap, wanted: &str) -> Result<Option<&'h str>, Problem> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, value)| *name == wanted && !value.is_empty())
        .map(|(_, value)| value);
    let first = found.next();
    if found.next().is_some() {
        return Err(Problem::AmbiguousCookie);
    }
    Ok(first)
}

/// Returns the refresh token in the cookie.
///
/// # Errors
///
/// [`Problem::AmbiguousCookie`], or [`Problem::UnmatchedCookie`] if this host did not set it.
pub(super) fn refresh_token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let (refresh, host) = (value(headers, REFRESH)?, value(headers, HOST)?);
    let Some(refresh) = refresh else { return Ok(None) };
    match host {
        Some(host) if HostCookies::is_of_refresh_token(host, refresh) => Ok(Some(refresh)),
        _ => Err(Problem::UnmatchedCookie),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keys::KeyEncryptionKey;
    use crate::domain::sessions::MacKey;

    fn config(change: impl FnOnce(&mut IssuerConfig)) -> IssuerConfig {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        change(&mut config);
        config
    }

    fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
        headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).collect()
    }

    #[test]
    fn cookies_have_exactly_these_attributes() {
        let with = |config: &IssuerConfig| {
            let mut headers = HeaderMap::new();
            set_access(&mut headers, config, "A").unwrap();
            set_session(&mut headers, config, "R", "H").unwrap();
            set_cookies(&headers).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let refresh = "__Secure-portcullis-refresh=R; Path=/v1/auth; Max-Age=2592000; Secure; \
                       HttpOnly; SameSite=Strict";
        let host = "__Host-portcullis-session=H; Path=/; Max-Age=2592000; Secure; HttpOnly; \
                    SameSite=Lax";
        let access =
            "__Host-portcullis-access=A; Path=/; Max-Age=900; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(with(&config(|_| ())), [access, refresh, host]);
        let access = "__Secure-portcullis-access=A; Path=/; Domain=example.com; Max-Age=900; Secure; \
                      HttpOnly; SameSite=Lax";
        let shared = config(|config| config.cookie_domain = Some("example.com".to_owned()));
        assert_eq!(with(&shared), [access, refresh, host]);
    }

    #[test]
    fn refresh_cookie_without_the_matching_host_cookie_is_rejected() {
        let key = KeyEncryptionKey::from_base64(&format!("{}=", "A".repeat(43))).unwrap();
        let key = MacKey::of(&key, 1).unwrap();
        let host = |token: &str| HostCookies::new(&key, &[]).unwrap().value("session", token);
        let (right, wrong) = (host("R"), host("Q"));
        let ambiguous = || Err(Problem::AmbiguousCookie);
        let unmatched = || Err(Problem::UnmatchedCookie);
        for (field, expected) in [
            (format!("a=1; {REFRESH}=R; b=2; {HOST}={right}"), Ok(Some("R"))),
            (format!("{REFRESH}=R"), unmatched()),
            (format!("{REFRESH}=R; {HOST}={wrong}"), unmatched()),
            (format!("{REFRESH}=R; {HOST}="), unmatched()),
            (format!("{REFRESH}=R; {REFRESH}=R; {HOST}={right}"), ambiguous()),
            (format!("{REFRESH}=R; {REFRESH}=Q; {HOST}={right}"), ambiguous()),
            (format!("{REFRESH}=R; {HOST}={right}; {HOST}={wrong}"), ambiguous()),
            (format!("{HOST}={right}"), Ok(None)),
            (format!("{REFRESH}=; {HOST}={right}"), Ok(None)),
            ("portcullis-refresh=R".to_owned(), Ok(None)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_str(&field).unwrap());
            assert_eq!(refresh_token(&headers), expected, "{field}");
        }
    }

    #[test]
    fn planted_cookies_are_taken_back_from_every_domain_and_path() {
        let shared = config(|config| config.cookie_domain = Some("example.com".to_owned()));
        let mut headers = HeaderMap::new();
        clear_planted(&mut headers, &shared, "/v1/auth/refresh").unwrap();
        let cleared = set_cookies(&headers);
        for name in [REFRESH, "__Secure-portcullis-access"] {
            for domain in ["", "; Domain=auth.example.com", "; Domain=example.com"] {
                for path in ["/", "/v1", "/v1/", "/v1/auth", "/v1/auth/", "/v1/auth/refresh"] {
                    let cookie = format!("{name}=; Path={path}{domain}; Max-Age=0; Secure");
                    assert!(cleared.contains(&&*cookie), "no {cookie}");
                }
            }
        }
        // Proxies limit the size of a response's header, nginx to 4 or 8 KiB.
        let bytes: usize = cleared.iter().map(|cookie| cookie.len() + 14).sum();
        assert!(bytes < 4000, "{bytes}");
        assert_eq!(prefixes("/v1/x;Domain=evil/y"), ["/", "/v1", "/v1/"]);
        let local = config(|config| config.issuer = "http://127.0.0.1:8080".to_owned());
        assert_eq!(domains(&local), [""]);
    }
}
