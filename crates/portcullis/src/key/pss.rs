//! The parameters of an RSA-PSS key ([RFC 4055 §3.1]), which may bind it to one algorithm.
//!
//! [RFC 4055 §3.1]: https://www.rfc-editor.org/rfc/rfc4055#section-3.1

use super::KeyError;
use super::der::{Der, NULL, OID, bad, field};
use crate::algorithm::Algorithm;

const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];

/// RFC 7518 §3.5: the object identifier of each hash, its salt length in bytes, and its algorithms.
const HASHES: [(&[u8], u8, &[Algorithm]); 3] = [
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01], 32, &[Algorithm::Ps256]),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], 48, &[Algorithm::Ps384]),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], 64, &[Algorithm::Ps512]),
];

/// Returns the algorithms that the parameters allow; `rest` is the rest of an AlgorithmIdentifier.
/// Without parameters every PSS algorithm is allowed. Omitted fields default to SHA-1, which no
/// algorithm here uses.
pub(super) fn algorithms(mut rest: Der<'_>) -> Result<&'static [Algorithm], KeyError> {
    if rest.peek().is_none() {
        return Ok(&[Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512]);
    }
    let mut parameters = rest.sequence()?;
    rest.end()?;
    let hash = parameters.take_if(field(0))?.map(|hash| hash_in(Der::new(hash))).transpose()?;
    let mask = parameters.take_if(field(1))?.map(Der::new).map(mask_hash).transpose()?;
    let salt = parameters.take_if(field(2))?;
    let salt = match salt.map(Der::whole_integer).transpose()? {
        None => 20,
        Some([salt]) => *salt,
        Some(_) => return bad("its salt is too long"),
    };
    if let Some(trailer) = parameters.take_if(field(3))?
        && Der::whole_integer(trailer)? != [1]
    {
        return Err(KeyError::Unsupported);
    }
    parameters.end()?;
    let hash = hash.ok_or(KeyError::Unsupported)?;
    let known = HASHES.iter().find(|(oid, ..)| *oid == hash).ok_or(KeyError::Unsupported)?;
    let &(_, salt_of_hash, possible) = known;
    // §3.3: the salt length of a key is the minimum for its signatures.
    if mask != Some(hash) || salt > salt_of_hash {
        return Err(KeyError::Unsupported);
    }
    Ok(possible)
}

/// Returns the object identifier of the single AlgorithmIdentifier in `outer`, which names a hash.
fn hash_in(mut outer: Der<'_>) -> Result<&[u8], KeyError> {
    let mut hash = outer.sequence()?;
    outer.end()?;
    let name = hash.take(OID)?;
    // §2.1: the parameters are NULL or absent.
    hash.take_if(NULL)?;
    hash.end()?;
    Ok(name)
}

fn mask_hash(mut outer: Der<'_>) -> Result<&[u8], KeyError> {
    let mut mask = outer.sequence()?;
    outer.end()?;
    if mask.take(OID)? != MGF1 {
        return Err(KeyError::Unsupported);
    }
    hash_in(mask)
}

impl<'d> Der<'d> {
    /// Returns the magnitude of `bytes`, which must be a single positive integer.
    fn whole_integer(bytes: &'d [u8]) -> Result<&'d [u8], KeyError> {
        let mut outer = Self::new(bytes);
        let number = outer.positive()?;
        outer.end()?;
        Ok(number)
    }
}
