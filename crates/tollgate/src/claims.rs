//! The registered claims of an access token, read once and only after the signature held.

mod numeric_date;
mod scope;
mod validation;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::TokenError;
use crate::json::{self, FromMembers, JsonError, Member};
use crate::key::Payload;

pub use numeric_date::NumericDate;
pub use scope::Scope;
pub(crate) use validation::ClaimsRules;

/// The claims that this crate gives a meaning to: those of [RFC 7519 §4.1] and [RFC 9068 §2.2].
///
/// The token's other claims are for the application's own type:
/// [`Authenticated::claims`](crate::Authenticated::claims).
///
/// [RFC 7519 §4.1]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1
/// [RFC 9068 §2.2]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2
#[derive(Default)]
pub struct RegisteredClaims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: Option<String>,
    client_id: Option<String>,
    scope: Scope,
    roles: Strings,
    permissions: Strings,
    sid: Option<String>,
    auth_time: Option<NumericDate>,
    acr: Option<String>,
    marks: Marks,
}

impl RegisteredClaims {
    pub(crate) fn parse(payload: &Payload) -> Result<Self, TokenError> {
        json::from_slice(payload.as_ref()).map_err(|error| match error {
            JsonError::NotAnObject => TokenError::NotJson { part: "payload" },
            JsonError::DuplicateMember => TokenError::DuplicateMember { part: "payload" },
            JsonError::WrongType(name) => TokenError::WrongType { name },
        })
    }

    /// `iss`: who issued the token; always the configured issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.iss.as_deref().unwrap_or_default()
    }

    /// `sub`: whom the token is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    /// `aud`: the APIs that the token is for; this one is among them.
    #[must_use]
    pub fn audience(&self) -> &Audience {
        static NOBODY: Audience = Audience(Vec::new());
        self.aud.as_ref().unwrap_or(&NOBODY)
    }

    /// `exp`: when the token ceases to be accepted.
    #[must_use]
    pub fn expires_at(&self) -> NumericDate {
        self.exp.unwrap_or_default()
    }

    /// `nbf`: before when the token is not accepted.
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.nbf
    }

    /// `iat`: when the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.iat
    }

    /// `jti`: the token's own identifier.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// `client_id`: the OAuth client that asked for the token.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// `scope`: what the token may be used for; empty when the claim is absent.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// `roles` ([RFC 9068 §2.2.3.1]); empty when the claim is absent or has another shape.
    ///
    /// [RFC 9068 §2.2.3.1]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3.1
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.0.iter().map(String::as_str)
    }

    /// `permissions`; empty when the claim is absent or has another shape.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.0.iter().map(String::as_str)
    }

    /// `sid`: the issuer's session that the token belongs to.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// `auth_time`: when the user last proved who they are.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<NumericDate> {
        self.auth_time
    }

    /// `acr`: how strongly the user was authenticated.
    #[must_use]
    pub fn authentication_context(&self) -> Option<&str> {
        self.acr.as_deref()
    }
}

/// What a [profile](crate::Profile) finds elsewhere in the payload.
impl RegisteredClaims {
    pub(crate) fn set_audience(&mut self, name: &str) {
        self.aud = Some(Audience(vec![name.to_owned()]));
    }

    pub(crate) fn set_scope<'s>(&mut self, names: impl Iterator<Item = &'s str>) {
        self.scope = names.collect();
    }

    pub(crate) fn add_roles<'s>(&mut self, roles: impl Iterator<Item = &'s str>) {
        self.roles.0.extend(roles.map(str::to_owned));
    }

    /// For credentials that are ID tokens by design.
    pub(crate) fn allow_identity_token(&mut self) {
        self.marks.identity = None;
    }
}

/// Names what is there, not what it says.
impl fmt::Debug for RegisteredClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClaims").field("exp", &self.exp).finish_non_exhaustive()
    }
}

/// Traces of another kind of token than an access token.
#[derive(Debug, Default)]
struct Marks {
    /// `cnf`, RFC 7800: usable only together with a proof.
    sender_constrained: bool,
    /// The first mark of an ID token.
    identity: Option<&'static str>,
    /// The first mark of another token that is not for APIs.
    foreign: Option<&'static str>,
}

impl<'de> FromMembers<'de> for RegisteredClaims {
    fn take<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        member: Member<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "iss" => self.iss = Some(member.read("iss")?),
            "sub" => self.sub = Some(member.read("sub")?),
            "aud" => self.aud = Some(member.read("aud")?),
            "exp" => self.exp = Some(member.read("exp")?),
            "nbf" => self.nbf = Some(member.read("nbf")?),
            "iat" => self.iat = Some(member.read("iat")?),
            "jti" => self.jti = Some(member.read("jti")?),
            "client_id" => self.client_id = Some(member.read("client_id")?),
            "scope" => self.scope = member.read("scope")?,
            "roles" => self.roles = member.read("roles")?,
            "permissions" => self.permissions = member.read("permissions")?,
            "sid" => self.sid = Some(member.read("sid")?),
            "auth_time" => self.auth_time = Some(member.read("auth_time")?),
            "acr" => self.acr = Some(member.read("acr")?),
            "cnf" => {
                self.marks.sender_constrained = true;
                member.skip()?;
            }
            _ => return self.take_mark(name, member),
        }
        Ok(())
    }
}

impl RegisteredClaims {
    /// Members that tell another kind of token from an access token.
    fn take_mark<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        member: Member<'_, A>,
    ) -> Result<(), A::Error> {
        let marks = &mut self.marks;
        let (found, mark) = match name {
            // OpenID Connect Core §3.1.3.6, §3.3.2.11 and FAPI: hashes stand in ID tokens only.
            "at_hash" => (&mut marks.identity, "`at_hash` is an ID token's"),
            "c_hash" => (&mut marks.identity, "`c_hash` is an ID token's"),
            "s_hash" => (&mut marks.identity, "`s_hash` is an ID token's"),
            // OpenID Connect Core §2.
            "nonce" => (&mut marks.identity, "`nonce` is an ID token's"),
            // OpenID Connect Back-Channel Logout §2.4, RFC 8417 §2.2.
            "events" => (&mut marks.foreign, "`events` is a logout or security event token's"),
            // RFC 9449 §4.2.
            "htm" => (&mut marks.foreign, "`htm` is a DPoP proof's"),
            // Amazon Cognito: `access` or `id`.
            "token_use" => {
                if member.read::<TypeClaim>("token_use")? != TypeClaim::Access {
                    marks.foreign = Some("`token_use` is not `access`");
                }
                return Ok(());
            }
            // Keycloak: `Bearer`, `ID`, `Refresh`, `Offline`, `Logout`, …
            "typ" => {
                if member.read::<TypeClaim>("typ")? == TypeClaim::Foreign {
                    marks.foreign = Some("the claim `typ` names another kind of token");
                }
                return Ok(());
            }
            _ => return member.skip(),
        };
        found.get_or_insert(mark);
        member.skip()
    }
}

/// What a payload says of its own kind.
#[derive(PartialEq, Eq)]
enum TypeClaim {
    Access,
    Foreign,
    Unknown,
}

impl<'de> Deserialize<'de> for TypeClaim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FOREIGN: [&str; 6] = ["ID", "Refresh", "Offline", "Logout", "Serialized-ID", "DPoP"];
        let name = String::deserialize(deserializer)?;
        Ok(if name.eq_ignore_ascii_case("access") {
            Self::Access
        } else if FOREIGN.iter().any(|foreign| name.eq_ignore_ascii_case(foreign)) {
            Self::Foreign
        } else {
            Self::Unknown
        })
    }
}

/// `aud`: one name or several ([RFC 7519 §4.1.3]).
///
/// [RFC 7519 §4.1.3]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience(Vec<String>);

impl Audience {
    /// Whether `name` is among them, byte for byte.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|audience| audience == name)
    }

    /// The names, in the token's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;
        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E>(self, name: &str) -> Result<Audience, E> {
                Ok(Audience(vec![name.to_owned()]))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut names: S) -> Result<Audience, S::Error> {
                let mut audience = Vec::new();
                while let Some(name) = names.next_element::<String>()? {
                    audience.push(name);
                }
                Ok(Audience(audience))
            }
        }
        deserializer.deserialize_any(AudienceVisitor)
    }
}

/// The strings of an array of anything. Roles come in many shapes, and one that is not
/// understood only withholds power.
#[derive(Debug, Default)]
struct Strings(Vec<String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value::{self, Array, String};
        Ok(Self(match Value::deserialize(deserializer)? {
            String(string) => vec![string],
            Array(items) => items
                .into_iter()
                .filter_map(|item| if let String(string) = item { Some(string) } else { None })
                .collect(),
            _ => Vec::new(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RegisteredClaims, TokenError> {
        RegisteredClaims::parse(&Payload::for_test(text))
    }

    #[test]
    fn an_audience_of_another_type_says_what_it_would_take() {
        let error = serde_json::from_str::<Audience>("7").unwrap_err().to_string();
        assert!(error.contains("a string or an array of strings"), "{error}");
    }

    #[test]
    fn debug_tells_the_expiry_and_no_name() {
        let claims = parse(r#"{"iss":"issuer","sub":"alice","exp":1234567}"#).unwrap();
        let shown = format!("{claims:?}");
        assert!(shown.starts_with("RegisteredClaims") && shown.contains("1234567"), "{shown}");
        assert!(!shown.contains("issuer") && !shown.contains("alice"), "{shown}");
    }

    #[test]
    fn claims_are_read() {
        let claims = parse(
            r#"{"iss":"i","sub":"s","aud":["a","b"],"exp":10,"nbf":1.5,"iat":2,"jti":"j",
                "client_id":"c","scope":"x y","roles":["r",7],"sid":"d","auth_time":3,"acr":"1",
                "tenant":{"id":[1]}}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), "i");
        assert_eq!(claims.subject(), Some("s"));
        assert_eq!(claims.audience().iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(claims.expires_at(), NumericDate::from_secs(10));
        assert_eq!(claims.not_before().unwrap().as_duration().as_millis(), 1500);
        assert_eq!(claims.token_id(), Some("j"));
        assert_eq!(claims.client_id(), Some("c"));
        assert!(claims.scope().contains("y"));
        assert_eq!(claims.roles().collect::<Vec<_>>(), ["r"]);
        assert_eq!(claims.session_id(), Some("d"));
        assert_eq!(claims.authenticated_at(), Some(NumericDate::from_secs(3)));
        assert_eq!(claims.authentication_context(), Some("1"));
    }

    #[test]
    fn a_registered_claim_of_another_type_is_refused_by_name() {
        for (name, value) in [
            ("iss", "1"),
            ("iss", r#"["i"]"#),
            ("sub", "null"),
            ("aud", r#"{"a":1}"#),
            ("aud", r#"["a",1]"#),
            ("aud", "null"),
            ("exp", r#""10""#),
            ("exp", "null"),
            ("nbf", "true"),
            ("iat", "[1]"),
            ("jti", "7"),
            ("scope", r#"["x"]"#),
            ("client_id", "{}"),
        ] {
            let error = parse(&format!(r#"{{"{name}":{value}}}"#)).unwrap_err();
            assert_eq!(error, TokenError::WrongType { name }, "{name} {value}");
        }
    }

    #[test]
    fn a_claim_that_comes_twice_is_refused_registered_or_not() {
        for text in [r#"{"exp":1,"exp":2}"#, r#"{"tenant":1,"tenant":1}"#] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, TokenError::DuplicateMember { part: "payload" }, "{text}");
        }
    }

    #[test]
    fn roles_of_another_shape_are_no_roles() {
        for roles in ["null", "1", "-1", "1.5", "true", r#"{"admin":{}}"#, "[[\"admin\"]]"] {
            let claims = parse(&format!(r#"{{"roles":{roles}}}"#)).unwrap();
            assert_eq!(claims.roles().count(), 0, "{roles}");
        }
        assert_eq!(parse(r#"{"roles":"r"}"#).unwrap().roles().collect::<Vec<_>>(), ["r"]);
    }

    #[test]
    fn debug_shows_no_claim() {
        let claims = parse(r#"{"sub":"alice","scope":"secret","exp":10}"#).unwrap();
        let shown = format!("{claims:?}");
        assert!(!shown.contains("alice") && !shown.contains("secret"), "{shown}");
    }
}
