//! How access tokens are distinguished from an issuer's ID tokens ([RFC 8725 §3.12]).
//!
//! [RFC 8725 §3.12]: https://www.rfc-editor.org/rfc/rfc8725#section-3.12

use super::Profile;
use crate::claims::{RegisteredClaims, TypeClaim};
use crate::error::{self, TokenError};
use crate::jws::TokenType;

/// How a [`Profile`] distinguishes access tokens from the ID tokens of the same issuer.
///
/// With every profile, a header `typ` of `at+jwt` is proof of an access token. A claim `typ` of
/// `Bearer`, which Keycloak writes, is proof only with [`Profile::jwt`] and [`Profile::keycloak`];
/// other profiles ignore it. Proof overrides `nonce`, `at_hash` and the conditions below, except
/// the claims of `Value` and `Required`, which must still be present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessTokenMark {
    /// The header `typ` must be `at+jwt` ([RFC 9068 §2.1]); all other tokens are rejected.
    ///
    /// [RFC 9068 §2.1]: https://www.rfc-editor.org/rfc/rfc9068#section-2.1
    Header,
    /// The token must have none of the signs of an ID token: `nonce`, `at_hash`, `c_hash`,
    /// `s_hash`. For a token that does not state its kind, an `azp` in `aud` together with
    /// `auth_time` and no scope is also such a sign. An unreadable `azp` or `auth_time` counts as
    /// present, an unreadable scope as absent.
    NoMarkOfIdTokens,
    /// Every access token has one of these claims.
    OneOf(&'static [&'static str]),
    /// Every access token has all of these claims.
    AllOf(&'static [&'static str]),
    /// Every access token has this claim with this value.
    Value(&'static str, &'static str),
    /// No access token has any of these claims.
    NoneOf(&'static [&'static str]),
    /// The issuer signs no other tokens for this audience, or the claims that the profile requires
    /// identify access tokens.
    Required(&'static [&'static str]),
    /// Nothing distinguishes access tokens from ID tokens: every token without `at+jwt` in its
    /// header is rejected, unless [`dangerous`](crate::dangerous) also accepts ID tokens.
    Nothing,
    /// The credentials are ID tokens by design.
    IdTokens,
}

impl Profile {
    /// Returns how this profile distinguishes access tokens from ID tokens.
    #[must_use]
    pub fn access_token_mark(&self) -> AccessTokenMark {
        if self.token_types == [TokenType::AccessToken] {
            return AccessTokenMark::Header;
        }
        self.habits.mark
    }

    /// Returns whether ID tokens are accepted, by design or through
    /// [`dangerous::accept_id_tokens`](crate::dangerous::accept_id_tokens).
    #[must_use]
    pub fn accepts_id_tokens(&self) -> bool {
        self.accepts_id_tokens || matches!(self.habits.mark, AccessTokenMark::IdTokens)
    }

    /// Rejects tokens of other kinds.
    pub(crate) fn check_kind(
        &self,
        claims: &RegisteredClaims,
        token_type: TokenType,
    ) -> Result<(), TokenError> {
        let marks = &claims.marks;
        if let Some(mark) = marks.foreign {
            return Err(TokenError::NotAnAccessToken { mark });
        }
        if !self.accepts_id_tokens() {
            self.check_no_id_token(claims, token_type)?;
        }
        // RFC 9449 §7.1: a bound token "MUST NOT" be accepted as a plain bearer token.
        if marks.sender_constrained {
            return Err(TokenError::SenderConstrained);
        }
        Ok(())
    }

    fn check_no_id_token(
        &self,
        claims: &RegisteredClaims,
        token_type: TokenType,
    ) -> Result<(), TokenError> {
        let marks = &claims.marks;
        if let Some(mark) = marks.identity {
            return Err(TokenError::NotAnAccessToken { mark });
        }
        let says_bearer = marks.type_claim == TypeClaim::Bearer && self.knows_type_claim();
        if token_type == TokenType::AccessToken || says_bearer {
            return Ok(());
        }
        let (profile, here) = (self.name, &marks.of_profile);
        let is_proven = match self.habits.mark {
            AccessTokenMark::Nothing => return Err(TokenError::Indistinct { profile }),
            AccessTokenMark::OneOf(claims) => {
                let name = here.first().ok_or(TokenError::NoAccessMark { profile, claims })?;
                // Other issuers' ID tokens also have `azp`.
                *name != "azp"
            }
            AccessTokenMark::AllOf(claims) => {
                let is_absent = |claim: &&[_]| claim.iter().any(|name| !here.contains(name));
                if let Some(claims) = claims.chunks(1).find(is_absent) {
                    return Err(TokenError::NoAccessMark { profile, claims });
                }
                true
            }
            AccessTokenMark::NoneOf(_) => match here.first() {
                Some(&name) => return Err(TokenError::IdentityClaim { profile, name }),
                None => false,
            },
            AccessTokenMark::Value(..) => true,
            AccessTokenMark::Header
            | AccessTokenMark::Required(_)
            | AccessTokenMark::NoMarkOfIdTokens
            | AccessTokenMark::IdTokens => false,
        };
        for (is_there, name, mark) in
            [(marks.at_hash, "at_hash", error::AT_HASH), (marks.nonce, "nonce", error::NONCE)]
        {
            if is_there && !self.habits.carries.contains(&name) {
                return Err(TokenError::NotAnAccessToken { mark });
            }
        }
        if !is_proven && is_like_an_id_token(claims) {
            return Err(TokenError::LikeIdToken);
        }
        Ok(())
    }

    /// Whether the issuer's claim `typ` states the token's kind. At other issuers, a mapper or
    /// customizer may put it into ID tokens.
    fn knows_type_claim(&self) -> bool {
        use AccessTokenMark::{NoMarkOfIdTokens, Value};
        matches!(self.habits.mark, NoMarkOfIdTokens | Value("typ", _))
    }
}

/// Whether a token without proof of being an access token looks like an ID token without `nonce`,
/// which the code flow does not require (OpenID Connect Core §3.1.2.1). Unreadable claims count
/// against the token.
fn is_like_an_id_token(claims: &RegisteredClaims) -> bool {
    let marks = &claims.marks;
    let is_for_its_client = match claims.text(marks.azp) {
        Some(client) => claims.audience().contains(client),
        None => marks.has_azp,
    };
    let has_scope = marks.has_scope || marks.has_scp || claims.has_scope();
    is_for_its_client && marks.has_auth_time && !has_scope
}
