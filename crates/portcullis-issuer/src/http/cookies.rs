//! The two cookies: one that carries the access token to the apps, one that never leaves the
//! issuer's own paths (RFC 6265bis for the prefixes).

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, InvalidHeaderValue, SET_COOKIE};

use super::problem::Problem;
use crate::config::IssuerConfig;

pub(super) const REFRESH: &str = "__Secure-portcullis-refresh";
const REFRESH_PATH: &str = "/v1/auth";

/// The access cookie's name. `__Host-` promises that no other host set it, and so it cannot be
/// shared with one; `__Secure-` is what remains when a domain is configured.
pub(super) fn access_name(config: &IssuerConfig) -> String {
    let prefix = if config.cookie_domain.is_some() { "__Secure-" } else { "__Host-" };
    format!("{prefix}{}", portcullis::token::ACCESS_COOKIE)
}

/// Sets both cookies.
pub(super) fn set(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
    access_token: &str,
    refresh_token: &str,
) -> Result<(), InvalidHeaderValue> {
    set_access(headers, config, access_token)?;
    append_refresh(headers, refresh_token, config.refresh_expiry.as_secs())
}

/// Sets the one with the access token.
pub(super) fn set_access(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
    access_token: &str,
) -> Result<(), InvalidHeaderValue> {
    append_access(headers, config, access_token, config.access_expiry.as_secs())
}

/// Takes both cookies back.
pub(super) fn clear(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
) -> Result<(), InvalidHeaderValue> {
    append_access(headers, config, "", 0)?;
    append_refresh(headers, "", 0)
}

fn append_access(
    headers: &mut HeaderMap,
    config: &IssuerConfig,
    token: &str,
    secs: u64,
) -> Result<(), InvalidHeaderValue> {
    let name = access_name(config);
    let domain = config.cookie_domain.as_ref().map(|domain| format!("; Domain={domain}"));
    let domain = domain.unwrap_or_default();
    let cookie =
        format!("{name}={token}; Path=/{domain}; Max-Age={secs}; Secure; HttpOnly; SameSite=Lax");
    headers.append(SET_COOKIE, cookie.parse()?);
    Ok(())
}

fn append_refresh(
    headers: &mut HeaderMap,
    token: &str,
    secs: u64,
) -> Result<(), InvalidHeaderValue> {
    let cookie = format!(
        "{REFRESH}={token}; Path={REFRESH_PATH}; Max-Age={secs}; Secure; HttpOnly; SameSite=Strict"
    );
    headers.append(SET_COOKIE, cookie.parse()?);
    Ok(())
}

/// The refresh token in the cookie. Two are refused: another host of the domain may have planted
/// one of them.
pub(super) fn refresh_token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, value)| *name == REFRESH && !value.is_empty())
        .map(|(_, value)| value);
    let first = found.next();
    if found.next().is_some() {
        return Err(Problem::AmbiguousCookie);
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn cookies(change: impl FnOnce(&mut IssuerConfig)) -> Vec<String> {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        change(&mut config);
        let mut headers = HeaderMap::new();
        set(&mut headers, &config, "A", "R").unwrap();
        headers.get_all(SET_COOKIE).iter().map(|c| c.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_cookies_to_the_letter() {
        let refresh = "__Secure-portcullis-refresh=R; Path=/v1/auth; Max-Age=2592000; Secure; \
                       HttpOnly; SameSite=Strict";
        assert_eq!(
            cookies(|_| ()),
            [
                "__Host-portcullis-access=A; Path=/; Max-Age=900; Secure; HttpOnly; SameSite=Lax",
                refresh,
            ]
        );
        assert_eq!(
            cookies(|config| config.cookie_domain = Some("example.com".to_owned())),
            [
                "__Secure-portcullis-access=A; Path=/; Domain=example.com; Max-Age=900; Secure; \
                 HttpOnly; SameSite=Lax",
                refresh,
            ]
        );
    }

    #[test]
    fn the_refresh_cookie_is_found_among_others_and_never_guessed() {
        for (field, expected) in [
            ("a=1; __Secure-portcullis-refresh=R; b=2", Ok(Some("R"))),
            (
                "__Secure-portcullis-refresh=R; __Secure-portcullis-refresh=R",
                Err(Problem::AmbiguousCookie),
            ),
            ("__Secure-portcullis-refresh=", Ok(None)),
            ("portcullis-refresh=R", Ok(None)),
            (
                "__Secure-portcullis-refresh=R; __Secure-portcullis-refresh=Q",
                Err(Problem::AmbiguousCookie),
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_static(field));
            assert_eq!(refresh_token(&headers), expected, "{field}");
        }
    }
}
