//! The client data of a ceremony, as far as webauthn-rs does not check it.

use serde::Deserialize;
use serde_json::Value;

/// The members of the client data that say that a page was in a frame of another site (WebAuthn
/// level 3, section 5.8.1).
#[derive(Deserialize)]
struct Frames {
    #[serde(rename = "crossOrigin", default)]
    cross_origin: Option<Value>,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<Value>,
}

/// Returns whether the ceremony took place in a page that no page of another site embeds. Such a
/// page could make its visitor confirm a login unknowingly.
pub(super) fn is_of_top_page(client_data: &[u8]) -> bool {
    // An array would be read by the order of the members.
    client_data.starts_with(b"{")
        && serde_json::from_slice(client_data).is_ok_and(|frames: Frames| {
            frames.top_origin.is_none()
                && frames.cross_origin.is_none_or(|cross| cross == Value::Bool(false))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_client_data_of_a_top_page_is_accepted() {
        for (client_data, accepted) in [
            (r#"{"type":"webauthn.get"}"#, true),
            (r#"{"crossOrigin":false}"#, true),
            (r#"{"crossOrigin":null}"#, true),
            (r#"{"crossOrigin":true}"#, false),
            (r#"{"crossOrigin":"true"}"#, false),
            (r#"{"crossOrigin":false,"topOrigin":"https://evil.example"}"#, false),
            (r#"{"crossOrigin":false,"crossOrigin":true}"#, false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(is_of_top_page(client_data.as_bytes()), accepted, "{client_data}");
        }
    }
}
