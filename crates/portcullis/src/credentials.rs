//! Where in a request a token may stand: one place, and never two.

mod cookie;
mod cross_site;
mod query;
mod websocket;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};

use crate::request::{Repeated, RequestView, single};
use crate::settings::{self, Setting};

pub use cookie::ACCESS_COOKIE;

/// Where tokens are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials {
    /// Another header than Authorization, with a token and nothing else.
    pub(crate) header: Option<HeaderName>,
    /// What a WebSocket subprotocol begins with whose rest is the token.
    pub(crate) websocket_protocol: Option<String>,
    /// The parameter of the query that may hold the token.
    pub(crate) query: Option<String>,
    /// The name of the cookie that is read when the token stands nowhere else.
    pub(crate) cookie: Option<String>,
    /// The origins whose pages may send that cookie with unsafe requests.
    pub(crate) trusted_origins: Vec<String>,
}

/// What stands where a bearer token should.
#[derive(Clone, Copy)]
pub(crate) struct BearerToken<'a>(&'a [u8]);

/// Why the credentials of a request are not even looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// More than one Authorization header, more than one cookie of the name, or tokens in two
    /// places.
    #[error("the request has the credentials twice")]
    Repeated,
    /// `Bearer` with nothing, or with something else than a token behind it (RFC 6750 §2.1).
    #[error("what stands where the token should be does not have a token's form")]
    Grammar,
    /// The cookie came with an unsafe request from another site's page, or from where nobody can
    /// tell.
    #[error("the cookie came with an unsafe request that no trusted page has sent")]
    CrossSite,
}

impl From<Repeated> for CredentialsError {
    fn from(Repeated: Repeated) -> Self {
        Self::Repeated
    }
}

impl CredentialsError {
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Repeated => "credentials_repeated",
            Self::Grammar => "credentials_grammar",
            Self::CrossSite => "cross_site",
        }
    }

    pub(crate) fn setting(self) -> Option<&'static Setting> {
        matches!(self, Self::CrossSite).then_some(settings::TRUSTED_ORIGINS)
    }

    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Repeated => "send the token once, in one place",
            Self::Grammar => "send `Authorization: Bearer` and the token, without quotes",
            Self::CrossSite => "add the page's origin as an `also_trusted_origin`, if it is yours",
        }
    }
}

impl Credentials {
    /// The headers that may hold a token, besides Authorization.
    pub(crate) fn headers(&self) -> Vec<&str> {
        let header = self.header.as_ref().map(HeaderName::as_str);
        let protocol = self.websocket_protocol.as_ref().map(|_| SEC_WEBSOCKET_PROTOCOL.as_str());
        let cookie = self.cookie.as_ref().map(|_| COOKIE.as_str());
        [header, protocol, cookie].into_iter().flatten().collect()
    }

    /// The token of `request`, if there is one.
    pub(crate) fn find<'r>(
        &self,
        request: &'r (impl RequestView + ?Sized),
    ) -> Result<Option<BearerToken<'r>>, CredentialsError> {
        if let Some(value) = single(request, &AUTHORIZATION)? {
            // With an Authorization header the cookie is not looked at, whatever the header says:
            // two identities in one request are not to be chosen from.
            return bearer(value);
        }
        // What a page or a client has put there on purpose comes before what browsers add.
        let header = self.header.as_ref().map_or(Ok(None), |name| in_header(request, name))?;
        let protocol = self.websocket_protocol.as_deref();
        let protocol = protocol.map_or(Ok(None), |prefix| websocket::find(request, prefix))?;
        let query = self.query.as_deref().map_or(Ok(None), |name| query::find(request, name))?;
        let mut explicit = [header, protocol, query].into_iter().flatten();
        if let Some(token) = explicit.next() {
            let alone = explicit.next().is_none();
            return if alone { Ok(Some(token)) } else { Err(CredentialsError::Repeated) };
        }
        let Some(name) = &self.cookie else { return Ok(None) };
        let token = cookie::find(request, name)?;
        if token.is_some() && !cross_site::may_use_cookie(request, name, &self.trusted_origins) {
            return Err(CredentialsError::CrossSite);
        }
        Ok(token)
    }
}

/// A token that is all of a header's value.
fn in_header<'r>(
    request: &'r (impl RequestView + ?Sized),
    name: &HeaderName,
) -> Result<Option<BearerToken<'r>>, CredentialsError> {
    single(request, name)?.map(BearerToken::parse).transpose()
}

/// The token in an Authorization header's value: `None` if the scheme is another one
/// ([RFC 6750 §2.1], [RFC 9110 §11.4]).
///
/// [RFC 6750 §2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
/// [RFC 9110 §11.4]: https://www.rfc-editor.org/rfc/rfc9110#section-11.4
fn bearer(value: &[u8]) -> Result<Option<BearerToken<'_>>, CredentialsError> {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = value.iter().position(|byte| !is_tchar(byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    if rest.first().is_some_and(|&byte| byte != b' ') {
        return Err(CredentialsError::Grammar);
    }
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    // Its characters are looked at where it is read: one that was read before had the right ones.
    Ok(Some(BearerToken(rest.get(spaces..).unwrap_or_default())))
}

impl<'a> BearerToken<'a> {
    /// What is a token by its characters.
    fn parse(bytes: &'a [u8]) -> Result<Self, CredentialsError> {
        Self(bytes).text().map(|_| Self(bytes))
    }

    /// Whatever it is.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// `b64token`, RFC 6750 §2.1.
    pub(crate) fn text(self) -> Result<&'a str, CredentialsError> {
        let bytes = self.0;
        let unpadded = bytes.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
        let (body, _padding) = bytes.split_at(unpadded);
        // Without a branch, so that the compiler looks at many bytes at once: tokens are long.
        let foreign = |byte: u8| {
            let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
            let dash_to_nine = byte.wrapping_sub(b'-') < 13;
            u8::from(!(letter | dash_to_nine | (byte == b'+') | (byte == b'_') | (byte == b'~')))
        };
        if body.is_empty() || body.iter().fold(0, |any, &byte| any | foreign(byte)) != 0 {
            return Err(CredentialsError::Grammar);
        }
        std::str::from_utf8(bytes).map_err(|_| CredentialsError::Grammar)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use http::HeaderMap;

    use super::*;
    use crate::request::tests::Counting;

    fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn found(value: &[u8]) -> Result<Option<String>, CredentialsError> {
        let headers = headers(&[("authorization", value)]);
        let token = Credentials::default().find(&headers)?;
        token.map(|token| token.text().map(str::to_owned)).transpose()
    }

    #[test]
    fn a_bearer_token_is_found() {
        for value in
            ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g=="]
        {
            assert_eq!(found(value.as_bytes()), Ok(Some("a.b-c_d~e+f/g==".to_owned())), "{value}");
        }
    }

    #[test]
    fn another_scheme_is_no_bearer_token() {
        for value in ["Basic YTpi", "Bearerx a", "DPoP a", "", "Token"] {
            assert_eq!(found(value.as_bytes()), Ok(None), "{value}");
        }
    }

    /// RFC 6750 §2.1: `b64token`, of all bytes that there are.
    #[test]
    fn a_token_has_just_the_characters_of_its_grammar() {
        for byte in 0..=u8::MAX {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            let bytes = [b'a', byte, b'a'];
            assert_eq!(BearerToken::parse(&bytes).is_ok(), allowed, "{byte:#x}");
        }
    }

    #[test]
    fn bad_grammar_is_not_absence() {
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer =",
            b"Bearer a b",
            b"Bearer a,Bearer b",
            b"Bearer a=b",
            b"Bearer \"a\"",
            b"Bearer a\t",
            b"Bearer\ta",
            b"Bearer,a",
            b"bearer=a",
            b"Bearer \xff",
            "Bearer é".as_bytes(),
        ] {
            assert_eq!(found(value), Err(CredentialsError::Grammar), "{value:?}");
        }
    }

    #[test]
    fn two_authorization_headers_are_refused_even_if_they_agree() {
        let headers = headers(&[("authorization", b"Bearer a"), ("authorization", b"Bearer a")]);
        let found = Credentials::default().find(&headers).map(|token| token.is_some());
        assert_eq!(found, Err(CredentialsError::Repeated));
    }

    #[test]
    fn a_cookie_with_an_unsafe_request_needs_a_page_that_is_trusted() {
        let credentials = Credentials {
            cookie: Some("t".to_owned()),
            trusted_origins: vec!["https://app.example".to_owned()],
            ..Credentials::default()
        };
        for (method, cookie, origin, expected) in [
            ("GET", "t=a", "https://evil.example", Ok(true)),
            ("POST", "t=a", "https://app.example", Ok(true)),
            ("POST", "t=a", "https://evil.example", Err(CredentialsError::CrossSite)),
            // Without the cookie there is nothing that a foreign page could use.
            ("POST", "x=a", "https://evil.example", Ok(false)),
        ] {
            let request = http::Request::builder().method(method).uri("https://api.example/");
            let request = request.header("cookie", cookie).header("origin", origin);
            let found = credentials.find(&request.body(()).unwrap()).map(|token| token.is_some());
            assert_eq!(found, expected, "{method} {cookie} {origin}");
        }
    }

    #[test]
    fn each_fault_names_its_rule_its_setting_and_a_remedy() {
        for (error, rule, setting, remedy) in [
            (CredentialsError::Repeated, "credentials_repeated", None, "once"),
            (CredentialsError::Grammar, "credentials_grammar", None, "Bearer"),
            (CredentialsError::CrossSite, "cross_site", Some("also_trusted_origin"), "origin"),
        ] {
            assert_eq!(error.rule(), rule);
            assert_eq!(error.setting().map(|setting| setting.method), setting, "{rule}");
            assert!(error.remedy().contains(remedy), "{rule}");
        }
    }

    #[test]
    fn without_the_setting_no_cookie_is_read() {
        let headers = headers(&[("cookie", b"portcullis-access=a")]);
        assert_eq!(Credentials::default().find(&headers).map(|token| token.is_some()), Ok(false));
    }

    #[test]
    fn another_header_holds_the_token_alone() {
        let credentials = Credentials {
            header: Some(HeaderName::from_static("x-access-token")),
            cookie: Some("t".to_owned()),
            ..Credentials::default()
        };
        let found = |lines: &[(&'static str, &[u8])]| {
            let headers = headers(lines);
            credentials
                .find(&headers)
                .map(|token| token.map(|token| token.text().unwrap().to_owned()))
        };
        let a = |token: &str| Ok(Some(token.to_owned()));
        assert_eq!(found(&[("x-access-token", b"a.b.c")]), a("a.b.c"));
        // The method is not known, so that a cookie alone would be refused.
        assert_eq!(found(&[("x-access-token", b"a"), ("cookie", b"t=b")]), a("a"));
        assert_eq!(found(&[("x-access-token", b"a"), ("authorization", b"Bearer b")]), a("b"));
        assert_eq!(found(&[("x-access-token", b"a"), ("authorization", b"Basic b")]), Ok(None));
        for lines in [
            &[("x-access-token", &b"a"[..]), ("x-access-token", b"a")][..],
            &[("x-access-token", b"Bearer a")],
            &[("x-access-token", b"")],
        ] {
            assert!(found(lines).is_err(), "{lines:?}");
        }
    }

    /// The client chooses the number of lines.
    #[test]
    fn forty_thousand_header_lines_are_visited_once() {
        const LINES: usize = 40_000;
        let credentials = Credentials {
            header: Some(HeaderName::from_static("x-access-token")),
            websocket_protocol: Some("bearer.".to_owned()),
            cookie: Some("t".to_owned()),
            ..Credentials::default()
        };
        for (name, line, method, looks) in [
            ("cookie", &b"a=b"[..], "POST", LINES),
            ("sec-websocket-protocol", b"chat", "GET", LINES),
            ("authorization", b"Bearer a", "GET", 2),
            ("x-access-token", b"a", "GET", 2),
        ] {
            let lines = vec![line; LINES];
            let request = Counting { name, lines, method, looks: Cell::new(0) };
            let _ = credentials.find(&request);
            assert_eq!(request.looks.get(), looks, "{name}");
        }
    }

    #[test]
    fn tokens_in_two_places_are_refused() {
        let credentials = Credentials {
            header: Some(HeaderName::from_static("x-access-token")),
            query: Some("token".to_owned()),
            ..Credentials::default()
        };
        let request = http::Request::get("/?token=a").header("x-access-token", "a");
        let found = credentials.find(&request.body(()).unwrap()).map(|token| token.is_some());
        assert_eq!(found, Err(CredentialsError::Repeated));
    }

    #[test]
    fn an_authorization_header_rules_the_cookie_out() {
        let credentials = Credentials { cookie: Some("t".to_owned()), ..Credentials::default() };
        for (authorization, expected) in [
            ("Bearer a", Ok(Some("a"))),
            ("Basic a", Ok(None)),
            ("Bearer", Err(CredentialsError::Grammar)),
        ] {
            let headers =
                headers(&[("authorization", authorization.as_bytes()), ("cookie", b"t=b")]);
            let found = credentials.find(&headers);
            let found = found.and_then(|token| token.map(BearerToken::text).transpose());
            assert_eq!(found, expected, "{authorization}");
        }
    }
}
