//! Recovery codes, for a user who has lost the app.

use zeroize::Zeroizing;

use crate::domain::hash::{TokenHash, hash_of};
use crate::error::Error;

/// The number of recovery codes of a user.
const COUNT: usize = 10;

/// The alphabet of recovery codes, base32, without `0`, `1`, `8` and `9`, which look like letters
/// (RFC 4648 section 6).
const ALPHABET: [char; 32] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's',
    't', 'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
];

/// Recovery codes, which are shown once, and their hashes, which are stored.
pub(crate) struct RecoveryCodes {
    pub(crate) shown: Vec<Zeroizing<String>>,
    pub(crate) hashes: Vec<TokenHash>,
}

impl RecoveryCodes {
    pub(crate) fn new(user_id: &str) -> Result<Self, Error> {
        let shown = (0..COUNT).map(|_| new_code()).collect::<Result<Vec<_>, _>>()?;
        let hashes = shown.iter().map(|code| hash_of_code(user_id, code)).collect();
        Ok(Self { shown, hashes })
    }
}

/// Creates a code of 80 random bits, in groups that are easy to copy by hand.
fn new_code() -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    crate::random::fill(bytes.as_mut_slice())?;
    let mut code = Zeroizing::new(String::with_capacity(19));
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        // The index is always valid. All characters are equally likely, since 256 is a multiple of
        // the alphabet's length.
        code.extend(ALPHABET.get(usize::from(byte % 32)));
    }
    Ok(code)
}

/// Returns the hash of a code. Spaces, hyphens and case are ignored. A plain hash is enough for 80
/// random bits. The user's id is part of the hashed text, so that one precomputed table cannot be used
/// against all users.
pub(super) fn hash_of_code(user_id: &str, code: &str) -> TokenHash {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = Zeroizing::new(plain.to_ascii_lowercase());
    hash_of(&Zeroizing::new(format!("recovery code of {user_id} {}", plain.as_str())))
}

/// Returns whether a code has the form of a recovery code. A code of an app has six digits.
pub(super) fn is_recovery_code(code: &str) -> bool {
    code.bytes().filter(u8::is_ascii_alphanumeric).count() == 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_differ_and_ignore_case_and_hyphens() {
        let codes = RecoveryCodes::new("id of alice").unwrap();
        assert_eq!(codes.shown.len(), 10);
        let hashes: std::collections::BTreeSet<_> = codes.hashes.iter().collect();
        assert_eq!(hashes.len(), 10);
        let code = codes.shown[0].as_str();
        assert_eq!(code.len(), 19, "{code}");
        assert!(is_recovery_code(code) && !is_recovery_code("123456"));
        let typed = code.to_ascii_uppercase().replace('-', " ");
        assert_eq!(hash_of_code("id of alice", &typed), codes.hashes[0]);
        assert_ne!(hash_of_code("id of bob", code), codes.hashes[0]);
    }
}
