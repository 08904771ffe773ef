//! The headers that name the caller to the app.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis::Authenticated;
use serde_json::Value;

use crate::headers::{folded, remove_folded};

/// Everything is percent-encoded except letters, digits and these. So no value contains a separator
/// (a comma, a semicolon, white space), a control character or a character outside ASCII.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b'@')
    .remove(b'|')
    .remove(b'=');

/// What a header contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Issuer,
    Subject,
    Scopes,
    Roles,
    /// The member at this path of the claims.
    Claim(Vec<String>),
}

/// The headers, each with its content.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    told: Vec<(HeaderName, Told)>,
    /// The names in the form in which an app may compare them.
    folded: Vec<String>,
}

impl Identity {
    pub(crate) fn new(told: Vec<(HeaderName, Told)>) -> Self {
        let folded = told.iter().map(|(name, _)| folded(name)).collect();
        Self { told, folded }
    }

    /// Removes what the client says about itself, in any spelling.
    pub(crate) fn remove_from(&self, headers: &mut HeaderMap) {
        remove_folded(headers, |name| self.folded.iter().any(|own| own == name));
    }

    /// Names the caller. Removes what the client says about itself first.
    pub(crate) fn set(&self, headers: &mut HeaderMap, who: Option<&Authenticated>) {
        self.remove_from(headers);
        let Some(who) = who else { return };
        for (name, told) in &self.told {
            if let Some(value) = told.of(who) {
                headers.insert(name, value);
            }
        }
    }

    /// Like [`set`](Self::set), with an empty value for each header that would be missing. A proxy
    /// that copies the headers from a response may otherwise keep the client's.
    pub(crate) fn set_all(&self, headers: &mut HeaderMap, who: Option<&Authenticated>) {
        for (name, told) in &self.told {
            let value = who.and_then(|who| told.of(who));
            headers.insert(name, value.unwrap_or(HeaderValue::from_static("")));
        }
    }
}

impl Told {
    fn of(&self, who: &Authenticated) -> Option<HeaderValue> {
        let registered = who.registered();
        let text = match self {
            Self::Issuer => encoded(registered.issuer()),
            Self::Subject => encoded(registered.subject()?),
            Self::Scopes => list(registered.scope().iter(), " "),
            Self::Roles => list(registered.roles(), ","),
            Self::Claim(path) => {
                let (first, rest) = path.split_first()?;
                // A claim that cannot be read has no value.
                let claim = who.claim(first).ok()??;
                let value = rest.iter().try_fold(&claim, |value, member| value.get(member))?;
                text_of(value)?
            }
        };
        if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
    }
}

/// Strings, numbers and booleans as text, lists of them separated by commas, and anything else as
/// JSON.
fn text_of(value: &Value) -> Option<String> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(encoded(text)),
        Value::Number(number) => Some(encoded(&number.to_string())),
        Value::Bool(on) => Some(on.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::Null => None,
        Value::Array(items) => match items.iter().map(scalar).collect::<Option<Vec<_>>>() {
            Some(items) => Some(items.join(",")),
            None => Some(encoded(&value.to_string())),
        },
        Value::Object(_) => Some(encoded(&value.to_string())),
        value => scalar(value),
    }
}

fn list<'t>(items: impl Iterator<Item = &'t str>, separator: &str) -> String {
    items.map(encoded).collect::<Vec<_>>().join(separator)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use portcullis::testing::Scene;
    use serde_json::json;

    use super::*;

    fn identity() -> Identity {
        let path = |names: &[&str]| Told::Claim(names.iter().map(|&name| name.into()).collect());
        Identity::new(vec![
            (HeaderName::from_static("x-auth-subject"), Told::Subject),
            (HeaderName::from_static("x-auth-scopes"), Told::Scopes),
            (HeaderName::from_static("x-auth-roles"), Told::Roles),
            (HeaderName::from_static("x-auth-tenant"), path(&["tenant"])),
            (HeaderName::from_static("x-auth-org"), path(&["org", "id"])),
        ])
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<String> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn no_claim_can_forge_a_header_or_an_item_of_a_list() {
        let scene = Scene::new().await;
        for (subject, claims, expected) in [
            (
                "auth0|a1",
                json!({"scope": "read write", "roles": ["clerk", "a,admin"], "tenant": 7, "org": {"id": true}}),
                vec![
                    "x-auth-org: true",
                    "x-auth-roles: clerk,a%2Cadmin",
                    "x-auth-scopes: read write",
                    "x-auth-subject: auth0|a1",
                    "x-auth-tenant: 7",
                ],
            ),
            (
                "a\r\nx-auth-roles: admin",
                json!({"tenant": ["a", "b,c", 1], "org": {"id": {"a": "b"}}}),
                vec![
                    "x-auth-org: %7B%22a%22:%22b%22%7D",
                    "x-auth-subject: a%0D%0Ax-auth-roles:%20admin",
                    "x-auth-tenant: a,b%2Cc,1",
                ],
            ),
            (
                " älice\u{0}%20",
                json!({"tenant": null, "org": "x"}),
                vec!["x-auth-subject: %20%C3%A4lice%00%2520"],
            ),
            ("", json!({"tenant": [["a"]]}), vec!["x-auth-tenant: %5B%5B%22a%22%5D%5D"]),
        ] {
            let mut token = scene.token(subject);
            for (name, value) in claims.as_object().unwrap() {
                token = token.claim(name, value.clone());
            }
            let who = scene.auth.authenticate(&token.headers()).await.unwrap();
            let mut headers = HeaderMap::new();
            identity().set(&mut headers, Some(&who));
            assert_eq!(lines(&headers), expected, "{subject:?}");
        }
    }

    #[test]
    fn what_a_client_says_about_itself_is_removed_in_every_spelling() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-auth-subject",
            "X-AUTH-SUBJECT",
            "x_auth_subject",
            "X-Auth_Subject",
            "x.auth.subject",
            "x-auth-org",
            "x_auth-roles",
        ] {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("root"));
        }
        headers.insert("x-auth-subjects", HeaderValue::from_static("stays"));
        identity().set(&mut headers, None);
        assert_eq!(lines(&headers), ["x-auth-subjects: stays"]);
    }

    #[test]
    fn headers_for_a_proxy_to_copy_are_all_present() {
        let mut headers = HeaderMap::new();
        identity().set_all(&mut headers, None);
        assert_eq!(headers.len(), 5);
        assert!(headers.values().all(HeaderValue::is_empty));
    }
}
