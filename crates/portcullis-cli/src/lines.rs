//! Reads lines of bounded length.

use std::io::{self, BufRead, Read as _};

/// Maximum length of a line, in bytes. Longer lines are truncated.
pub(crate) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// A line, without its newline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Line number, from 1, counting blank lines.
    pub(crate) number: u64,
    /// The bytes of the line, at most [`MAX_LINE_BYTES`].
    pub(crate) text: Vec<u8>,
    /// Whether the line was truncated.
    pub(crate) cut: bool,
}

impl Line {
    /// Returns whether the line is empty or white space.
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
        // One byte is added for the newline.
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

/// Yields the lines that are not blank.
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
    fn blank_lines_are_counted_and_skipped() {
        assert_eq!(lines(b"a\n\n \t\r\nb"), [line(1, b"a", false), line(4, b"b", false)]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn overlong_line_is_truncated_and_the_next_line_is_complete() {
        let most = vec![b'x'; MAX_LINE_BYTES];
        for (length, cut) in [(MAX_LINE_BYTES, false), (MAX_LINE_BYTES + 1, true), (3 << 20, true)]
        {
            let text = [&vec![b'x'; length], &b"\nb\n"[..]].concat();
            assert_eq!(lines(&text), [line(1, &most, cut), line(2, b"b", false)], "{length}");
        }
        assert_eq!(lines(&[&most[..], b"x"].concat()), [line(1, &most, true)]);
    }
}
