//! A faster reader for JSON in the form that issuers write: without escapes, without control
//! characters, without white space other than spaces, and without deep nesting.
//!
//! For any other text, valid or not, it returns [`Unusual`], and the caller reads the text again with
//! serde_json. So all errors come from serde_json, and this module only has to read what it accepts as
//! serde_json does. A test in [`claims`](crate::claims) and a fuzz target compare the two readers.

use memchr::memchr;
use serde::de::value::U64Deserializer;
use serde::de::{self, Deserialize, IntoDeserializer};

use super::{FromMembers, Lenient, Member, Raw, Text, Texts, Unreadable, kind};

/// The maximum number of members.
const MAX_MEMBERS: usize = 40;

/// The maximum nesting depth of a value that is not read.
const MAX_DEPTH: usize = 16;

/// The maximum number of digits of a number that is read: any of them fits into a `u64`.
const MAX_DIGITS: usize = 18;

/// The text has another form than this module reads. It may be valid.
#[derive(Debug)]
pub(super) struct Unusual;

/// A position in a text without escapes and control characters. So a string ends at the next quote.
pub(super) struct Scanner<'de> {
    text: &'de str,
    /// The end of `text` that is not read yet.
    rest: &'de [u8],
}

impl<'de> Scanner<'de> {
    pub(super) fn new(text: &'de str) -> Result<Self, Unusual> {
        // The test has no branches, so that the compiler vectorizes the loop.
        let is_unusual = |byte: u8| u8::from((byte < b' ') | (byte == b'\\'));
        if text.bytes().fold(0, |any, byte| any | is_unusual(byte)) == 0 {
            Ok(Self { text, rest: text.as_bytes() })
        } else {
            Err(Unusual)
        }
    }

    /// Checks that only spaces are left.
    pub(super) fn end(mut self) -> Result<(), Unusual> {
        if self.next_token().is_none() { Ok(()) } else { Err(Unusual) }
    }

    /// The offset in `text`.
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Skips one byte, which the caller has seen.
    fn skip_byte(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Skips spaces and returns the next byte.
    fn next_token(&mut self) -> Option<u8> {
        while let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.peek()
    }

    /// Skips spaces and the byte `token`, which must follow.
    fn expect(&mut self, token: u8) -> Result<(), Unusual> {
        if self.next_token() == Some(token) {
            self.skip_byte();
            Ok(())
        } else {
            Err(Unusual)
        }
    }

    /// Skips the colon after a name, and the spaces around it.
    #[inline(always)]
    fn colon(&mut self) -> Result<(), Unusual> {
        if let [b':', first, ..] = self.rest
            && *first != b' '
        {
            self.skip_byte();
            return Ok(());
        }
        self.expect(b':')?;
        self.next_token();
        Ok(())
    }

    /// Moves to the next item of a list, which the caller checks: no item begins with `end`. Returns
    /// false at `end`, which it skips.
    fn next_item(&mut self, is_first: bool, end: u8) -> Result<bool, Unusual> {
        if let [b',', next, ..] = self.rest
            && *next != b' '
            && !is_first
        {
            self.skip_byte();
            return Ok(true);
        }
        match self.next_token() {
            Some(byte) if byte == end => {
                self.skip_byte();
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.skip_byte();
                self.next_token();
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            _ => Err(Unusual),
        }
    }

    /// Reads a string.
    fn string(&mut self) -> Result<&'de str, Unusual> {
        let [b'"', rest @ ..] = self.rest else { return Err(Unusual) };
        self.string_until(rest, memchr(b'"', rest).ok_or(Unusual)?)
    }

    /// Reads a string that is most often short: a member's name, or a role.
    #[inline(always)]
    fn short_string(&mut self) -> Result<&'de str, Unusual> {
        match self.rest {
            [b'"', rest @ ..] => match rest.first_chunk().and_then(|eight| quote(*eight)) {
                Some(length) => self.string_until(rest, length),
                None => self.string(),
            },
            _ => Err(Unusual),
        }
    }

    /// Returns the first `length` bytes of `rest`, and skips them with the quote that follows.
    #[inline(always)]
    fn string_until(&mut self, rest: &'de [u8], length: usize) -> Result<&'de str, Unusual> {
        let start = self.text.len() - rest.len();
        self.rest = rest.get(length + 1..).ok_or(Unusual)?;
        self.text.get(start..start + length).ok_or(Unusual)
    }

    /// Reads an array of strings.
    fn texts(&mut self) -> Result<Texts<'de>, Unusual> {
        self.expect(b'[')?;
        let mut texts = Texts::new();
        while self.next_item(texts.is_empty(), b']')? {
            texts.push(self.short_string()?.into());
        }
        Ok(texts)
    }

    /// Reads a whole number that is not negative. The caller then refuses a fraction or an exponent, since
    /// neither begins a next item.
    fn whole(&mut self) -> Result<u64, Unusual> {
        let (start, has_zero_first) = (self.rest.len(), self.peek() == Some(b'0'));
        let (mut number, mut rest) = (0_u64, self.rest);
        if let Some((eight, after)) = rest.split_first_chunk()
            && let Some(eight) = eight_digits(*eight)
        {
            (number, rest) = (eight, after);
        }
        while let [byte @ b'0'..=b'9', after @ ..] = rest {
            number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            rest = after;
        }
        let digits = start - rest.len();
        self.rest = rest;
        if has_zero_first && digits > 1 || !(1..=MAX_DIGITS).contains(&digits) {
            return Err(Unusual);
        }
        Ok(number)
    }

    fn skip_word(&mut self, word: &str) -> Result<(), Unusual> {
        self.rest = self.rest.strip_prefix(word.as_bytes()).ok_or(Unusual)?;
        Ok(())
    }

    /// Skips a value of any type.
    fn skip_value(&mut self, depth: usize) -> Result<(), Unusual> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'0'..=b'9') => self.whole().map(drop),
            Some(b't') => self.skip_word("true"),
            Some(b'f') => self.skip_word("false"),
            Some(b'n') => self.skip_word("null"),
            Some(open @ (b'[' | b'{')) => {
                let depth = depth.checked_sub(1).ok_or(Unusual)?;
                let (is_object, end) = (open == b'{', open + 2);
                let mut is_first = true;
                self.skip_byte();
                while self.next_item(is_first, end)? {
                    is_first = false;
                    if is_object {
                        self.short_string()?;
                        self.colon()?;
                    }
                    self.skip_value(depth)?;
                }
                Ok(())
            }
            _ => Err(Unusual),
        }
    }
}

/// Returns the number that eight digits mean. Adds them in pairs, then in fours, then all.
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const ONES: u64 = u64::MAX / 255;
    let text = u64::from_le_bytes(text);
    let digits = text ^ (ONES * 0x30);
    // A digit is 0 to 9: with 6 added, it has no bit above the lowest four.
    if (digits | digits.wrapping_add(ONES * 6)) & (ONES * 0xf0) != 0 {
        return None;
    }
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff)
}

/// Returns the place of the first quote among eight bytes.
fn quote(eight: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    let differences = u64::from_le_bytes(eight) ^ (ONES * u64::from(b'"'));
    // The lowest of these bits is the highest one of the first byte that is zero.
    let zeros = differences.wrapping_sub(ONES) & !differences & (ONES << 7);
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

/// Reads an object that spans the whole of `text`.
pub(super) fn object<'de, T: FromMembers<'de>>(to: &mut T, text: &'de str) -> Result<(), Unusual> {
    let mut scanner = Scanner::new(text)?;
    let mut names = Names::new();
    scanner.expect(b'{')?;
    while scanner.next_item(names.length == 0, b'}')? {
        let name = scanner.short_string()?;
        names.insert(name)?;
        scanner.colon()?;
        to.take(name, Value(&mut scanner))?;
    }
    scanner.end()
}

/// The names of the members so far. No two are equal.
struct Names<'de> {
    names: [&'de str; MAX_MEMBERS],
    length: usize,
    /// One bit per kind of name: most new names then need no comparison.
    kinds: u64,
}

impl<'de> Names<'de> {
    fn new() -> Self {
        Self { names: [""; MAX_MEMBERS], length: 0, kinds: 0 }
    }

    fn insert(&mut self, name: &'de str) -> Result<(), Unusual> {
        let (earlier, rest) = self.names.split_at_mut_checked(self.length).ok_or(Unusual)?;
        let kind = kind(name);
        if self.kinds & kind != 0 && earlier.contains(&name) {
            return Err(Unusual);
        }
        *rest.first_mut().ok_or(Unusual)? = name;
        self.kinds |= kind;
        self.length += 1;
        Ok(())
    }
}

/// The value at the scanner's position.
struct Value<'s, 'de>(&'s mut Scanner<'de>);

impl<'de> Member<'de> for Value<'_, 'de> {
    type Error = Unusual;

    fn read<V: Deserialize<'de>>(self, _: &'static str) -> Result<V, Unusual> {
        self.raw()?.parse().ok_or(Unusual)
    }

    fn read_in_range<V, T>(self, _: &'static str) -> Result<T, Unusual>
    where
        V: Deserialize<'de> + Into<Option<T>>,
    {
        let number: U64Deserializer<de::value::Error> = self.0.whole()?.into_deserializer();
        V::deserialize(number).ok().and_then(Into::into).ok_or(Unusual)
    }

    fn text(self, _: &'static str) -> Result<Text<'de>, Unusual> {
        self.0.string().map(Text::from)
    }

    fn one_or_more(self, _: &'static str) -> Result<Texts<'de>, Unusual> {
        if self.0.peek() == Some(b'[') {
            return self.0.texts();
        }
        self.0.string().map(|text| std::iter::once(Text::from(text)).collect())
    }

    fn raw(self) -> Result<Raw<'de>, Unusual> {
        let start = self.0.at();
        self.0.skip_value(MAX_DEPTH)?;
        self.0.text.get(start..self.0.at()).map(Raw).ok_or(Unusual)
    }

    fn if_text(self) -> Result<Option<Text<'de>>, Unusual> {
        if self.0.peek() == Some(b'"') {
            return self.0.string().map(|text| Some(text.into()));
        }
        self.skip().map(|()| None)
    }

    fn strings(self) -> Result<Result<Lenient<'de>, Unreadable>, Unusual> {
        let start = self.0.rest;
        match self.0.peek() {
            Some(b'"') => return self.0.string().map(|text| Ok(Lenient::Text(text.into()))),
            Some(b'[') => {
                if let Ok(texts) = self.0.texts() {
                    return Ok(Ok(Lenient::Texts(texts)));
                }
                self.0.rest = start;
            }
            _ => {}
        }
        self.raw().map(Raw::strings)
    }

    fn skip(self) -> Result<(), Unusual> {
        self.0.skip_value(MAX_DEPTH)
    }
}
