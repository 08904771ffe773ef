//! The value of the cookie that proves which host has set the other cookies.
//!
//! Any host of a domain can set a `__Secure-` cookie for the domain's other hosts, but not a
//! `__Host-` cookie (RFC 6265bis §4.1.3). So the issuer sets a `__Host-` cookie beside the
//! `__Secure-` cookies. The `__Host-` cookie names the session and the refresh token of the refresh
//! cookie. No API receives the `__Host-` cookie, so a request with it does not come from an API
//! that has seen the session's access token.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::hash::hash_of;
use crate::domain::sessions::MacKey;
use crate::error::Error;

const LABEL: &str = "portcullis-issuer: the host cookie of a session";

/// Makes and checks the values.
pub(crate) struct HostCookies {
    current: hmac::Key,
    /// The HMAC keys of earlier key-encryption keys, for sessions that began under them.
    earlier: Vec<hmac::Key>,
}

impl HostCookies {
    /// Derives the HMAC keys from the MAC keys of refresh tokens, which are kept when the
    /// key-encryption key is replaced.
    pub(crate) fn new(current: &MacKey, earlier: &[MacKey]) -> Result<Self, Error> {
        let derived = |mac: &MacKey| Ok::<_, Error>(mac.key.derive(LABEL)?.as_hmac_key());
        let earlier = earlier.iter().map(derived).collect::<Result<_, _>>()?;
        Ok(Self { current: derived(current)?, earlier })
    }

    /// Returns the value for a session and its current refresh token.
    pub(crate) fn value(&self, session_id: &str, refresh_token: &str) -> String {
        let of_session = hmac::sign(&self.current, session_id.as_bytes());
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!("{}.{}", encode(of_session.as_ref()), encode(&hash_of(refresh_token)))
    }

    /// Returns whether the value belongs to this session.
    pub(crate) fn is_of_session(&self, value: &str, session_id: &str) -> bool {
        let tag = value.split_once('.').and_then(|(tag, _)| URL_SAFE_NO_PAD.decode(tag).ok());
        let mut keys = std::iter::once(&self.current).chain(&self.earlier);
        tag.is_some_and(|tag| {
            keys.any(|key| hmac::verify(key, session_id.as_bytes(), &tag).is_ok())
        })
    }

    /// Returns whether the value belongs to this refresh token. The check needs no key, because a
    /// sibling host cannot set the cookie at all.
    pub(crate) fn is_of_refresh_token(value: &str, refresh_token: &str) -> bool {
        let hash = value.split_once('.').and_then(|(_, hash)| URL_SAFE_NO_PAD.decode(hash).ok());
        hash.is_some_and(|hash| verify_slices_are_equal(&hash, &hash_of(refresh_token)).is_ok())
    }
}

impl fmt::Debug for HostCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostCookies(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keys::KeyEncryptionKey;

    fn key(byte: u8) -> MacKey {
        let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
        MacKey::of(&KeyEncryptionKey::from_base64(&text).unwrap(), 1).unwrap()
    }

    #[test]
    fn value_of_an_earlier_key_is_accepted_while_that_key_is_kept() {
        let value = HostCookies::new(&key(1), &[]).unwrap().value("session", "token");
        assert!(HostCookies::new(&key(2), &[key(1)]).unwrap().is_of_session(&value, "session"));
        assert!(!HostCookies::new(&key(2), &[]).unwrap().is_of_session(&value, "session"));
    }

    #[test]
    fn value_is_of_one_session_and_one_refresh_token() {
        let cookies = HostCookies::new(&key(1), &[]).unwrap();
        let value = cookies.value("session", "token");
        assert!(cookies.is_of_session(&value, "session"));
        assert!(HostCookies::is_of_refresh_token(&value, "token"));
        assert!(!cookies.is_of_session(&value, "other"));
        assert!(!HostCookies::new(&key(2), &[]).unwrap().is_of_session(&value, "session"));
        assert!(!HostCookies::is_of_refresh_token(&value, "other"));
        for wrong in ["", ".", "a.b", "session.token", value.split_once('.').unwrap().0] {
            assert!(!cookies.is_of_session(wrong, "session"), "{wrong}");
            assert!(!HostCookies::is_of_refresh_token(wrong, "token"), "{wrong}");
        }
        assert_eq!(format!("{cookies:?}"), "HostCookies(redacted)");
    }
}
