//! Reading JSON objects that an attacker may have written.
//!
//! Serde's derive accepts duplicate unknown members, reads `null` as "absent" and does not report
//! which member has the wrong type. Each of these has caused vulnerabilities in other libraries. So
//! the visitor below reads all headers, claims and JWKs. It allows each member name at most once
//! ([RFC 7515 §4], [RFC 7519 §4]), unless the type declares that nothing reads the member. It
//! accepts `null` only where the type does, and reports the name of the offending member.
//!
//! [RFC 7515 §4]: https://www.rfc-editor.org/rfc/rfc7515#section-4
//! [RFC 7519 §4]: https://www.rfc-editor.org/rfc/rfc7519#section-4

mod document;
mod lenient;
mod number;
mod raw;
mod scan;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};

pub(crate) use document::from_document;
use lenient::OneOrMore;
pub(crate) use lenient::{IsPresent, Lenient, Texts};
pub(crate) use raw::{LenientMembers, Members, Raw, Unreadable, may_be_rounded, normalize};
use scan::Unusual;
use smallvec::SmallVec;

/// A type that is filled from an object's members, one after another.
pub(crate) trait FromMembers<'de> {
    /// Takes the member called `name`: reads or skips its value.
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error>;

    /// Records that the member called `name` is repeated; its value is skipped. Returns false to
    /// reject the object, which is the default for every member.
    fn repeated(&mut self, _name: &str) -> bool {
        false
    }
}

/// The reason why a text is not the expected object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("not a JSON object in UTF-8")]
    NotAnObject,
    #[error("a member is duplicated")]
    DuplicateMember,
    #[error("`{0}` has a value of the wrong type")]
    WrongType(&'static str),
    #[error("`{0}` is out of range")]
    OutOfRange(&'static str),
}

/// Reads an object that spans the whole of `text`.
pub(crate) fn from_slice<'de, T: FromMembers<'de> + Default>(
    text: &'de [u8],
) -> Result<T, JsonError> {
    // UTF-8 is checked once here, because serde_json does not check strings that it skips.
    let text = std::str::from_utf8(text).map_err(|_| JsonError::NotAnObject)?;
    let mut to = T::default();
    fill(&mut to, text, |to| *to = T::default()).map(|()| to)
}

/// Fills `to` from an object that spans the whole of `text`.
///
/// [`scan`] reads the form that issuers write. Any other text is read again by serde_json, which
/// finds all errors; `restart` first makes `to` empty again.
pub(crate) fn fill<'de, T: FromMembers<'de>>(
    to: &mut T,
    text: &'de str,
    restart: impl FnOnce(&mut T),
) -> Result<(), JsonError> {
    scan::object(to, text).or_else(|Unusual| {
        restart(to);
        deserialized(to, text)
    })
}

/// Returns whether [`scan`] accepts `text`, and what serde_json makes of it: to compare the two.
#[cfg(any(test, fuzzing))]
pub(crate) fn by_each_reader<'de, T: FromMembers<'de>>(
    text: &'de str,
    scanned: &mut T,
    read: &mut T,
) -> (bool, Result<(), JsonError>) {
    (scan::object(scanned, text).is_ok(), deserialized(read, text))
}

fn deserialized<'de, T: FromMembers<'de>>(to: &mut T, text: &'de str) -> Result<(), JsonError> {
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = Object { fault: &mut fault, to }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    object.map_err(|error| match fault {
        // A truncated document is not an error of the member at which it ends.
        Some(fault) if !error.is_syntax() && !error.is_eof() => fault,
        _ => JsonError::NotAnObject,
    })
}

/// Fills `to` from the members of a nested object.
pub(crate) fn take_members<'de, T: FromMembers<'de>, A: MapAccess<'de>>(
    to: &mut T,
    members: A,
) -> Result<(), A::Error> {
    Object { fault: &mut None, to }.visit_map(members)
}

/// A `T` read from a nested object.
#[derive(Default)]
pub(crate) struct Nested<T>(pub(crate) T);

impl<'de, T: FromMembers<'de> + Default> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = T::default();
        Object { fault: &mut None, to: &mut value }.deserialize(deserializer)?;
        Ok(Self(value))
    }
}

/// The unread value of a member. In each method, `name` identifies the member in an error.
pub(crate) trait Member<'de>: Sized {
    type Error;

    /// Reads the value.
    fn read<V: Deserialize<'de>>(self, name: &'static str) -> Result<V, Self::Error>;

    /// Like [`read`](Self::read), for a type that converts out-of-range values to `None`, which is
    /// reported as [`JsonError::OutOfRange`].
    fn read_in_range<V, T>(self, name: &'static str) -> Result<T, Self::Error>
    where
        V: Deserialize<'de> + Into<Option<T>>;

    /// Reads a string.
    fn text(self, name: &'static str) -> Result<Text<'de>, Self::Error> {
        self.read(name)
    }

    /// Reads a string or an array of strings.
    fn one_or_more(self, name: &'static str) -> Result<Texts<'de>, Self::Error> {
        self.read(name).map(|OneOrMore(names)| names)
    }

    /// Returns the value as raw text, for reading later.
    fn raw(self) -> Result<Raw<'de>, Self::Error>;

    /// Returns the string, if the value is a readable one.
    fn if_text(self) -> Result<Option<Text<'de>>, Self::Error> {
        self.raw().map(Raw::string)
    }

    /// Returns the strings, as [`Raw::strings`] does.
    fn strings(self) -> Result<Result<Lenient<'de>, Unreadable>, Self::Error> {
        self.raw().map(Raw::strings)
    }

    /// Skips the value, regardless of its type.
    fn skip(self) -> Result<(), Self::Error>;
}

/// A member that serde_json reads.
pub(crate) struct MapMember<'m, A> {
    pub(crate) map: &'m mut A,
    pub(crate) fault: &'m mut Option<JsonError>,
}

impl<'de, A: MapAccess<'de>> Member<'de> for MapMember<'_, A> {
    type Error = A::Error;

    fn read<V: Deserialize<'de>>(self, name: &'static str) -> Result<V, A::Error> {
        self.map.next_value().inspect_err(|_| *self.fault = Some(JsonError::WrongType(name)))
    }

    fn read_in_range<V, T>(self, name: &'static str) -> Result<T, A::Error>
    where
        V: Deserialize<'de> + Into<Option<T>>,
    {
        let Self { map, fault } = self;
        let value: V = MapMember { map, fault: &mut *fault }.read(name)?;
        value.into().ok_or_else(|| {
            *fault = Some(JsonError::OutOfRange(name));
            A::Error::custom("out of range")
        })
    }

    fn raw(self) -> Result<Raw<'de>, A::Error> {
        self.map.next_value()
    }

    fn skip(self) -> Result<(), A::Error> {
        self.map.next_value::<IgnoredAny>().map(drop)
    }
}

/// Reads one object into a `T`.
struct Object<'f, T> {
    fault: &'f mut Option<JsonError>,
    to: &'f mut T,
}

impl<'de, T: FromMembers<'de>> DeserializeSeed<'de> for Object<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: FromMembers<'de>> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Names::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            if seen.contains(&name) {
                if !self.to.repeated(&name.0) {
                    *self.fault = Some(JsonError::DuplicateMember);
                    return Err(A::Error::custom("duplicate member"));
                }
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.to.take(&name.0, MapMember { map: &mut map, fault: self.fault })?;
            seen.insert(name);
        }
        Ok(())
    }
}

/// The member names seen so far. The first few are compared one by one; further names go into a
/// hash set, so that hundreds of names do not take quadratic time.
#[derive(Default)]
pub(crate) struct Names<'a> {
    few: SmallVec<[Text<'a>; FEW]>,
    more: HashSet<Text<'a>>,
    /// One bit per kind of name seen: most new names then need no comparison.
    kinds: u64,
}

const FEW: usize = 24;

impl<'a> Names<'a> {
    pub(crate) fn contains(&self, name: &Text<'a>) -> bool {
        self.kinds & kind(&name.0) != 0 && (self.few.contains(name) || self.more.contains(name))
    }

    /// Adds a new name.
    pub(crate) fn insert(&mut self, name: Text<'a>) {
        self.kinds |= kind(&name.0);
        if self.few.len() < FEW {
            self.few.push(name);
        } else {
            self.more.insert(name);
        }
    }
}

/// Returns one of 64 bits; equal names have the same bit.
fn kind(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let at = |place: Option<&u8>| place.map_or(0, |&byte| usize::from(byte));
    1 << ((bytes.len() * 7 + at(bytes.first()) * 3 + at(bytes.last())) % 64)
}

/// A JSON string, borrowed from the text unless it has escapes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl Text<'_> {
    pub(crate) fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug, PartialEq)]
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

    fn read(text: &str) -> Result<Pet, JsonError> {
        from_slice(text.as_bytes())
    }

    #[test]
    fn known_members_are_read_and_others_skipped() {
        let pet = Pet { name: Some("Tom".to_owned()) };
        assert_eq!(read(r#" {"legs":[4,{"a":1}],"name":"Tom"} "#), Ok(pet));
        assert_eq!(read("{}"), Ok(Pet::default()));
    }

    #[test]
    fn duplicate_name_is_rejected_known_or_unknown_and_in_every_escaping() {
        for text in
            [r#"{"name":"a","name":"a"}"#, r#"{"x":1,"x":2}"#, r#"{"name":"a","\u006eame":"b"}"#]
        {
            assert_eq!(read(text), Err(JsonError::DuplicateMember), "{text}");
        }
    }

    #[test]
    fn duplicate_name_is_found_among_many() {
        let members = |last: &str| {
            let members: Vec<_> = (0..500).map(|number| format!("\"m{number}\":1")).collect();
            format!("{{{},\"{last}\":2}}", members.join(","))
        };
        assert_eq!(read(&members("other")), Ok(Pet::default()));
        for last in ["m0", "m23", "m24", "m499"] {
            assert_eq!(read(&members(last)), Err(JsonError::DuplicateMember), "{last}");
        }
    }

    #[test]
    fn member_of_wrong_type_is_not_absent() {
        for text in [r#"{"name":null}"#, r#"{"name":1}"#, r#"{"name":["a"]}"#] {
            assert_eq!(read(text), Err(JsonError::WrongType("name")), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_one_whole_object_is_rejected() {
        for text in [
            "",
            "[]",
            "null",
            "\"{}\"",
            "{} {}",
            "{\"a\":1",
            "{\"name\":\"T",
            "{\"a\":1,}",
            "\u{feff}{}",
        ] {
            assert_eq!(read(text), Err(JsonError::NotAnObject), "{text:?}");
        }
        // Invalid UTF-8 in a string that is skipped.
        assert_eq!(from_slice::<Pet>(b"{\"x\":\"\xff\"}"), Err(JsonError::NotAnObject));
    }
}
