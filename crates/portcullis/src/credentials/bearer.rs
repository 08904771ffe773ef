//! A bearer token in a request ([RFC 6750 §2.1]).
//!
//! [RFC 6750 §2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1

use std::borrow::Cow;

use base64_simd::URL_SAFE_NO_PAD;

use super::CredentialsError;

/// The bytes of a presumed bearer token. Borrowed from the request, unless they were decoded.
pub(crate) struct BearerToken<'a>(Cow<'a, [u8]>);

impl<'a> BearerToken<'a> {
    /// Creates a token, if all of its characters are valid.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, CredentialsError> {
        let token = Self(Cow::Borrowed(bytes));
        token.text()?;
        Ok(token)
    }

    /// A token that came without a request. Its characters are checked when it is parsed.
    pub(crate) fn bare(token: &'a str) -> Self {
        Self(Cow::Borrowed(token.as_bytes()))
    }

    /// Decodes a token from base64url without padding.
    pub(super) fn decode(encoded: &[u8]) -> Result<Self, CredentialsError> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(encoded);
        let token = Self(Cow::Owned(bytes.map_err(|_| CredentialsError::Grammar)?));
        token.text()?;
        Ok(token)
    }

    /// The token after `scheme` in a header's value; `None` if the scheme is another one
    /// ([RFC 6750 §2.1], [RFC 9110 §11.4]).
    ///
    /// [RFC 6750 §2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
    /// [RFC 9110 §11.4]: https://www.rfc-editor.org/rfc/rfc9110#section-11.4
    #[inline]
    pub(super) fn behind(scheme: &[u8], value: &'a [u8]) -> Result<Option<Self>, CredentialsError> {
        let is_tchar = |&byte: &u8| {
            let is_sign = || byte != b' ' && b"!#$%&'*+-.^_`|~".contains(&byte);
            byte.is_ascii_alphanumeric() || is_sign()
        };
        let end = value.iter().position(|byte| !is_tchar(byte)).unwrap_or(value.len());
        let (sent, rest) = value.split_at(end);
        if !sent.eq_ignore_ascii_case(scheme) {
            return Ok(None);
        }
        if rest.first().is_some_and(|&byte| byte != b' ') {
            return Err(CredentialsError::Grammar);
        }
        let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
        // The token's characters are checked when it is parsed. A cached token has only valid
        // characters.
        Ok(Some(Self(Cow::Borrowed(rest.get(spaces..).unwrap_or_default()))))
    }

    /// The unchecked bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The token, if it is a `b64token` (RFC 6750 §2.1).
    pub(crate) fn text(&self) -> Result<&str, CredentialsError> {
        let bytes = self.bytes();
        let unpadded = bytes.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
        let (body, _padding) = bytes.split_at(unpadded);
        // The test has no branches, so that the compiler vectorizes the loop: tokens are long.
        let foreign = |byte: u8| {
            let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
            let dash_to_nine = byte.wrapping_sub(b'-') < 13;
            u8::from(!(letter | dash_to_nine | (byte == b'+') | (byte == b'_') | (byte == b'~')))
        };
        if body.is_empty() || body.iter().fold(0, |any, &byte| any | foreign(byte)) != 0 {
            return Err(CredentialsError::Grammar);
        }
        std::str::from_utf8(bytes).map_err(|_| CredentialsError::Grammar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(scheme: &str, value: &[u8]) -> Result<Option<String>, CredentialsError> {
        let token = BearerToken::behind(scheme.as_bytes(), value)?;
        token.map(|token| token.text().map(str::to_owned)).transpose()
    }

    #[test]
    fn bearer_token_is_found() {
        for value in
            ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g=="]
        {
            let token = Ok(Some("a.b-c_d~e+f/g==".to_owned()));
            assert_eq!(behind("Bearer", value.as_bytes()), token, "{value}");
        }
        assert_eq!(behind("JWT", b"jwt a"), Ok(Some("a".to_owned())));
    }

    #[test]
    fn other_scheme_is_not_a_bearer_token() {
        for value in ["Basic YTpi", "Bearerx a", "DPoP a", "", "Token"] {
            assert_eq!(behind("Bearer", value.as_bytes()), Ok(None), "{value}");
        }
        assert_eq!(behind("JWT", b"Bearer a"), Ok(None));
    }

    /// RFC 6750 §2.1: `b64token`, tested with every byte value.
    #[test]
    fn only_token68_characters_are_accepted() {
        for byte in 0..=u8::MAX {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            let bytes = [b'a', byte, b'a'];
            assert_eq!(BearerToken::parse(&bytes).is_ok(), allowed, "{byte:#x}");
        }
    }

    #[test]
    fn malformed_bearer_token_is_an_error_not_absent() {
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer =",
            b"Bearer a b",
            b"Bearer a,Bearer b",
            b"Bearer a=b",
            b"Bearer \"a\"",
            b"Bearer a\t",
            b"Bearer\ta",
            b"Bearer,a",
            b"bearer=a",
            b"Bearer \xff",
            "Bearer é".as_bytes(),
        ] {
            assert_eq!(behind("Bearer", value), Err(CredentialsError::Grammar), "{value:?}");
        }
    }

    #[test]
    fn encoded_token_is_decoded_strictly() {
        let decode = |encoded: &str| {
            BearerToken::decode(encoded.as_bytes()).map(|token| token.text().unwrap().to_owned())
        };
        assert_eq!(decode("YS5iLmM"), Ok("a.b.c".to_owned()));
        // The inputs are empty, padded, with non-zero trailing bits, in the standard alphabet, with
        // a space, not UTF-8, and of an impossible length.
        for encoded in ["", "YQ==", "YR", "Pz8/", "YSBi", "_w", "Y"] {
            assert_eq!(decode(encoded), Err(CredentialsError::Grammar), "{encoded}");
        }
    }
}
