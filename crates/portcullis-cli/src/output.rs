//! Writes to standard output and standard error, without tokens and without characters that a terminal
//! interprets or hides.

mod page;

use std::io::{self, StdoutLock, Write as _};
use std::ops::ControlFlow;

use serde::Serialize;

use crate::exit::{Exit, Failure};
pub(crate) use page::Page;

/// Standard output. `Break` means that its reader has closed it, which is not an error.
#[derive(Debug)]
pub(crate) struct Output(StdoutLock<'static>);

impl Output {
    pub(crate) fn new() -> Self {
        Self(io::stdout().lock())
    }

    /// Writes a JSON value on one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<ControlFlow<()>, Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::wrong(format!("cannot serialize the result: {error}")))?;
        self.text(&escaped(&text))
    }

    /// Writes the lines of `text` and flushes them.
    pub(crate) fn text(&mut self, text: &str) -> Result<ControlFlow<()>, Failure> {
        match writeln!(self.0, "{}", lines(text)).and_then(|()| self.0.flush()) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
            Err(error) => Err(Failure::wrong(format!("standard output: {error}"))),
        }
    }
}

/// Returns the command line in shell syntax, with `TOKEN` instead of each of `tokens`. The rest stays
/// unchanged, because no option has a secret as its value.
pub(crate) fn command_line(tokens: &[String]) -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let is_token = |word: &String| word != "-" && tokens.contains(word);
    let words = words.map(|word| if is_token(&word) { "TOKEN".to_owned() } else { quoted(word) });
    std::iter::once("portcullis".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Returns the command line without these `options`, each of which has a value, and without these `flags`.
pub(crate) fn command_without(options: &[&str], flags: &[&str]) -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    without(words.filter(|word| !flags.contains(&word.as_str())), options)
}

fn without(mut words: impl Iterator<Item = String>, options: &[&str]) -> String {
    let mut left = vec!["portcullis".to_owned()];
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((name, _)) if options.contains(&name) => {}
            _ if options.contains(&word.as_str()) => drop(words.next()),
            _ => left.push(quoted(word)),
        }
    }
    left.join(" ")
}

/// Quotes the word for a shell if necessary.
fn quoted(word: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,%+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Writes bytes unchanged to standard output.
pub(crate) fn bytes(bytes: &[u8]) -> Result<Exit, Failure> {
    match io::stdout().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::wrong(format!("standard output: {error}")))
        }
        _ => Ok(Exit::Good),
    }
}

/// Writes a message to standard error. A closed standard error is not an error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{}", lines(&without_tokens(text)));
}

/// Returns equivalent JSON on one line, with hidden characters escaped.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // These characters occur only as white space between values: JSON requires that strings
            // escape them.
            '\r' | '\n' | '\t' => text.push(' '),
            // Other hidden characters occur only inside strings.
            hidden if is_hidden(hidden) => {
                for unit in hidden.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            other => text.push(other),
        }
    }
    text
}

/// Returns the line with hidden characters escaped as in Rust: `\u{202e}`.
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Escapes each line of a text.
fn lines(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Returns whether a terminal interprets the character or does not display it in place. These are
/// control and format characters, bidirectional controls, characters without width, and unassigned
/// characters. Combining marks are hidden as well, because they change the character before them.
fn is_hidden(character: char) -> bool {
    // Letters that are displayed as blank.
    const FILLERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];
    let is_escaped = || character.escape_debug().len() > 1;
    !matches!(character, ' '..='~') && (is_escaped() || FILLERS.contains(&character))
}

/// Replaces text that looks like a token. Error messages quote misplaced arguments, and a log may keep
/// the messages.
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
    fn token_in_a_message_is_replaced() {
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
    fn only_hidden_characters_are_escaped() {
        for (text, shown) in [
            ("a\u{202e}b\u{200b}", r"a\u{202e}b\u{200b}"),
            ("\u{1b}[31m\r\t\u{7f}", r"\u{1b}[31m\u{d}\u{9}\u{7f}"),
            ("e\u{301} \u{3164} \u{e0041}", r"e\u{301} \u{3164} \u{e0041}"),
            ("a 'b' \"c\" \\ é ß 漢 한 ع 🔑 …", "a 'b' \"c\" \\ é ß 漢 한 ع 🔑 …"),
        ] {
            assert_eq!(line(text), shown);
            assert_eq!(lines(&format!("{text}\n{text}")), format!("{shown}\n{shown}"));
        }
        assert_eq!(line("a\nb"), r"a\u{a}b");
    }

    #[test]
    fn escaped_json_has_no_hidden_characters_and_the_same_value() {
        let text = "{\"a\":\r[1,\t2],\"b\":\"\u{9b}31m\u{7f}é\u{202e}\u{e0041}\"}";
        let shown = escaped(text);
        assert!(!shown.chars().any(is_hidden), "{shown:?}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(text));
    }
}
