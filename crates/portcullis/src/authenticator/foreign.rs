//! Which credentials are none of ours, so that another authenticator may judge them.

use super::{Authenticator, Inner, Verdict, standing};
use crate::credentials::{BearerToken, Credentials};
use crate::error::TokenError;
use crate::foreign::Foreign;
use crate::jws::{CompactJws, decode_payload, peek_payload};
use crate::maybe_ready::MaybeReady;
use crate::request::{Erased, RequestView};
use crate::revocation::Means;

impl Authenticator {
    /// As [`decide`](Self::decide), unless the credential is foreign: then nothing is fetched and no key
    /// is looked up.
    ///
    /// The grammar of a request holds all the same: what stands in two places, or behind `Bearer` and is no
    /// token by its characters, is refused.
    pub(crate) fn decide_unless_foreign<R: RequestView + ?Sized>(
        &self,
        request: &R,
        places: &Credentials,
        means: Means,
    ) -> Result<MaybeReady<Verdict>, Foreign> {
        match places.find(request) {
            Ok(Some(token)) => {
                self.unless_foreign(&token, &Erased(request), means, |token| token.text().ok())
            }
            Ok(None) if self.0.is_foreign_scheme(places.other_scheme(request)) => {
                Err(Foreign::scheme(&self.0.space))
            }
            _ => Ok(self.decide(request, places, means)),
        }
    }

    /// The same for a credential that came without a request: whatever its characters are, it may be
    /// foreign. Nothing at all is refused.
    pub(crate) fn decide_token_unless_foreign(
        &self,
        token: &BearerToken<'_>,
        request: &dyn RequestView,
        means: Means,
    ) -> Result<MaybeReady<Verdict>, Foreign> {
        self.unless_foreign(token, request, means, |token| {
            std::str::from_utf8(token.bytes()).ok().filter(|text| !text.is_empty())
        })
    }

    /// `text` is asked only for a token that was not accepted before.
    fn unless_foreign<'t>(
        &self,
        token: &'t BearerToken<'_>,
        request: &dyn RequestView,
        means: Means,
        text: impl FnOnce(&'t BearerToken<'_>) -> Option<&'t str>,
    ) -> Result<MaybeReady<Verdict>, Foreign> {
        let inner = &self.0;
        let known = inner.recall(token.bytes(), request, means);
        if known.is_none()
            && let Some(text) = text(token)
            && let Some(error) = inner.why_foreign(text)
        {
            return Err(Foreign::token(text, error, &inner.space));
        }
        inner.tokens.judged(known.is_some());
        Ok(match known {
            Some((who, true)) => MaybeReady::Ready(Ok(Some(who))),
            Some((who, false)) => standing(who, means),
            None => inner.decide_anew(token, request, means),
        })
    }
}

impl Inner {
    /// Why `text` is no token of an issuer that is trusted here. `None` if it is one, or may be one.
    fn why_foreign(&self, text: &str) -> Option<TokenError> {
        let claimed = |payload: &[u8]| self.issuers.why_foreign(payload);
        match CompactJws::parse_knowing(text, self.max_token_bytes, &self.headers) {
            Ok(jws) => jws.peek(claimed).ok().flatten(),
            Err(error) if error.is_of_form() => (!self.holds_token(text)).then_some(error),
            // What is longer is not read, and may be anybody's.
            Err(TokenError::TooLong { .. }) => None,
            // The header is JSON, and what it says is refused: it is a JWS.
            Err(_) => peek_payload(text).ok().as_deref().and_then(claimed),
        }
    }

    /// Whether an Authorization header with another scheme may be passed on: none of our tokens stands in
    /// it.
    fn is_foreign_scheme(&self, line: Option<&[u8]>) -> bool {
        let line = line.and_then(|line| std::str::from_utf8(line).ok());
        line.is_some_and(|line| !self.holds_token(line))
    }

    /// Whether a text that has not the form of a token has one of our tokens in it: behind a scheme, within
    /// white space or quotes, with another part, or as JSON (RFC 7515 §7.2). A less strict reader, which the
    /// text is passed on to, may find it there.
    fn holds_token(&self, text: &str) -> bool {
        let part =
            |character: char| !(character.is_ascii_alphanumeric() || "-_".contains(character));
        // Nothing shorter has a claim in it.
        text.split(part).filter(|part| part.len() > 8).any(|part| {
            let payload = decode_payload(part);
            payload.is_ok_and(|payload| self.issuers.may_name_ours(&payload))
        })
    }
}
