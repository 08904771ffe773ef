//! How an issuer's claims differ from those that the standards name.

use serde_json::{Map, Value};

use super::Profile;
use crate::claims::RegisteredClaims;
use crate::error::TokenError;

/// Where things stand, and what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Habits {
    /// The claim that names the API in the place of `aud`.
    pub(super) audience_in: Option<&'static str>,
    /// The claim that holds the scopes in the place of `scope`: a string or an array.
    pub(super) scopes_in: Option<&'static str>,
    /// Where roles stand besides `roles`: paths of member names.
    pub(super) roles_in: &'static [&'static [&'static str]],
    /// Claims that must have this value: they tell an access token.
    pub(super) expects: &'static [(&'static str, &'static str)],
    /// Claims that must be there.
    pub(super) requires: &'static [&'static str],
    /// Claims that must not begin like this, and the mark of another kind of token that it is.
    pub(super) refuses: &'static [(&'static str, &'static str, &'static str)],
    /// Whether the credential is an ID token by design.
    pub(super) identity_tokens: bool,
    /// Where the metadata of an issuer is whose URL begins like this: that, and the rest of it.
    pub(super) metadata_in: Option<(&'static str, &'static str)>,
    /// The hosts that its keys are on, besides that of the metadata; without it, wherever the
    /// metadata says.
    pub(super) key_hosts: Option<&'static [&'static str]>,
}

impl Habits {
    /// Those of the standards.
    pub(super) const NONE: Self = Self {
        audience_in: None,
        scopes_in: None,
        roles_in: &[],
        expects: &[],
        requires: &[],
        refuses: &[],
        identity_tokens: false,
        metadata_in: None,
        key_hosts: None,
    };
}

impl Profile {
    /// Reads what this kind of token has elsewhere into the registered claims, and holds it to
    /// what it must be.
    pub(crate) fn apply(&self, claims: &mut RegisteredClaims) -> Result<(), TokenError> {
        if self.habits == Habits::NONE && self.roles_at.is_empty() {
            return Ok(());
        }
        let object: Map<String, Value> = serde_json::from_slice(claims.payload())
            .map_err(|_| TokenError::NotJson { part: "payload" })?;
        self.check_kind(&object)?;
        if let Some(name) = self.habits.audience_in {
            let audience = object.get(name).ok_or(TokenError::MissingClaim { name })?;
            claims.set_audience(audience.as_str().ok_or(TokenError::WrongType { name })?);
        }
        if let Some(name) = self.habits.scopes_in {
            claims.set_scope(strings(object.get(name)).flat_map(|names| names.split(' ')));
        }
        let fixed = self.habits.roles_in.iter().map(|path| at(&object, path.iter().copied()));
        let added = self.roles_at.iter().map(|path| at(&object, path.iter().map(String::as_str)));
        for place in fixed.chain(added) {
            claims.add_roles(strings(place));
        }
        if self.habits.identity_tokens {
            claims.allow_identity_token();
        }
        Ok(())
    }

    /// The metadata of `issuer`, where that is not below its own URL.
    pub(crate) fn metadata_of(&self, issuer: &str) -> Option<String> {
        let (beginning, instead) = self.habits.metadata_in?;
        let rest = issuer.strip_prefix(beginning)?.trim_end_matches('/');
        Some(format!("{instead}{rest}/.well-known/openid-configuration"))
    }

    /// The hosts that its keys are on, besides that of the metadata.
    pub(crate) fn key_hosts(&self) -> Option<&'static [&'static str]> {
        self.habits.key_hosts
    }

    fn check_kind(&self, object: &Map<String, Value>) -> Result<(), TokenError> {
        let text = |name| object.get(name).and_then(Value::as_str);
        for &name in self.habits.requires {
            if object.get(name).is_none_or(Value::is_null) {
                return Err(TokenError::MissingClaim { name });
            }
        }
        for &(name, expected) in self.habits.expects {
            if text(name) != Some(expected) {
                return Err(TokenError::ClaimValue { name, expected });
            }
        }
        for &(name, beginning, mark) in self.habits.refuses {
            if text(name).is_some_and(|value| value.starts_with(beginning)) {
                return Err(TokenError::NotAnAccessToken { mark });
            }
        }
        Ok(())
    }
}

/// What stands at the end of a path of member names. The names are compared whole: a dot in one is
/// part of it.
fn at<'o, 'p>(
    object: &'o Map<String, Value>,
    path: impl Iterator<Item = &'p str>,
) -> Option<&'o Value> {
    let mut path = path;
    let first = object.get(path.next()?)?;
    path.try_fold(first, |value, name| value.as_object()?.get(name))
}

/// A string, or the strings of an array; of anything else none.
fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(string)) => (Some(string.as_str()), None),
        Some(Value::Array(items)) => (None, Some(items.iter().filter_map(Value::as_str))),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten())
}
