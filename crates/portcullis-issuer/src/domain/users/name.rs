//! User names: which are valid, and which are equal.

/// A user name in the form in which names are looked up, compared and counted: "Alice" and "alice"
/// are one user.
///
/// Names are ASCII only. Programs differ in how they fold Unicode. If a database folded U+212A
/// (Kelvin) to `k`, it would find a user whose attempts are counted under another name. So the
/// issuer folds the name before it counts attempts, and the stores compare folded names byte for
/// byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoldedName(String);

impl FoldedName {
    /// Returns the folded name, or `None` if no user can have it.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let is_name = (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        is_name.then(|| Self(name.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_name_is_folded_and_any_other_is_rejected() {
        let folded = |name| FoldedName::of(name).map(|folded| folded.0);
        assert_eq!(folded("Kelvin"), Some("kelvin".to_owned()));
        assert_eq!(folded("I-and-i"), Some("i-and-i".to_owned()));
        // U+212A (Kelvin), U+0131 (dotless i) and U+017F (long s) fold to ASCII in Unicode.
        for name in ["\u{212a}elvin", "\u{131}", "\u{17f}am", "", " alice", "al ice", "a\0"] {
            assert_eq!(folded(name), None, "{name:?}");
        }
        assert_eq!(folded(&"a".repeat(129)), None);
    }
}
