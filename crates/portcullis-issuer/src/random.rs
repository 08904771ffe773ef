//! Random names and tokens.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::error::Error;

/// Returns 128 random bits in hexadecimal, for ids in URLs and on command lines. Unlike base64url,
/// the text cannot begin with `-`, which a command line would read as an option.
pub(crate) fn hex_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Formats bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    halves.filter_map(|half| char::from_digit(u32::from(half), 16)).collect()
}

/// Returns 256 random bits in base64url, for secrets.
pub(crate) fn secret() -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    fill(bytes.as_mut_slice())?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Returns a random number below `bound`, which must not be zero.
pub(crate) fn below(bound: u32) -> Result<u32, Error> {
    let mut bytes = [0_u8; 8];
    fill(&mut bytes)?;
    let number = u64::from_ne_bytes(bytes) % u64::from(bound.max(1));
    Ok(u32::try_from(number).unwrap_or_default())
}

pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    rand::fill(bytes).map_err(|_| Error::Crypto("no randomness"))
}
