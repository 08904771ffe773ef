//! An entry of the feed: what was revoked, at which issuer, and until when the entry is needed.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The maximum length of an issuer's name and of a value, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 2048;

/// What an entry revokes, among the tokens of its issuer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// The tokens of one session, regardless of their `iat`.
    Session(String),
    /// The token with this `jti`, regardless of its `iat`.
    Token(String),
    /// The tokens of a subject that were issued before the event.
    Subject(String),
    /// The tokens of a client that were issued before the event.
    Client(String),
    /// All tokens that were issued before the event: a watermark.
    All,
}

impl Target {
    /// Returns the kind: `session`, `token`, `subject`, `client` or `all`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Token(_) => "token",
            Self::Subject(_) => "subject",
            Self::Client(_) => "client",
            Self::All => "all",
        }
    }

    /// Returns the value of the claim, empty for [`All`](Self::All).
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            Self::Session(value)
            | Self::Token(value)
            | Self::Subject(value)
            | Self::Client(value) => value,
            Self::All => "",
        }
    }

    /// Creates a target from its [`kind`](Self::kind) and [`value`](Self::value); `None` for an
    /// unknown kind. For stores that keep the two in columns.
    #[must_use]
    pub fn from_parts(kind: &str, value: &str) -> Option<Self> {
        let value = value.to_owned();
        Some(match kind {
            "session" => Self::Session(value),
            "token" => Self::Token(value),
            "subject" => Self::Subject(value),
            "client" => Self::Client(value),
            "all" => Self::All,
            _ => return None,
        })
    }
}

/// Shows the kind, but no value from a token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// An entry of a [`RevocationStore`](super::RevocationStore).
///
/// The crate creates entries; a store keeps them and returns them unchanged. Serialized, an entry is
/// a JSON object with the members `id`, `issuer`, `kind`, `value` (absent for `all`), `at` and
/// `until`. Times are whole seconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use portcullis::feed::Entry;
///
/// let json = r#"{"id":"k1","issuer":"https://auth.example","kind":"session","value":"s-1",
///     "at":1800000000,"until":1800000920}"#;
/// let entry: Entry = serde_json::from_str(json)?;
/// assert_eq!((entry.target.kind(), entry.target.value()), ("session", "s-1"));
/// // `Debug` does not show the value.
/// assert!(!format!("{entry:?}").contains("s-1"));
/// assert!(serde_json::from_str::<Entry>(r#"{"id":"k1"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The identity of the event: 43 characters of base64url. An event that is appended twice has
    /// the same `id` both times.
    pub id: String,
    /// The issuer, exactly as in `iss`: at most 2,048 bytes.
    pub issuer: String,
    /// What is revoked. A value has at most 2,048 bytes and no NUL.
    #[serde(flatten)]
    pub target: Target,
    /// The time of the event.
    pub at: u64,
    /// The time from which the entry is no longer needed, because every token that it revokes has
    /// expired. A store keeps the entry until then.
    pub until: u64,
}

impl Entry {
    /// Creates an entry whose `id` is derived from its content.
    ///
    /// Use it for the watermark with which a store replaces entries that it can no longer keep, and
    /// in tests of a store.
    #[must_use]
    pub fn new(issuer: impl Into<String>, target: Target, at: u64, until: u64) -> Self {
        let issuer = issuer.into();
        let number = at.to_string();
        let id = id_of(&[&issuer, target.kind(), target.value(), &number]);
        Self { id, issuer, target, at, until }
    }

    /// Derives the entry's `id` from the message that reported the event.
    #[must_use]
    pub(crate) fn reported_by(mut self, message: &[&str]) -> Self {
        self.id = id_of(message);
        self
    }
}

/// Omits the value, which is from a token.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("issuer", &self.issuer)
            .field("target", &self.target)
            .field("at", &self.at)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// Returns a hash of texts. The length of each text is hashed before it, so different lists cannot have
/// the same input.
fn id_of(texts: &[&str]) -> String {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.len().to_string().as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(text.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes))
}

/// Returns the whole seconds since 1970, rounded up, so that no token issued before the event is
/// missed. A time before 1970 counts as 1970: the clock was never set.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    rounded_up(since)
}

/// Returns the whole seconds of a duration, rounded up.
pub(crate) fn rounded_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_serialization() {
        let texts = ["s", "\u{1f511} \"quoted\\\"", "a:b", ""].map(str::to_owned);
        let targets = texts.into_iter().flat_map(|text| {
            [Target::Session, Target::Token, Target::Subject, Target::Client]
                .map(|target| target(text.clone()))
        });
        for target in targets.chain([Target::All]) {
            let entry = Entry::new("https://auth.example/", target, 7, 9);
            let json = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry, "{json}");
            let parts = Target::from_parts(entry.target.kind(), entry.target.value());
            assert_eq!(parts.unwrap(), entry.target);
        }
        assert_eq!(Target::from_parts("device", "d"), None);
    }

    #[test]
    fn different_events_have_different_ids() {
        let of = |issuer: &str, target, at| Entry::new(issuer, target, at, 100).id;
        let session = |value: &str| Target::Session(value.to_owned());
        let one = of("i", session("a"), 1);
        assert_eq!((one.len(), &one), (43, &of("i", session("a"), 1)));
        for other in [
            of("i", session("b"), 1),
            of("j", session("a"), 1),
            of("i", session("a"), 2),
            of("i", Target::Subject("a".to_owned()), 1),
            Entry::new("i", session("a"), 1, 100).reported_by(&["i", "jti"]).id,
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(id_of(&["ab", "c"]), id_of(&["a", "bc"]));
    }

    #[test]
    fn event_times_are_rounded_up() {
        let at = |millis| seconds(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!([at(0), at(1), at(1000), at(1001)], [0, 1, 1, 2]);
        assert_eq!(seconds(SystemTime::UNIX_EPOCH - Duration::from_secs(5)), 0);
    }
}
