//! A token in the making.

use std::sync::Arc;

use portcullis::testing::TestKey;
use serde_json::{Map, Value, json};

use crate::issuer::AUDIENCE;

/// A token of a [`TestIssuer`](crate::TestIssuer), which is signed when it is
/// [turned into text](Self::sign).
#[derive(Debug, Clone)]
pub struct TestToken {
    key: Arc<TestKey>,
    claims: Map<String, Value>,
    now: u64,
}

impl TestToken {
    pub(crate) fn new(key: Arc<TestKey>, issuer: &str, subject: &str, now: u64) -> Self {
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
        Self { key, claims, now }
    }

    /// Any claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// What it is for, in the place of [`AUDIENCE`].
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// `scope`.
    #[must_use]
    pub fn scopes<const N: usize>(self, scopes: [&str; N]) -> Self {
        self.claim("scope", scopes.join(" "))
    }

    /// `roles`.
    #[must_use]
    pub fn roles<const N: usize>(self, roles: [&str; N]) -> Self {
        self.claim("roles", roles.map(str::to_owned).to_vec())
    }

    /// One that expired a minute ago.
    #[must_use]
    pub fn expired(self) -> Self {
        let now = self.now;
        self.claim("iat", now - 960).claim("exp", now - 60)
    }

    /// The token itself.
    #[must_use]
    pub fn sign(&self) -> String {
        self.key.token(&Value::Object(self.claims.clone()))
    }

    /// The value of an Authorization header.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.sign())
    }
}
