//! The registered claims of an access token, read once, and only after the signature was verified.
//!
//! ```
//! use portcullis::Authenticated;
//! use portcullis::claims::NumericDate;
//!
//! fn may_still_pay(who: &Authenticated, until: NumericDate) -> bool {
//!     let claims = who.registered();
//!     claims.scope().contains("pay") && claims.expires_at() > until
//! }
//! ```

mod numeric_date;
mod scope;
mod status;
mod texts;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess};
use smallvec::SmallVec;

use crate::error::TokenError;
use crate::json::{self, FromMembers, JsonError, Lenient, Member, Raw, Text};
use crate::key::Payload;
use status::StatusClaim;
use texts::{Reading, Span, Spans, Texts};

pub use crate::error::UnreadableClaim;
pub use numeric_date::NumericDate;
pub use scope::Scope;
pub(crate) use status::StatusReference;

/// The claims that this crate gives a meaning to: those of [RFC 7519 §4.1] and [RFC 9068 §2.2].
///
/// The token's other claims are for the application's own type:
/// [`Authenticated::claims`](crate::Authenticated::claims).
///
/// [RFC 7519 §4.1]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1
/// [RFC 9068 §2.2]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2
#[derive(Default)]
pub struct RegisteredClaims {
    /// The payload, in which every claim below that is text stands.
    texts: Texts,
    pub(crate) iss: Option<Span>,
    pub(crate) sub: Option<Span>,
    pub(crate) aud: Option<Spans>,
    pub(crate) exp: Option<NumericDate>,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: Option<NumericDate>,
    pub(crate) jti: Option<Span>,
    pub(crate) client_id: Option<Span>,
    scope: Scope,
    roles: Spans,
    permissions: Spans,
    sid: Option<Span>,
    auth_time: Option<NumericDate>,
    acr: Option<Span>,
    status: Option<(u64, Span)>,
    pub(crate) marks: Marks,
    /// Claims that should list names and hold something else, at least in part. Almost always empty.
    malformed: Vec<(Listed, UnreadableClaim)>,
}

/// What a claim lists the names of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Scopes,
    Roles,
    Permissions,
}

impl RegisteredClaims {
    pub(crate) fn parse(payload: Payload) -> Result<Self, TokenError> {
        let payload = payload.into_text().ok_or(TokenError::NotJson { part: "payload" })?;
        let mut reader = Reader { claims: Self::default(), texts: Reading::new(&payload) };
        json::fill(&mut reader, &payload).map_err(|error| match error {
            JsonError::NotAnObject => TokenError::NotJson { part: "payload" },
            JsonError::DuplicateMember => TokenError::DuplicateMember { part: "payload" },
            JsonError::WrongType(name) => TokenError::WrongType { name },
        })?;
        let Reader { mut claims, texts } = reader;
        let unescaped = texts.into_unescaped();
        claims.texts = Texts::new(payload, &unescaped);
        for (_, malformed) in &claims.malformed {
            malformed.check_readable(claims.raw())?;
        }
        Ok(claims)
    }

    /// The payload itself: a JSON object, each member of which comes once.
    pub(crate) fn payload(&self) -> &str {
        self.texts.payload()
    }

    /// The payload, to read further claims from.
    pub(crate) fn raw(&self) -> Raw<'_> {
        Raw::new(self.payload())
    }

    /// Returns the claim that should list names of this kind and holds something else, at least in
    /// part. A name that is not among those that were read may be meant by it.
    pub(crate) fn malformed(&self, kind: Listed) -> Option<&UnreadableClaim> {
        self.malformed.iter().find(|(of, _)| *of == kind).map(|(_, claim)| claim)
    }

    /// `iss`: who issued the token; always the configured issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.text(self.iss).unwrap_or_default()
    }

    /// `sub`: whom the token is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text(self.sub)
    }

    /// `aud`: the APIs that the token is for; this one is among them.
    #[must_use]
    pub fn audience(&self) -> Audience<'_> {
        Audience { texts: &self.texts, names: self.aud.as_deref().unwrap_or_default() }
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
        self.text(self.jti)
    }

    /// `client_id`: the OAuth client that asked for the token.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text(self.client_id)
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
        self.texts.all(&self.roles)
    }

    /// `permissions`; empty when the claim is absent or has another shape.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.texts.all(&self.permissions)
    }

    /// `sid`: the issuer's session that the token belongs to.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.text(self.sid)
    }

    /// `auth_time`: when the user last proved who they are.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<NumericDate> {
        self.auth_time
    }

    /// `acr`: how strongly the user was authenticated.
    #[must_use]
    pub fn authentication_context(&self) -> Option<&str> {
        self.text(self.acr)
    }

    /// `status.status_list`: where the token's own status is kept.
    pub(crate) fn status(&self) -> Option<StatusReference<'_>> {
        let (index, uri) = self.status?;
        Some(StatusReference { uri: self.texts.get(uri), index })
    }

    #[cfg(test)]
    pub(crate) fn unread(payload: &str) -> Self {
        Self { texts: Texts::new(payload.to_owned(), ""), ..Self::default() }
    }

    pub(crate) fn text(&self, span: Option<Span>) -> Option<&str> {
        span.map(|span| self.texts.get(span))
    }

    /// How many bytes it holds besides itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.texts.heap_bytes() + self.scope.as_str().len()
    }
}

/// What a [profile](crate::Profile) finds elsewhere in the payload.
impl RegisteredClaims {
    pub(crate) fn set_audience(&mut self, name: &str) {
        self.aud = Some(std::iter::once(self.texts.keep(name)).collect());
    }

    pub(crate) fn set_scope<'s>(&mut self, names: impl Iterator<Item = &'s str>) {
        self.scope = names.collect();
    }

    pub(crate) fn add_roles<'s>(&mut self, roles: impl Iterator<Item = &'s str>) {
        self.roles.extend(roles.map(|role| self.texts.keep(role)));
    }

    pub(crate) fn add_malformed(&mut self, kind: Listed, claim: UnreadableClaim) {
        self.malformed.push((kind, claim));
    }

    /// For credentials that are ID tokens by design.
    pub(crate) fn allow_identity_token(&mut self) {
        self.marks.identity = None;
    }
}

/// Shows the expiry and the number of names. No text out of the token.
impl fmt::Debug for RegisteredClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClaims")
            .field("exp", &self.exp)
            .field("audiences", &self.audience().names.len())
            .field("scopes", &self.scope.iter().count())
            .field("roles", &self.roles.len())
            .field("permissions", &self.permissions.len())
            .finish_non_exhaustive()
    }
}

/// Traces of another kind of token than an access token.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// `cnf`, RFC 7800: usable only together with a proof.
    pub(crate) sender_constrained: bool,
    /// The first mark of an ID token.
    pub(crate) identity: Option<&'static str>,
    /// The first mark of another token that is not for APIs.
    pub(crate) foreign: Option<&'static str>,
}

impl RegisteredClaims {
    /// Reads the strings of a string or an array. Issuers write roles in many shapes: anything else
    /// does not refuse the token, and is recorded.
    fn names<'de, A: MapAccess<'de>>(
        &mut self,
        texts: &mut Reading<'de>,
        member: Member<'_, A>,
        kind: Listed,
        claim: &'static str,
    ) -> Result<Spans, A::Error> {
        let value: Lenient<'de> = member.read(claim)?;
        if value.is_malformed() {
            self.add_malformed(kind, UnreadableClaim::no_names(claim));
        }
        Ok(texts.keep_all(value.strings()))
    }
}

/// Fills the claims from a payload.
struct Reader<'a> {
    claims: RegisteredClaims,
    texts: Reading<'a>,
}

impl<'de> FromMembers<'de> for Reader<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        member: Member<'_, A>,
    ) -> Result<(), A::Error> {
        let Self { claims, texts } = self;
        match name {
            "iss" => claims.iss = Some(texts.read(member, "iss")?),
            "sub" => claims.sub = Some(texts.read(member, "sub")?),
            "aud" => {
                let OneOrMore(names) = member.read("aud")?;
                claims.aud = Some(texts.keep_all(&names));
            }
            "exp" => claims.exp = Some(member.read("exp")?),
            "nbf" => claims.nbf = Some(member.read("nbf")?),
            "iat" => claims.iat = Some(member.read("iat")?),
            "jti" => claims.jti = Some(texts.read(member, "jti")?),
            "client_id" => claims.client_id = Some(texts.read(member, "client_id")?),
            "scope" => claims.scope = member.read("scope")?,
            "roles" => claims.roles = claims.names(texts, member, Listed::Roles, "roles")?,
            "permissions" => {
                let kind = Listed::Permissions;
                claims.permissions = claims.names(texts, member, kind, "permissions")?;
            }
            "sid" => claims.sid = Some(texts.read(member, "sid")?),
            "auth_time" => claims.auth_time = Some(member.read("auth_time")?),
            "acr" => claims.acr = Some(texts.read(member, "acr")?),
            "status" => {
                let StatusClaim(status) = member.read("status")?;
                claims.status = status.map(|(index, uri)| (index, texts.keep(&uri)));
            }
            "cnf" => {
                claims.marks.sender_constrained = true;
                member.skip()?;
            }
            _ => return claims.marks.take(name, member),
        }
        Ok(())
    }
}

impl Marks {
    /// Members that tell another kind of token from an access token.
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        member: Member<'_, A>,
    ) -> Result<(), A::Error> {
        let (found, mark) = match name {
            // OpenID Connect Core §3.1.3.6, §3.3.2.11 and FAPI: hashes stand in ID tokens only.
            "at_hash" => (&mut self.identity, "`at_hash` is an ID token's"),
            "c_hash" => (&mut self.identity, "`c_hash` is an ID token's"),
            "s_hash" => (&mut self.identity, "`s_hash` is an ID token's"),
            // OpenID Connect Core §2.
            "nonce" => (&mut self.identity, "`nonce` is an ID token's"),
            // OpenID Connect Back-Channel Logout §2.4, RFC 8417 §2.2.
            "events" => (&mut self.foreign, "`events` is a logout or security event token's"),
            // RFC 9449 §4.2.
            "htm" => (&mut self.foreign, "`htm` is a DPoP proof's"),
            // Amazon Cognito: `access` or `id`.
            "token_use" => {
                if member.read::<TypeClaim>("token_use")? != TypeClaim::Access {
                    self.foreign = Some("`token_use` is not `access`");
                }
                return Ok(());
            }
            // Keycloak: `Bearer`, `ID`, `Refresh`, `Offline`, `Logout`, …
            "typ" => {
                if member.read::<TypeClaim>("typ")? == TypeClaim::Foreign {
                    self.foreign = Some("the claim `typ` names another kind of token");
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
        let Text(name) = Text::deserialize(deserializer)?;
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
#[derive(Clone, Copy)]
pub struct Audience<'c> {
    texts: &'c Texts,
    names: &'c [Span],
}

impl<'c> Audience<'c> {
    /// Whether `name` is among them, byte for byte.
    #[must_use]
    pub fn contains(self, name: &str) -> bool {
        self.iter().any(|audience| audience == name)
    }

    /// The names, in the token's order.
    pub fn iter(self) -> impl Iterator<Item = &'c str> {
        self.texts.all(self.names)
    }
}

/// Shows the number of names, and no name.
impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("names", &self.names.len()).finish()
    }
}

/// A string or an array of strings, and nothing else.
struct OneOrMore<'a>(SmallVec<[Text<'a>; 4]>);

impl<'de> Deserialize<'de> for OneOrMore<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Lenient::deserialize(deserializer)? {
            Lenient::Text(name) => Ok(Self(std::iter::once(name).collect())),
            Lenient::Texts(names) => Ok(Self(names)),
            Lenient::Mixed(_) | Lenient::Null | Lenient::Other => {
                Err(D::Error::custom("not a string or an array of strings"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RegisteredClaims, TokenError> {
        RegisteredClaims::parse(Payload::for_test(text))
    }

    #[test]
    fn an_audience_of_another_type_says_what_it_would_take() {
        let error = serde_json::from_str::<OneOrMore<'_>>("7").err().unwrap().to_string();
        assert!(error.contains("a string or an array of strings"), "{error}");
    }

    #[test]
    fn debug_shows_the_expiry_and_counts() {
        let claims = parse(
            r#"{"iss":"issuer","sub":"alice","aud":["a"],"exp":1234567,"scope":"b c","roles":["d"]}"#,
        );
        assert_eq!(
            format!("{:?}", claims.unwrap()),
            "RegisteredClaims { exp: Some(1234567), audiences: 1, scopes: 2, roles: 1, \
             permissions: 0, .. }"
        );
    }

    #[test]
    fn debug_of_an_audience_shows_a_count() {
        let claims = parse(r#"{"aud":["a","b"]}"#).unwrap();
        assert_eq!(format!("{:?}", claims.audience()), "Audience { names: 2 }");
    }

    /// The bound of the token cache counts them.
    #[test]
    fn the_bytes_beside_the_claims_are_counted() {
        for (scope, bytes) in [("", 0), ("a b", 3), ("write:everything", 16)] {
            let payload = format!(r#"{{"sub":"s","scope":"{scope}"}}"#);
            assert_eq!(parse(&payload).unwrap().heap_bytes(), payload.len() + bytes, "{scope}");
        }
    }

    #[test]
    fn texts_with_escapes_are_read_as_what_they_mean() {
        let claims =
            parse(r#"{"iss":"plain","sub":"a\u0062c","aud":["x\ty","z","\u00e9"],"jti":"\"j\""}"#)
                .unwrap();
        assert_eq!((claims.issuer(), claims.subject()), ("plain", Some("abc")));
        assert_eq!(claims.audience().iter().collect::<Vec<_>>(), ["x\ty", "z", "\u{e9}"]);
        assert_eq!(claims.token_id(), Some("\"j\""));
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
    fn roles_of_another_shape_are_recorded_and_ignored() {
        for (roles, names, malformed) in [
            ("null", &[][..], false),
            ("[]", &[], false),
            (r#""r""#, &["r"], false),
            (r#"["r","s"]"#, &["r", "s"], false),
            (r#"["r",7]"#, &["r"], true),
            (r#"["r",null]"#, &["r"], true),
            ("1", &[], true),
            ("-1", &[], true),
            ("1.5", &[], true),
            ("true", &[], true),
            (r#"{"admin":{}}"#, &[], true),
            (r#"[["admin"]]"#, &[], true),
        ] {
            let claims = parse(&format!(r#"{{"roles":{roles}}}"#)).unwrap();
            assert_eq!(claims.roles().collect::<Vec<_>>(), names, "{roles}");
            assert_eq!(claims.malformed(Listed::Roles).is_some(), malformed, "{roles}");
            assert!(claims.malformed(Listed::Permissions).is_none(), "{roles}");
            let claims = parse(&format!(r#"{{"permissions":{roles}}}"#)).unwrap();
            let found = claims.malformed(Listed::Permissions).is_some();
            assert_eq!(found, malformed, "{roles}");
        }
    }

    #[test]
    fn roles_with_a_member_twice_are_refused() {
        for roles in [r#"{"a":1,"a":1}"#, r#"["r",{"a":1,"a":1}]"#, r#"[[{"a":1,"a":1}]]"#] {
            let error = parse(&format!(r#"{{"roles":{roles}}}"#)).unwrap_err();
            assert_eq!(error.rule(), "duplicate_member", "{roles}");
            assert_eq!(
                error.to_string(),
                "claim `roles` cannot be read: a member of it comes twice",
                "{roles}"
            );
        }
    }

    #[test]
    fn debug_shows_no_claim() {
        let claims = parse(r#"{"sub":"alice","scope":"secret","exp":10}"#).unwrap();
        let shown = format!("{claims:?}");
        assert!(!shown.contains("alice") && !shown.contains("secret"), "{shown}");
    }
}
