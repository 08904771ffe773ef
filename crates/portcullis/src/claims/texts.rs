//! The texts of a token's claims, as ranges of its payload.

use smallvec::SmallVec;

use crate::json::{Member, Raw, Text};

/// A payload, followed by the unescaped texts that do not occur literally in it.
#[derive(Default)]
#[cfg_attr(any(test, fuzzing), derive(PartialEq))]
pub(super) struct Texts {
    all: String,
    /// The length of the payload in `all`.
    payload: usize,
}

/// A range in [`Texts`]. A range is valid only for the `Texts` that created it.
#[derive(Clone, Copy)]
#[cfg_attr(any(test, fuzzing), derive(PartialEq))]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

pub(crate) type Spans = SmallVec<[Span; 4]>;

impl Span {
    /// Tokens are far shorter than 4 GiB. A larger offset saturates to a range that contains no
    /// text.
    fn new(start: usize, length: usize) -> Self {
        let at = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        Self { start: at(start), end: at(start.saturating_add(length)) }
    }
}

impl Texts {
    /// Builds the texts of `payload`. `unescaped` has the unescaped form of the texts that contain
    /// escapes in the payload.
    pub(super) fn new(mut payload: String, unescaped: &str) -> Self {
        let length = payload.len();
        payload.push_str(unescaped);
        Self { all: payload, payload: length }
    }

    pub(super) fn payload(&self) -> &str {
        self.all.get(..self.payload).unwrap_or_default()
    }

    pub(super) fn get(&self, span: Span) -> &str {
        self.all.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    pub(super) fn all<'t>(&'t self, spans: &'t [Span]) -> impl Iterator<Item = &'t str> {
        spans.iter().map(|&span| self.get(span))
    }

    pub(super) fn keep(&mut self, text: &str) -> Span {
        let start = self.all.len();
        self.all.push_str(text);
        Span::new(start, text.len())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.all.capacity()
    }
}

/// [`Texts`] while the payload is read.
pub(super) struct Reading<'a> {
    payload: &'a str,
    /// The unescaped form of the texts that contain escapes in the payload, concatenated.
    unescaped: String,
}

impl<'a> Reading<'a> {
    pub(super) fn new(payload: &'a str) -> Self {
        Self { payload, unescaped: String::new() }
    }

    pub(super) fn restart(&mut self) {
        self.unescaped.clear();
    }

    /// Returns the texts to append to the payload after reading it.
    pub(super) fn into_unescaped(self) -> String {
        self.unescaped
    }

    pub(super) fn keep(&mut self, text: &Text<'a>) -> Span {
        let text = &*text.0;
        if let Some(start) = self.place_of(text) {
            return Span::new(start, text.len());
        }
        let start = self.payload.len() + self.unescaped.len();
        self.unescaped.push_str(text);
        Span::new(start, text.len())
    }

    /// Returns the offset in the payload of a text that was borrowed from it.
    fn place_of(&self, text: &str) -> Option<usize> {
        let start = text.as_ptr().addr().checked_sub(self.payload.as_ptr().addr())?;
        (start.checked_add(text.len())? <= self.payload.len()).then_some(start)
    }

    pub(super) fn keep_all(&mut self, texts: &[Text<'a>]) -> Spans {
        let mut spans = Spans::new();
        for text in texts {
            spans.push(self.keep(text));
        }
        spans
    }

    /// Keeps the value if it is a string.
    pub(super) fn keep_if_text(&mut self, raw: Raw<'a>) -> Option<Span> {
        raw.string().map(|text| self.keep(&text))
    }

    /// Keeps the value of a member if it is a string.
    pub(super) fn read_if_text<M: Member<'a>>(
        &mut self,
        member: M,
    ) -> Result<Option<Span>, M::Error> {
        Ok(member.if_text()?.map(|text| self.keep(&text)))
    }

    /// Reads a member that must be a string.
    pub(super) fn read<M: Member<'a>>(
        &mut self,
        member: M,
        name: &'static str,
    ) -> Result<Span, M::Error> {
        let text = member.text(name)?;
        Ok(self.keep(&text))
    }
}
