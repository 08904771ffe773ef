//! How an issuer's claims differ from the standard ones.

use super::Profile;
use super::mark::AccessTokenMark;
use crate::claims::{MarkClaims, RegisteredClaims};
use crate::error::{TokenError, UnreadableClaim};
use crate::json::{Lenient, LenientMembers, Raw, Unreadable};

/// Which claims an issuer uses, and which it requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Habits {
    /// The claim that names the API instead of `aud`.
    pub(super) audience_in: Option<&'static str>,
    /// The path of the claim with the scopes, a string or an array.
    pub(super) scopes_in: &'static [&'static str],
    /// The paths of claims with roles, in addition to `roles`.
    pub(super) roles_in: &'static [&'static [&'static str]],
    /// Claims that must have this value, because it identifies an access token.
    pub(super) expects: &'static [(&'static str, &'static str)],
    /// Claims that must be present.
    pub(super) requires: &'static [&'static str],
    /// Claims that must not start with this prefix, and the kind of token that the prefix
    /// indicates.
    pub(super) refuses: &'static [(&'static str, &'static str, &'static str)],
    /// What distinguishes the issuer's access tokens from its ID tokens.
    pub(super) mark: AccessTokenMark,
    /// The claims among `nonce` and `at_hash` that the issuer's access tokens also carry. From
    /// other issuers, these claims are signs of an ID token.
    pub(super) carries: &'static [&'static str],
    /// Two URL prefixes. If the issuer's URL starts with the first prefix, the location of the
    /// metadata is that URL with the second prefix instead.
    pub(super) metadata_in: Option<(&'static str, &'static str)>,
    /// The hosts that serve the issuer's keys, besides the metadata's host. `None`: any host that
    /// the metadata names.
    pub(super) key_hosts: Option<&'static [&'static str]>,
    /// An audience that tokens for any API may have, and what to do about it.
    pub(super) common_audience: Option<(&'static str, &'static str)>,
}

impl Habits {
    /// The standard claims.
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

    /// Whether all claims that are read are those of [`NONE`](Self::NONE).
    fn read_no_other_claims(&self) -> bool {
        use AccessTokenMark::NoMarkOfIdTokens;
        let Self {
            audience_in: None, roles_in: [], expects: [], requires: [], refuses: [], ..
        } = self
        else {
            return false;
        };
        matches!(self.mark, NoMarkOfIdTokens) && self.scopes_in == SCOPE
    }
}

impl Profile {
    /// Copies the issuer-specific claims into the registered claims and checks what the profile
    /// requires. A claim that decides acceptance must occur once and be readable. Scopes and roles,
    /// which only policies read, are recorded as unreadable if they or an object on their path
    /// cannot be read. Other claims are not read.
    pub(crate) fn apply(&self, claims: &mut RegisteredClaims) -> Result<(), TokenError> {
        if self.habits.read_no_other_claims()
            && self.roles_at.is_empty()
            && self.scopes_at.is_none()
        {
            return Ok(());
        }
        // The payload is copied, because the values are appended to the claims' text.
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

    /// Returns the metadata URL of `issuer` if it is not below the issuer's own URL.
    pub(crate) fn metadata_of(&self, issuer: &str) -> Option<String> {
        let (beginning, instead) = self.habits.metadata_in?;
        let rest = issuer.strip_prefix(beginning)?.trim_end_matches('/');
        Some(format!("{instead}{rest}/.well-known/openid-configuration"))
    }

    /// Returns the audience that the issuer gives to tokens for any API, and what to do if it is
    /// configured.
    pub(crate) fn common_audience(&self) -> Option<(&'static str, &'static str)> {
        self.habits.common_audience
    }

    /// Returns the hosts that serve the issuer's keys, besides the metadata's host.
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
    /// Returns which of the named claims are present: each of them for `AllOf`, otherwise only the
    /// first.
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

/// The default path of the scopes.
const SCOPE: &[&str] = &["scope"];

/// Returns a claim, which must occur at most once.
fn get<'a>(members: &LenientMembers<'a>, name: &str) -> Result<Option<Raw<'a>>, TokenError> {
    members.get(name).map_err(|why| unreadable(name, why))
}

/// Returns the strings at the end of a path of member names. Names are compared as a whole, so a
/// dot is part of a name. `None` if the path ends early.
pub(super) fn strings<'a>(
    members: &LenientMembers<'a>,
    path: &[&str],
) -> Result<Option<Lenient<'a>>, Unreadable> {
    let Some((first, inner)) = path.split_first() else { return Ok(None) };
    members.get(first)?.map_or(Ok(None), |value| strings_in(value, inner))
}

/// Like [`strings`], for a path that starts in `value`.
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
