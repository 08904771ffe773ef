//! The compact serialization of a JWS ([RFC 7515 §7.1]) and its JOSE header.
//!
//! Everything here runs before any key lookup and without I/O. A token with an invalid form is
//! rejected at the cost of parsing it.
//!
//! [RFC 7515 §7.1]: https://www.rfc-editor.org/rfc/rfc7515#section-7.1

mod known_headers;

use std::cell::Cell;
use std::sync::Arc;

use base64_simd::{AsOut as _, URL_SAFE_NO_PAD};
use memchr::{memchr, memchr_iter, memrchr};
use serde::de::IgnoredAny;
use smallvec::SmallVec;
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::json::{self, FromMembers, Member, Text};

pub(crate) use known_headers::KnownHeaders;

/// The default maximum token length, in bytes: more than most servers accept as a header.
pub(crate) const DEFAULT_MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The minimum and maximum of the configurable limit.
pub(crate) const MAX_TOKEN_BOUNDS: (usize, usize) = (1024, 1024 * 1024);

/// The maximum length of a JOSE header, in base64url characters.
const MAX_HEADER_CHARS: usize = 8 * 1024;

/// The longest signature of any [`Algorithm`]: ML-DSA-87.
const MAX_SIGNATURE_BYTES: usize = 4627;

/// A buffer for decoded bytes. A header or a 4096-bit RSA signature fits without an allocation.
pub(crate) type Decoded = SmallVec<[u8; 512]>;

/// A token in compact form. Nothing in it is trusted yet, and it cannot be printed.
pub(crate) struct CompactJws<'a> {
    token: &'a [u8],
    parts: Parts,
    /// The decoded payload. It is taken when the signature is verified.
    decoded: Cell<Option<Vec<u8>>>,
}

/// The parsed header and the positions of the dots.
#[derive(Clone)]
struct Parts {
    header: JoseHeader,
    header_is_known: bool,
    dots: [usize; 2],
}

/// A copy that owns the token and can outlive the request.
pub(crate) struct OwnedJws {
    token: Zeroizing<Vec<u8>>,
    parts: Parts,
}

impl OwnedJws {
    pub(crate) fn borrow(&self) -> CompactJws<'_> {
        CompactJws { token: &self.token, parts: self.parts.clone(), decoded: Cell::default() }
    }
}

impl<'a> CompactJws<'a> {
    /// Splits and parses `token`, which must be exactly three base64url parts.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        Self::parse_within(token, DEFAULT_MAX_TOKEN_BYTES)
    }

    /// Like [`parse`](Self::parse), with another length limit.
    pub(crate) fn parse_within(token: &'a str, max: usize) -> Result<Self, TokenError> {
        Self::parse_with(token.as_bytes(), max, |encoded| Ok((JoseHeader::parse(encoded)?, false)))
    }

    /// Like [`parse_within`](Self::parse_within), without parsing a header that is cached.
    pub(crate) fn parse_knowing(
        token: &'a [u8],
        max: usize,
        headers: &KnownHeaders,
    ) -> Result<Self, TokenError> {
        Self::parse_with(token, max, |encoded| headers.read(encoded))
    }

    /// Caches the header of an accepted token.
    pub(crate) fn keep_header(&self, headers: &KnownHeaders) {
        if !self.parts.header_is_known {
            let [end, _] = self.parts.dots;
            headers.keep(self.token.get(..end).unwrap_or_default(), &self.parts.header);
        }
    }

    /// Returns the whole token.
    pub(crate) fn token(&self) -> &'a [u8] {
        self.token
    }

    pub(crate) fn header(&self) -> &JoseHeader {
        &self.parts.header
    }

    pub(crate) fn to_owned(&self) -> OwnedJws {
        OwnedJws { token: Zeroizing::new(self.token.to_owned()), parts: self.parts.clone() }
    }

    fn parse_with(
        token: &'a [u8],
        max: usize,
        read: impl FnOnce(&[u8]) -> Result<(JoseHeader, bool), TokenError>,
    ) -> Result<Self, TokenError> {
        if token.len() > max {
            return Err(TokenError::TooLong { limit: max });
        }
        let (Some(first), Some(last)) = (memchr(b'.', token), memrchr(b'.', token)) else {
            return Err(TokenError::NotCompact);
        };
        if first == last {
            return Err(TokenError::NotCompact);
        }
        let payload = token.get(first + 1..last).unwrap_or_default();
        let decoded = decode_payload(payload).ok();
        // A decoded payload has no dots.
        if decoded.is_none() {
            match memchr_iter(b'.', payload).count() {
                0 => {}
                // Five parts are a JWE (RFC 7516), encrypted for another recipient.
                2 => return Err(TokenError::Encrypted),
                _ => return Err(TokenError::NotCompact),
            }
        }
        let (header, header_is_known) = read(token.get(..first).unwrap_or_default())?;
        let parts = Parts { header, header_is_known, dots: [first, last] };
        Ok(Self { token, parts, decoded: Cell::new(decoded) })
    }

    /// Returns whether all three parts are strict base64url.
    pub(crate) fn is_base64url(&self) -> bool {
        let decoded = self.decoded.take();
        let is_decoded = decoded.is_some();
        self.decoded.set(decoded);
        // A header that is not base64url is rejected when it is parsed.
        is_decoded && URL_SAFE_NO_PAD.check(self.encoded_signature()).is_ok()
    }

    fn encoded_signature(&self) -> &[u8] {
        let [_, end] = self.parts.dots;
        self.token.get(end + 1..).unwrap_or_default()
    }

    /// Returns the bytes that the signature covers.
    pub(crate) fn signing_input(&self) -> &[u8] {
        let [_, end] = self.parts.dots;
        self.token.get(..end).unwrap_or_default()
    }

    /// Decodes the signature into `buffer`.
    pub(crate) fn signature<'b>(&self, buffer: &'b mut Decoded) -> Result<&'b [u8], TokenError> {
        let signature = self.encoded_signature();
        if signature.len() / 4 * 3 > MAX_SIGNATURE_BYTES {
            return Err(TokenError::TooLong { limit: MAX_SIGNATURE_BYTES });
        }
        decode(signature, buffer).ok_or(TokenError::NotBase64Url { part: "signature" })
    }

    /// Decodes the payload. Call it only with proof that the signature is valid.
    pub(crate) fn decode_payload(&self) -> Result<Vec<u8>, TokenError> {
        if let Some(decoded) = self.decoded.take() {
            return Ok(decoded);
        }
        let [start, end] = self.parts.dots;
        decode_payload(self.token.get(start + 1..end).unwrap_or_default())
    }

    /// Returns the result of `read` on the payload, before the signature is verified.
    pub(crate) fn peek<T>(&self, read: impl FnOnce(&[u8]) -> T) -> Result<T, TokenError> {
        let payload = self.decode_payload()?;
        let read = read(&payload);
        self.decoded.set(Some(payload));
        Ok(read)
    }
}

/// Decodes the payload of a three-part text without checking the header.
pub(crate) fn peek_payload(token: &str) -> Result<Vec<u8>, TokenError> {
    let mut parts = token.split('.').skip(1);
    let (Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(TokenError::NotCompact);
    };
    decode_payload(payload.as_bytes())
}

pub(crate) fn decode_payload(encoded: &[u8]) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode_to_vec(encoded).map_err(|_| TokenError::NotBase64Url { part: "payload" })
}

/// Decodes strict base64url into `buffer`. `None` if `encoded` is not valid.
fn decode<'b>(encoded: &[u8], buffer: &'b mut Decoded) -> Option<&'b [u8]> {
    buffer.resize(URL_SAFE_NO_PAD.decoded_length(encoded).ok()?, 0);
    let decoded = URL_SAFE_NO_PAD.decode(encoded, buffer.as_mut_slice().as_out()).ok()?;
    Some(decoded)
}

/// The header parameters that this crate uses ([RFC 7515 §4.1]).
///
/// `jku`, `jwk`, `x5u` and `x5c` are omitted: a key is never taken from the token that it would
/// verify.
///
/// [RFC 7515 §4.1]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1
#[derive(Clone)]
pub(crate) struct JoseHeader {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) token_type: TokenType,
}

/// The media type in `typ`, ignoring case and a leading `application/` ([RFC 7515 §4.1.9]).
///
/// [RFC 7515 §4.1.9]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenType {
    /// No `typ`.
    Absent,
    /// `JWT`, which does not state the token's purpose.
    Jwt,
    /// `at+jwt`, an access token (RFC 9068 §2.1).
    AccessToken,
    /// `statuslist+jwt`, a status list (draft-ietf-oauth-status-list §5.1).
    StatusList,
    /// `logout+jwt`, a logout token (OpenID Connect Back-Channel Logout §2.4).
    Logout,
    /// `secevent+jwt`, a security event token (RFC 8417 §2.3).
    SecurityEvent,
    /// Anything else: an ID token, a DPoP proof, …
    Other,
}

impl TokenType {
    fn from_typ(typ: &str) -> Self {
        let is = |name: &str| typ.eq_ignore_ascii_case(name);
        let (head, rest) = typ.split_at_checked("application/".len()).unwrap_or(("", typ));
        if head.eq_ignore_ascii_case("application/") && !rest.contains('/') {
            return Self::from_typ(rest);
        }
        if is("JWT") {
            Self::Jwt
        } else if is("at+jwt") {
            Self::AccessToken
        } else if is("statuslist+jwt") {
            Self::StatusList
        } else if is("logout+jwt") {
            Self::Logout
        } else if is("secevent+jwt") {
            Self::SecurityEvent
        } else {
            Self::Other
        }
    }
}

impl JoseHeader {
    fn parse(encoded: &[u8]) -> Result<Self, TokenError> {
        if encoded.len() > MAX_HEADER_CHARS {
            return Err(TokenError::TooLong { limit: MAX_HEADER_CHARS });
        }
        let mut buffer = Decoded::new();
        let decoded =
            decode(encoded, &mut buffer).ok_or(TokenError::NotBase64Url { part: "header" })?;
        let members: Members<'_> =
            json::from_slice(decoded).map_err(|error| TokenError::json(error, "header"))?;
        // RFC 7515 §4.1.11: no extension is supported, so a token that requires one is rejected.
        if members.has_crit {
            return Err(TokenError::CriticalHeader);
        }
        // RFC 7797 §6 requires `b64` to be listed in `crit`; a token that omits it there is also
        // rejected.
        if members.has_b64 {
            return Err(TokenError::UnencodedPayload);
        }
        let algorithm = members
            .alg
            .and_then(|alg| Algorithm::from_name(&alg.0))
            .ok_or(TokenError::UnknownAlgorithm)?;
        let token_type = members.typ.map_or(TokenType::Absent, |typ| TokenType::from_typ(&typ.0));
        Ok(Self { algorithm, key_id: members.kid.map(|kid| kid.0.into()), token_type })
    }
}

#[derive(Default)]
#[cfg_attr(any(test, fuzzing), derive(PartialEq))]
struct Members<'a> {
    alg: Option<Text<'a>>,
    kid: Option<Text<'a>>,
    typ: Option<Text<'a>>,
    has_crit: bool,
    has_b64: bool,
}

impl<'de> FromMembers<'de> for Members<'de> {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        match name {
            "alg" => self.alg = Some(member.read("alg")?),
            "kid" => self.kid = Some(member.read("kid")?),
            "typ" => self.typ = Some(member.read("typ")?),
            "crit" => {
                member.read::<IgnoredAny>("crit")?;
                self.has_crit = true;
            }
            "b64" => {
                member.read::<IgnoredAny>("b64")?;
                self.has_b64 = true;
            }
            _ => member.skip()?,
        }
        Ok(())
    }
}

/// Panics if the two readers of a header disagree. Returns whether the faster one accepts it.
#[cfg(any(test, fuzzing))]
pub(crate) fn readers_agree(header: &str) -> bool {
    let (mut scanned, mut read) = (Members::default(), Members::default());
    let (is_accepted, result) = json::by_each_reader(header, &mut scanned, &mut read);
    assert!(!is_accepted || result.is_ok() && scanned == read, "{header:?}");
    is_accepted
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    fn refusal(token: &str) -> TokenError {
        CompactJws::parse(token).err().unwrap_or_else(|| panic!("accepted: {token}"))
    }

    #[test]
    fn valid_header_is_parsed() {
        let token = token(r#"{"alg":"ES256","kid":"k\u0031","typ":"application/AT+JWT","x":[]}"#);
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!(jws.header().algorithm, Algorithm::Es256);
        assert_eq!(jws.header().key_id.as_deref(), Some("k1"));
        assert_eq!(jws.header().token_type, TokenType::AccessToken);
        assert_eq!(jws.signing_input(), token.strip_suffix(".AA").unwrap().as_bytes());
        assert_eq!(jws.signature(&mut Decoded::new()).unwrap(), [0]);
        assert_eq!(jws.decode_payload().unwrap(), b"{}");
    }

    #[test]
    fn token_without_exactly_three_parts_is_rejected() {
        for text in ["", ".", "a", "a.b", "a.b.c.d", "a.b.c.d.e.f"] {
            assert!(matches!(refusal(text), TokenError::NotCompact), "{text:?}");
        }
        assert!(matches!(refusal("a.b.c.d.e"), TokenError::Encrypted));
        assert!(matches!(refusal("..AA"), TokenError::NotJson { part: "header" }));
    }

    #[test]
    fn non_strict_base64url_is_rejected() {
        // Padding, the standard alphabet, white space, and trailing bits after the last whole byte.
        for part in ["e30=", "e3+0", "e3 0", "e30\n", "e31", "e3é0"] {
            let text = format!("{part}.e30.AA");
            assert!(
                matches!(refusal(&text), TokenError::NotBase64Url { part: "header" }),
                "{part}"
            );
        }
        let text = token(r#"{"alg":"ES256"}"#).replace(".AA", ".AB");
        assert!(CompactJws::parse(&text).unwrap().signature(&mut Decoded::new()).is_err());
    }

    #[test]
    fn none_and_unknown_algorithms_are_rejected() {
        for alg in ["none", "es256", "RS256 ", "", "RSA-OAEP"] {
            let text = token(&format!(r#"{{"alg":"{alg}"}}"#));
            assert!(matches!(refusal(&text), TokenError::UnknownAlgorithm), "{alg}");
        }
        assert!(matches!(refusal(&token("{}")), TokenError::UnknownAlgorithm));
        let text = token(r#"{"alg":["ES256"]}"#);
        assert!(matches!(refusal(&text), TokenError::WrongType { name: "alg" }));
    }

    #[test]
    fn crit_and_b64_are_rejected_with_any_value() {
        for crit in ["[]", "null", r#"["exp"]"#, r#"["b64"]"#] {
            let text = token(&format!(r#"{{"alg":"ES256","crit":{crit}}}"#));
            assert!(matches!(refusal(&text), TokenError::CriticalHeader), "{crit}");
        }
        let text = token(r#"{"alg":"ES256","b64":false}"#);
        assert!(matches!(refusal(&text), TokenError::UnencodedPayload));
    }

    #[test]
    fn duplicate_header_member_is_rejected() {
        let text = token(r#"{"alg":"ES256","alg":"ES256"}"#);
        assert!(matches!(refusal(&text), TokenError::DuplicateMember { part: "header" }));
    }

    #[test]
    fn token_and_header_sizes_are_limited() {
        let text = "a".repeat(DEFAULT_MAX_TOKEN_BYTES + 1);
        assert!(matches!(refusal(&text), TokenError::TooLong { limit: 16_384 }));
        let text = "a".repeat(DEFAULT_MAX_TOKEN_BYTES);
        assert!(matches!(refusal(&text), TokenError::NotCompact), "at the limit");
        let text = format!("{}.e30.AA", "a".repeat(MAX_HEADER_CHARS + 1));
        assert!(matches!(refusal(&text), TokenError::TooLong { limit: 8192 }));
        let text = format!("{}.e30.AA", "a".repeat(MAX_HEADER_CHARS));
        assert!(matches!(refusal(&text), TokenError::NotJson { .. }), "at the limit");
        let text = token(r#"{"alg":"ES256"}"#).replace(".AA", &format!(".{}", "A".repeat(6200)));
        let error = CompactJws::parse(&text).unwrap().signature(&mut Decoded::new()).err();
        assert!(matches!(error, Some(TokenError::TooLong { .. })));
    }

    #[test]
    fn signatures_of_every_length_are_decoded() {
        for length in [1, 64, 511, 512, 513, 514, 515, 1024, 2420, 3309, 4627] {
            let expected = vec![7; length];
            let signature = URL_SAFE_NO_PAD.encode(&expected);
            let text = token(r#"{"alg":"RS256"}"#).replace(".AA", &format!(".{signature}"));
            let (jws, mut buffer) = (CompactJws::parse(&text).unwrap(), Decoded::new());
            assert_eq!(jws.signature(&mut buffer).unwrap(), expected);
        }
    }

    #[test]
    fn typ_is_compared_as_a_media_type() {
        for (typ, expected) in [
            ("JWT", TokenType::Jwt),
            ("jwt", TokenType::Jwt),
            ("at+jwt", TokenType::AccessToken),
            ("application/at+JWT", TokenType::AccessToken),
            ("application/application/at+jwt", TokenType::Other),
            ("statuslist+jwt", TokenType::StatusList),
            ("logout+jwt", TokenType::Logout),
            ("secevent+jwt", TokenType::SecurityEvent),
            ("dpop+jwt", TokenType::Other),
            ("", TokenType::Other),
        ] {
            assert_eq!(TokenType::from_typ(typ), expected, "{typ}");
        }
    }
}
