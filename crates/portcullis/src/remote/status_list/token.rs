//! A status list in its published form: a signed token ([draft-ietf-oauth-status-list §5.1]).
//!
//! [draft-ietf-oauth-status-list §5.1]: https://datatracker.ietf.org/doc/html/draft-ietf-oauth-status-list#section-5.1

use std::sync::Arc;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;

use super::StatusList;
use super::bits::Bits;
use crate::algorithm::Algorithm;
use crate::claims::NumericDate;
use crate::json::{self, FromMembers, Member, Nested, Text};
use crate::jws::{CompactJws, TokenType};
use crate::key::{KeyRequest, VerificationKey};
use crate::key_source::ResolveError;

/// The maximum length of a list token, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 1024 * 1024;

/// A list with a verified signature, and the key that verified it.
pub(crate) struct List {
    pub(super) bits: Bits,
    pub(super) issued_at: NumericDate,
    /// The time when the list expires.
    pub(super) expires_at: Option<NumericDate>,
    /// The time until the list should be fetched again.
    pub(super) ttl: Option<Duration>,
    key_id: Option<Arc<str>>,
    algorithm: Algorithm,
    key: Arc<VerificationKey>,
}

impl List {
    pub(super) fn is_signed_with(&self, key: &VerificationKey) -> bool {
        self.key.is_same(key)
    }

    /// Returns whether the list is valid now: it has not expired, and its key is still current. A token
    /// that is signed with the key must meet the same condition.
    pub(super) fn holds(&self, document: &StatusList, now: NumericDate) -> bool {
        let wanted = KeyRequest::new(self.key_id.as_deref(), self.algorithm);
        self.expires_at.is_none_or(|expiry| now < expiry)
            && document.keys.is_current(&wanted, &self.key)
    }
}

impl StatusList {
    /// Parses and verifies `text`.
    pub(super) async fn verify(&self, text: &[u8], now: NumericDate) -> Result<List, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not ASCII".to_owned())?.trim_end();
        let wanted = {
            let jws = self.parse(text)?;
            (jws.header().key_id.clone(), jws.header().algorithm)
        };
        let (key_id, algorithm) = wanted;
        let keys = self.keys.resolve(&KeyRequest::new(key_id.as_deref(), algorithm)).await;
        let keys = keys.map_err(|error| match error {
            ResolveError::Refused(error) => error.to_string(),
            ResolveError::Unavailable { .. } | ResolveError::BudgetSpent { .. } => {
                "the issuer's keys are unavailable".to_owned()
            }
        })?;
        let (payload, key) = keys
            .verify(&self.parse(text)?, Some(self.algorithms.provider()))
            .map_err(|error| error.to_string())?;
        let key = key.clone();
        let claims: ListClaims<'_> =
            json::from_slice(payload.as_ref()).map_err(|error| error.to_string())?;
        self.read(&claims, now, (key_id, algorithm, key)).map_err(str::to_owned)
    }

    fn parse<'t>(&self, text: &'t str) -> Result<CompactJws<'t>, String> {
        let jws =
            CompactJws::parse_within(text, MAX_TOKEN_BYTES).map_err(|error| error.to_string())?;
        // RFC 8725 §3.11: no other token of the issuer may be used as a list.
        if jws.header().token_type != TokenType::StatusList {
            return Err("its `typ` is not `statuslist+jwt`".to_owned());
        }
        if !self.algorithms.contains(jws.header().algorithm) {
            return Err(format!("its `alg`, {}, is not allowed", jws.header().algorithm));
        }
        Ok(jws)
    }

    /// Applies the rules of §8.3.
    fn read(
        &self,
        claims: &ListClaims<'_>,
        now: NumericDate,
        (key_id, algorithm, key): (Option<Arc<str>>, Algorithm, Arc<VerificationKey>),
    ) -> Result<List, &'static str> {
        let is = |claim: &Option<Text<'_>>, name: &str| {
            claim.as_ref().is_some_and(|Text(text)| text == name)
        };
        // Another list of the same issuer does not cover these tokens.
        if !is(&claims.sub, &self.uri) {
            return Err("its `sub` is not the URL of the list");
        }
        if claims.iss.is_some() && !is(&claims.iss, &self.issuer) {
            return Err("its `iss` is not this issuer");
        }
        let issued_at = claims.iat.ok_or("it has no `iat`")?;
        let ahead = issued_at.as_duration().saturating_sub(now.as_duration());
        if ahead > self.leeway {
            return Err("its `iat` is in the future");
        }
        if claims.exp.is_some_and(|expiry| expiry <= now) {
            return Err("it has expired");
        }
        if claims.ttl == Some(0) {
            return Err("its `ttl` is not positive");
        }
        let (Some(width), Some(list)) = (claims.list.0.bits, &claims.list.0.list) else {
            return Err("it has no `status_list` with `bits` and `lst`");
        };
        let compressed = URL_SAFE_NO_PAD
            .decode_to_vec(list.0.as_bytes())
            .map_err(|_| "its `lst` is not base64url")?;
        let bits = Bits::unpack(width, &compressed)
            .ok_or("its `lst` is not a zlib stream of a valid length and width")?;
        let ttl = claims.ttl.map(Duration::from_secs);
        Ok(List { bits, issued_at, expires_at: claims.exp, ttl, key_id, algorithm, key })
    }
}

#[derive(Default)]
struct ListClaims<'a> {
    iss: Option<Text<'a>>,
    sub: Option<Text<'a>>,
    iat: Option<NumericDate>,
    exp: Option<NumericDate>,
    ttl: Option<u64>,
    list: Nested<ListMembers<'a>>,
}

impl<'de> FromMembers<'de> for ListClaims<'de> {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        match name {
            "iss" => self.iss = Some(member.read("iss")?),
            "sub" => self.sub = Some(member.read("sub")?),
            "iat" => self.iat = Some(member.read("iat")?),
            "exp" => self.exp = Some(member.read("exp")?),
            "ttl" => self.ttl = Some(member.read("ttl")?),
            "status_list" => self.list = member.read("status_list")?,
            _ => member.skip()?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct ListMembers<'a> {
    bits: Option<u64>,
    list: Option<Text<'a>>,
}

impl<'de> FromMembers<'de> for ListMembers<'de> {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        match name {
            "bits" => self.bits = Some(member.read("bits")?),
            "lst" => self.list = Some(member.read("lst")?),
            _ => member.skip()?,
        }
        Ok(())
    }
}
