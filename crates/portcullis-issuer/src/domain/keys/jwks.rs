//! The published key set (RFC 7517 section 5) as it goes over the wire.

use crate::etag;

/// A serialized key set with its strong entity tag (RFC 9110 section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jwks {
    pub(crate) body: String,
    pub(crate) etag: String,
}

impl Jwks {
    /// Creates a key set from serialized public JWKs.
    pub(crate) fn new<'a>(public_jwks: impl IntoIterator<Item = &'a str>) -> Self {
        let keys: Vec<&str> = public_jwks.into_iter().collect();
        let body = format!("{{\"keys\":[{}]}}", keys.join(","));
        let etag = etag::of(&body);
        Self { body, etag }
    }

    /// Returns whether an `If-None-Match` field has the tag of this set (RFC 9110 section 13.1.2).
    pub(crate) fn is_named_by(&self, if_none_match: &str) -> bool {
        etag::is_named_by(&self.etag, if_none_match)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etag_depends_on_the_content_only() {
        let one = Jwks::new([r#"{"kid":"a"}"#]);
        let two = Jwks::new([r#"{"kid":"a"}"#, r#"{"kid":"b"}"#]);
        assert_eq!(one, Jwks::new([r#"{"kid":"a"}"#]));
        assert_ne!(one.etag, two.etag);
        assert_eq!(two.body, r#"{"keys":[{"kid":"a"},{"kid":"b"}]}"#);
    }

    #[test]
    fn if_none_match_is_a_list_of_strong_or_weak_tags_or_a_star() {
        let jwks = Jwks::new([r#"{"kid":"a"}"#]);
        let tag = &jwks.etag;
        for named in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            assert!(jwks.is_named_by(&named), "{named}");
        }
        for other in ["", "\"x\"", tag.trim_matches('"')] {
            assert!(!jwks.is_named_by(other), "{other}");
        }
    }
}
