//! Reads tokens from arguments and from lines of standard input.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::iter;

use crate::exit::Failure;
use crate::lines::{Line, Lines};

/// A token as given, not yet parsed.
pub(crate) struct Token {
    pub(crate) place: Place,
    /// The bytes of the token, which need not be UTF-8, as in a request.
    pub(crate) text: Vec<u8>,
    /// Whether the scheme `Bearer` preceded the token.
    pub(crate) bearer_prefix: bool,
}

/// The argument or line of a token, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Argument(usize),
    Line(u64),
}

/// Returns the tokens that `arguments` name, in order.
pub(crate) fn tokens(
    arguments: &[String],
) -> Result<impl Iterator<Item = Result<Token, Failure>>, Failure> {
    if arguments.is_empty() && io::stdin().is_terminal() {
        return Err(Failure::wrong(
            "no token: pass tokens as arguments, or one per line on standard input (use `-` to read \
             from a terminal)",
        ));
    }
    let given = if arguments.is_empty() { vec!["-".to_owned()] } else { arguments.to_vec() };
    Ok(given.into_iter().enumerate().flat_map(|(at, text)| -> Box<dyn Iterator<Item = _>> {
        if text == "-" {
            return Box::new(Lines::new(io::stdin().lock()).map(on_standard_input));
        }
        Box::new(iter::once(Ok(Token::new(Place::Argument(at + 1), text.as_bytes()))))
    }))
}

/// Returns the token of a line. A truncated line is validated as well. It is rejected, because it is
/// longer than the maximum length of a token.
fn on_standard_input(line: io::Result<Line>) -> Result<Token, Failure> {
    let line = line.map_err(|error| Failure::wrong(format!("standard input: {error}")))?;
    Ok(Token::new(Place::Line(line.number), &line.text))
}

impl Token {
    fn new(place: Place, text: &[u8]) -> Self {
        const SCHEME: &[u8] = b"Bearer ";
        let text = text.trim_ascii();
        let bearer_prefix =
            text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
        let text = if bearer_prefix {
            text.get(SCHEME.len()..).unwrap_or_default().trim_ascii_start()
        } else {
            text
        };
        Self { place, text: text.to_vec(), bearer_prefix }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(number) => write!(f, "argument {number}"),
            Self::Line(number) => write!(f, "line {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_prefix_is_removed_and_reported() {
        for (text, token, bearer_prefix) in [
            ("a.b.c", "a.b.c", false),
            (" a.b.c \r", "a.b.c", false),
            ("Bearer a.b.c", "a.b.c", true),
            ("bearer   a.b.c", "a.b.c", true),
            ("Bearer", "Bearer", false),
            ("DPoP a.b.c", "DPoP a.b.c", false),
            ("Bearer Bearer a", "Bearer a", true),
        ] {
            let read = Token::new(Place::Line(1), text.as_bytes());
            assert_eq!((read.text, read.bearer_prefix), (token.into(), bearer_prefix), "{text}");
        }
    }
}
