//! Scopes.

/// Returns whether a text is a scope: a `scope-token` (RFC 6749 section 3.3).
pub(crate) fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}
