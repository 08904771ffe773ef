//! How a [`TestIssuer`](crate::TestIssuer) publishes revoked tokens: status lists
//! ([draft-ietf-oauth-status-list]) and introspection ([RFC 7662]).
//!
//! [draft-ietf-oauth-status-list]: https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/
//! [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use portcullis::testing::TestKey;
use portcullis::{Algorithm, signature};
use serde_json::{Map, Value, json};

use crate::state::{Place, State};

/// The client that may introspect tokens. Neither string needs form encoding.
pub(crate) const CLIENT_ID: &str = "api";
pub(crate) const SECRET: &str = "test-secret";

/// The number of entries of a list. The number is fixed, because a service may fetch the list
/// before a token is issued.
const PLACES: u64 = 1 << 16;

/// Lifetime of a list, in seconds.
const LIST_LIFETIME: u64 = 3600;

impl State {
    /// Returns the status list entry of the next token.
    pub(crate) fn next_place(&mut self) -> (String, u64) {
        let number = self.issued;
        self.issued += 1;
        (self.list_url(number / PLACES + 1), number % PLACES)
    }

    /// Returns the entry that the claim `status` names, if it is in one of this issuer's lists.
    pub(crate) fn place(&self, status: &Value) -> Option<Place> {
        let place = status.get("status_list")?;
        let index = place.get("idx")?.as_u64().filter(|index| *index < PLACES)?;
        let (_, list) = place.get("uri")?.as_str()?.rsplit_once('/')?;
        let list = list.parse().ok()?;
        (place["uri"] == self.list_url(list)).then_some((list, index))
    }

    /// Returns a list as served: a signed token (§5.1).
    pub(crate) fn status_list(&self, list: u64) -> String {
        let mut bits = [0_u8; PLACES as usize / 8];
        for (_, index) in self.revoked.iter().filter(|(revoked_in, _)| *revoked_in == list) {
            bits[*index as usize / 8] |= 1 << (index % 8);
        }
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&bits).unwrap();
        let packed = URL_SAFE_NO_PAD.encode(packed.finish().unwrap());
        let (key, now) = (self.key(), self.now());
        let jwk = key.jwk();
        let header = json!({"alg": jwk["alg"], "kid": jwk["kid"], "typ": "statuslist+jwt"});
        let claims = json!({
            "sub": self.list_url(list),
            "iat": now,
            "exp": now + LIST_LIFETIME,
            "status_list": {"bits": 1, "lst": packed},
        });
        key.sign(&header.to_string(), &claims.to_string())
    }

    /// Returns the introspection response for `token` (RFC 7662 §2.2).
    pub(crate) fn introspect(&self, token: &str) -> Value {
        match self.active(token) {
            Some(mut claims) => {
                claims.insert("active".to_owned(), json!(true));
                Value::Object(claims)
            }
            None => json!({"active": false}),
        }
    }

    /// Returns the claims of `token`, if this issuer issued it and it is neither expired nor
    /// revoked.
    fn active(&self, token: &str) -> Option<Map<String, Value>> {
        let keys = TestKey::key_set(self.keys());
        let token = signature::verify(token, &keys, Algorithm::ALL).ok()?;
        let claims: Map<String, Value> = serde_json::from_slice(token.payload()).ok()?;
        let place = claims.get("status").and_then(|status| self.place(status));
        let active = claims.get("iss")? == self.url.as_str()
            && claims.get("exp")?.as_u64()? > self.now()
            && place.is_none_or(|place| !self.revoked.contains(&place));
        active.then_some(claims)
    }

    fn list_url(&self, list: u64) -> String {
        format!("{}/status/{list}", self.url)
    }
}

/// Returns the value of the client's `Authorization` header (RFC 6749 §2.3.1).
pub(crate) fn authorization() -> String {
    format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{SECRET}")))
}
