//! The places where a client or a page puts a token explicitly.

use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};

use super::websocket::{self, Form};
use super::{BearerToken, CredentialsError, query};
use crate::request::{RequestView, single};

const BEARER: &str = "Bearer";

/// A place in a request that may hold a token.
///
/// A list of places is a setting of the service
/// ([`AuthenticatorBuilder::token_places`](crate::AuthenticatorBuilder::token_places)) or of a
/// single [`Gate`](crate::Gate::token_places). Places that are not listed are not read. A request
/// with tokens in two listed places is refused with 400. Names are checked where the list is used.
///
/// `Display` writes the form of `PORTCULLIS_TOKEN_PLACES`, such as `header:X-Access-Token`.
///
/// ```
/// use portcullis::Authenticator;
/// use portcullis::token::TokenPlace;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = portcullis::keys::SharedKeySet::new(Default::default());
/// let builder = Authenticator::builder("https://auth.example", "https://api.example");
/// # let builder = builder.key_source(keys);
/// let places = [TokenPlace::authorization(), TokenPlace::header("X-Access-Token")];
/// let auth = builder.clone().token_places(places).build().await?;
///
/// // Cookies have their own setting.
/// let error = builder.token_places([TokenPlace::header("Cookie")]).build().await.unwrap_err();
/// assert!(error.to_string().starts_with("token_places (PORTCULLIS_TOKEN_PLACES) is \"header:Cookie\""));
/// # let _ = auth; Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a place has no effect until it is added to `token_places`"]
pub struct TokenPlace {
    pub(crate) text: String,
    /// The place, or a description of a valid name if the name is invalid.
    pub(crate) place: Result<Place, &'static str>,
}

/// A place with valid names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// `Authorization: Bearer`. A variant of its own, because nearly every request uses it.
    Authorization,
    Header {
        name: HeaderName,
        scheme: Option<String>,
    },
    Websocket {
        form: Form,
        marker: String,
    },
    Query(String),
}

impl TokenPlace {
    /// Reads `Authorization: Bearer TOKEN` ([RFC 6750 §2.1]). The default place.
    ///
    /// In the environment: `authorization`.
    ///
    /// [RFC 6750 §2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
    pub fn authorization() -> Self {
        Self { text: "authorization".to_owned(), place: Ok(Place::Authorization) }
    }

    /// Reads a header that contains only the token, without a scheme.
    ///
    /// In the environment: `header:X-Access-Token`.
    pub fn header(name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        Self { text: format!("header:{name}"), place: header(name, None) }
    }

    /// Reads a header that contains `scheme` and the token, like Authorization. A value with
    /// another scheme is no token.
    ///
    /// In the environment: `header:X-Forwarded-Authorization:Bearer`.
    pub fn header_with_scheme(name: impl AsRef<str>, scheme: impl AsRef<str>) -> Self {
        let (name, scheme) = (name.as_ref(), scheme.as_ref());
        Self { text: format!("header:{name}:{scheme}"), place: header(name, Some(scheme)) }
    }

    /// Reads the WebSocket subprotocol that begins with `prefix`; the rest is the token.
    ///
    /// A page calls `new WebSocket(url, ["chat", "bearer." + token])`, because the list of
    /// subprotocols is the only header that it can set.
    ///
    /// The service must select another subprotocol, never the one with the token.
    ///
    /// In the environment: `websocket:bearer.`.
    pub fn websocket_prefix(prefix: impl Into<String>) -> Self {
        Self::websocket("websocket", Form::Prefix, prefix.into())
    }

    /// Reads the WebSocket subprotocol right after `marker` in the list, as in
    /// `new WebSocket(url, ["bearer", token])`. The service selects `marker`.
    ///
    /// In the environment: `websocket-pair:bearer`.
    pub fn websocket_pair(marker: impl Into<String>) -> Self {
        Self::websocket("websocket-pair", Form::Pair, marker.into())
    }

    /// Reads the WebSocket subprotocol that begins with `prefix`; the rest is the token in
    /// base64url, without padding.
    ///
    /// Kubernetes clients use the prefix `base64url.bearer.authorization.k8s.io.`.
    ///
    /// The service must select another subprotocol.
    ///
    /// In the environment: `websocket-base64url:base64url.bearer.authorization.k8s.io.`.
    pub fn websocket_base64url(prefix: impl Into<String>) -> Self {
        Self::websocket("websocket-base64url", Form::Base64url, prefix.into())
    }

    fn websocket(kind: &str, form: Form, marker: String) -> Self {
        let text = format!("{kind}:{marker}");
        // RFC 6455 §4.1: a subprotocol's name is a token, like the name of a header.
        let place = if is_token(&marker) {
            Ok(Place::Websocket { form, marker })
        } else {
            Err("it must be a subprotocol name or a prefix of one, such as `bearer.`")
        };
        Self { text, place }
    }

    /// Reads a query parameter, for
    /// [`dangerous::token_in_query`](crate::dangerous::token_in_query).
    pub(crate) fn query(parameter: String) -> Self {
        let text = format!("query:{parameter}");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        // The query is not percent-decoded, so the name must not need encoding.
        let place = if !parameter.is_empty() && parameter.bytes().all(is_plain) {
            Ok(Place::Query(parameter))
        } else {
            Err("it must be a parameter name of letters, digits and `-._~`")
        };
        Self { text, place }
    }

    /// Parses the `Display` form. Excludes the query, which is dangerous and can only be set in
    /// code.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            None if text == "authorization" => Self::authorization(),
            Some(("header", rest)) => match rest.split_once(':') {
                Some((name, scheme)) => Self::header_with_scheme(name, scheme),
                None => Self::header(rest),
            },
            Some(("websocket", prefix)) => Self::websocket_prefix(prefix),
            Some(("websocket-pair", marker)) => Self::websocket_pair(marker),
            Some(("websocket-base64url", prefix)) => Self::websocket_base64url(prefix),
            _ => return None,
        })
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A place in any header, except a header with another meaning.
fn header(name: &str, scheme: Option<&str>) -> Result<Place, &'static str> {
    const EXPECTED: &str = "it must be a header name, such as `X-Access-Token`, other than Cookie, Host, \
                            Origin and Sec-WebSocket-Protocol; Authorization requires a scheme";
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EXPECTED)?;
    let is_taken = [COOKIE, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL].contains(&name);
    if is_taken || (name == AUTHORIZATION && scheme.is_none()) {
        return Err(EXPECTED);
    }
    match scheme {
        Some(scheme) if !is_token(scheme) => {
            Err("the scheme must be a single word, such as `Bearer`")
        }
        Some(scheme) if name == AUTHORIZATION && scheme.eq_ignore_ascii_case(BEARER) => {
            Ok(Place::Authorization)
        }
        scheme => Ok(Place::Header { name, scheme: scheme.map(str::to_owned) }),
    }
}

/// Whether the text is a token in the sense of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok()
}

impl Place {
    /// The token in this place.
    #[inline]
    pub(super) fn find<'r>(
        &self,
        request: &'r (impl RequestView + ?Sized),
    ) -> Result<Option<BearerToken<'r>>, CredentialsError> {
        let behind = |scheme: &str, value| BearerToken::behind(scheme.as_bytes(), value);
        match self {
            Self::Authorization => {
                single(request, &AUTHORIZATION)?.map_or(Ok(None), |value| behind(BEARER, value))
            }
            Self::Header { name, scheme: Some(scheme) } => {
                single(request, name)?.map_or(Ok(None), |value| behind(scheme, value))
            }
            Self::Header { name, scheme: None } => {
                single(request, name)?.map(BearerToken::parse).transpose()
            }
            Self::Websocket { form, marker } => websocket::find(request, *form, marker),
            Self::Query(parameter) => query::find(request, parameter),
        }
    }

    /// The header that this place reads, if it reads one.
    pub(super) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Authorization => Some(&AUTHORIZATION),
            Self::Header { name, .. } => Some(name),
            Self::Websocket { .. } => Some(&SEC_WEBSOCKET_PROTOCOL),
            Self::Query(_) => None,
        }
    }

    /// Whether one token could be in both places at once, which would always be refused.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Header { name, scheme: Some(scheme) },
                Self::Header { name: other, scheme: Some(others) },
            ) => name == other && scheme.eq_ignore_ascii_case(others),
            (Self::Header { name, .. }, Self::Header { name: other, .. }) => name == other,
            (Self::Websocket { form, marker }, Self::Websocket { form: others, marker: other }) => {
                match (form, others) {
                    (Form::Pair, Form::Pair) => marker == other,
                    (Form::Pair, _) => marker.starts_with(other),
                    (_, Form::Pair) => other.starts_with(marker),
                    _ => marker.starts_with(other) || other.starts_with(marker),
                }
            }
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_display_parses_back() {
        for (place, text) in [
            (TokenPlace::authorization(), "authorization"),
            (TokenPlace::header("X-Access-Token"), "header:X-Access-Token"),
            (TokenPlace::header_with_scheme("X-A", "Bearer"), "header:X-A:Bearer"),
            (TokenPlace::websocket_prefix("bearer."), "websocket:bearer."),
            (TokenPlace::websocket_pair("bearer"), "websocket-pair:bearer"),
            (TokenPlace::websocket_base64url("b64."), "websocket-base64url:b64."),
        ] {
            assert_eq!(place.to_string(), text);
            assert!(place.place.is_ok(), "{text}");
            assert_eq!(TokenPlace::from_text(text), Some(place));
        }
        for text in ["", "cookie:t", "query:t", "Authorization", "authorization:Bearer", "header"] {
            assert_eq!(TokenPlace::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn invalid_place_names_are_rejected() {
        for place in [
            TokenPlace::header(""),
            TokenPlace::header("x token"),
            TokenPlace::header("Authorization"),
            TokenPlace::header("Cookie"),
            TokenPlace::header_with_scheme("Host", "Bearer"),
            TokenPlace::header("Origin"),
            TokenPlace::header("Sec-WebSocket-Protocol"),
            TokenPlace::header_with_scheme("x-token", ""),
            TokenPlace::header_with_scheme("x-token", "Bearer "),
            TokenPlace::websocket_prefix(""),
            TokenPlace::websocket_prefix("a,b"),
            TokenPlace::websocket_pair("a b"),
            TokenPlace::websocket_base64url("é"),
            TokenPlace::query(String::new()),
            TokenPlace::query("a=b".to_owned()),
            TokenPlace::query("a%20b".to_owned()),
        ] {
            assert!(place.place.is_err(), "{place}");
        }
        // An alias for `TokenPlace::authorization`.
        let named = TokenPlace::header_with_scheme("authorization", "bearer");
        assert_eq!(named.place, TokenPlace::authorization().place);
    }

    #[test]
    fn overlapping_places_are_detected() {
        let header = |name: &str| TokenPlace::header(name);
        let with = |name: &str, scheme: &str| TokenPlace::header_with_scheme(name, scheme);
        let (prefix, pair) = (TokenPlace::websocket_prefix("b."), TokenPlace::websocket_pair("b"));
        for (one, other, expected) in [
            (TokenPlace::authorization(), with("Authorization", "Bearer"), true),
            (TokenPlace::authorization(), with("Authorization", "JWT"), false),
            (TokenPlace::authorization(), header("x"), false),
            (header("x"), header("X"), true),
            (header("x"), header("y"), false),
            (header("x"), with("x", "Bearer"), true),
            (with("x", "bearer"), with("x", "Bearer"), true),
            (with("x", "JWT"), with("x", "Bearer"), false),
            (prefix.clone(), prefix.clone(), true),
            (prefix.clone(), TokenPlace::websocket_base64url("b.64."), true),
            (prefix.clone(), TokenPlace::websocket_base64url("c."), false),
            (prefix.clone(), pair.clone(), false),
            (prefix.clone(), TokenPlace::websocket_pair("b.c"), true),
            (pair.clone(), pair.clone(), true),
            (pair, TokenPlace::websocket_pair("bb"), false),
            (TokenPlace::query("a".into()), TokenPlace::query("a".into()), true),
            (TokenPlace::query("a".into()), TokenPlace::query("b".into()), false),
        ] {
            let (one, other) = (one.place.unwrap(), other.place.unwrap());
            assert_eq!(one.overlaps(&other), expected, "{one:?} {other:?}");
            assert_eq!(other.overlaps(&one), expected, "{other:?} {one:?}");
        }
    }
}
