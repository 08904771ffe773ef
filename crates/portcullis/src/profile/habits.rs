//! How an issuer's claims differ from those that the standards name.

use super::Profile;
use crate::claims::{Listed, RegisteredClaims};
use crate::error::TokenError;
use crate::error::UnreadableClaim;
use crate::json::{Lenient, Members, Raw, Unreadable};

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
    /// what it must be. Every object on the path to a value that is read must have each member once;
    /// other claims are not read.
    pub(crate) fn apply(&self, claims: &mut RegisteredClaims) -> Result<(), TokenError> {
        if self.habits == Habits::NONE && self.roles_at.is_empty() {
            return Ok(());
        }
        // A copy, because values that are read are appended to the claims' text.
        let payload = claims.payload().to_owned();
        let members = Raw::new(&payload).members().map_err(|why| unreadable("payload", why))?;
        self.check_kind(&members)?;
        if let Some(name) = self.habits.audience_in {
            let audience = members.get(name).ok_or(TokenError::MissingClaim { name })?;
            let audience = audience.string().ok_or(TokenError::WrongType { name })?;
            claims.set_audience(&audience.0);
        }
        if let Some(name) = self.habits.scopes_in {
            let found = strings(claims, Listed::Scopes, &members, &[name])?;
            let names = found.iter().flat_map(|found| found.strings());
            claims.set_scope(names.flat_map(|names| names.0.split(' ')));
        }
        let mut add = |path: &[&str]| -> Result<(), TokenError> {
            let found = strings(claims, Listed::Roles, &members, path)?;
            let names = found.iter().flat_map(|found| found.strings());
            claims.add_roles(names.map(|name| &*name.0));
            Ok(())
        };
        for path in self.habits.roles_in {
            add(path)?;
        }
        for path in &self.roles_at {
            add(&path.iter().map(String::as_str).collect::<Vec<_>>())?;
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

    fn check_kind(&self, members: &Members<'_>) -> Result<(), TokenError> {
        let text = |name| members.get(name).and_then(Raw::string);
        for &name in self.habits.requires {
            let claim = members.get(name).filter(|claim| !claim.is_null());
            let claim = claim.ok_or(TokenError::MissingClaim { name })?;
            claim.value().map_err(|why| unreadable(name, why))?;
        }
        for &(name, expected) in self.habits.expects {
            if text(name).is_none_or(|text| text.0 != expected) {
                return Err(TokenError::ClaimValue { name, expected });
            }
        }
        for &(name, beginning, mark) in self.habits.refuses {
            let Some(claim) = members.get(name).filter(|claim| !claim.is_null()) else { continue };
            let value = claim.string().ok_or(TokenError::WrongType { name })?;
            if value.0.starts_with(beginning) {
                return Err(TokenError::NotAnAccessToken { mark });
            }
        }
        Ok(())
    }
}

/// Returns the strings at the end of a path of member names, which are compared whole: a dot in a name
/// is part of it. `None` where the path ends early. A claim of another shape is recorded in `claims`.
fn strings<'a>(
    claims: &mut RegisteredClaims,
    kind: Listed,
    members: &Members<'a>,
    path: &[&str],
) -> Result<Option<Lenient<'a>>, TokenError> {
    let unreadable = |why| unreadable(&path.join("."), why);
    let Some((first, inner)) = path.split_first() else { return Ok(None) };
    let Some(mut value) = members.get(first) else { return Ok(None) };
    for name in inner {
        if !value.is_object() && !value.is_null() {
            value.value().map_err(unreadable)?;
            claims.add_malformed(kind, UnreadableClaim::no_names(&path.join(".")));
        }
        match value.members().map_err(unreadable)?.get(name) {
            Some(member) => value = member,
            None => return Ok(None),
        }
    }
    let strings = value.strings().map_err(unreadable)?;
    if strings.is_malformed() {
        claims.add_malformed(kind, UnreadableClaim::no_names(&path.join(".")));
    }
    Ok(Some(strings))
}

fn unreadable(name: &str, why: Unreadable) -> TokenError {
    TokenError::UnreadableClaim(UnreadableClaim::new(name, why))
}
