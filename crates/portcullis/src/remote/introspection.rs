//! Introspects a token at its issuer ([RFC 7662]).
//!
//! [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::claims::NumericDate;
use crate::clock::{Clock, Timestamp};
use crate::error::TokenError;
use crate::fetch::{Client, ClientCredential, FetchError};
use crate::json::{self, FromMembers, Member};
use crate::key_source::ResolveError;
use crate::remote::single_flight::Deadline;
use crate::settings;

/// The maximum length of a response, in bytes. It is this large because an issuer may include all claims.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The age up to which a token counts as newly issued.
const MOMENTS: Duration = Duration::from_secs(60);

/// The introspection endpoint of an issuer, and the client credentials for it.
pub(crate) struct Introspector {
    /// The issuer, as spelled in the tokens.
    pub(crate) issuer: String,
    pub(crate) url: Url,
    /// `None` if the endpoint requires no client authentication.
    pub(crate) asking_as: Option<ClientCredential>,
    pub(crate) client: Client,
    pub(crate) fetch_timeout: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Introspector {
    /// Returns the deadline of one introspection request.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline { url: self.url.as_str().into(), after: self.fetch_timeout }
    }

    /// Introspects `token`. `life` has the issue time and expiry from the token's own claims.
    pub(crate) async fn ask(
        &self,
        token: &AskedToken,
        life: Life,
        asked_at: Timestamp,
    ) -> Result<Answer, FetchError> {
        let url = &self.url;
        let form = Serializer::new(String::new())
            .append_pair("token", token.borrow())
            .append_pair("token_type_hint", "access_token")
            .finish();
        let authorization = match &self.asking_as {
            Some(client) => Some(client.authorization().await?),
            None => None,
        };
        let answer = self.client.post(url, authorization, Bytes::from(form)).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(FetchError::ClientRefused { url: url.to_string() });
        }
        if answer.status != StatusCode::OK {
            return Err(answer.refused(url, settings::INTROSPECTION_URL, self.clock.now()));
        }
        let answer: AnswerMembers =
            json::from_document(&answer.body).map_err(|problem| self.no_answer(problem))?;
        let active = answer.active.ok_or_else(|| self.no_answer("`active` is absent"))?;
        Ok(Answer { active, expires_at: answer.exp, life, asked_at })
    }

    fn no_answer(&self, problem: impl Into<String>) -> FetchError {
        FetchError::NotAnIntrospection { url: self.url.to_string(), problem: problem.into() }
    }
}

/// A token under introspection, wiped from memory when the last clone is dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AskedToken(Arc<Zeroizing<String>>);

impl AskedToken {
    pub(crate) fn new(token: &str) -> Self {
        Self(Arc::new(Zeroizing::new(token.to_owned())))
    }
}

impl Borrow<str> for AskedToken {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Hashes like `str`, as `Borrow<str>` requires for map lookups.
impl Hash for AskedToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

/// A token's issue time and expiry, from its own claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    pub(crate) issued_at: Option<NumericDate>,
    pub(crate) expires_at: NumericDate,
}

/// An introspection response for one token.
pub(crate) struct Answer {
    pub(crate) active: bool,
    /// The token's expiry, if the issuer returns it.
    expires_at: Option<NumericDate>,
    life: Life,
    pub(crate) asked_at: Timestamp,
}

impl Answer {
    /// Returns the result of the response, if the response was requested less than `age` ago. An expiry
    /// from the issuer applies without leeway, because a new introspection request would not return the
    /// token as active either.
    pub(crate) fn within(&self, age: Duration, at: Timestamp) -> Option<Result<(), ResolveError>> {
        let now = NumericDate::from(at.wall()).as_duration();
        // For the issuer, a token within the leeway has already expired, and is reported as merely
        // inactive.
        let expiry = if self.active { self.expires_at } else { Some(self.life.expires_at) };
        let expiry = expiry.map(NumericDate::as_duration).filter(|&expiry| expiry <= now);
        let refusal = match expiry {
            Some(expiry) => Some(TokenError::Expired { ago: now - expiry }),
            None if self.active => None,
            None => Some(TokenError::Inactive),
        };
        let standing = refusal.map_or(Ok(()), |error| Err(ResolveError::Refused(error)));
        (at.since(self.asked_at) < age).then_some(standing)
    }

    /// Returns whether the issuer reports a newly issued token as inactive. The likely reason is that this
    /// client may not introspect the token, rather than a revocation.
    pub(crate) fn denies_a_new_token(&self) -> bool {
        let asked_at = NumericDate::from(self.asked_at.wall()).as_duration();
        let age = self.life.issued_at.map(|at| asked_at.saturating_sub(at.as_duration()));
        !self.active
            && self.life.expires_at.as_duration() > asked_at
            && age.is_some_and(|age| age <= MOMENTS)
    }
}

/// The response members of RFC 7662 §2.2.
#[derive(Default)]
struct AnswerMembers {
    active: Option<bool>,
    exp: Option<NumericDate>,
}

impl<'de> FromMembers<'de> for AnswerMembers {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        match name {
            "active" => self.active = Some(member.read("active")?),
            "exp" => self.exp = Some(member.read("exp")?),
            _ => member.skip()?,
        }
        Ok(())
    }
}
