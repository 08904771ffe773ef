//! A token builder.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::key::TestKey;
use super::{AUDIENCE, authorization};

/// A token that is signed when it is converted to [text](Self::sign) or [headers](Self::headers).
///
/// It starts as an RFC 9068 access token for [`AUDIENCE`] with a lifetime of 900 s; each method
/// changes a claim or the JOSE header.
#[derive(Debug, Clone)]
pub struct TestToken {
    key: Arc<TestKey>,
    /// The JOSE header members that are set explicitly.
    header: Map<String, Value>,
    claims: Map<String, Value>,
    now: u64,
}

impl TestToken {
    /// Creates a valid token of `issuer` for `subject`, issued at `now` (seconds since 1970) and
    /// signed with `key`.
    #[must_use]
    pub fn new(key: Arc<TestKey>, issuer: &str, subject: &str, now: u64) -> Self {
        let claims = [
            ("iss", json!(issuer)),
            ("sub", json!(subject)),
            ("aud", json!(AUDIENCE)),
            ("client_id", json!("test")),
            ("jti", json!(format!("{subject}-{now}"))),
            ("iat", json!(now)),
            ("exp", json!(now + 900)),
        ];
        let claims = claims.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        Self { key, header: Map::new(), claims, now }
    }

    /// Creates a logout token of `issuer` for `client`, issued at `now` (seconds since 1970),
    /// signed with `key`, that expires in 120 s. Each logout token has a different `jti`. It has no
    /// `sub` and no `sid`.
    #[must_use]
    pub fn logout(key: Arc<TestKey>, issuer: &str, client: &str, now: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let claims = json!({
            "iss": issuer,
            "aud": client,
            "iat": now,
            "exp": now + 120,
            "jti": format!("logout-{number}"),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        let token = Self { key, header: Map::new(), claims: Map::new(), now };
        token.header("typ", "logout+jwt").claims(&claims)
    }

    /// Creates a security event token of `issuer` for `audience`: the CAEP event `session-revoked` for
    /// `session`, at `now` (seconds since 1970). Each has another `jti`.
    #[must_use]
    pub fn session_revoked(
        key: Arc<TestKey>,
        issuer: &str,
        audience: &str,
        session: &str,
        now: u64,
    ) -> Self {
        let event = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
        let claims = json!({
            "sub_id": {"format": "opaque", "id": session},
            "events": {event: {"event_timestamp": now}},
        });
        let token = Self::logout(key, issuer, audience, now).without("exp");
        token.header("typ", "secevent+jwt").claims(&claims)
    }

    /// Sets a member of the JOSE header, such as `typ` or `kid`, replacing the signing key's value.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Sets each member of an object as a claim.
    ///
    /// # Panics
    ///
    /// If `claims` is not an object.
    #[must_use]
    pub fn claims(mut self, claims: &Value) -> Self {
        self.claims.extend(claims.as_object().expect("the claims are not an object").clone());
        self
    }

    /// Removes a claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Returns a claim.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// Sets `iss`.
    #[must_use]
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// Sets `aud`, replacing [`AUDIENCE`].
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `scope`.
    #[must_use]
    pub fn scopes<const N: usize>(self, scopes: [&str; N]) -> Self {
        self.claim("scope", scopes.join(" "))
    }

    /// Sets `roles`.
    #[must_use]
    pub fn roles<const N: usize>(self, roles: [&str; N]) -> Self {
        self.claim("roles", roles.map(str::to_owned).to_vec())
    }

    /// Sets `status` to an index in the status list at `uri` ([draft-ietf-oauth-status-list §6.1]).
    ///
    /// [draft-ietf-oauth-status-list §6.1]: https://datatracker.ietf.org/doc/html/draft-ietf-oauth-status-list#section-6.1
    #[must_use]
    pub fn status(self, uri: &str, index: u64) -> Self {
        self.claim("status", json!({"status_list": {"uri": uri, "idx": index}}))
    }

    /// Sets `iat` and `exp` so that the token expired 60 s ago.
    #[must_use]
    pub fn expired(self) -> Self {
        let now = self.now;
        self.claim("iat", now - 960).claim("exp", now - 60)
    }

    /// Sets `exp` to `secs` seconds after the token was issued.
    #[must_use]
    pub fn lifetime(self, secs: u64) -> Self {
        let now = self.now;
        self.claim("exp", now + secs)
    }

    /// Signs with another key.
    #[must_use]
    pub fn signed_with(self, key: Arc<TestKey>) -> Self {
        Self { key, ..self }
    }

    /// Returns the signed token.
    #[must_use]
    pub fn sign(&self) -> String {
        let mut header = self.key.header();
        for (name, value) in &self.header {
            header[name.as_str()] = value.clone();
        }
        self.key.sign(&header.to_string(), &json!(self.claims).to_string())
    }

    /// Returns the value of an `Authorization` header: `Bearer` and the signed token.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.sign())
    }

    /// Returns request headers with the signed token.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        authorization(&self.bearer())
    }
}
