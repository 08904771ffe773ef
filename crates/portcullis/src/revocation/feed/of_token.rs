//! The check of a token against the revocations of its issuer.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{IssuerFeed, Revocations, TokenNames};
use crate::claims::RegisteredClaims;
use crate::error::{TokenError, UnreadableClaim};
use crate::json::{Raw, Unreadable};
use crate::revocation::LogoutMatch;

/// The claim with the session, unless the settings name another claim.
const SESSION: &str = "sid";

/// The revocations of an issuer's tokens, and the claims that entries refer to.
pub(crate) struct TokenFeed {
    pub(crate) revocations: Revocations,
    pub(crate) entries: Arc<IssuerFeed>,
    /// The path of the claim with the session.
    pub(crate) session_at: Vec<String>,
    /// How the issuer's logout tokens are applied, if any are expected.
    pub(crate) logout_match: Option<LogoutMatch>,
    pub(crate) leeway: Duration,
}

impl TokenFeed {
    /// Checks that no entry revokes a token. Returns the generation of the checked entries.
    pub(crate) fn check(&self, claims: &RegisteredClaims) -> Result<u64, TokenError> {
        // Read before the entries, so that an entry that is added in the meantime causes another check.
        let generation = self.entries.generation();
        let is_refused = self.with_names(claims, |names| {
            let is_refused = self.entries.refuses(names, self.leeway);
            if !is_refused && names.session.is_none() {
                self.warn_of_absent_session(names);
            }
            is_refused
        })?;
        if is_refused { Err(TokenError::Revoked) } else { Ok(generation) }
    }

    /// Calls `with` with the values of a token that entries can name.
    pub(crate) fn with_names<R>(
        &self,
        claims: &RegisteredClaims,
        with: impl FnOnce(&TokenNames<'_>) -> R,
    ) -> Result<R, TokenError> {
        let raw = claims.raw();
        let session = match claims.session_id() {
            Some(session) if self.session_at == [SESSION] => Some(session.into()),
            _ => text_at(raw, &self.session_at)?,
        };
        let token = match claims.token_id() {
            Some(token) => Some(token.into()),
            None => text_at(raw, &["jti"])?,
        };
        let client = match claims.client_id() {
            Some(client) => Some(client.into()),
            None => text_at(raw, &["client_id"])?,
        };
        // Some issuers use these claims for other purposes.
        let (azp, cid) = (any_text(raw, "azp")?, any_text(raw, "cid")?);
        let names = TokenNames {
            session: session.as_deref(),
            token: token.as_deref(),
            subject: claims.subject(),
            clients: [client.as_deref(), azp.as_deref(), cid.as_deref()],
            issued_at: claims.issued_at(),
        };
        Ok(with(&names))
    }

    /// Logs once that logouts cannot apply to tokens such as this one, because it names no session.
    /// Skips tokens of machine clients, which never have a session.
    fn warn_of_absent_session(&self, names: &TokenNames<'_>) {
        let is_of_client = names.clients.contains(&names.subject);
        if self.logout_match == Some(LogoutMatch::Session)
            && !is_of_client
            && !self.entries.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                target: "portcullis::feed",
                claim = self.session_at.join("."),
                "a token names no session, so a logout with `sid` does not revoke it: set `session_at` to the \
                 claim with the session, or `logout_match` to `sub`",
            );
        }
    }
}

/// Returns the text at a path of member names. A number counts as its text; `null` counts as absent.
fn text_at<'c, S: AsRef<str>>(
    raw: Raw<'c>,
    path: &[S],
) -> Result<Option<Cow<'c, str>>, TokenError> {
    let unreadable = |why| {
        let names: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
        TokenError::UnreadableClaim(UnreadableClaim::new(&names.join("."), why))
    };
    let mut place = raw;
    for name in path {
        if !place.is_object() {
            return Err(unreadable(Unreadable::WrongType { expected: "an object" }));
        }
        match place.find(name.as_ref()).map_err(unreadable)? {
            Some(member) if !member.is_null() => place = member,
            _ => return Ok(None),
        }
    }
    if let Some(text) = place.string() {
        return Ok(Some(text.0));
    }
    match place.value().map_err(unreadable)? {
        serde_json::Value::Number(number) => Ok(Some(number.to_string().into())),
        _ => Err(unreadable(Unreadable::WrongType { expected: "a string" })),
    }
}

/// Returns a claim that is a string; `None` for any other type.
fn any_text<'c>(raw: Raw<'c>, name: &str) -> Result<Option<Cow<'c, str>>, TokenError> {
    let found = raw.find(name);
    let found =
        found.map_err(|why| TokenError::UnreadableClaim(UnreadableClaim::new(name, why)))?;
    Ok(found.and_then(Raw::string).map(|text| text.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_is_read_at_its_path() {
        let session = |json: &'static str, path: &[&str]| {
            text_at(Raw::new(json), path).map(|text| text.map(Cow::into_owned))
        };
        let found = |text: &str| Ok(Some(text.to_owned()));
        let nested = r#"{"sid":"outer","ext":{"sid":"inner\u0041","n":7,"x":null,"o":{}}}"#;
        assert_eq!(session(nested, &["sid"]), found("outer"));
        assert_eq!(session(nested, &["ext", "sid"]), found("innerA"));
        assert_eq!(session(nested, &["ext", "n"]), found("7"));
        for absent in [&["ext", "x"], &["ext", "y"], &["none", "sid"]] {
            assert_eq!(session(nested, absent), Ok(None), "{absent:?}");
        }
        for (json, path) in [
            (nested, &["ext", "o"][..]),
            (nested, &["sid", "inner"]),
            (r#"{"sid":"a","sid":"b"}"#, &["sid"]),
            (r#"{"sid":["a"]}"#, &["sid"]),
            (r#"{"sid":true}"#, &["sid"]),
        ] {
            let error = session(json, path).unwrap_err();
            assert!(matches!(error, TokenError::UnreadableClaim(_)), "{json}: {error}");
        }
    }
}
