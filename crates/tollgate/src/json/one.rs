//! One member of an object that was read before.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::Text;

/// The value of the member called `name`; `None` if there is none, or none that can be held.
/// The rest of `text` is passed over.
pub(crate) fn member(text: &[u8], name: &str) -> Option<Value> {
    One(name).deserialize(&mut serde_json::Deserializer::from_slice(text)).ok().flatten()
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
}
