//! What is written, and what never is: no token, and nothing that a terminal would obey.

use std::io::{self, StdoutLock, Write as _};
use std::ops::ControlFlow;

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Standard output. `Break` says that nobody reads it any more, which is no failure.
#[derive(Debug)]
pub(crate) struct Output(StdoutLock<'static>);

impl Output {
    pub(crate) fn new() -> Self {
        Self(io::stdout().lock())
    }

    /// Writes one JSON value in one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<ControlFlow<()>, Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::wrong(format!("the answer can not be written: {error}")))?;
        self.text(&escaped(&text))
    }

    /// Writes `text` and the end of its line, and keeps none of it back.
    pub(crate) fn text(&mut self, text: &str) -> Result<ControlFlow<()>, Failure> {
        match writeln!(self.0, "{text}").and_then(|()| self.0.flush()) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
            Err(error) => Err(Failure::wrong(format!("standard output: {error}"))),
        }
    }
}

/// Writes this and nothing else, which is all that was wanted.
pub(crate) fn bytes(bytes: &[u8]) -> Result<Exit, Failure> {
    match io::stdout().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::wrong(format!("standard output: {error}")))
        }
        _ => Ok(Exit::Good),
    }
}

/// Tells the user something on standard error; that nobody listens there is no failure.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{}", without_tokens(text));
}

/// JSON in one line whose strings hold no control character, not even those that JSON allows.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // Outside a string these are white space, and inside none they come as escapes.
            '\r' | '\n' | '\t' => text.push(' '),
            // The rest stands in strings, and below U+10000.
            control if control.is_control() => {
                text.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => text.push(other),
        }
    }
    text
}

/// The text without what looks like a token: an argument in the wrong place is quoted by whoever
/// complains of it, and the complaint ends up in a log.
fn without_tokens(text: &str) -> String {
    let in_token = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("eyJ") {
        let (before, from) = rest.split_at(start);
        let end = from.find(|character| !in_token(character)).unwrap_or(from.len());
        let (token, after) = from.split_at(end);
        kept.push_str(before);
        kept.push_str(if token.contains('.') { "(a token)" } else { token });
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_complaint_is_left_out() {
        for (text, shown) in [
            ("no 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln' here", "no '(a token)' here"),
            ("eyJ.a eyJ.b", "(a token) (a token)"),
            ("eyJust a word", "eyJust a word"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_tokens(text), shown);
        }
    }

    #[test]
    fn no_control_character_is_written_and_the_json_says_the_same() {
        let text = "{\"a\":\r[1,\t2],\"b\":\"\u{9b}31m\u{7f}é\"}";
        let shown = escaped(text);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(text));
    }
}
