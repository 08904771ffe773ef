//! Signs JWTs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::domain::keys::Snapshot;
use crate::error::Error;

/// RFC 9068 section 2.1.
#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

/// Signs a JWT of this `typ`.
pub(super) async fn sign(
    keys: &Snapshot,
    typ: &'static str,
    claims: &impl Serialize,
) -> Result<String, Error> {
    let (alg, kid) = (keys.active.algorithm().as_str(), keys.active.kid());
    let header = Header { typ, alg, kid };
    // Most tokens fit into this capacity, including the signature.
    let mut token = String::with_capacity(1024);
    encode(&header, &mut token)?;
    token.push('.');
    encode(claims, &mut token)?;
    keys.sign(token).await
}

fn encode(part: &impl Serialize, to: &mut String) -> Result<(), Error> {
    serde_json::to_vec(part)
        .map(|json| URL_SAFE_NO_PAD.encode_string(json, to))
        .map_err(|_| Error::Crypto("serializing a token"))
}
