//! Values whose type the issuer chooses.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::Text;

/// Strings, which in most arrays are few.
pub(crate) type Texts<'a> = SmallVec<[Text<'a>; 4]>;

/// A value of any type, of which only strings and arrays of strings are kept.
pub(crate) enum Lenient<'a> {
    Text(Text<'a>),
    Texts(Texts<'a>),
    /// The strings of an array that also contains other values.
    Mixed(Texts<'a>),
    Null,
    Other,
}

impl<'a> Lenient<'a> {
    /// Returns the strings.
    pub(crate) fn strings(&self) -> &[Text<'a>] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::Texts(texts) | Self::Mixed(texts) => texts,
            Self::Null | Self::Other => &[],
        }
    }

    /// Whether there is any value other than strings. `null` counts as no value.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self, Self::Mixed(_) | Self::Other)
    }
}

impl<'de> Deserialize<'de> for Lenient<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LenientVisitor;
        impl<'de> Visitor<'de> for LenientVisitor {
            type Value = Lenient<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Lenient::Text(Text(text.into())))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Lenient::Text(Text(text.to_owned().into())))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
                let mut texts = SmallVec::new();
                let mut only_texts = true;
                while let Some(item) = items.next_element()? {
                    match item {
                        Lenient::Text(text) => texts.push(text),
                        Lenient::Texts(_) | Lenient::Mixed(_) | Lenient::Null | Lenient::Other => {
                            only_texts = false;
                        }
                    }
                }
                Ok(if only_texts { Lenient::Texts(texts) } else { Lenient::Mixed(texts) })
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Lenient::Other)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Lenient::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Lenient::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Lenient::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Lenient::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Lenient::Other)
            }
        }
        deserializer.deserialize_any(LenientVisitor)
    }
}

/// A string or an array of strings; any other type is an error.
pub(super) struct OneOrMore<'a>(pub(super) Texts<'a>);

impl<'de> Deserialize<'de> for OneOrMore<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Lenient::deserialize(deserializer)? {
            Lenient::Text(name) => Ok(Self(std::iter::once(name).collect())),
            Lenient::Texts(names) => Ok(Self(names)),
            Lenient::Mixed(_) | Lenient::Null | Lenient::Other => {
                Err(D::Error::custom("not a string or an array of strings"))
            }
        }
    }
}

/// Whether a member has content: false for `null`, a blank string and an empty array, which some
/// writers use for "nothing". The content is not kept.
pub(crate) struct IsPresent(pub(crate) bool);

impl<'de> Deserialize<'de> for IsPresent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Reads the raw text, so that no depth or number in it can cause an error.
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let within =
            |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        let content = within('"', '"').or_else(|| within('[', ']')).unwrap_or(text);
        Ok(Self(text != "null" && !content.trim().is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_more_strings_of_wrong_type_report_the_expected_types() {
        let error = serde_json::from_str::<OneOrMore<'_>>("7").err().unwrap().to_string();
        assert!(error.contains("a string or an array of strings"), "{error}");
    }
}
