//! Payload values that are read only when a rule, a profile or a policy needs them. They are read
//! strictly: neither the value nor any member in it, at any depth, may be duplicated, and each
//! number must be represented exactly.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use smallvec::SmallVec;

use super::{Lenient, Names, Text, number};

/// The maximum nesting depth of a value.
const MAX_DEPTH: usize = 64;

/// The reason why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is duplicated")]
    Repeated,
    #[error("one of its members is duplicated")]
    DuplicateMember,
    #[error("it has a number that neither a 64-bit integer nor a 64-bit float represents exactly")]
    Number,
    #[error("it has a string that is not valid Unicode")]
    Text,
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("it is not {expected}")]
    WrongType { expected: &'static str },
    #[error(
        "the policy compares it with a number that may have been rounded; in the policy, write \
         whole numbers of 2^53 or more as integers"
    )]
    Rounded,
}

/// The text of a value, in a document that is known to be JSON.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a>(pub(super) &'a str);

/// An object's members, without duplicates.
pub(crate) struct Members<'a>(SmallVec<[(Text<'a>, Raw<'a>); 16]>);

/// An object's members, which may include duplicates.
pub(crate) struct LenientMembers<'a> {
    members: Members<'a>,
    repeated: SmallVec<[Text<'a>; 1]>,
}

impl<'a> Raw<'a> {
    /// Takes a whole document, which must have been parsed before.
    pub(crate) fn new(json: &'a str) -> Self {
        Self(json.trim_ascii())
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Returns the member `name` of an object. Other members may be duplicated.
    pub(crate) fn find(self, name: &str) -> Result<Option<Raw<'a>>, Unreadable> {
        let (mut found, mut repeated) = (None, false);
        let find = Find { name, found: &mut found, repeated: &mut repeated };
        match serde_json::Deserializer::from_str(self.0).deserialize_map(find) {
            _ if repeated => Err(Unreadable::Repeated),
            Ok(()) => Ok(found),
            Err(_) => Err(Unreadable::Text),
        }
    }

    /// Returns the members of an object, without reading their values. Values of other types have
    /// no members.
    pub(crate) fn members(self) -> Result<Members<'a>, Unreadable> {
        let mut repeated = false;
        let members = self.collect(|_| repeated = true)?;
        if repeated { Err(Unreadable::DuplicateMember) } else { Ok(members) }
    }

    /// Like [`members`](Self::members), for an object with members that nothing reads: duplicates
    /// are an error only for a member that is looked up.
    pub(crate) fn lenient_members(self) -> Result<LenientMembers<'a>, Unreadable> {
        let mut repeated = SmallVec::new();
        let members = self.collect(|name| repeated.push(name))?;
        Ok(LenientMembers { members, repeated })
    }

    fn collect(self, repeated: impl FnMut(Text<'a>)) -> Result<Members<'a>, Unreadable> {
        let mut members = Members(SmallVec::new());
        if self.is_object() {
            let collect = Collect { members: &mut members, repeated };
            let read = serde_json::Deserializer::from_str(self.0).deserialize_map(collect);
            read.map_err(|_| Unreadable::Text)?;
        }
        Ok(members)
    }

    /// Returns the name of the member whose value contains the byte offset `at` of `document`, or
    /// ends there.
    pub(crate) fn member_at(self, document: &str, at: usize) -> Option<Cow<'a, str>> {
        let place = |text: &str| text.as_ptr().addr().checked_sub(document.as_ptr().addr());
        let members = self.lenient_members().ok()?.members.0;
        members.into_iter().find_map(|(name, value)| {
            let start = place(value.0)?;
            (start..=start + value.0.len()).contains(&at).then_some(name.0)
        })
    }

    /// Returns the string itself, or the strings of an array. The other values of the array must be
    /// readable.
    pub(crate) fn strings(self) -> Result<Lenient<'a>, Unreadable> {
        if let Some(text) = self.string() {
            return Ok(Lenient::Text(text));
        }
        match serde_json::from_str::<Lenient<'a>>(self.0) {
            Ok(strings) if strings.is_malformed() => self.value().map(|_| strings),
            Ok(strings) => Ok(strings),
            // Strict parsing finds the reason.
            Err(_) => self.value().and(Err(Unreadable::Text)),
        }
    }

    pub(crate) fn string(self) -> Option<Text<'a>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(Text(inner.into()));
        }
        self.parse()
    }

    /// Parses the value as a `T`. `None` if it does not fit.
    pub(crate) fn parse<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_str(self.0).ok()
    }

    /// Reads the value with normalized numbers, so that equal numbers compare equal.
    pub(crate) fn value(self) -> Result<Value, Unreadable> {
        self.value_within(MAX_DEPTH)
    }

    fn value_within(self, depth: usize) -> Result<Value, Unreadable> {
        let inner = depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
        Ok(match self.0.as_bytes().first() {
            Some(b'{') => {
                let members = self.members()?.0.into_iter();
                let members = members
                    .map(|(name, value)| Ok((name.into_owned(), value.value_within(inner)?)));
                Value::Object(members.collect::<Result<_, _>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(self.0).map_err(|_| Unreadable::Text)?;
                let items = items.into_iter().map(|item| Raw(item.get()).value_within(inner));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::String(self.string().ok_or(Unreadable::Text)?.into_owned()),
            Some(b'n') => Value::Null,
            Some(b't' | b'f') => Value::Bool(self.0 == "true"),
            _ => Value::Number(number::exact(self.0).ok_or(Unreadable::Number)?),
        })
    }
}

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|value| Self(value.get()))
    }
}

impl<'a> Members<'a> {
    pub(crate) fn values(&self) -> impl Iterator<Item = Raw<'a>> {
        self.0.iter().map(|&(_, value)| value)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Raw<'a>> {
        self.0.iter().find(|(other, _)| other.0 == name).map(|&(_, value)| value)
    }
}

impl<'a> LenientMembers<'a> {
    pub(crate) fn get(&self, name: &str) -> Result<Option<Raw<'a>>, Unreadable> {
        if self.repeated.iter().any(|other| other.0 == name) {
            return Err(Unreadable::Repeated);
        }
        Ok(self.members.get(name))
    }
}

/// Normalizes the numbers of a value that this module did not read, as [`Raw::value`] does. Returns
/// false if a number may have been rounded before; such a number is left unchanged.
pub(crate) fn normalize(value: &mut Value) -> bool {
    match value {
        Value::Number(number) => match number::unrounded(number) {
            Some(normal) => {
                *number = normal;
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().map(normalize).fold(true, |all, one| all & one),
        Value::Object(members) => {
            members.values_mut().map(normalize).fold(true, |all, one| all & one)
        }
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Whether [`normalize`] leaves this number unchanged.
pub(crate) fn may_be_rounded(number: &Number) -> bool {
    number.as_u64().is_none()
        && number.as_i64().is_none()
        && number.as_f64().is_none_or(|float| float.fract() == 0.0)
}

/// Finds one member and skips the others.
struct Find<'a, 'f> {
    name: &'f str,
    found: &'f mut Option<Raw<'a>>,
    repeated: &'f mut bool,
}

impl<'de> Visitor<'de> for Find<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'de>>()? {
            if name.0 == self.name {
                *self.repeated |= self.found.is_some();
                *self.found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Collects the first member of each name, and the duplicated names.
struct Collect<'a, 'c, F> {
    members: &'c mut Members<'a>,
    repeated: F,
}

impl<'de, F: FnMut(Text<'de>)> Visitor<'de> for Collect<'de, '_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let value = map.next_value()?;
            if names.contains(&name) {
                (self.repeated)(name);
            } else {
                names.insert(name.clone());
                self.members.0.push((name, value));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn member_is_found_among_unrepresentable_values() {
        let text = r#"{"a":1e999,"b":{"b":2},"\u0063":[1.5,null],"d":"\ud800"}"#;
        let value = |name| Raw::new(text).find(name).unwrap().map(Raw::value);
        assert_eq!(value("b"), Some(Ok(json!({"b": 2}))));
        assert_eq!(value("c"), Some(Ok(json!([1.5, null]))));
        assert_eq!(value("a"), Some(Err(Unreadable::Number)));
        assert_eq!(value("d"), Some(Err(Unreadable::Text)));
        for name in ["e", "B", ""] {
            assert_eq!(value(name), None, "{name}");
        }
    }

    #[test]
    fn duplicate_member_at_any_depth_is_rejected() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[0,{"b":{"a":1,"a":1}}]"#,
            r#"{"a":{"b":1,"b":1}}"#,
        ] {
            assert_eq!(Raw::new(text).value(), Err(Unreadable::DuplicateMember), "{text}");
        }
        let text = r#"{"a":{"b":1},"b":{"a":1,"b":[{"a":1},{"a":1}]}}"#;
        assert_eq!(Raw::new(text).value(), Ok(serde_json::from_str(text).unwrap()));
    }

    #[test]
    fn members_of_an_object_are_read_without_their_values() {
        let members = Raw::new(r#" {"a":{"x":1,"x":2},"b":1e999} "#).members().unwrap();
        assert!(members.get("a").unwrap().is_object() && members.get("c").is_none());
        assert_eq!(members.get("b").unwrap().value(), Err(Unreadable::Number));
        let twice = Raw::new(r#"{"a":1,"a":2}"#).members().err();
        assert_eq!(twice, Some(Unreadable::DuplicateMember));
        let lone = Raw::new(r#"{"\ud800":1}"#).members().err();
        assert_eq!(lone, Some(Unreadable::Text));
        for other in ["null", "7", r#""a""#, r#"["a"]"#] {
            assert!(Raw::new(other).members().unwrap().get("a").is_none(), "{other}");
        }
    }

    #[test]
    fn strings_are_distinguished_from_other_values() {
        let shape = |text| match Raw::new(text).strings() {
            Ok(Lenient::Null) => "null",
            Ok(Lenient::Text(_)) => "text",
            Ok(Lenient::Texts(_)) => "texts",
            Ok(Lenient::Mixed(_)) => "mixed",
            Ok(Lenient::Other) => "other",
            Err(Unreadable::DuplicateMember) => "twice",
            Err(_) => "unreadable",
        };
        for (text, expected) in [
            ("null", "null"),
            (r#""a""#, "text"),
            ("[]", "texts"),
            (r#"["a","b"]"#, "texts"),
            (r#"["a",null]"#, "mixed"),
            (r#"["a",{"a":1}]"#, "mixed"),
            ("7", "other"),
            ("true", "other"),
            (r#"{"a":1}"#, "other"),
            (r#"{"a":1,"a":1}"#, "twice"),
            (r#"["a",[{"a":1,"a":1}]]"#, "twice"),
            (r#""\ud800""#, "unreadable"),
            (r#"["a",1e999]"#, "unreadable"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn nesting_depth_is_limited() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Raw::new(&nested(MAX_DEPTH - 1)).value().is_ok());
        for depth in [MAX_DEPTH, 100_000] {
            assert_eq!(Raw::new(&nested(depth)).value(), Err(Unreadable::TooDeep), "{depth}");
        }
    }

    #[test]
    fn numbers_of_parsed_values_are_normalized_to_the_same_form() {
        let mut value = json!({"a": [1.0, -0.0, 1.5, u64::MAX], "b": "1.0"});
        assert!(normalize(&mut value));
        assert_eq!(value, json!({"a": [1, 0, 1.5, u64::MAX], "b": "1.0"}));
        let mut rounded = json!([1e300, 2.0]);
        assert!(!normalize(&mut rounded));
        assert_eq!(rounded, json!([1e300, 2]), "the other numbers are normalized");
        let Value::Array(items) = rounded else { panic!("an array") };
        let may = items.iter().map(|item| may_be_rounded(item.as_number().unwrap()));
        assert_eq!(may.collect::<Vec<_>>(), [true, false]);
    }
}
