//! A strict DER parser (X.690 §10): lengths are definite and minimal.

use super::KeyError;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Returns the tag of the constructed field `[number]`.
pub(super) const fn field(number: u8) -> u8 {
    0xa0 | number
}

pub(super) fn bad<T>(problem: &'static str) -> Result<T, KeyError> {
    Err(KeyError::Der { problem })
}

/// A sequence of elements, starting at the first one not yet taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the content of `bytes`, which must be a single element with this tag.
    pub(super) fn whole(bytes: &'d [u8], tag: u8) -> Result<Self, KeyError> {
        let mut outer = Self(bytes);
        let inner = outer.take(tag)?;
        outer.end()?;
        Ok(Self(inner))
    }

    /// Returns the tag of the next element; `None` at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes the next element, which must have this tag, and returns its content.
    pub(super) fn take(&mut self, tag: u8) -> Result<&'d [u8], KeyError> {
        match self.next()? {
            (found, content) if found == tag => Ok(content),
            _ => bad("an element has an unexpected type"),
        }
    }

    pub(super) fn sequence(&mut self) -> Result<Self, KeyError> {
        self.take(SEQUENCE).map(Self)
    }

    /// Takes the next element if it has this tag, and returns its content.
    pub(super) fn take_if(&mut self, tag: u8) -> Result<Option<&'d [u8]>, KeyError> {
        if self.peek() == Some(tag) { self.take(tag).map(Some) } else { Ok(None) }
    }

    /// Takes a positive integer and returns its magnitude without a leading zero.
    pub(super) fn positive(&mut self) -> Result<&'d [u8], KeyError> {
        match self.take(INTEGER)? {
            [0] | [] | [0x80..=0xff, ..] => bad("an integer is not positive"),
            [0, 0..=0x7f, ..] => bad("an integer is not in its shortest form"),
            [0, magnitude @ ..] => Ok(magnitude),
            magnitude => Ok(magnitude),
        }
    }

    /// Takes a bit string of whole bytes and returns its bytes.
    pub(super) fn bits(&mut self) -> Result<&'d [u8], KeyError> {
        match self.take(BIT_STRING)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => bad("a bit string does not consist of whole bytes"),
        }
    }

    /// Rejects trailing data.
    pub(super) fn end(self) -> Result<(), KeyError> {
        if self.0.is_empty() { Ok(()) } else { bad("it has trailing data") }
    }

    /// Takes the next element and returns its tag and content.
    pub(super) fn next(&mut self) -> Result<(u8, &'d [u8]), KeyError> {
        let [tag, length, rest @ ..] = self.0 else { return bad("it is truncated") };
        if tag & 0x1f == 0x1f {
            return bad("an element has an unexpected type");
        }
        let (length, rest) = match *length {
            short @ 0..=0x7f => (usize::from(short), rest),
            // Four length bytes are more than any key needs; 0x80 is an indefinite length.
            long @ 0x81..=0x84 => {
                let Some((digits, rest)) = rest.split_at_checked(usize::from(long & 0x7f)) else {
                    return bad("it is truncated");
                };
                let length =
                    digits.iter().fold(0, |length, &digit| (length << 8) | usize::from(digit));
                if digits.first() == Some(&0) || length < 0x80 {
                    return bad("a length is not in its shortest form");
                }
                (length, rest)
            }
            _ => return bad("a length is indefinite or too large"),
        };
        let Some((content, rest)) = rest.split_at_checked(length) else {
            return bad("it is truncated");
        };
        self.0 = rest;
        Ok((*tag, content))
    }
}
