//! The `WWW-Authenticate` header of a refusal ([RFC 6750 §3], [RFC 9110 §11.6.1]).
//!
//! [RFC 6750 §3]: https://www.rfc-editor.org/rfc/rfc6750#section-3
//! [RFC 9110 §11.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1

use http::HeaderValue;

/// A challenge under construction: the scheme and its comma-separated parameters.
#[derive(Debug)]
pub(crate) struct Challenge {
    text: String,
    has_parameter: bool,
}

impl Challenge {
    pub(crate) fn bearer() -> Self {
        Self { text: "Bearer".to_owned(), has_parameter: false }
    }

    /// Adds `name="value"`. Characters that a quoted string cannot contain are dropped, so that no
    /// value can end the string or the header early.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push_str(if self.has_parameter { ", " } else { " " });
        self.has_parameter = true;
        self.text.push_str(name);
        self.text.push_str("=\"");
        for character in value.chars().filter(|character| matches!(character, ' '..='~')) {
            if matches!(character, '"' | '\\') {
                self.text.push('\\');
            }
            self.text.push(character);
        }
        self.text.push('"');
        self
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        // The text has only visible ASCII and spaces, so the conversion cannot fail. The fallback
        // would still send a challenge.
        HeaderValue::try_from(self.text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_quoted_and_separated_by_commas() {
        let challenge = Challenge::bearer().with("realm", "api").with("error", "invalid_token");
        assert_eq!(challenge.into_header(), r#"Bearer realm="api", error="invalid_token""#);
    }

    #[test]
    fn parameter_value_cannot_escape_its_quotes() {
        let challenge = Challenge::bearer().with("realm", "a\"b\\c\r\nSet-Cookie: é\u{7f}x");
        assert_eq!(challenge.into_header(), r#"Bearer realm="a\"b\\cSet-Cookie: x""#);
    }
}
