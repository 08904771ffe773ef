//! Form bodies (RFC 6749 appendix B). Ambiguous bodies, which two parsers could read differently,
//! are rejected.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::OAuthError;
use crate::http::body::MAX_WAIT;

const KIND: &str = "application/x-www-form-urlencoded";

/// The one parameter that may come several times (RFC 8707 section 2).
const RESOURCE: &str = "resource";

/// A form body.
pub(in crate::http) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        if !is_form(request.headers()) {
            let why = "Send the body as Content-Type: application/x-www-form-urlencoded.";
            return Err(OAuthError::InvalidRequest(why));
        }
        let body = tokio::time::timeout(MAX_WAIT, Bytes::from_request(request, state));
        let body =
            body.await.map_err(|_| OAuthError::TooSlow)?.map_err(|rejection| {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => OAuthError::TooLarge,
                    _ => OAuthError::InvalidRequest("The body could not be read."),
                }
            })?;
        let fields =
            std::str::from_utf8(&body).ok().and_then(fields).ok_or(OAuthError::InvalidRequest(
                "The form is malformed, or has a repeated parameter or a forbidden character.",
            ))?;
        serde_json::from_value(Value::Object(fields))
            .map(Self)
            .map_err(|_| OAuthError::InvalidRequest("A parameter is missing or has a wrong value."))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (kind, other) = (kinds.next(), kinds.next());
    let Some(kind) = kind.and_then(|kind| kind.to_str().ok()) else { return false };
    let kind = kind.split(';').next().unwrap_or_default();
    other.is_none() && kind.trim().eq_ignore_ascii_case(KIND)
}

/// Returns the parameters by name. A parameter without a value counts as absent. A repeated
/// parameter is an error, even if it is unknown (RFC 6749 section 3.2).
fn fields(body: &str) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    let mut resources = Vec::new();
    for pair in body.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if value.is_empty() {
            continue;
        }
        if name == RESOURCE {
            resources.push(Value::String(value));
        } else if fields.insert(name, Value::String(value)).is_some() {
            return None;
        }
    }
    if !resources.is_empty() {
        fields.insert(RESOURCE.to_owned(), Value::Array(resources));
    }
    Some(fields)
}

/// Decodes a name or a value; `None` if the encoding is broken, or the result is not UTF-8 or has a
/// control character.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn repeated_or_malformed_form_parameter_is_rejected() {
        let read = |body| fields(body).map(Value::Object);
        for (body, expected) in [
            ("", json!({})),
            ("&&", json!({})),
            ("a=b&c=", json!({ "a": "b" })),
            ("a=&a=b", json!({ "a": "b" })),
            ("a", json!({})),
            ("a=b=c", json!({ "a": "b=c" })),
            ("%61=%62+%2b", json!({ "a": "b +" })),
            ("a=%C3%A4", json!({ "a": "\u{e4}" })),
            ("resource=a&resource=b", json!({ "resource": ["a", "b"] })),
        ] {
            assert_eq!(read(body), Some(expected), "{body}");
        }
        for wrong in [
            "a=b&a=b",
            "a=b&%61=c",
            "a=%",
            "a=%6",
            "a=%6g",
            "a=%ff",
            "a=%00",
            "a=b%0a",
            "a%00=b",
            "a=\u{7f}",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn only_a_form_is_a_form() {
        let is = |kinds: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for kind in kinds {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            is_form(&headers)
        };
        assert!(is(&[KIND]));
        assert!(is(&["Application/X-WWW-Form-Urlencoded; charset=UTF-8"]));
        assert!(!is(&[]));
        assert!(!is(&["application/json"]));
        assert!(!is(&["text/application/x-www-form-urlencoded"]));
        assert!(!is(&[KIND, "application/json"]));
    }
}
