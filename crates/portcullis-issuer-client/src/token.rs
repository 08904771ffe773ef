//! The caller's access token, from the request that the app received.

use std::fmt;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::error::ClientError;

/// The access token of a caller, which is sent to the issuer as a bearer token.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use portcullis_issuer_client::{CallerToken, ClientError};
///
/// let mut headers = HeaderMap::new();
/// let missing = CallerToken::from_headers(&headers);
/// assert!(matches!(missing, Err(ClientError::NoToken)));
///
/// headers.insert("cookie", HeaderValue::from_static("theme=dark; __Host-portcullis-access=e30.e30.e30"));
/// let token = CallerToken::from_headers_or_cookie(&headers, "__Host-portcullis-access")?;
/// assert_eq!(format!("{token:?}"), "CallerToken(redacted)");
/// # Ok::<(), ClientError>(())
/// ```
#[derive(Clone)]
pub struct CallerToken(HeaderValue);

impl CallerToken {
    /// Wraps a token that the app read itself.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::MalformedToken`] if it has a character that a bearer token cannot
    /// contain (RFC 6750 section 2.1).
    pub fn new(token: &str) -> Result<Self, ClientError> {
        Self::from_bytes(token.as_bytes())
    }

    /// Reads the token from the `Authorization` header. Schemes other than `Bearer` are ignored.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::NoToken`] if there is none, [`ClientError::RepeatedToken`] if there
    /// are two such headers, and [`ClientError::MalformedToken`] if it has a character that a
    /// bearer token cannot contain.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, ClientError> {
        from_authorization(headers)?.ok_or(ClientError::NoToken)
    }

    /// Reads the token from the `Authorization` header, or else from the cookie of this name. An
    /// empty cookie is ignored.
    ///
    /// A browser may send a cookie with a request that another site made. Call this only behind
    /// a middleware that rejects such requests, as Portcullis does for the cookie that it reads.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::NoToken`] if there is none, [`ClientError::RepeatedToken`] if the
    /// header or the cookie is duplicated, and [`ClientError::MalformedToken`] if it has a
    /// character that a bearer token cannot contain.
    pub fn from_headers_or_cookie(headers: &HeaderMap, cookie: &str) -> Result<Self, ClientError> {
        let token = from_authorization(headers)?;
        let token = token.map_or_else(|| from_cookie(headers, cookie), |token| Ok(Some(token)))?;
        token.ok_or(ClientError::NoToken)
    }

    /// The value of the `Authorization` header for the issuer.
    pub(crate) fn authorization(&self) -> HeaderValue {
        self.0.clone()
    }

    fn from_bytes(token: &[u8]) -> Result<Self, ClientError> {
        let unpadded = token.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
        let (body, _padding) = token.split_at(unpadded);
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
        if body.is_empty() || !body.iter().all(allowed) {
            return Err(ClientError::MalformedToken);
        }
        let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat())
            .map_err(|_| ClientError::MalformedToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

fn from_authorization(headers: &HeaderMap) -> Result<Option<CallerToken>, ClientError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(ClientError::RepeatedToken);
    }
    let field = field.as_bytes();
    let end = field.iter().position(|&byte| byte == b' ').unwrap_or(field.len());
    let (scheme, token) = field.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    CallerToken::from_bytes(token.trim_ascii()).map(Some)
}

/// Reads the token from the cookie of this name. HTTP/2 may split cookies over several lines (RFC
/// 9113 section 8.2.3).
fn from_cookie(headers: &HeaderMap, name: &str) -> Result<Option<CallerToken>, ClientError> {
    let mut tokens = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
        .filter_map(|pair| {
            let pair = pair.trim_ascii();
            let at = pair.iter().position(|&byte| byte == b'=')?;
            let (cookie, value) = pair.split_at(at);
            (cookie == name.as_bytes()).then(|| value.get(1..).unwrap_or_default())
        })
        .filter(|token| !token.is_empty());
    let Some(token) = tokens.next() else { return Ok(None) };
    // Another host of the domain may have set one of the two cookies.
    if tokens.next().is_some() {
        return Err(ClientError::RepeatedToken);
    }
    CallerToken::from_bytes(token).map(Some)
}

impl fmt::Debug for CallerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerToken(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header that is sent to the issuer for a request with these headers.
    fn sent(lines: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        match CallerToken::from_headers_or_cookie(&headers, "t") {
            Ok(token) => token.authorization().to_str().unwrap().to_owned(),
            Err(ClientError::NoToken) => "NoToken".to_owned(),
            Err(ClientError::RepeatedToken) => "RepeatedToken".to_owned(),
            Err(ClientError::MalformedToken) => "MalformedToken".to_owned(),
            Err(other) => unreachable!("{other}"),
        }
    }

    #[test]
    fn token_is_read_from_the_header_or_else_the_cookie() {
        for (lines, expected) in [
            (&[("authorization", "Bearer a.b-c_d~e+f/g==")][..], "Bearer a.b-c_d~e+f/g=="),
            (&[("authorization", "bearer  a")], "Bearer a"),
            (&[("cookie", "t=a.b.c")], "Bearer a.b.c"),
            (&[("cookie", "x=1; t=a; y=2")], "Bearer a"),
            (&[("cookie", "x=1"), ("cookie", "t=a")], "Bearer a"),
            (&[("authorization", "Bearer a"), ("cookie", "t=b")], "Bearer a"),
            (&[("authorization", "Basic YTpi"), ("cookie", "t=b")], "Bearer b"),
            (&[], "NoToken"),
            (&[("authorization", "Basic YTpi")], "NoToken"),
            (&[("authorization", "Bearers a")], "NoToken"),
            (&[("cookie", "T=a; tt=b; x=t=c; t")], "NoToken"),
            (&[("cookie", "t=")], "NoToken"),
            (&[("cookie", "t=; t=a")], "Bearer a"),
            (&[("authorization", "Bearer a"), ("authorization", "Bearer a")], "RepeatedToken"),
            (&[("cookie", "t=a; t=b")], "RepeatedToken"),
            (&[("cookie", "t=a"), ("cookie", "t=a")], "RepeatedToken"),
            (&[("authorization", "Bearer")], "MalformedToken"),
            (&[("authorization", "Bearer "), ("cookie", "t=a")], "MalformedToken"),
            (&[("authorization", "Bearer a b")], "MalformedToken"),
            (&[("authorization", "Bearer \"a\"")], "MalformedToken"),
            (&[("cookie", "t=\"a\"")], "MalformedToken"),
            (&[("cookie", "t===")], "MalformedToken"),
        ] {
            assert_eq!(sent(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn cookie_is_ignored_if_only_the_header_is_requested() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("t=a"));
        let token = CallerToken::from_headers(&headers);
        assert!(matches!(token, Err(ClientError::NoToken)), "{token:?}");
    }

    #[test]
    fn debug_and_errors_show_no_token() {
        let token = CallerToken::new("s3cret").unwrap();
        assert_eq!(
            format!("{token:?} {:?}", token.authorization()),
            "CallerToken(redacted) Sensitive"
        );
        let error = CallerToken::new("s3cret\r\nx: y").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}
