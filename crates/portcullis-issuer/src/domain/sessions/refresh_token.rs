//! Refresh tokens: session, generation and random bits under a MAC.
//!
//! ```text
//! format (1) | key number (2) | session id (16) | generation (4) | random (32) | HMAC-SHA-256 (32)
//! ```
//!
//! as 116 characters of base64url. The MAC shows whether this issuer made the token, without a query of the
//! store. The generation distinguishes a spent token from the current one, without a stored row per token.

mod former;
mod successor;

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

pub(crate) use self::successor::{open, seal};
use crate::domain::hash::{TokenHash, hash_of};
use crate::domain::keys::KeyEncryptionKey;
use crate::error::Error;
use crate::random;

const LABEL: &str = "portcullis-issuer: the MAC of refresh tokens";

/// The first byte of a token, so that another format can follow this one.
const FORMAT: u8 = 2;

/// The length before encoding, in bytes. It is a multiple of 3, so that each token has one
/// encoding.
const LENGTH: usize = 87;

/// A MAC key, and the number that identifies it in tokens.
pub(crate) struct MacKey {
    pub(crate) number: u16,
    pub(crate) key: KeyEncryptionKey,
}

impl MacKey {
    /// Returns the MAC key that belongs to a key-encryption key.
    pub(crate) fn of(key: &KeyEncryptionKey, number: u16) -> Result<Self, Error> {
        Ok(Self { number, key: key.derive(LABEL)? })
    }
}

/// Makes and reads refresh tokens.
pub(crate) struct RefreshTokens {
    number: u16,
    current: hmac::Key,
    /// The MAC keys of earlier key-encryption keys, with their numbers.
    earlier: Vec<(u16, hmac::Key)>,
    former: former::Successors,
}

/// The content of a token that this issuer made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    Numbered {
        session_id: String,
        /// The number of the token in its session, counted from 1.
        generation: i64,
    },
    /// The token may be of the former format, which only the store can determine.
    Former,
}

impl RefreshTokens {
    /// Creates a `RefreshTokens` that makes tokens with the key `current`, and also accepts tokens
    /// that were made with `earlier` keys. Tokens of the former format were derived from the
    /// key-encryption key `former`.
    pub(crate) fn new(
        current: &MacKey,
        earlier: &[MacKey],
        former: &KeyEncryptionKey,
    ) -> Result<Self, Error> {
        let earlier = earlier.iter().map(|key| (key.number, key.key.as_hmac_key()));
        Ok(Self {
            number: current.number,
            current: current.key.as_hmac_key(),
            earlier: earlier.collect(),
            former: former::Successors::new(former)?,
        })
    }

    /// Makes a token of this generation, which is 1 for the first.
    pub(crate) fn make(
        &self,
        session_id: &str,
        generation: i64,
    ) -> Result<Zeroizing<String>, Error> {
        const FAILED: Error = Error::Crypto("making a refresh token");
        // The buffer has its full capacity from the start, because growing it would leave a copy in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&id_to_bytes(session_id).ok_or(FAILED)?);
        bytes.extend_from_slice(&u32::try_from(generation).map_err(|_| FAILED)?.to_be_bytes());
        let mut random = Zeroizing::new([0; 32]);
        random::fill(random.as_mut_slice())?;
        bytes.extend_from_slice(random.as_slice());
        let mac = hmac::sign(&self.current, &bytes);
        bytes.extend_from_slice(mac.as_ref());
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
    }

    /// Reads a token. Returns `None` if this issuer cannot have made it.
    pub(crate) fn read(&self, token: &str) -> Option<Presented> {
        if former::looks_like_one(token) {
            return Some(Presented::Former);
        }
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let length = URL_SAFE_NO_PAD.decode_slice(token, bytes.as_mut_slice()).ok()?;
        if length != LENGTH {
            return None;
        }
        let (signed, mac) = bytes.split_last_chunk::<32>()?;
        let (&[FORMAT], rest) = signed.split_first_chunk()? else { return None };
        let (&number, rest) = rest.split_first_chunk()?;
        let (session_id, rest) = rest.split_first_chunk::<16>()?;
        let (&generation, _random) = rest.split_first_chunk()?;
        // `verify` compares in constant time.
        hmac::verify(self.key(u16::from_be_bytes(number))?, signed, mac).ok()?;
        Some(Presented::Numbered {
            session_id: random::hex(session_id),
            generation: i64::from(u32::from_be_bytes(generation)),
        })
    }

    fn key(&self, number: u16) -> Option<&hmac::Key> {
        if number == self.number {
            return Some(&self.current);
        }
        self.earlier.iter().find(|(earlier, _)| *earlier == number).map(|(_, key)| key)
    }

    /// Returns the successor of a token of the former format.
    pub(crate) fn former_successor_of(&self, token: &str) -> Zeroizing<String> {
        self.former.of(token)
    }

    /// Returns the hash of the successor of a token of the former format.
    pub(crate) fn hash_of_former_successor(&self, token: &str) -> TokenHash {
        hash_of(&self.former.of(token))
    }
}

/// Reverses [`random::hex`].
fn id_to_bytes(id: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if id.len() != 32 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(id.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshTokens(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn key(byte: u8) -> KeyEncryptionKey {
        let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
        KeyEncryptionKey::from_base64(&text).unwrap()
    }

    fn tokens(byte: u8, number: u16, earlier: &[(u8, u16)]) -> RefreshTokens {
        let mac = |&(byte, number): &(u8, u16)| MacKey::of(&key(byte), number).unwrap();
        let earlier: Vec<_> = earlier.iter().map(mac).collect();
        RefreshTokens::new(&mac(&(byte, number)), &earlier, &key(byte)).unwrap()
    }

    fn numbered(generation: i64) -> Option<Presented> {
        Some(Presented::Numbered { session_id: ID.to_owned(), generation })
    }

    #[test]
    fn token_names_its_session_and_generation() {
        let tokens = tokens(1, 1, &[]);
        let token = tokens.make(ID, 7).unwrap();
        assert_eq!(token.len(), 116);
        assert_eq!(tokens.read(&token), numbered(7));
        assert_ne!(token, tokens.make(ID, 7).unwrap(), "random bits");
        assert_eq!(format!("{tokens:?}"), "RefreshTokens(redacted)");
    }

    #[test]
    fn changed_or_foreign_token_is_unknown() {
        let ours = tokens(1, 1, &[]);
        let token = ours.make(ID, 7).unwrap();
        for at in 0..token.len() {
            let mut changed = token.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ours.read(std::str::from_utf8(&changed).unwrap()), None, "at {at}");
            assert_eq!(ours.read(&token[..at]).filter(|it| *it != Presented::Former), None);
        }
        assert_eq!(tokens(2, 1, &[]).read(&token), None, "another key");
        assert_eq!(tokens(1, 2, &[]).read(&token), None, "another number");
        assert_eq!(ours.read(""), None);
        assert_eq!(ours.read("made up"), None);
        assert_eq!(ours.read(&format!("{}=", &*token)), None, "padding");
    }

    #[test]
    fn token_of_an_earlier_key_is_read_while_that_key_is_kept() {
        let token = tokens(1, 1, &[]).make(ID, 3).unwrap();
        assert_eq!(tokens(2, 2, &[(1, 1)]).read(&token), numbered(3));
        assert_eq!(tokens(2, 2, &[]).read(&token), None);
        let next = tokens(2, 2, &[(1, 1)]).make(ID, 4).unwrap();
        assert_eq!(tokens(2, 2, &[]).read(&next), numbered(4), "made with the current key");
    }

    #[test]
    fn generation_that_does_not_fit_makes_no_token() {
        let tokens = tokens(1, 1, &[]);
        assert!(tokens.make(ID, i64::from(u32::MAX) + 1).is_err());
        assert!(tokens.make("no id", 1).is_err());
    }
}
