//! Values whose type is their sender's affair.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value of any type, of which only strings and arrays of strings are kept.
pub(crate) enum Lenient {
    Text(String),
    Texts(Vec<String>),
    Other,
}

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LenientVisitor;
        impl<'de> Visitor<'de> for LenientVisitor {
            type Value = Lenient;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Lenient, E> {
                Ok(Lenient::Text(text.to_owned()))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Lenient, S::Error> {
                let mut texts = Vec::new();
                let mut only_texts = true;
                while only_texts {
                    match items.next_element()? {
                        Some(Lenient::Text(text)) => texts.push(text),
                        Some(Lenient::Texts(_) | Lenient::Other) => only_texts = false,
                        None => return Ok(Lenient::Texts(texts)),
                    }
                }
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Lenient::Other)
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Lenient, M::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Lenient::Other)
            }

            fn visit_unit<E>(self) -> Result<Lenient, E> {
                Ok(Lenient::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Lenient, E> {
                Ok(Lenient::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Lenient, E> {
                Ok(Lenient::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Lenient, E> {
                Ok(Lenient::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Lenient, E> {
                Ok(Lenient::Other)
            }
        }
        deserializer.deserialize_any(LenientVisitor)
    }
}
