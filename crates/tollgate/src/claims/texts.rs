//! The texts of one token's claims, in one allocation.

use serde::de::MapAccess;
use smallvec::SmallVec;

use crate::json::{Lenient, Member, Text};

/// What fits without a second allocation, for most tokens.
const USUAL_BYTES: usize = 384;

/// Texts one behind the other; a [`Span`] is where one stands.
#[derive(Default)]
pub(super) struct Texts(String);

/// A place in [`Texts`]: means nothing in another token's.
#[derive(Clone, Copy)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

pub(super) type Spans = SmallVec<[Span; 4]>;

impl Texts {
    pub(super) fn get(&self, span: Span) -> &str {
        self.0.get(span.start..span.end).unwrap_or_default()
    }

    pub(super) fn all<'t>(&'t self, spans: &'t [Span]) -> impl Iterator<Item = &'t str> {
        spans.iter().map(|&span| self.get(span))
    }

    pub(super) fn keep(&mut self, text: &str) -> Span {
        if self.0.capacity() == 0 {
            self.0.reserve(USUAL_BYTES);
        }
        let start = self.0.len();
        self.0.push_str(text);
        Span { start, end: self.0.len() }
    }

    pub(super) fn keep_all(&mut self, texts: &[Text<'_>]) -> Spans {
        texts.iter().map(|text| self.keep(&text.0)).collect()
    }

    /// Reads a member that must be a string.
    pub(super) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        member: Member<'_, A>,
        name: &'static str,
    ) -> Result<Span, A::Error> {
        let text: Text<'de> = member.read(name)?;
        Ok(self.keep(&text.0))
    }

    /// Reads the strings of a string, or of an array of anything. Roles come in many shapes, and
    /// one that is not understood only withholds power.
    pub(super) fn read_any<'de, A: MapAccess<'de>>(
        &mut self,
        member: Member<'_, A>,
        name: &'static str,
    ) -> Result<Spans, A::Error> {
        Ok(match member.read::<Lenient<'de>>(name)? {
            Lenient::Text(text) => self.keep_all(&[text]),
            Lenient::Texts(texts) | Lenient::Mixed(texts) => self.keep_all(&texts),
            Lenient::Other => Spans::new(),
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }
}
