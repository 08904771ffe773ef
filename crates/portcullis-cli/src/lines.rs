//! Lines from somewhere, none of which can fill the memory.

use std::io::{self, BufRead, Read as _};

/// The longest line that is read whole, in bytes.
pub(crate) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from 1, blank lines too.
    pub(crate) number: u64,
    /// At most [`MAX_LINE_BYTES`].
    pub(crate) text: Vec<u8>,
    /// Whether there was more.
    pub(crate) cut: bool,
}

impl Line {
    /// Whether there is anything but white space in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim_ascii().is_empty() && !self.cut
    }
}

#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, number: 0 }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        // One byte more, for the line's end.
        let most = MAX_LINE_BYTES as u64 + 1;
        if (&mut self.from).take(most).read_until(b'\n', &mut text)? == 0 {
            return Ok(None);
        }
        let ended = text.pop_if(|last| *last == b'\n').is_some();
        let cut = !ended && text.len() > MAX_LINE_BYTES;
        if cut {
            self.from.skip_until(b'\n')?;
            text.truncate(MAX_LINE_BYTES);
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, text, cut }))
    }
}

/// The lines that are not blank.
impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read().transpose()? {
                Ok(line) if line.is_blank() => {}
                line => return Some(line),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Line> {
        Lines::new(text).collect::<Result<_, _>>().unwrap()
    }

    fn line(number: u64, text: &[u8], cut: bool) -> Line {
        Line { number, text: text.to_vec(), cut }
    }

    #[test]
    fn blank_lines_are_counted_and_passed_over() {
        assert_eq!(lines(b"a\n\n \t\r\nb"), [line(1, b"a", false), line(4, b"b", false)]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_is_cut_at_the_limit_and_the_next_one_is_whole() {
        let most = vec![b'x'; MAX_LINE_BYTES];
        for (length, cut) in [(MAX_LINE_BYTES, false), (MAX_LINE_BYTES + 1, true), (3 << 20, true)]
        {
            let text = [&vec![b'x'; length], &b"\nb\n"[..]].concat();
            assert_eq!(lines(&text), [line(1, &most, cut), line(2, b"b", false)], "{length}");
        }
        assert_eq!(lines(&[&most[..], b"x"].concat()), [line(1, &most, true)]);
    }
}
