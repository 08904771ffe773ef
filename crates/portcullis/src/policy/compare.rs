//! Three-valued equality of a claim and a policy's value.

use serde_json::Value;

use crate::json::{Unreadable, may_be_rounded};

/// Returns whether `claim` equals `wanted`. Both must have normalized numbers.
///
/// # Errors
///
/// Returns an error if equality is unknown: no part is known to differ, but the types differ
/// somewhere, or a number in `wanted` may have been rounded.
pub(super) fn is_equal(wanted: &Value, claim: &Value) -> Result<bool, Unreadable> {
    match (wanted, claim) {
        (Value::Null, _) | (_, Value::Null) => Ok(wanted == claim),
        (Value::Bool(wanted), Value::Bool(claim)) => Ok(wanted == claim),
        (Value::String(wanted), Value::String(claim)) => Ok(wanted == claim),
        (Value::Number(wanted), Value::Number(_)) if may_be_rounded(wanted) => {
            Err(Unreadable::Rounded)
        }
        (Value::Number(wanted), Value::Number(claim)) => Ok(wanted == claim),
        (Value::Array(wanted), Value::Array(claim)) => {
            if wanted.len() != claim.len() {
                return Ok(false);
            }
            all(wanted.iter().zip(claim))
        }
        (Value::Object(wanted), Value::Object(claim)) => {
            let pairs: Option<Vec<_>> =
                wanted.iter().map(|(name, value)| Some((value, claim.get(name)?))).collect();
            match pairs {
                Some(pairs) if wanted.len() == claim.len() => all(pairs),
                _ => Ok(false),
            }
        }
        (wanted, _) => Err(Unreadable::WrongType { expected: kind(wanted) }),
    }
}

/// Returns whether all pairs are equal. One pair that differs decides, even if another pair is
/// unknown.
fn all<'v>(pairs: impl IntoIterator<Item = (&'v Value, &'v Value)>) -> Result<bool, Unreadable> {
    let mut unknown = None;
    for (wanted, claim) in pairs {
        match is_equal(wanted, claim) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Ok(true), Err)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equality_is_three_valued() {
        let unknown = |expected| Err(Unreadable::WrongType { expected });
        for (wanted, claim, expected) in [
            (json!(null), json!(null), Ok(true)),
            (json!(null), json!(0), Ok(false)),
            (json!("a"), json!(null), Ok(false)),
            (json!(true), json!(true), Ok(true)),
            (json!(true), json!(false), Ok(false)),
            (json!(true), json!("true"), unknown("a boolean")),
            (json!(1), json!(true), unknown("a number")),
            (json!("a"), json!("a"), Ok(true)),
            (json!("a"), json!("A"), Ok(false)),
            (json!("a"), json!(["a"]), unknown("a string")),
            (json!([]), json!({}), unknown("an array")),
            (json!({}), json!([]), unknown("an object")),
            (json!([]), json!([]), Ok(true)),
            (json!(["a", 1]), json!(["a", 1]), Ok(true)),
            (json!(["a", 1]), json!([1, "a"]), unknown("a string")),
            (json!(["a"]), json!(["a", "b"]), Ok(false)),
            (json!(["a", 1]), json!(["b", "1"]), Ok(false)),
            (json!(["1", "a"]), json!([1, "b"]), Ok(false)),
            (json!(["1", "a"]), json!([1, "a"]), unknown("a string")),
            (json!({"a": 1}), json!({"a": 1}), Ok(true)),
            (json!({"a": 1}), json!({"a": 2}), Ok(false)),
            (json!({"a": 1}), json!({"a": "1"}), unknown("a number")),
            (json!({"a": 1}), json!({"b": "1"}), Ok(false)),
            (json!({"a": 1}), json!({"a": 1, "b": 1}), Ok(false)),
            (json!({"a": 1, "b": 1}), json!({"a": 1}), Ok(false)),
            (json!({"a": [{"b": 1}]}), json!({"a": [{"b": true}]}), unknown("a number")),
            (json!(1e300), json!(1), Err(Unreadable::Rounded)),
            (json!([1e300, 1]), json!([1, 2]), Ok(false)),
        ] {
            assert_eq!(is_equal(&wanted, &claim), expected, "{wanted} {claim}");
        }
    }
}
