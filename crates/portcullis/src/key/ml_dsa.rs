//! Rejects ML-DSA public keys that must not be used ([FIPS 204]). aws-lc accepts any bytes of the
//! right length.
//!
//! A verifier recomputes the signer's commitment as A·z - c·t1·2^13, modulo q (§6.3). If t1·2^13 is
//! short, the high bits of the commitment hardly depend on the challenge c. Anyone can then choose
//! z first and compute a matching challenge.
//!
//! [FIPS 204]: https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.204.pdf

use super::KeyError;

/// The length of ρ in bytes. t1 follows it (§7.2).
const RHO: usize = 32;

/// The distance from 0, in units of 2^13, below which a coefficient of t1 is short. The
/// coefficients of a valid key are close to uniform, so one in 32 is short.
const SHORT: u64 = 16;

/// Rejects a key if most of its coefficients are short.
pub(super) fn check(public: &[u8]) -> Result<(), KeyError> {
    // §7.1: a coefficient has ten bits, so five bytes hold four coefficients.
    let groups = public.get(RHO..).unwrap_or_default().chunks_exact(5);
    let coefficients = 4 * groups.len();
    let short: usize = groups
        .map(|group| {
            let bits = group.iter().rev().fold(0, |bits, &byte| (bits << 8) | u64::from(byte));
            (0..4).filter(|at| is_short((bits >> (10 * at)) & 0x3ff)).count()
        })
        .sum();
    if 2 * short > coefficients { Err(KeyError::ShortKey) } else { Ok(()) }
}

/// Returns whether a coefficient is short. 1023 · 2^13 is -1 modulo q, so the coefficient 1023 is
/// as short as 0.
fn is_short(coefficient: u64) -> bool {
    !(SHORT..1024 - SHORT).contains(&coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(coefficient: impl Fn(usize) -> u64) -> Vec<u8> {
        let t1 = (0..256).flat_map(|group| {
            let bits = (0..4).fold(0, |bits, at| bits | (coefficient(4 * group + at) << (10 * at)));
            bits.to_le_bytes().into_iter().take(5).collect::<Vec<_>>()
        });
        std::iter::repeat_n(7, RHO).chain(t1).collect()
    }

    #[test]
    fn key_with_mostly_short_coefficients_is_rejected() {
        for coefficient in [0, 1, 15, 1008, 1022, 1023] {
            assert_eq!(check(&key(|_| coefficient)), Err(KeyError::ShortKey), "{coefficient}");
            let mixed = |short| key(move |at| if at < short { coefficient } else { 512 });
            assert_eq!(check(&mixed(512)), Ok(()), "{coefficient}");
            assert_eq!(check(&mixed(513)), Err(KeyError::ShortKey), "{coefficient}");
        }
        for coefficient in [16, 512, 1007] {
            assert_eq!(check(&key(|_| coefficient)), Ok(()), "{coefficient}");
        }
    }
}
