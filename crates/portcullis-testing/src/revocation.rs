//! How a [`TestIssuer`](crate::TestIssuer) publishes which tokens are revoked: status lists
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

/// The client that may introspect tokens. Neither text needs encoding in a form.
pub(crate) const CLIENT_ID: &str = "api";
pub(crate) const SECRET: &str = "test-secret";

/// The places of one list. It has all of them from the start, because a service may have fetched it
/// before a token was issued.
const PLACES: u64 = 1 << 16;

/// In seconds.
const LIST_LIFETIME: u64 = 3600;

impl State {
    /// The place of the next token.
    pub(crate) fn next_place(&mut self) -> (String, u64) {
        let number = self.issued;
        self.issued += 1;
        (self.list_url(number / PLACES + 1), number % PLACES)
    }

    /// The place that the claim `status` names, if it is in a list of this issuer.
    pub(crate) fn place(&self, status: &Value) -> Option<Place> {
        let place = status.get("status_list")?;
        let index = place.get("idx")?.as_u64().filter(|index| *index < PLACES)?;
        let (_, list) = place.get("uri")?.as_str()?.rsplit_once('/')?;
        let list = list.parse().ok()?;
        (place["uri"] == self.list_url(list)).then_some((list, index))
    }

    /// A list as it is served: a signed token (§5.1).
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

    /// The answer about `token` (RFC 7662 §2.2).
    pub(crate) fn introspect(&self, token: &str) -> Value {
        match self.active(token) {
            Some(mut claims) => {
                claims.insert("active".to_owned(), json!(true));
                Value::Object(claims)
            }
            None => json!({"active": false}),
        }
    }

    /// The claims of `token`, if it is one of this issuer that is neither expired nor revoked.
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

/// The value of the client's Authorization header (RFC 6749 §2.3.1).
pub(crate) fn authorization() -> String {
    format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{SECRET}")))
}
