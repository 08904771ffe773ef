//! An unpacked status list: a few bits for each token
//! ([draft-ietf-oauth-status-list §4]).
//!
//! [draft-ietf-oauth-status-list §4]: https://datatracker.ietf.org/doc/html/draft-ietf-oauth-status-list#section-4

use std::io::Read;

use flate2::read::ZlibDecoder;

/// The maximum length of an unpacked list, in bytes: 32 million tokens of one bit each. A few
/// compressed bytes can expand to gigabytes.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A list of statuses.
#[derive(PartialEq, Eq)]
pub(super) struct Bits {
    /// The number of bits per status: 1, 2, 4 or 8.
    width: u8,
    bytes: Vec<u8>,
}

impl Bits {
    /// Unpacks a list. Returns `None` if the width is invalid, or if the input is not a zlib stream
    /// (RFC 1950) of at most [`MAX_BYTES`].
    pub(super) fn unpack(width: u64, compressed: &[u8]) -> Option<Self> {
        let width = u8::try_from(width).ok().filter(|width| matches!(width, 1 | 2 | 4 | 8))?;
        let mut bytes = Vec::new();
        let mut stream = ZlibDecoder::new(compressed).take(MAX_BYTES as u64 + 1);
        stream.read_to_end(&mut bytes).ok()?;
        (bytes.len() <= MAX_BYTES).then_some(Self { width, bytes })
    }

    /// Returns the status at `index`: the first is in the least significant bits of the first byte.
    /// `None` beyond the end.
    pub(super) fn get(&self, index: u64) -> Option<u8> {
        let in_a_byte = u64::from(8 / self.width);
        let byte = self.bytes.get(usize::try_from(index / in_a_byte).ok()?)?;
        let shift = u32::try_from(index % in_a_byte).ok()? * u32::from(self.width);
        let mask = u8::MAX >> (8 - self.width);
        Some(byte.checked_shr(shift)? & mask)
    }

    /// Returns the number of statuses.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() * usize::from(8 / self.width)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// The examples from §4.1 and §10 of the draft.
    #[test]
    fn examples_of_the_draft_are_decoded() {
        let one = Bits::unpack(1, &packed(&[0xb9, 0xa3])).unwrap();
        let statuses: Vec<_> = (0..16).map(|index| one.get(index).unwrap()).collect();
        assert_eq!(statuses, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
        let two = Bits::unpack(2, &packed(&[0xc9, 0x44, 0xf9])).unwrap();
        let statuses: Vec<_> = (0..12).map(|index| two.get(index).unwrap()).collect();
        assert_eq!(statuses, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);
    }

    #[test]
    fn number_of_statuses_depends_on_the_width() {
        for (width, statuses) in [(1, 16), (2, 8), (4, 4), (8, 2)] {
            let bits = Bits::unpack(width, &packed(&[0x00, 0xff])).unwrap();
            assert_eq!(bits.len(), statuses);
            let highest = u8::try_from((1u32 << width) - 1).unwrap();
            let last = statuses as u64 - 1;
            assert_eq!((bits.get(0), bits.get(last)), (Some(0), Some(highest)), "{width}");
            assert_eq!((bits.get(last + 1), bits.get(u64::MAX)), (None, None), "{width}");
        }
    }

    #[test]
    fn malformed_list_is_none() {
        let good = packed(&[1]);
        for width in [0, 3, 5, 16, 257, u64::MAX] {
            assert!(Bits::unpack(width, &good).is_none(), "{width}");
        }
        for bytes in [&b""[..], b"x", &good[..good.len() - 1]] {
            assert!(Bits::unpack(1, bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn compressed_list_of_gigabytes_is_rejected() {
        assert!(Bits::unpack(1, &packed(&vec![0; MAX_BYTES])).is_some());
        let bomb = packed(&vec![0; MAX_BYTES + 1]);
        assert!(bomb.len() < 5000);
        assert!(Bits::unpack(1, &bomb).is_none());
    }
}
