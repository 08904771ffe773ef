//! The successor of a spent token, for a client that never received the response.
//!
//! The successor is sealed under a key that is derived from its predecessor. The store has only the
//! predecessor's hash, so no stored data can open the successor, not even with the key-encryption
//! key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::error::Error;

const LABEL: &str = "portcullis-issuer: the sealed successor of a refresh token";
const NONCE_LEN: usize = 12;

/// Seals `successor` so that only the holder of `predecessor` can open it.
pub(crate) fn seal(predecessor: &str, successor: &str) -> Result<Vec<u8>, Error> {
    // The buffer has room for the tag from the start, because growing it would leave a copy of the
    // token in memory.
    let capacity = successor.len() + AES_256_GCM.tag_len();
    let mut buffer = Zeroizing::new(Vec::with_capacity(capacity));
    buffer.extend_from_slice(successor.as_bytes());
    let nonce = key_of(predecessor)?
        .seal_in_place_append_tag(Aad::empty(), &mut *buffer)
        .map_err(|_| Error::Crypto("sealing a refresh token"))?;
    let mut sealed = nonce.as_ref().to_vec();
    sealed.append(&mut buffer);
    Ok(sealed)
}

/// Opens the output of [`seal`].
pub(crate) fn open(predecessor: &str, sealed: &[u8]) -> Result<Zeroizing<String>, Error> {
    const FAILED: Error = Error::Crypto("opening a sealed refresh token");
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or(FAILED)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| FAILED)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let opened =
        key_of(predecessor)?.open_in_place(nonce, Aad::empty(), &mut buffer).map_err(|_| FAILED)?;
    Ok(Zeroizing::new(std::str::from_utf8(opened).map_err(|_| FAILED)?.to_owned()))
}

fn key_of(predecessor: &str) -> Result<RandomizedNonceKey, Error> {
    const FAILED: Error = Error::Crypto("deriving the key of a sealed refresh token");
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(predecessor.as_bytes())
        .expand(&[LABEL.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .map_err(|_| FAILED)?;
    RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successor_is_opened_with_its_predecessor_only() {
        let sealed = seal("predecessor", "successor").unwrap();
        assert_eq!(open("predecessor", &sealed).unwrap().as_str(), "successor");
        assert!(open("another", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open("predecessor", &changed).is_err(), "byte {at}");
            assert!(open("predecessor", &sealed[..at]).is_err(), "cut at {at}");
        }
    }
}
