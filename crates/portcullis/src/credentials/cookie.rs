//! A token in a cookie ([RFC 6265 §4.2.1]).
//!
//! [RFC 6265 §4.2.1]: https://www.rfc-editor.org/rfc/rfc6265#section-4.2.1

use http::header::COOKIE;

use super::{BearerToken, CredentialsError};
use crate::request::{RequestView, try_each_line};

/// The name of the access cookie of Portcullis's issuer, without its prefix.
///
/// The full name is `__Host-portcullis-access`, or `__Secure-portcullis-access` if the issuer
/// shares the cookie with the hosts of a domain.
pub const ACCESS_COOKIE: &str = "portcullis-access";

/// The token in the cookie `name`. HTTP/2 may split cookies over several lines (RFC 9113 §8.2.3).
pub(super) fn find<'r>(
    request: &'r (impl RequestView + ?Sized),
    name: &str,
) -> Result<Option<BearerToken<'r>>, CredentialsError> {
    let mut found = None;
    try_each_line(request, &COOKIE, |line| {
        for pair in line.split(|&byte| byte == b';') {
            let pair = pair.trim_ascii();
            let Some(at) = pair.iter().position(|&byte| byte == b'=') else { continue };
            let (cookie, value) = pair.split_at(at);
            let value = value.get(1..).unwrap_or_default();
            // Services set an empty value when they log a user out.
            if cookie != name.as_bytes() || value.is_empty() {
                continue;
            }
            // A second cookie may have been planted, for example by a sibling host.
            if found.is_some() {
                return Err(CredentialsError::Repeated);
            }
            found = Some(BearerToken::parse(value)?);
        }
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn found(lines: &[&'static str]) -> Result<Option<String>, CredentialsError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, http::HeaderValue::from_static(line));
        }
        Ok(find(&headers, "t")?.map(|token| token.text().unwrap().to_owned()))
    }

    #[test]
    fn cookie_is_found_among_others() {
        for lines in
            [&["t=a.b.c"][..], &["x=1; t=a.b.c; y=2"], &["x=1", "t=a.b.c"], &["x; t=a.b.c;"]]
        {
            assert_eq!(found(lines), Ok(Some("a.b.c".to_owned())), "{lines:?}");
        }
    }

    #[test]
    fn cookie_with_another_name_is_ignored() {
        for lines in [&[][..], &["T=a"], &["tt=a"], &["x=t=a"], &["t"]] {
            assert_eq!(found(lines), Ok(None), "{lines:?}");
        }
    }

    #[test]
    fn empty_cookie_is_absent() {
        for lines in [&["t="][..], &["t=; x=1"], &["t=", "t= "]] {
            assert_eq!(found(lines), Ok(None), "{lines:?}");
        }
        assert_eq!(found(&["t=; t=a"]), Ok(Some("a".to_owned())));
    }

    #[test]
    fn duplicate_or_malformed_cookie_is_rejected() {
        for lines in [&["t=a; t=b"][..], &["t=a", "t=a"]] {
            assert_eq!(found(lines), Err(CredentialsError::Repeated), "{lines:?}");
        }
        for lines in [&["t=="][..], &["t=\"a\""], &["t=\"\""], &["t=a b"], &["t=a,b"]] {
            assert_eq!(found(lines), Err(CredentialsError::Grammar), "{lines:?}");
        }
    }
}
