//! Entity tags (RFC 9110 section 8.8.3).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns the strong entity tag of a text.
pub(crate) fn of(text: &str) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes())))
}

/// Returns whether an `If-None-Match` field has this tag (RFC 9110 section 13.1.2).
pub(crate) fn is_named_by(etag: &str, if_none_match: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        // The comparison is the weak one: a cache may have weakened the tag.
        .map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
        .any(|tag| tag == "*" || tag == etag)
}
