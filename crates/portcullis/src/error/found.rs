//! The value of `iss` or `aud` if it differs from the configured one.

use std::fmt;

/// The maximum number of names shown, and the maximum length of each in characters.
const MAX_NAMES: usize = 4;
const MAX_CHARS: usize = 128;

/// The `iss` or `aud` of a token with a valid signature: each name quoted, escaped and truncated.
///
/// `Display` is for operators only; `Debug` does not show the names. A claim that an issuer uses
/// instead of `aud` is not displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// `None` if it must not be shown.
    text: Option<Box<str>>,
    differs_by_a_slash: bool,
}

impl Found {
    /// Builds the text of `names`, which the token has instead of one of `expected`.
    pub(crate) fn new<'n>(names: impl Iterator<Item = &'n str>, expected: &[String]) -> Self {
        let (mut shown, mut more, mut differs_by_a_slash) = (Vec::new(), 0, false);
        for name in names {
            let bare = name.trim_end_matches('/');
            differs_by_a_slash |= expected.iter().any(|other| other.trim_end_matches('/') == bare);
            if shown.len() == MAX_NAMES {
                more += 1;
                continue;
            }
            let cut: String = name.chars().take(MAX_CHARS).collect();
            let end = if cut.len() < name.len() { "…" } else { "" };
            shown.push(format!("{cut:?}{end}"));
        }
        if more > 0 {
            shown.push(format!("{more} more"));
        }
        Self { text: Some(shown.join(", ").into()), differs_by_a_slash }
    }

    /// Removes the names. The names in a claim that replaces `aud` are not shown, because they
    /// identify a client or a site.
    pub(crate) fn unshown(self) -> Self {
        Self { text: None, ..self }
    }

    pub(super) fn is_shown(&self) -> bool {
        self.text.is_some()
    }

    /// Returns how the value differs from the expected one, if the difference is easy to overlook.
    pub(super) fn difference(&self) -> &'static str {
        if self.differs_by_a_slash {
            "; the token's value differs only in a trailing slash"
        } else {
            ""
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.text.as_deref() {
            Some("") => "nothing",
            Some(text) => text,
            None => "a value that is not shown",
        })
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Found {
        Found::new(names.iter().copied(), &["https://api.example".to_owned()])
    }

    #[test]
    fn names_are_escaped_and_bounded() {
        let long = "a".repeat(MAX_CHARS + 1);
        for (names, shown) in [
            (&[][..], "nothing".to_owned()),
            (&["a\n\u{1b}[31m\u{202e}"], r#""a\n\u{1b}[31m\u{202e}""#.to_owned()),
            (&[&long], format!("{:?}…", &long[1..])),
            (&["a", "b", "c", "d", "e", "f"], r#""a", "b", "c", "d", 2 more"#.to_owned()),
        ] {
            assert_eq!(found(names).to_string(), shown);
        }
    }

    #[test]
    fn trailing_slash_difference_is_reported() {
        assert!(found(&["x", "https://api.example/"]).difference().contains("slash"));
        for other in ["https://api.example.evil.example", "", "/", "https://api"] {
            assert_eq!(found(&[other]).difference(), "", "{other}");
        }
    }
}
