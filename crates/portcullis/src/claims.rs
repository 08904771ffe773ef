//! The registered claims of an access token. They are read once, after the signature is verified.
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

#[cfg(any(test, fuzzing))]
mod agreement;
mod marks;
mod numeric_date;
mod scope;
mod status;
mod texts;

use std::fmt;
use std::sync::OnceLock;

use crate::error::TokenError;
use crate::json::{self, FromMembers, Lenient, Member, Raw, Text, Unreadable};
use crate::key::Payload;
use numeric_date::AnyNumber;
use status::StatusClaim;
use texts::{Reading, Span, Spans, Texts};

pub use crate::error::UnreadableClaim;
#[cfg(fuzzing)]
pub(crate) use agreement::readers_agree;
pub(crate) use marks::{MarkClaims, Marks, TypeClaim};
pub use numeric_date::NumericDate;
pub use scope::Scope;
pub(crate) use status::StatusReference;

/// The claims that this crate interprets, from [RFC 7519 §4.1] and [RFC 9068 §2.2].
///
/// To read a token's other claims, deserialize them into the application's own type with
/// [`Authenticated::claims`](crate::Authenticated::claims).
///
/// [RFC 7519 §4.1]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1
/// [RFC 9068 §2.2]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2
#[derive(Default)]
#[cfg_attr(any(test, fuzzing), derive(PartialEq))]
pub struct RegisteredClaims {
    /// The payload, which holds the text of the claims below.
    texts: Texts,
    pub(crate) iss: Option<Span>,
    pub(crate) sub: Option<Span>,
    pub(crate) aud: Option<Spans>,
    pub(crate) exp: Option<NumericDate>,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: Option<NumericDate>,
    pub(crate) jti: Option<Span>,
    pub(crate) client_id: Option<Span>,
    /// The names of the scope, separated by spaces.
    scope: Option<Span>,
    /// The scope as a value of its own, once it was asked for.
    built_scope: OnceLock<Scope>,
    roles: Spans,
    permissions: Spans,
    sid: Option<Span>,
    auth_time: Option<NumericDate>,
    acr: Option<Span>,
    status: Option<(u64, Span)>,
    pub(crate) marks: Marks,
    /// The unreadable claims among those that only policies use. The list is almost always empty.
    unreadable: Vec<(PolicyClaim, UnreadableClaim)>,
}

/// A claim that only policies read. If it cannot be read, the token is still accepted, but policy
/// rules that read the claim are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyClaim {
    Scopes,
    Roles,
    Permissions,
    AuthTime,
    Acr,
}

impl RegisteredClaims {
    #[cfg(test)]
    pub(crate) fn parse(payload: Payload) -> Result<Self, TokenError> {
        let mut claims = Self::default();
        claims.read(payload).map(|()| claims)
    }

    /// Reads the claims into `self`, which is empty. Moving them costs as much as reading some.
    pub(crate) fn read(&mut self, payload: Payload) -> Result<(), TokenError> {
        let payload = payload.into_text().ok_or(TokenError::NotJson { part: "payload" })?;
        let mut reader = Reader { claims: self, texts: Reading::new(&payload) };
        json::fill(&mut reader, &payload, Reader::restart)
            .map_err(|error| TokenError::json(error, "payload"))?;
        let unescaped = reader.texts.into_unescaped();
        self.texts = Texts::new(payload, &unescaped);
        Ok(())
    }

    /// The payload: a JSON object. Each member that a validation rule reads occurs only once in the
    /// payload.
    pub(crate) fn payload(&self) -> &str {
        self.texts.payload()
    }

    /// The payload, for reading further claims.
    pub(crate) fn raw(&self) -> Raw<'_> {
        Raw::new(self.payload())
    }

    /// Returns the name of the claim that is read as `claim`, and the reason, if the claim or a
    /// part of it cannot be read. The values that were read may then be incomplete.
    pub(crate) fn unreadable(&self, claim: PolicyClaim) -> Option<&UnreadableClaim> {
        self.unreadable.iter().find(|(of, _)| *of == claim).map(|(_, why)| why)
    }

    /// Returns `iss`: the issuer of the token, always a configured one.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.text(self.iss).unwrap_or_default()
    }

    /// Returns `sub`: the user or service that the token is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text(self.sub)
    }

    /// Returns `aud`: the APIs that the token is for. This API is among them.
    #[must_use]
    pub fn audience(&self) -> Audience<'_> {
        Audience { texts: &self.texts, names: self.aud.as_deref().unwrap_or_default() }
    }

    /// Returns `exp`: the time at which the token expires.
    #[must_use]
    pub fn expires_at(&self) -> NumericDate {
        self.exp.unwrap_or_default()
    }

    /// Returns `nbf`: the time before which the token is not accepted.
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.nbf
    }

    /// Returns `iat`: the time at which the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.iat
    }

    /// Returns `jti`: the token's identifier. Also `None` if the claim is not a string or is
    /// duplicated.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text(self.jti)
    }

    /// Returns `client_id`: the OAuth client that requested the token. Also `None` if the claim is
    /// not a string or is duplicated.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text(self.client_id)
    }

    /// Returns the token's scope: `scope`, or the claim that the [profile](crate::Profile) defines.
    /// Empty if the claim is absent or has another type; a [`Policy`](crate::Policy) distinguishes
    /// the two.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        self.built_scope.get_or_init(|| Scope::from_text(self.scope_names()))
    }

    /// The names of the scope, separated by spaces, without building a [`Scope`].
    fn scope_names(&self) -> &str {
        self.text(self.scope).unwrap_or_default()
    }

    /// Whether the scope contains `name`.
    pub(crate) fn has_scope_name(&self, name: &str) -> bool {
        scope::names(self.scope_names()).any(|scope| scope == name)
    }

    /// Whether the profile's scope claim has a scope, and the whole claim can be read.
    pub(crate) fn has_scope(&self) -> bool {
        !scope::is_blank(self.scope_names()) && self.unreadable(PolicyClaim::Scopes).is_none()
    }

    /// Returns `roles` ([RFC 9068 §2.2.3.1]). Empty if the claim is absent or has another type.
    ///
    /// [RFC 9068 §2.2.3.1]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3.1
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.texts.all(&self.roles)
    }

    /// Returns `permissions`. Empty if the claim is absent or has another type.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.texts.all(&self.permissions)
    }

    /// Returns `sid`: the issuer's session that the token belongs to. Also `None` if the claim is
    /// not a string or is duplicated.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.text(self.sid)
    }

    /// Returns `auth_time`: the time at which the user last authenticated. Also `None` if the claim
    /// is not a date or is duplicated.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<NumericDate> {
        self.auth_time
    }

    /// Returns `acr`: the authentication context class, such as the strength of the user's login.
    /// Also `None` if the claim is not a string or is duplicated.
    #[must_use]
    pub fn authentication_context(&self) -> Option<&str> {
        self.text(self.acr)
    }

    /// `status.status_list`: the token's entry in a status list.
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

    /// Returns the number of bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let spilled = |spans: &Spans| {
            if spans.spilled() { spans.capacity() * size_of::<Span>() } else { 0 }
        };
        let lists = self.aud.iter().chain([&self.roles, &self.permissions]);
        self.texts.heap_bytes() + self.scope_names().len() + lists.map(spilled).sum::<usize>()
    }
}

/// Setters for values that a [profile](crate::Profile) reads from other claims.
impl RegisteredClaims {
    pub(crate) fn set_audience(&mut self, name: &str) {
        self.aud = Some(std::iter::once(self.texts.keep(name)).collect());
    }

    /// Reads the scopes from `path`; the claim `scope` is then ignored.
    pub(crate) fn set_scope(
        &mut self,
        path: &[&str],
        found: Result<Option<Lenient<'_>>, Unreadable>,
    ) {
        self.unreadable.retain(|(of, _)| *of != PolicyClaim::Scopes);
        (self.scope, self.built_scope) = (None, OnceLock::new());
        match found {
            Ok(None) => {}
            Ok(Some(found)) => {
                let (names, is_whole) = scope::read(&found);
                self.scope = Some(self.texts.keep(&names));
                self.check_scope(path, is_whole);
            }
            Err(why) => {
                let claim = UnreadableClaim::new(&path.join("."), why);
                self.unreadable.push((PolicyClaim::Scopes, claim));
            }
        }
    }

    pub(crate) fn add_roles(
        &mut self,
        path: &[&str],
        found: Result<Option<Lenient<'_>>, Unreadable>,
    ) {
        let unreadable = match found {
            Ok(found) => {
                let names = found.iter().flat_map(Lenient::strings);
                self.roles.extend(names.map(|role| self.texts.keep(&role.0)));
                found
                    .is_some_and(|found| found.is_malformed())
                    .then(|| UnreadableClaim::no_names(&path.join(".")))
            }
            Err(why) => Some(UnreadableClaim::new(&path.join("."), why)),
        };
        self.unreadable.extend(unreadable.map(|claim| (PolicyClaim::Roles, claim)));
    }
}

/// Shows the expiry and the number of names, but no text from the token.
impl fmt::Debug for RegisteredClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClaims")
            .field("exp", &self.exp)
            .field("audiences", &self.audience().names.len())
            .field("scopes", &scope::names(self.scope_names()).count())
            .field("roles", &self.roles.len())
            .field("permissions", &self.permissions.len())
            .finish_non_exhaustive()
    }
}

impl RegisteredClaims {
    fn check_scope(&mut self, path: &[&str], is_whole: bool) {
        if !is_whole {
            let claim = UnreadableClaim::no_scopes(&path.join("."));
            self.unreadable.push((PolicyClaim::Scopes, claim));
        }
    }

    /// Reads the strings of a string or an array. Issuers write roles in many shapes, so any other
    /// shape is recorded, and the token is not rejected.
    fn names<'a>(
        &mut self,
        texts: &mut Reading<'a>,
        of: PolicyClaim,
        name: &str,
        found: Result<Lenient<'a>, Unreadable>,
    ) -> Spans {
        let (names, unreadable) = match found {
            Ok(found) => {
                let unreadable = found.is_malformed().then(|| UnreadableClaim::no_names(name));
                (texts.keep_all(found.strings()), unreadable)
            }
            Err(why) => (Spans::new(), Some(UnreadableClaim::new(name, why))),
        };
        self.unreadable.extend(unreadable.map(|claim| (of, claim)));
        names
    }

    /// Handles a duplicate claim that no validation rule reads: it counts as a claim that cannot be
    /// read.
    fn forget(&mut self, name: &str) {
        let claim = match name {
            "scope" => PolicyClaim::Scopes,
            "roles" => PolicyClaim::Roles,
            "permissions" => PolicyClaim::Permissions,
            "auth_time" => PolicyClaim::AuthTime,
            "acr" => PolicyClaim::Acr,
            "jti" => return self.jti = None,
            "client_id" => return self.client_id = None,
            "sid" => return self.sid = None,
            "status" => return self.status = None,
            _ => return,
        };
        match claim {
            PolicyClaim::Scopes => self.scope = None,
            PolicyClaim::Roles => self.roles.clear(),
            PolicyClaim::Permissions => self.permissions.clear(),
            PolicyClaim::AuthTime => self.auth_time = None,
            PolicyClaim::Acr => self.acr = None,
        }
        // Record each claim once: a token that repeats it a thousand times must not fill the
        // memory.
        if !self.unreadable.iter().any(|(of, why)| *of == claim && why.is_repeated()) {
            self.unreadable.push((claim, UnreadableClaim::repeated(name)));
        }
    }
}

/// Fills the claims from a payload: strict for claims that decide acceptance, lenient for the rest.
struct Reader<'c, 'a> {
    claims: &'c mut RegisteredClaims,
    texts: Reading<'a>,
}

impl Reader<'_, '_> {
    fn restart(&mut self) {
        *self.claims = RegisteredClaims::default();
        self.texts.restart();
    }
}

impl<'de> FromMembers<'de> for Reader<'_, 'de> {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        let Self { claims, texts } = self;
        match name.as_bytes() {
            b"iss" => claims.iss = Some(texts.read(member, "iss")?),
            b"sub" => claims.sub = Some(texts.read(member, "sub")?),
            b"aud" => {
                let names = member.one_or_more("aud")?;
                claims.aud = Some(texts.keep_all(&names));
            }
            b"exp" => claims.exp = Some(member.read_in_range::<AnyNumber, _>("exp")?),
            b"nbf" => claims.nbf = Some(member.read_in_range::<AnyNumber, _>("nbf")?),
            b"iat" => claims.iat = Some(member.read_in_range::<AnyNumber, _>("iat")?),
            b"jti" => claims.jti = texts.read_if_text(member)?,
            b"client_id" => claims.client_id = texts.read_if_text(member)?,
            b"sid" => claims.sid = texts.read_if_text(member)?,
            b"scope" => match member.strings()? {
                Ok(found) => {
                    claims.marks.has_scope = scope::has_names(&found);
                    let (names, is_whole) = scope::read(&found);
                    claims.scope = Some(texts.keep(&Text(names)));
                    claims.check_scope(&["scope"], is_whole);
                }
                Err(why) => {
                    let claim = UnreadableClaim::new("scope", why);
                    claims.unreadable.push((PolicyClaim::Scopes, claim));
                }
            },
            b"roles" => {
                claims.roles = claims.names(texts, PolicyClaim::Roles, "roles", member.strings()?);
            }
            b"permissions" => {
                let of = PolicyClaim::Permissions;
                claims.permissions = claims.names(texts, of, "permissions", member.strings()?);
            }
            b"auth_time" => {
                let raw = member.raw()?;
                claims.marks.has_auth_time = !raw.is_null();
                claims.auth_time = raw.parse();
                if claims.auth_time.is_none() && !raw.is_null() {
                    let why = Unreadable::WrongType { expected: numeric_date::EXPECTED };
                    let claim = UnreadableClaim::new("auth_time", why);
                    claims.unreadable.push((PolicyClaim::AuthTime, claim));
                }
            }
            b"acr" => {
                let raw = member.raw()?;
                claims.acr = texts.keep_if_text(raw);
                if claims.acr.is_none() && !raw.is_null() {
                    let why = Unreadable::WrongType { expected: "a string" };
                    claims.unreadable.push((PolicyClaim::Acr, UnreadableClaim::new("acr", why)));
                }
            }
            b"status" => {
                let status = member.raw()?.parse().and_then(|StatusClaim(status)| status);
                claims.status = status.map(|(index, uri)| (index, texts.keep(&uri)));
            }
            b"azp" => {
                let raw = member.raw()?;
                claims.marks.has_azp = !raw.is_null();
                claims.marks.azp = texts.keep_if_text(raw);
            }
            _ => return claims.marks.take(name, member),
        }
        Ok(())
    }

    fn repeated(&mut self, name: &str) -> bool {
        let decides = matches!(name, "iss" | "sub" | "aud" | "exp" | "nbf" | "iat" | "azp")
            || Marks::ALL.contains(&name);
        self.claims.marks.repeated(name);
        self.claims.forget(name);
        !decides
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
    /// Returns whether the audience contains `name`, byte for byte.
    #[must_use]
    pub fn contains(self, name: &str) -> bool {
        self.iter().any(|audience| audience == name)
    }

    /// Returns the names, in the token's order.
    pub fn iter(self) -> impl Iterator<Item = &'c str> {
        self.texts.all(self.names)
    }
}

/// Shows the number of names, but no name.
impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("names", &self.names.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RegisteredClaims, TokenError> {
        RegisteredClaims::parse(Payload::for_test(text))
    }

    #[test]
    fn debug_shows_only_expiry_and_counts() {
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
    fn debug_of_audience_shows_only_a_count() {
        let claims = parse(r#"{"aud":["a","b"]}"#).unwrap();
        assert_eq!(format!("{:?}", claims.audience()), "Audience { names: 2 }");
    }

    /// The token cache counts these bytes towards its size limit.
    #[test]
    fn heap_bytes_of_claims_are_counted() {
        for (scope, bytes) in [("", 0), ("a b", 3), ("write:everything", 16)] {
            let payload = format!(r#"{{"sub":"s","scope":"{scope}"}}"#);
            assert_eq!(parse(&payload).unwrap().heap_bytes(), payload.len() + bytes, "{scope}");
        }
        for name in ["aud", "roles", "permissions"] {
            let payload = format!(r#"{{"{name}":[{}""]}}"#, r#""","#.repeat(1_000));
            let counted = parse(&payload).unwrap().heap_bytes();
            assert!(counted >= payload.len() + 1_001 * size_of::<Span>(), "{name}: {counted}");
        }
    }

    #[test]
    fn escaped_texts_are_unescaped() {
        let claims =
            parse(r#"{"iss":"plain","sub":"a\u0062c","aud":["x\ty","z","\u00e9"],"jti":"\"j\""}"#)
                .unwrap();
        assert_eq!((claims.issuer(), claims.subject()), ("plain", Some("abc")));
        assert_eq!(claims.audience().iter().collect::<Vec<_>>(), ["x\ty", "z", "\u{e9}"]);
        assert_eq!(claims.token_id(), Some("\"j\""));
    }

    #[test]
    fn registered_claims_are_parsed() {
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
    fn registered_claim_of_wrong_type_is_rejected_by_name() {
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
            ("token_use", "1"),
            ("typ", "[]"),
        ] {
            let error = parse(&format!(r#"{{"{name}":{value}}}"#)).unwrap_err();
            assert_eq!(error, TokenError::WrongType { name }, "{name} {value}");
        }
    }

    #[test]
    fn date_out_of_range_has_its_own_error() {
        for name in ["exp", "nbf", "iat"] {
            for value in ["-1", "-0.5", "253402300800", "9223372036854775808", "1e300"] {
                let error = parse(&format!(r#"{{"{name}":{value}}}"#)).unwrap_err();
                assert_eq!(error, TokenError::OutOfRange { name }, "{name} {value}");
                let text = format!("`{name}` is not a number of seconds between 1970 and 9999");
                assert_eq!((error.to_string(), error.rule()), (text, "out_of_range"));
            }
        }
    }

    /// Policies on the claim are unknown, other reads return nothing, and no token is rejected.
    #[test]
    fn unread_claim_may_have_any_type() {
        for (name, of) in [
            ("scope", Some(PolicyClaim::Scopes)),
            ("roles", Some(PolicyClaim::Roles)),
            ("permissions", Some(PolicyClaim::Permissions)),
            ("auth_time", Some(PolicyClaim::AuthTime)),
            ("acr", Some(PolicyClaim::Acr)),
            ("jti", None),
            ("client_id", None),
            ("sid", None),
            ("azp", None),
            ("status", None),
            ("tenant", None),
        ] {
            for value in ["true", "{}", "[7]", "-1", r#"{"a":1,"a":2}"#, r#""\ud800""#] {
                let claims = parse(&format!(r#"{{"{name}":{value},"x":1}}"#)).unwrap();
                let unreadable = of.map(|of| claims.unreadable(of).unwrap().name().to_owned());
                assert_eq!(unreadable, of.map(|_| name.to_owned()), "{name} {value}");
                assert!(claims.unreadable.len() == usize::from(of.is_some()), "{name} {value}");
                assert_eq!(claims.scope().iter().count() + claims.roles().count(), 0, "{name}");
                let texts = [
                    claims.token_id(),
                    claims.client_id(),
                    claims.session_id(),
                    claims.text(claims.acr),
                ];
                assert_eq!((texts, claims.authenticated_at()), ([None; 4], None), "{name} {value}");
            }
            let null = parse(&format!(r#"{{"{name}":null}}"#)).unwrap();
            assert!(null.unreadable.is_empty(), "{name}");
        }
        let iso = parse(r#"{"auth_time":"2027-01-15T08:00:00.000Z"}"#).unwrap();
        assert_eq!(
            iso.unreadable(PolicyClaim::AuthTime).unwrap().to_string(),
            "claim `auth_time` cannot be read: it is not a number of seconds between 1970 and 9999"
        );
    }

    #[test]
    fn duplicate_claim_is_rejected_if_a_rule_reads_it() {
        for name in
            ["iss", "sub", "aud", "exp", "nbf", "iat", "azp", "typ", "nonce", "cnf", "token_use"]
        {
            let value = if ["exp", "nbf", "iat"].contains(&name) { "1" } else { r#""access""# };
            for again in [name.to_owned(), name.replacen(|_| true, &escaped(name), 1)] {
                let error =
                    parse(&format!(r#"{{"{name}":{value},"{again}":{value}}}"#)).unwrap_err();
                assert_eq!(error, TokenError::DuplicateMember { part: "payload" }, "{again}");
            }
        }
        for (name, value, of) in [
            ("scope", r#""a""#, Some(PolicyClaim::Scopes)),
            ("roles", r#"["a"]"#, Some(PolicyClaim::Roles)),
            ("permissions", r#"["a"]"#, Some(PolicyClaim::Permissions)),
            ("auth_time", "1", Some(PolicyClaim::AuthTime)),
            ("acr", r#""1""#, Some(PolicyClaim::Acr)),
            ("jti", r#""1""#, None),
            ("client_id", r#""1""#, None),
            ("sid", r#""1""#, None),
            ("tenant", "1", None),
        ] {
            for times in 2..4 {
                let members = vec![format!(r#""{name}":{value}"#); times].join(",");
                let claims = parse(&format!("{{{members}}}")).unwrap();
                let why = of.map(|of| claims.unreadable(of).unwrap().to_string());
                let expected =
                    of.map(|_| format!("claim `{name}` cannot be read: it is duplicated"));
                assert_eq!(why, expected, "{members}");
                assert_eq!(claims.scope().iter().count() + claims.roles().count(), 0, "{name}");
                assert_eq!(claims.permissions().count(), 0, "{name}");
                let texts = [
                    claims.token_id(),
                    claims.client_id(),
                    claims.session_id(),
                    claims.text(claims.acr),
                ];
                assert_eq!((texts, claims.authenticated_at()), ([None; 4], None), "{name}");
            }
        }
    }

    /// Writes the first letter as an equivalent escape.
    fn escaped(name: &str) -> String {
        format!("\\u{:04x}", name.as_bytes()[0])
    }

    #[test]
    fn scope_string_is_split_and_list_elements_are_not() {
        for (scope, names, unreadable) in [
            (r#""a b""#, &["a", "b"][..], false),
            (r#"" a  b ""#, &["a", "b"], false),
            (r#""""#, &[], false),
            ("[]", &[], false),
            (r#"["a","b"]"#, &["a", "b"], false),
            (r#"["orders:read","openid"]"#, &["orders:read", "openid"], false),
            (r#"["a b"]"#, &[], true),
            (r#"["c","a b"]"#, &["c"], true),
            (r#"["a",7]"#, &["a"], true),
            (r#"[["a"]]"#, &[], true),
            ("7", &[], true),
        ] {
            let claims = parse(&format!(r#"{{"scope":{scope}}}"#)).unwrap();
            assert_eq!(claims.scope().iter().collect::<Vec<_>>(), names, "{scope}");
            let why = claims.unreadable(PolicyClaim::Scopes).map(ToString::to_string);
            assert_eq!(why.is_some(), unreadable, "{scope}");
            assert!(why.is_none_or(|why| why.contains("`scope`") && why.contains("per element")));
        }
    }

    #[test]
    fn roles_of_wrong_shape_are_recorded_and_ignored() {
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
            (r#"{"a":1,"a":1}"#, &[], true),
            (r#"["r",{"a":1,"a":1}]"#, &[], true),
        ] {
            let claims = parse(&format!(r#"{{"roles":{roles}}}"#)).unwrap();
            assert_eq!(claims.roles().collect::<Vec<_>>(), names, "{roles}");
            assert_eq!(claims.unreadable(PolicyClaim::Roles).is_some(), malformed, "{roles}");
            assert!(claims.unreadable(PolicyClaim::Permissions).is_none(), "{roles}");
            let claims = parse(&format!(r#"{{"permissions":{roles}}}"#)).unwrap();
            let found = claims.unreadable(PolicyClaim::Permissions).is_some();
            assert_eq!(found, malformed, "{roles}");
        }
    }

    #[test]
    fn debug_shows_no_claim_value() {
        let claims = parse(r#"{"sub":"alice","scope":"secret","exp":10}"#).unwrap();
        let shown = format!("{claims:?}");
        assert!(!shown.contains("alice") && !shown.contains("secret"), "{shown}");
    }
}
