//! Operations for which only a token counts that no API has seen.
//!
//! An API reads the tokens of its callers, and one that is hostile or broken into could use them
//! here. A token whose single audience is the issuer is refused by every API that checks `aud`, so
//! clients send it nowhere else.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use portcullis_axum::Claims;
use serde_json::{Map, Value};

use super::api::Api;
use super::problem::Problem;

/// Rejects a token that has another audience besides the issuer, or was issued to a backend that acts
/// for the user (`act`, RFC 8693 section 4.1).
pub(super) async fn require(
    State(api): State<Arc<Api>>,
    Claims(claims): Claims<Map<String, Value>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if is_own(&claims, &api.config.issuer) {
        Ok(next.run(request).await)
    } else {
        Err(Problem::NotAnOwnToken)
    }
}

pub(super) fn is_own(claims: &Map<String, Value>, issuer: &str) -> bool {
    let single = match claims.get("aud") {
        Some(Value::String(audience)) => Some(audience),
        Some(Value::Array(audiences)) => match audiences.as_slice() {
            [Value::String(audience)] => Some(audience),
            _ => None,
        },
        _ => None,
    };
    single.is_some_and(|audience| audience == issuer) && !claims.contains_key("act")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_token_for_the_issuer_alone_and_without_act_is_own() {
        const ISSUER: &str = "https://auth.example.com";
        const API: &str = "https://api.example.com";
        for (claims, own) in [
            (json!({ "aud": ISSUER }), true),
            (json!({ "aud": [ISSUER] }), true),
            (json!({ "aud": [ISSUER, API] }), false),
            (json!({ "aud": [API] }), false),
            (json!({ "aud": [ISSUER, ISSUER] }), false),
            (json!({ "aud": [] }), false),
            (json!({ "aud": null }), false),
            (json!({}), false),
            (json!({ "aud": ISSUER, "act": { "sub": "backend" } }), false),
            (json!({ "aud": ISSUER, "act": null }), false),
        ] {
            assert_eq!(is_own(claims.as_object().unwrap(), ISSUER), own, "{claims}");
        }
    }
}
