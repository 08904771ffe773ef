//! One progress line on standard error, if that is a terminal.

use std::io::{self, IsTerminal as _, Stderr, Write};

#[derive(Debug)]
pub(super) struct Progress<W: Write = Stderr> {
    shown_on: Option<W>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let stderr = io::stderr();
        Self { shown_on: stderr.is_terminal().then_some(stderr) }
    }
}

impl<W: Write> Progress<W> {
    /// Ignores a failed write: the result does not depend on it.
    pub(super) fn step(&mut self, what: &str) {
        if let Some(shown_on) = &mut self.shown_on {
            let _ =
                write!(shown_on, "\r\x1b[Kportcullis: {what} ...").and_then(|()| shown_on.flush());
        }
    }
}

/// Erases the progress line.
impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        if let Some(shown_on) = &mut self.shown_on {
            let _ = write!(shown_on, "\r\x1b[K").and_then(|()| shown_on.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_shows_one_line_that_is_erased_and_a_file_none() {
        let mut shown = Vec::new();
        let mut progress = Progress { shown_on: Some(&mut shown) };
        progress.step("simulating");
        progress.step("sweeping");
        drop(progress);
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(
            shown,
            "\r\x1b[Kportcullis: simulating ...\r\x1b[Kportcullis: sweeping ...\r\x1b[K"
        );
        Progress::<Vec<u8>> { shown_on: None }.step("not shown");
    }
}
