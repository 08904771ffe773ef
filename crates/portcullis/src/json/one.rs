//! One member of an object that was read before.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Number, Value};

use super::Text;

/// The value of the member called `name`; `None` if there is none, or none that can be held.
/// The rest of `text` is passed over.
pub(crate) fn member(text: &[u8], name: &str) -> Option<Value> {
    let found = One(name).deserialize(&mut serde_json::Deserializer::from_slice(text));
    let mut value = found.ok().flatten()?;
    normalize(&mut value).then_some(value)
}

/// Gives every number the one form that equal numbers share: with serde_json's
/// `arbitrary_precision`, which any crate of a build may switch on, a number is its text, and
/// `1.50` is not `1.5`. False if there is one that is too large to be held without that feature.
pub(crate) fn normalize(value: &mut Value) -> bool {
    match value {
        Value::Number(number) => match normal(number) {
            Some(normal) => {
                *number = normal;
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().all(normalize),
        Value::Object(members) => members.values_mut().all(normalize),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn normal(number: &Number) -> Option<Number> {
    let float = number.as_f64()?;
    let whole = number.as_u64().map(Number::from).or_else(|| number.as_i64().map(Number::from));
    // `-0` is a float.
    let whole = whole.filter(|_| float != 0.0 || float.is_sign_positive());
    whole.or_else(|| Number::from_f64(float))
}

struct One<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Text<'de>>()? {
            if name.0 == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_member_is_found_among_values_that_nobody_could_hold() {
        let text = br#"{"a":1e999,"b":{"b":2},"\u0063":[1.5,null],"d":"\ud800"}"#;
        assert_eq!(member(text, "b"), Some(json!({"b": 2})));
        assert_eq!(member(text, "c"), Some(json!([1.5, null])));
        for name in ["a", "d", "e", ""] {
            assert_eq!(member(text, name), None, "{name}");
        }
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        let of = |number: &str| member(format!(r#"{{"n":[{number}]}}"#).as_bytes(), "n").unwrap();
        for [one, other] in [["1.5", "1.50"], ["1e2", "100.0"], ["-0", "-0.0"], ["7", "7"]] {
            assert_eq!(of(one), of(other));
        }
        for [one, other] in [["1", "1.0"], ["0", "-0"], ["18446744073709551615", "-1"]] {
            assert_ne!(of(one), of(other));
        }
        assert_eq!(of("7"), json!([7]));
    }
}
