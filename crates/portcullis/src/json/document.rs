//! Documents from a server. They are read like any other JSON object. If a document is not an
//! object, the error describes its content.

use std::collections::HashSet;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{FromMembers, JsonError, Object, Text};

/// The maximum length of a member name in a description, in characters.
const MAX_SHOWN_NAME: usize = 40;

/// Reads an object that spans the whole of a fetched document, after an optional byte order mark
/// (RFC 8259 §8.1 allows a parser to skip it).
///
/// # Errors
///
/// A description of the document's actual content, without any of its values.
pub(crate) fn from_document<'de, T: FromMembers<'de> + Default>(
    document: &'de [u8],
) -> Result<T, String> {
    let text = document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document);
    let text = std::str::from_utf8(text).map_err(|error| not_utf8(text, error.valid_up_to()))?;
    let (mut to, mut fault) = (T::default(), None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = Object { fault: &mut fault, to: &mut to }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    object.map(|()| to).map_err(|error| describe(text, fault, &error))
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> String {
    match bytes {
        // RFC 1952 §2.3.1.
        [0x1f, 0x8b, ..] => "it is gzip data without `Content-Encoding: gzip`".to_owned(),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16, not UTF-8".to_owned(),
        _ => format!("it is not UTF-8 (at byte {valid_up_to})"),
    }
}

fn describe(text: &str, fault: Option<JsonError>, error: &serde_json::Error) -> String {
    let start = text.trim_start();
    if start.is_empty() {
        return "it is empty".to_owned();
    }
    if start.starts_with('<') {
        return "it is HTML or XML, not JSON".to_owned();
    }
    if error.is_eof() {
        return format!("it is truncated ({error})");
    }
    // Messages of syntax errors contain no values; those of data errors do.
    if error.is_syntax() {
        return format!("it is not valid JSON: {error}");
    }
    match fault {
        Some(JsonError::DuplicateMember) => match repeated_member(text) {
            Some(name) => format!("its member {name:?} is duplicated"),
            None => "a member is duplicated".to_owned(),
        },
        Some(fault @ (JsonError::WrongType(_) | JsonError::OutOfRange(_))) => fault.to_string(),
        Some(JsonError::NotAnObject) | None => {
            let kind = match start.chars().next() {
                Some('[') => "an array",
                Some('"') => "a string",
                Some('n') => "`null`",
                Some('t' | 'f') => "a boolean",
                _ => "a number",
            };
            format!("it is {kind}, not a JSON object")
        }
    }
}

/// Returns the first duplicate top-level member name, truncated if it is long.
fn repeated_member(text: &str) -> Option<String> {
    struct Repeated<'r>(&'r mut Option<String>);

    impl<'de> Visitor<'de> for Repeated<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut seen = HashSet::new();
            while let Some(name) = map.next_key::<Text<'de>>()? {
                map.next_value::<IgnoredAny>()?;
                if self.0.is_none() && seen.contains(&name) {
                    *self.0 = Some(name.0.chars().take(MAX_SHOWN_NAME).collect());
                }
                seen.insert(name);
            }
            Ok(())
        }
    }

    let mut repeated = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Repeated(&mut repeated)).ok()?;
    repeated
}

#[cfg(test)]
mod tests {
    use super::super::Member;
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Pet {
        name: Option<String>,
    }

    impl<'de> FromMembers<'de> for Pet {
        fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
            match name {
                "name" => self.name = Some(member.read("name")?),
                _ => member.skip()?,
            }
            Ok(())
        }
    }

    #[test]
    fn leading_byte_order_mark_is_skipped() {
        for document in [r#"{"name":"Tom"}"#, "\u{feff}{\"name\":\"Tom\"}"] {
            let pet: Pet = from_document(document.as_bytes()).unwrap();
            assert_eq!(pet.name.as_deref(), Some("Tom"));
        }
        // One byte order mark is skipped; a second one is not JSON.
        from_document::<Pet>("\u{feff}\u{feff}{}".as_bytes()).unwrap_err();
    }

    #[test]
    fn text_that_is_not_an_object_is_described_without_its_values() {
        let long = format!(r#"{{"{0}":1,"{0}":2}}"#, "x".repeat(5000));
        let deep = format!(r#"{{"x":{}"#, r#"{"a":"#.repeat(200));
        for (document, told) in [
            (&b""[..], "it is empty"),
            (b" \r\n", "it is empty"),
            (b"\xef\xbb\xbf", "it is empty"),
            (b"\n<!doctype html><p>secret</p>", "it is HTML or XML"),
            (b"\x1f\x8b\x08secret", "gzip data without `Content-Encoding: gzip`"),
            (b"\xff\xfe{\0}\0", "UTF-16"),
            (b"{\"x\":\"\xff\"}", "not UTF-8 (at byte 6)"),
            (b"null", "it is `null`, not a JSON object"),
            (b"[1]", "it is an array"),
            (b"\"secret\"", "it is a string"),
            (b"true", "it is a boolean"),
            (b"-1", "it is a number"),
            (b"{\"name\":\"secret", "it is truncated"),
            (b"{} {}", "trailing characters at line 1 column 4"),
            (b"{'name':1}", "not valid JSON"),
            (br#"{"name":"secret","x":1,"name":2}"#, r#"its member "name" is duplicated"#),
            (br#"{"x":{"y":1},"x":2}"#, r#"its member "x" is duplicated"#),
            (br#"{"name":["secret"]}"#, "`name` has a value of the wrong type"),
            (long.as_bytes(), "is duplicated"),
            (deep.as_bytes(), "it is truncated"),
        ] {
            let error = from_document::<Pet>(document).unwrap_err();
            assert!(error.contains(told), "{told}: {error}");
            assert!(!error.contains("secret") && error.len() < 150, "{error}");
        }
    }
}
