//! The places where a request may carry a token. Tokens in two places are an error.

mod bare;
mod bearer;
mod cookie;
mod cross_site;
mod place;
mod query;
mod websocket;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE};

use crate::causes::debug_with_causes;
use crate::request::{Repeated, RequestView, single};
use crate::settings::{self, Setting};

pub use bare::BareToken;
pub(crate) use bearer::BearerToken;
pub use cookie::ACCESS_COOKIE;
pub(crate) use place::Place;
pub use place::TokenPlace;

/// Where tokens are read from.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    /// The places that are read in every request. No others are read.
    pub(crate) places: Vec<Place>,
    /// The name of the cookie that is read when no place has a token.
    pub(crate) cookie: Option<String>,
    /// The origins whose pages may send that cookie with unsafe requests.
    pub(crate) trusted_origins: Vec<String>,
}

impl Default for Credentials {
    fn default() -> Self {
        let places = vec![Place::Authorization];
        Self { places, cookie: None, trusted_origins: Vec::new() }
    }
}

/// The reason why the credentials of a request are refused before they are parsed.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A header that may hold the token is duplicated, or the cookie is duplicated, or two places
    /// have a token.
    #[error("the request has more than one token")]
    Repeated,
    /// `Bearer` is followed by nothing, or by characters that a token cannot contain (RFC 6750
    /// §2.1).
    #[error("malformed bearer token")]
    Grammar,
    /// The cookie came with an unsafe request from another site's page, or from an unknown origin.
    #[error("the cookie came with an unsafe request that was not sent by a trusted page")]
    CrossSite,
}

debug_with_causes!(CredentialsError);

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
            Self::Grammar => {
                "send the token without quotes; put `Bearer ` before it only where `token_places` \
                 names that scheme, and in `Authorization`"
            }
            Self::CrossSite => "add the page's origin as an `also_trusted_origin`, if it is yours",
        }
    }
}

impl Credentials {
    /// The headers that may hold a token.
    pub(crate) fn headers(&self) -> Vec<&str> {
        let places = self.places.iter().filter_map(Place::header).map(HeaderName::as_str);
        let mut names = Vec::new();
        for name in places.chain(self.cookie.as_ref().map(|_| COOKIE.as_str())) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The Authorization header, if it is one of the places and has a scheme that is not listed.
    /// Call it only for a request without a token.
    pub(crate) fn other_scheme<'r>(
        &self,
        request: &'r (impl RequestView + ?Sized),
    ) -> Option<&'r [u8]> {
        let is_read = self.places.iter().any(|place| place.header() == Some(&AUTHORIZATION));
        single(request, &AUTHORIZATION).ok()?.filter(|line| is_read && is_not_blank(line))
    }

    /// The token of `request`, if it has one.
    pub(crate) fn find<'r>(
        &self,
        request: &'r (impl RequestView + ?Sized),
    ) -> Result<Option<BearerToken<'r>>, CredentialsError> {
        let mut found = None;
        for place in &self.places {
            let Some(token) = place.find(request)? else { continue };
            // Two tokens in one request are ambiguous, even if they are equal.
            if found.is_some() {
                return Err(CredentialsError::Repeated);
            }
            found = Some(token);
        }
        // A token that the client or page sends explicitly takes precedence over a cookie.
        let (None, Some(name)) = (&found, &self.cookie) else { return Ok(found) };
        let token = cookie::find(request, name)?;
        if token.is_some() && !cross_site::may_use_cookie(request, name, &self.trusted_origins) {
            return Err(CredentialsError::CrossSite);
        }
        Ok(token)
    }
}

fn is_not_blank(line: &[u8]) -> bool {
    !line.trim_ascii().is_empty()
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

    #[test]
    fn two_equal_authorization_headers_are_rejected() {
        let headers = headers(&[("authorization", b"Bearer a"), ("authorization", b"Bearer a")]);
        let found = Credentials::default().find(&headers).map(|token| token.is_some());
        assert_eq!(found, Err(CredentialsError::Repeated));
    }

    #[test]
    fn cookie_of_unsafe_request_requires_a_trusted_origin() {
        let credentials = Credentials {
            cookie: Some("t".to_owned()),
            trusted_origins: vec!["https://app.example".to_owned()],
            ..Credentials::default()
        };
        for (method, cookie, origin, expected) in [
            ("GET", "t=a", "https://evil.example", Ok(true)),
            ("POST", "t=a", "https://app.example", Ok(true)),
            ("POST", "t=a", "https://evil.example", Err(CredentialsError::CrossSite)),
            // Without the cookie, another site's page has nothing to misuse.
            ("POST", "x=a", "https://evil.example", Ok(false)),
        ] {
            let request = http::Request::builder().method(method).uri("https://api.example/");
            let request = request.header("cookie", cookie).header("origin", origin);
            let found = credentials.find(&request.body(()).unwrap()).map(|token| token.is_some());
            assert_eq!(found, expected, "{method} {cookie} {origin}");
        }
    }

    #[test]
    fn each_credentials_error_has_rule_setting_and_remedy() {
        for (error, rule, setting, remedy) in [
            (CredentialsError::Repeated, "credentials_repeated", None, "once"),
            (CredentialsError::Grammar, "credentials_grammar", None, "quotes"),
            (CredentialsError::CrossSite, "cross_site", Some("also_trusted_origin"), "origin"),
        ] {
            assert_eq!(error.rule(), rule);
            assert_eq!(error.setting().map(|setting| setting.method), setting, "{rule}");
            assert!(error.remedy().contains(remedy), "{rule}");
        }
    }

    #[test]
    fn cookie_is_ignored_by_default() {
        let headers = headers(&[("cookie", b"portcullis-access=a")]);
        assert_eq!(Credentials::default().find(&headers).map(|token| token.is_some()), Ok(false));
    }

    fn at(places: Vec<TokenPlace>, cookie: Option<&str>) -> Credentials {
        Credentials {
            places: places.into_iter().map(|place| place.place.unwrap()).collect(),
            cookie: cookie.map(str::to_owned),
            ..Credentials::default()
        }
    }

    /// The token in a safe request with these headers.
    fn found(
        credentials: &Credentials,
        target: &str,
        lines: &[(&'static str, &str)],
    ) -> Result<Option<String>, CredentialsError> {
        let mut request = http::Request::get(target);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let token = credentials.find(&request)?;
        token.map(|token| token.text().map(str::to_owned)).transpose()
    }

    #[test]
    fn token_in_unlisted_place_is_ignored() {
        let (bearer, other) = (("authorization", "Bearer a"), ("x-access-token", "b"));
        let socket = ("sec-websocket-protocol", "bearer.c");
        let forwarded = ("x-forwarded-authorization", "Bearer d");
        let listed = [
            (TokenPlace::authorization(), "a"),
            (TokenPlace::header("X-Access-Token"), "b"),
            (TokenPlace::websocket_prefix("bearer."), "c"),
            (TokenPlace::header_with_scheme("X-Forwarded-Authorization", "Bearer"), "d"),
            (TokenPlace::query("token".to_owned()), "e"),
        ];
        for (place, expected) in listed {
            let credentials = at(vec![place.clone()], Some("t"));
            let lines = [bearer, other, socket, forwarded, ("cookie", "t=f")];
            let token = Ok(Some(expected.to_owned()));
            assert_eq!(found(&credentials, "/?token=e", &lines), token, "{place}");
        }
        // Malformed values in headers that are not read are ignored.
        let credentials = at(vec![TokenPlace::header("X-Access-Token")], None);
        for authorization in ["Basic YTpi", "Bearer", "Bearer other", "Bearer a b"] {
            let lines = [("authorization", authorization), ("authorization", authorization), other];
            assert_eq!(found(&credentials, "/", &lines), Ok(Some("b".to_owned())));
        }
    }

    #[test]
    fn equal_tokens_in_two_listed_places_are_rejected() {
        let places = [
            (TokenPlace::authorization(), ("authorization", "Bearer a")),
            (TokenPlace::header("x-a"), ("x-a", "a")),
            (TokenPlace::header_with_scheme("x-b", "Bearer"), ("x-b", "Bearer a")),
            (TokenPlace::websocket_prefix("bearer."), ("sec-websocket-protocol", "bearer.a")),
            (TokenPlace::websocket_pair("pair"), ("sec-websocket-protocol", "pair, a")),
            (TokenPlace::websocket_base64url("b64."), ("sec-websocket-protocol", "b64.YQ")),
        ];
        let all = places.iter().map(|(place, _)| place.clone());
        let all = at(all.chain([TokenPlace::query("token".to_owned())]).collect(), Some("t"));
        let alone = Ok(Some("a".to_owned()));
        for (at, (place, first)) in places.iter().enumerate() {
            assert_eq!(found(&all, "/", &[*first]), alone, "{place}");
            let repeated = Err(CredentialsError::Repeated);
            assert_eq!(found(&all, "/?token=a", &[*first]), repeated, "{place}");
            for (other, (_, second)) in places.iter().enumerate() {
                if at != other {
                    assert_eq!(
                        found(&all, "/", &[*first, *second]),
                        repeated,
                        "{place} {second:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn custom_header_contains_only_the_token() {
        let credentials = at(vec![TokenPlace::header("x-access-token")], None);
        for lines in [
            &[("x-access-token", "a"), ("x-access-token", "a")][..],
            &[("x-access-token", "Bearer a")],
            &[("x-access-token", "")],
        ] {
            assert!(found(&credentials, "/", lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn vary_names_each_header_once() {
        let places = vec![
            TokenPlace::header("X-A"),
            TokenPlace::header_with_scheme("authorization", "JWT"),
            TokenPlace::authorization(),
            TokenPlace::websocket_prefix("bearer."),
            TokenPlace::websocket_pair("bearer"),
            TokenPlace::query("t".to_owned()),
        ];
        let expected = ["x-a", "authorization", "sec-websocket-protocol", "cookie"];
        assert_eq!(at(places, Some("t")).headers(), expected);
    }

    /// The client chooses the number of lines, so each line must be visited only once.
    #[test]
    fn forty_thousand_header_lines_are_visited_once() {
        const LINES: usize = 40_000;
        let places = vec![
            TokenPlace::authorization(),
            TokenPlace::header("x-access-token"),
            TokenPlace::websocket_prefix("bearer."),
        ];
        let credentials = at(places, Some("t"));
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
    fn cookie_is_read_only_if_no_place_has_a_token() {
        let credentials = Credentials { cookie: Some("t".to_owned()), ..Credentials::default() };
        for (authorization, expected) in [
            ("Bearer a", Ok(Some("a"))),
            ("Basic a", Ok(Some("b"))),
            ("Bearer", Err(CredentialsError::Grammar)),
        ] {
            let lines = [("authorization", authorization), ("cookie", "t=b")];
            let expected = expected.map(|token| token.map(str::to_owned));
            assert_eq!(found(&credentials, "/", &lines), expected, "{authorization}");
        }
    }
}
