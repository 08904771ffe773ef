//! Detects foreign credentials, which another authenticator may accept.

use zeroize::Zeroizing;

use super::{Authenticator, Inner, Verdict};
use crate::credentials::{BearerToken, Credentials};
use crate::error::TokenError;
use crate::foreign::Foreign;
use crate::jws::{CompactJws, decode_payload, peek_payload};
use crate::maybe_ready::MaybeReady;
use crate::request::{Erased, RequestView};
use crate::revocation::Means;

impl Authenticator {
    /// Like [`decide`](Self::decide), unless the credential is foreign. For a foreign credential,
    /// nothing is fetched and no key is looked up.
    ///
    /// Malformed requests are still refused: those with tokens in two places, or with characters
    /// after `Bearer` that a token cannot contain.
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

    /// Like [`decide_unless_foreign`](Self::decide_unless_foreign), for a credential without a
    /// request. Such a credential may contain any characters, so it is never refused as malformed.
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

    /// `text` is called only on a cache miss.
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
        Ok(inner.decide_recalled(known, token, request, means))
    }
}

impl Inner {
    /// Returns the reason why `text` is not a token of a trusted issuer. `None` if it is, or may be, such a
    /// token.
    fn why_foreign(&self, text: &str) -> Option<TokenError> {
        let claimed = |payload: &[u8]| self.issuers.why_foreign(payload);
        match CompactJws::parse_knowing(text.as_bytes(), self.max_token_bytes, &self.headers) {
            Ok(jws) => jws.peek(claimed).ok().flatten(),
            Err(error) if error.is_of_form() => (!self.holds_token(text)).then_some(error),
            // A text over the size limit is not read, so it may be a token of a trusted issuer.
            Err(TokenError::TooLong { .. }) => None,
            // The form is that of a JWS; only the content of the header is rejected.
            Err(_) => peek_payload(text).ok().as_deref().and_then(claimed),
        }
    }

    /// Whether an Authorization header with a scheme other than `Bearer` may be passed on, because
    /// it contains none of this service's tokens.
    fn is_foreign_scheme(&self, line: Option<&[u8]>) -> bool {
        let line = line.and_then(|line| std::str::from_utf8(line).ok());
        line.is_some_and(|line| !self.holds_token(line))
    }

    /// Whether a text that does not have the form of a token contains one of this service's tokens.
    /// A more lenient parser in the code behind the gate may find a token in such a text: after a
    /// scheme, with white space or quotes, or with an additional part. Such a parser may also
    /// accept a token in base64 instead of base64url, or as JSON (RFC 7515 §7.2).
    fn holds_token(&self, text: &str) -> bool {
        let readable = text.chars().filter(|character| !character.is_whitespace());
        let as_base64url = |character| match character {
            '+' => '-',
            '/' => '_',
            other => other,
        };
        let text = Zeroizing::new(readable.map(as_base64url).collect::<String>());
        let is_outside =
            |character: char| !(character.is_ascii_alphanumeric() || "-_".contains(character));
        // A shorter part cannot contain a claim.
        text.split(is_outside).filter(|part| part.len() > 8).any(|part| {
            let payload = decode_payload(part.as_bytes());
            payload.is_ok_and(|payload| self.issuers.may_name_ours(&payload))
        })
    }
}
