//! Rejects Ed25519 public keys that must not be used ([RFC 8032 §5.1.3]). aws-lc accepts any 32
//! bytes and decodes them during verification: bytes that are not a point of the curve verify
//! nothing, but anyone can sign for a point of small order.
//!
//! [RFC 8032 §5.1.3]: https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3

use super::KeyError;

/// The little-endian y coordinates of the eight points of order 1, 2, 4 and 8 (Cremers and Jackson,
/// *Prime, Order Please!*, 2019, table 1). 0 and 1 each have a second encoding: p and p + 1. The
/// highest bit is the sign of x and not part of y.
const SMALL_ORDER: [[u8; 32]; 7] = [
    // Order 4: 0, and p.
    little(0x00, 0x00, 0x00),
    little(0xed, 0xff, 0x7f),
    // Order 1: 1, and p + 1.
    little(0x01, 0x00, 0x00),
    little(0xee, 0xff, 0x7f),
    // Order 2: p - 1.
    little(0xec, 0xff, 0x7f),
    // Order 8.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn little(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Rejects points of small order and non-canonical encodings.
pub(super) fn check(point: &[u8]) -> Result<(), KeyError> {
    let mut y = <[u8; 32]>::try_from(point).map_err(|_| KeyError::Encoding("x"))?;
    let [.., last] = &mut y;
    *last &= 0x7f;
    if SMALL_ORDER.contains(&y) {
        return Err(KeyError::SmallOrder);
    }
    // p is 2^255 - 19.
    let [first, between @ .., last] = y;
    let is_reduced = last < 0x7f || between.iter().any(|&byte| byte < 0xff) || first < 0xed;
    if is_reduced { Ok(()) } else { Err(KeyError::Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinate_not_below_p_is_rejected() {
        for first in 0..=u8::MAX {
            for sign in [0, 0x80] {
                let point = little(first, 0xff, 0x7f | sign);
                let expected = match first {
                    ..0xec => Ok(()),
                    0xec..=0xee => Err(KeyError::SmallOrder),
                    0xef.. => Err(KeyError::Invalid),
                };
                assert_eq!(check(&point), expected, "{first:#x}");
            }
        }
        let mut point = little(0xff, 0xff, 0x7f);
        point[1] = 0xfe;
        assert_eq!(check(&point), Ok(()));
        assert_eq!(check(&little(0xff, 0xff, 0x7e)), Ok(()));
        assert_eq!(check(&[7; 31]), Err(KeyError::Encoding("x")));
    }
}
