//! How an issuer's claims differ from those that the standards name.

use super::Profile;
use super::mark::AccessTokenMark;
use crate::claims::{MarkClaims, RegisteredClaims};
use crate::error::{TokenError, UnreadableClaim};
use crate::json::{Lenient, LenientMembers, Raw, Unreadable};

/// Where things stand, and what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Habits {
    /// The claim that names the API in the place of `aud`.
    pub(super) audience_in: Option<&'static str>,
    /// Where the scopes stand, a string or an array: a path of member names.
    pub(super) scopes_in: &'static [&'static str],
    /// Where roles stand besides `roles`: paths of member names.
    pub(super) roles_in: &'static [&'static [&'static str]],
    /// Claims that must have this value: they tell an access token.
    pub(super) expects: &'static [(&'static str, &'static str)],
    /// Claims that must be there.
    pub(super) requires: &'static [&'static str],
    /// Claims that must not begin like this, and the mark of another kind of token that it is.
    pub(super) refuses: &'static [(&'static str, &'static str, &'static str)],
    /// What tells its access tokens from its ID tokens.
    pub(super) mark: AccessTokenMark,
    /// Which of `nonce` and `at_hash`, else the marks of ID tokens, its access tokens have, too.
    pub(super) carries: &'static [&'static str],
    /// Where the metadata of an issuer is whose URL begins like this: that, and the rest of it.
    pub(super) metadata_in: Option<(&'static str, &'static str)>,
    /// The hosts that its keys are on, besides that of the metadata; without it, wherever the
    /// metadata says.
    pub(super) key_hosts: Option<&'static [&'static str]>,
    /// An audience that tokens for any API may have, and what to do about it.
    pub(super) common_audience: Option<(&'static str, &'static str)>,
}

impl Habits {
    /// Those of the standards.
    pub(super) const NONE: Self = Self {
        audience_in: None,
        scopes_in: SCOPE,
        roles_in: &[],
        expects: &[],
        requires: &[],
        refuses: &[],
        mark: AccessTokenMark::NoMarkOfIdTokens,
        carries: &[],
        metadata_in: None,
        key_hosts: None,
        common_audience: None,
    };
}

impl Profile {
    /// Reads what this kind of token has elsewhere into the registered claims, and holds it to
    /// what it must be. A claim that decides here must come once and be readable. Scopes and roles, which
    /// only policies read, are recorded as unreadable where they or an object on the path to them are
    /// not; other claims are not read.
    pub(crate) fn apply(&self, claims: &mut RegisteredClaims) -> Result<(), TokenError> {
        if self.habits == Habits::NONE && self.roles_at.is_empty() && self.scopes_at.is_none() {
            return Ok(());
        }
        // A copy, because values that are read are appended to the claims' text.
        let payload = claims.payload().to_owned();
        let members =
            Raw::new(&payload).lenient_members().map_err(|why| unreadable("payload", why))?;
        self.check_kind_claims(&members)?;
        claims.marks.of_profile = self.habits.mark.claims_in(&members)?;
        if let Some(name) = self.habits.audience_in {
            let audience = get(&members, name)?.ok_or(TokenError::MissingClaim { name })?;
            let audience = audience.string().ok_or(TokenError::WrongType { name })?;
            claims.set_audience(&audience.0);
        }
        // `scope` and `roles` were read with the registered claims.
        if self.scopes_at.is_some() || self.habits.scopes_in != SCOPE {
            let path = self.scopes_place();
            claims.set_scope(&path, strings(&members, &path));
        }
        for path in self.habits.roles_in {
            claims.add_roles(path, strings(&members, path));
        }
        for path in &self.roles_at {
            let path: Vec<_> = path.iter().map(String::as_str).collect();
            claims.add_roles(&path, strings(&members, &path));
        }
        Ok(())
    }

    /// The metadata of `issuer`, where that is not below its own URL.
    pub(crate) fn metadata_of(&self, issuer: &str) -> Option<String> {
        let (beginning, instead) = self.habits.metadata_in?;
        let rest = issuer.strip_prefix(beginning)?.trim_end_matches('/');
        Some(format!("{instead}{rest}/.well-known/openid-configuration"))
    }

    /// The audience that the issuer gives to tokens for any API, and what to do if it is configured.
    pub(crate) fn common_audience(&self) -> Option<(&'static str, &'static str)> {
        self.habits.common_audience
    }

    /// The hosts that its keys are on, besides that of the metadata.
    pub(crate) fn key_hosts(&self) -> Option<&'static [&'static str]> {
        self.habits.key_hosts
    }

    fn check_kind_claims(&self, members: &LenientMembers<'_>) -> Result<(), TokenError> {
        for &name in self.habits.requires {
            let claim = get(members, name)?.filter(|claim| !claim.is_null());
            let claim = claim.ok_or(TokenError::MissingClaim { name })?;
            claim.value().map_err(|why| unreadable(name, why))?;
        }
        let value = match self.habits.mark {
            AccessTokenMark::Value(name, expected) => Some((name, expected)),
            _ => None,
        };
        for &(name, expected) in self.habits.expects.iter().chain(&value) {
            let text = get(members, name)?.and_then(Raw::string);
            if text.is_none_or(|text| text.0 != expected) {
                return Err(TokenError::ClaimValue { name, expected });
            }
        }
        for &(name, beginning, mark) in self.habits.refuses {
            let claim = get(members, name)?.filter(|claim| !claim.is_null());
            let Some(claim) = claim else { continue };
            let value = claim.string().ok_or(TokenError::WrongType { name })?;
            if value.0.starts_with(beginning) {
                return Err(TokenError::NotAnAccessToken { mark });
            }
        }
        Ok(())
    }
}

impl AccessTokenMark {
    /// Returns which of the claims that it names are there: all of them if it asks for all, else the first.
    fn claims_in(self, members: &LenientMembers<'_>) -> Result<MarkClaims, TokenError> {
        let mut found = MarkClaims::new();
        let (Self::OneOf(names) | Self::AllOf(names) | Self::NoneOf(names)) = self else {
            return Ok(found);
        };
        for &name in names {
            if get(members, name)?.is_some_and(|claim| !claim.is_null()) {
                found.push(name);
                if !matches!(self, Self::AllOf(_)) {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Where scopes stand unless an issuer has another place.
const SCOPE: &[&str] = &["scope"];

/// Returns a claim that must come once.
fn get<'a>(members: &LenientMembers<'a>, name: &str) -> Result<Option<Raw<'a>>, TokenError> {
    members.get(name).map_err(|why| unreadable(name, why))
}

/// Returns the strings at the end of a path of member names, which are compared whole: a dot in a name
/// is part of it. `None` where the path ends early.
pub(super) fn strings<'a>(
    members: &LenientMembers<'a>,
    path: &[&str],
) -> Result<Option<Lenient<'a>>, Unreadable> {
    let Some((first, inner)) = path.split_first() else { return Ok(None) };
    members.get(first)?.map_or(Ok(None), |value| strings_in(value, inner))
}

/// As [`strings`], of a path that begins in `value`.
pub(super) fn strings_in<'a>(
    mut value: Raw<'a>,
    path: &[&str],
) -> Result<Option<Lenient<'a>>, Unreadable> {
    for name in path {
        if !value.is_object() && !value.is_null() {
            return Err(Unreadable::WrongType { expected: "a string or an array of strings" });
        }
        match value.members()?.get(name) {
            Some(member) => value = member,
            None => return Ok(None),
        }
    }
    value.strings().map(Some)
}

fn unreadable(name: &str, why: Unreadable) -> TokenError {
    TokenError::UnreadableClaim(UnreadableClaim::new(name, why))
}
