//! Key sets from text. The core reads all of it: it sees every member, also one that comes twice.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tollgate::{Algorithm, KeySet, KeySetError, VerificationKey};

/// Reads a JWK Set that is used with `allowed`, or with any algorithm.
pub(crate) fn key_set(
    document: &str,
    allowed: Option<&[Algorithm]>,
) -> Result<KeySet, KeySetError> {
    let set = KeySet::from_json(document.as_bytes())?;
    let (Some(allowed), Ok(Entries { keys })) = (allowed, serde_json::from_str(document)) else {
        return Ok(set);
    };
    let keys: Vec<_> = keys.iter().map(|jwk| pinned(jwk.get(), allowed)).collect();
    KeySet::from_json(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
}

#[derive(Deserialize)]
struct Entries<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The JWK, with the first of `allowed` that fits it as its `alg` if it has none.
///
/// An RSA key without `alg` would do for six algorithms, and [`KeySet::from_json`] takes the
/// first there is; as where an [`Authenticator`](tollgate::Authenticator) fetches keys, the
/// allowed ones decide.
fn pinned(jwk: &str, allowed: &[Algorithm]) -> String {
    #[derive(Deserialize)]
    struct Pin {
        alg: Option<IgnoredAny>,
    }
    let has_none = serde_json::from_str::<Pin>(jwk).is_ok_and(|pin| pin.alg.is_none());
    let fits =
        |algorithm: &&Algorithm| VerificationKey::from_jwk(jwk.as_bytes(), **algorithm).is_ok();
    match (jwk.strip_prefix('{'), allowed.iter().find(fits)) {
        (Some(members), Some(algorithm)) if has_none => {
            format!(r#"{{"alg":"{algorithm}",{members}"#)
        }
        _ => jwk.to_owned(),
    }
}
