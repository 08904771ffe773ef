//! Decodes a token to JSON without verifying the signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Input that is not a signed JWT.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) form: &'static str,
    pub(super) note: String,
}

type Object = Map<String, Value>;

pub(super) fn decode(token: &[u8]) -> Result<(Object, Object), Other> {
    let parts: Vec<_> = token.split(|&byte| byte == b'.').collect();
    match parts[..] {
        [header, payload, _] => Ok((object("header", header)?, object("payload", payload)?)),
        [_, _, _, _, _] => Err(Other {
            form: "jwe",
            note:
                "five parts: an encrypted token (JWE), which only its recipient can decrypt. Configure \
                   the issuer to sign access tokens instead of encrypting them"
                    .to_owned(),
        }),
        _ => Err(Other {
            form: "opaque",
            note: "not a JWT: an opaque token, which only its issuer can look up (RFC 7662). Many \
                   issuers return one if the client names no API: request the token with the \
                   API's audience or resource"
                .to_owned(),
        }),
    }
}

fn object(part: &str, text: &[u8]) -> Result<Object, Other> {
    let other = |why: &str| Other { form: "unreadable", note: format!("the {part} is {why}") };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| other("not base64url (RFC 7515 §2)"))?;
    serde_json::from_slice(&bytes).map_err(|_| other("not a JSON object"))
}
