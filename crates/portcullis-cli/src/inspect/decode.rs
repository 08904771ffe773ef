//! From text to JSON, without a look at the signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Something else than a signed JWT.
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
                "five parts: an encrypted token (JWE), which only its addressee can read. Have the \
                   issuer sign access tokens instead of encrypting them"
                    .to_owned(),
        }),
        _ => Err(Other {
            form: "opaque",
            note: "no JWT: an opaque token, which only its issuer can look up (RFC 7662). Many \
                   issuers hand one out when the client names no API: ask for the token with the \
                   API's audience or resource"
                .to_owned(),
        }),
    }
}

fn object(part: &str, text: &[u8]) -> Result<Object, Other> {
    let other = |why: &str| Other { form: "unreadable", note: format!("the {part} is {why}") };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| other("no base64url (RFC 7515 §2)"))?;
    serde_json::from_slice(&bytes).map_err(|_| other("no JSON object"))
}
