//! Extracts the words of prose: of a whole Markdown file, or of the comments and string literals of a Rust file.

/// A word in lower case, or [`PAUSE`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Line number, from 1.
    pub(super) line: usize,
}

/// Separates words of different sentences, clauses, cells or literals.
const PAUSE: &str = "|";

pub(super) fn markdown(text: &str) -> Vec<Word> {
    let mut words = Words::default();
    for (index, line) in text.lines().enumerate() {
        let quoted = line.trim_start().trim_start_matches('>');
        if quoted.trim().is_empty() {
            words.pause();
        }
        words.read(quoted, index + 1);
    }
    words.found
}

pub(super) fn rust(source: &str) -> Vec<Word> {
    let mut words = Words::default();
    let mut scanner = Scanner { rest: source, line: 1 };
    while let Some(piece) = scanner.next_piece() {
        match piece {
            // Comments on consecutive lines form one text.
            Piece::LineComment { text, line } => {
                words.read(text.trim_start_matches(['/', '!']), line);
            }
            Piece::Literal { text, line } => {
                words.pause();
                for (index, part) in text.lines().enumerate() {
                    words.read(part, line + index);
                }
                words.pause();
            }
            Piece::Code => words.pause(),
        }
    }
    words.found
}

#[derive(Default)]
struct Words {
    found: Vec<Word>,
}

impl Words {
    fn read(&mut self, text: &str, line: usize) {
        let mut word = String::new();
        for c in text.chars() {
            match c {
                // An identifier is one word, since the vocabulary applies to prose.
                _ if c.is_alphanumeric() || matches!(c, '_' | '\'') => {
                    word.extend(c.to_lowercase());
                }
                '’' => word.push('\''),
                '*' => {}
                _ => {
                    self.push(&mut word, line);
                    if !c.is_whitespace() && c != '\\' {
                        self.pause();
                    }
                }
            }
        }
        self.push(&mut word, line);
    }

    fn push(&mut self, word: &mut String, line: usize) {
        let text = word.trim_matches(['\'', '_']);
        if !text.is_empty() {
            self.found.push(Word { text: text.to_owned(), line });
        }
        word.clear();
    }

    fn pause(&mut self) {
        if self.found.last().is_some_and(|last| last.text != PAUSE) {
            self.found.push(Word { text: PAUSE.to_owned(), line: 0 });
        }
    }
}

enum Piece<'s> {
    LineComment {
        text: &'s str,
        line: usize,
    },
    /// The text of a string or of a block comment.
    Literal {
        text: &'s str,
        line: usize,
    },
    /// Anything but white space.
    Code,
}

/// Splits Rust source into pieces, without parsing its syntax.
struct Scanner<'s> {
    rest: &'s str,
    line: usize,
}

impl<'s> Scanner<'s> {
    fn next_piece(&mut self) -> Option<Piece<'s>> {
        let blank = self.rest.len() - self.rest.trim_start().len();
        self.take(blank);
        let first = self.rest.chars().next()?;
        let line = self.line;
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            return Some(Piece::LineComment { text: self.take(end), line });
        }
        if self.rest.starts_with("/*") {
            let end = block_comment_end(self.rest);
            return Some(Piece::Literal { text: self.take(end), line });
        }
        if first == '"' {
            let end = string_end(self.rest);
            return Some(Piece::Literal { text: self.take(end), line });
        }
        if first == '\'' {
            let end = char_end(self.rest);
            self.take(end);
            return Some(Piece::Code);
        }
        if first.is_alphanumeric() || first == '_' {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            let word = self.take(end);
            if matches!(word, "r" | "br" | "cr")
                && let Some(end) = raw_string_end(self.rest)
            {
                return Some(Piece::Literal { text: self.take(end), line });
            }
            return Some(Piece::Code);
        }
        self.take(first.len_utf8());
        Some(Piece::Code)
    }

    fn take(&mut self, length: usize) -> &'s str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken
    }
}

/// Returns the end of a block comment. Block comments nest.
fn block_comment_end(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the end of a raw string after its `r`, or `None` if this is not a string (`r#type`).
fn raw_string_end(text: &str) -> Option<usize> {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let body = text.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len()))
}

/// Returns the end of a character literal, or of the quote of a lifetime or label.
fn char_end(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            text.get(after..)
                .and_then(|rest| rest.find('\''))
                .map_or(text.len(), |end| after + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(words: &[Word], text: &str) -> Option<usize> {
        words.iter().find(|word| word.text == text).map(|word| word.line)
    }

    #[test]
    fn code_is_ignored() {
        for source in [
            "fn whom() {}",
            "let c = '\"'; whom();",
            "let c = '\\''; whom();",
            "fn f<'a>(x: &'a str) -> Whom<'a> {}",
            "let r#type = whom;",
            "let a = \"\\\"\"; whom",
        ] {
            assert_eq!(line_of(&rust(source), "whom"), None, "{source}");
        }
    }

    #[test]
    fn comments_and_literals_are_extracted_with_their_lines() {
        for source in [
            "\n// whom",
            "\n/* a /* b */ whom */",
            "\nlet a = b\"whom\";",
            "\nlet a = br##\"\"# whom\"##;",
            "let a = \"first \\\n  whom\";",
            "let c = '\\u{41}';\n// whom",
            "let c = 'é'; /* */ \n// whom",
        ] {
            assert_eq!(line_of(&rust(source), "whom"), Some(2), "{source}");
        }
    }

    #[test]
    fn pauses_separate_clauses_and_literals() {
        let texts = |words: Vec<Word>| words.into_iter().map(|w| w.text).collect::<Vec<_>>();
        assert_eq!(
            texts(markdown("You can. Not `now`")),
            ["you", "can", "|", "not", "|", "now", "|"]
        );
        assert_eq!(texts(markdown("a\n\nb")), ["a", "|", "b"]);
        assert_eq!(texts(rust("// can\n// *not*")), ["can", "not"]);
        assert_eq!(texts(rust("// can\nf();\n// not")), ["can", "|", "not"]);
        assert_eq!(texts(markdown("can’t `a_whom`")), ["can't", "|", "a_whom", "|"]);
    }
}
