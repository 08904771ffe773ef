//! Claims that distinguish other kinds of token from access tokens ([RFC 8725 §3.12]).
//!
//! [RFC 8725 §3.12]: https://www.rfc-editor.org/rfc/rfc8725#section-3.12

use serde::de::{Deserialize, Deserializer};
use smallvec::SmallVec;

use super::Span;
use super::scope::has_names;
use crate::json::{Member, Raw, Text};

/// The signs that a token is not an access token.
#[derive(Default)]
#[cfg_attr(any(test, fuzzing), derive(PartialEq))]
pub(crate) struct Marks {
    /// `cnf` (RFC 7800): the token is usable only together with a proof of possession.
    pub(crate) sender_constrained: bool,
    /// A claim that occurs only in another kind of token, which is not for APIs.
    pub(crate) foreign: Option<&'static str>,
    /// A claim that occurs only in ID tokens, whatever else the token states about its kind.
    pub(crate) identity: Option<&'static str>,
    /// `at_hash` and `nonce`, which some issuers also put into access tokens.
    pub(crate) at_hash: bool,
    pub(crate) nonce: bool,
    /// The claim `typ`.
    pub(crate) type_claim: TypeClaim,
    /// `azp`: the client that the token was issued to.
    pub(crate) azp: Option<Span>,
    /// Whether `azp` is present, readable or not.
    pub(crate) has_azp: bool,
    /// Whether `auth_time` is present, readable or not.
    pub(crate) has_auth_time: bool,
    /// Whether `scope` occurs once, is readable as a whole and contains at least one scope.
    /// The next field is the same for `scp`.
    pub(crate) has_scope: bool,
    pub(crate) has_scp: bool,
    /// The claims that are present, among those that the profile's mark names.
    pub(crate) of_profile: MarkClaims,
}

pub(crate) type MarkClaims = SmallVec<[&'static str; 2]>;

/// The token's kind as stated in the payload: Keycloak's claim `typ`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TypeClaim {
    /// Absent or an unknown value.
    #[default]
    Unknown,
    /// `Bearer`: an access token.
    Bearer,
    /// Another kind of token, with the name to report.
    Foreign(&'static str),
}

impl Marks {
    /// The claims that [`take`](Self::take) reads. Each must occur once.
    pub(super) const ALL: [&str; 9] =
        ["at_hash", "c_hash", "s_hash", "nonce", "events", "htm", "token_use", "typ", "cnf"];

    /// Returns the kind that a payload's claim `typ` states, if it is not an access token.
    pub(crate) fn foreign_type(payload: &[u8]) -> Option<&'static str> {
        let text = std::str::from_utf8(payload).ok()?;
        match Raw::new(text).find("typ").ok()??.parse()? {
            TypeClaim::Foreign(mark) => Some(mark),
            _ => None,
        }
    }

    /// Records a duplicate of a claim that may be duplicated and that helps recognize ID tokens.
    /// The claim then counts as it does in an ID token: `auth_time` as present, a scope as absent.
    pub(super) fn repeated(&mut self, name: &str) {
        match name {
            "auth_time" => self.has_auth_time = true,
            "scope" => self.has_scope = false,
            "scp" => self.has_scp = false,
            _ => {}
        }
    }

    pub(super) fn take<'de, M: Member<'de>>(
        &mut self,
        name: &str,
        member: M,
    ) -> Result<(), M::Error> {
        match name.as_bytes() {
            // OpenID Connect Core §3.1.3.6, §3.3.2.11 and FAPI: these hashes occur only in ID
            // tokens.
            b"at_hash" => self.at_hash = true,
            b"c_hash" => self.identity = Some("`c_hash` occurs only in ID tokens"),
            b"s_hash" => self.identity = Some("`s_hash` occurs only in ID tokens"),
            // OpenID Connect Core §2.
            b"nonce" => self.nonce = true,
            // OpenID Connect Back-Channel Logout §2.4, RFC 8417 §2.2.
            b"events" => self.foreign = Some("`events` occurs only in logout and event tokens"),
            // RFC 9449 §4.2.
            b"htm" => self.foreign = Some("`htm` occurs only in DPoP proofs"),
            b"cnf" => self.sender_constrained = true,
            // Amazon Cognito: `access` or `id`.
            b"token_use" => {
                let Text(kind) = member.read("token_use")?;
                if !kind.eq_ignore_ascii_case("access") {
                    self.foreign = Some("`token_use` is not `access`");
                }
                return Ok(());
            }
            // Keycloak: `Bearer`, `ID`, `Refresh`, `Offline`, `Logout`, …
            b"typ" => {
                self.type_claim = member.read("typ")?;
                if let TypeClaim::Foreign(mark) = self.type_claim {
                    self.foreign = Some(mark);
                }
                return Ok(());
            }
            // OpenID Connect Core defines no scopes in ID tokens.
            b"scp" => {
                self.has_scp = member.strings()?.is_ok_and(|scopes| has_names(&scopes));
                return Ok(());
            }
            _ => {}
        }
        member.skip()
    }
}

impl<'de> Deserialize<'de> for TypeClaim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FOREIGN: [(&str, &str); 6] = [
            ("ID", "the `typ` claim identifies an ID token"),
            ("Refresh", "the `typ` claim identifies a refresh token"),
            ("Offline", "the `typ` claim identifies an offline (refresh) token"),
            ("Logout", "the `typ` claim identifies a logout token"),
            ("Serialized-ID", "the `typ` claim identifies an ID token"),
            ("DPoP", "the `typ` claim identifies a key-bound token (DPoP)"),
        ];
        let Text(name) = Text::deserialize(deserializer)?;
        let foreign = FOREIGN.iter().find(|(foreign, _)| name.eq_ignore_ascii_case(foreign));
        Ok(match foreign {
            Some((_, mark)) => Self::Foreign(mark),
            None if name == "Bearer" => Self::Bearer,
            None => Self::Unknown,
        })
    }
}
