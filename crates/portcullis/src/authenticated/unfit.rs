//! Explains why claims do not fit a type, without any value or name that the token's sender chose.

use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use crate::json::Raw;

/// Returns serde's message without the value that it quotes. For example, of "invalid type: string
/// "…", expected u64 at line 1 column 7", only the text after the value is kept. Only messages that
/// quote no value are kept whole. The position where the parser stopped identifies the claim. The
/// claim is named if `C` has a field with its name.
pub(super) fn problem<C: DeserializeOwned>(error: &serde_json::Error, payload: &str) -> String {
    let text = error.to_string();
    let place = || format!("at line {} column {}", error.line(), error.column());
    if text.starts_with("missing field `") {
        return text;
    }
    // The list has the messages of serde itself. A custom `Deserialize` may quote a value anywhere
    // in its message, so no text of its message is kept.
    if !["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .any(|own| text.starts_with(own))
    {
        return place();
    }
    let Some((_value, expected)) = text.rsplit_once(", expected ") else { return place() };
    let claim = field_at::<C>(error, payload).map(|name| format!("`{name}`: "));
    format!("{}expected {expected}", claim.unwrap_or_default())
}

/// The field of `C` that the error is about.
fn field_at<C: DeserializeOwned>(error: &serde_json::Error, payload: &str) -> Option<&'static str> {
    let lines = payload.split_inclusive('\n');
    let before: usize = lines.take(error.line().checked_sub(1)?).map(str::len).sum();
    let claim = Raw::new(payload).member_at(payload, before + error.column())?;
    fields::<C>().iter().copied().find(|&field| field == claim)
}

/// The fields of a struct that derives `Deserialize`. The list is empty for other types, and for a
/// struct with `flatten`.
fn fields<C: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // Deserialization always fails, because there is no input.
    let _ = C::deserialize(Fields(&mut fields));
    fields
}

/// A deserializer without input that records the names of the fields that the type requests.
struct Fields<'f>(&'f mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = NoValue;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoValue> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("nothing to read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
