//! Dex, started as on its page.

use std::time::Duration;

use portcullis::Policy;

use super::{Facts, Issuer, SECRET, Start};
use crate::failure::Outcome;
use crate::http::{self, post_form};
use crate::instances::API;

#[derive(Debug, Clone)]
pub(crate) struct Dex;

impl Issuer for Dex {
    fn facts() -> Facts {
        Facts {
            name: "Dex",
            version: "2.45.1",
            page: "dex",
            profile: "dex",
            indistinct: true,
            issuer: "http://127.0.0.1:5556/dex",
            ready: "http://127.0.0.1:5556/dex/healthz",
            ready_within: Duration::from_secs(30),
            // Dex rotates its key every 6 hours, and cannot be made to rotate on request.
            start: Start::Page(&[("signingKeys: 6h", "signingKeys: 30s")]),
            policies: [
                Policy::claim("email", "alice@example.com"),
                Policy::claim("email", "bob@example.com"),
            ],
            policy_words: "the claim `email`, because Dex has no scopes or roles",
            algorithms: &["RS256"],
            about_algorithms: "",
            rotates_within: Duration::from_secs(120),
            logouts: None,
        }
    }

    async fn set_up(&self) -> Outcome<()> {
        Ok(())
    }

    async fn access_token(&self) -> Outcome<String> {
        token("access_token").await
    }

    async fn sign_with(&self, _: &str) -> Outcome<()> {
        Ok(())
    }

    async fn id_token(&self) -> Outcome<String> {
        token("id_token").await
    }

    /// Does nothing, because Dex rotates its key by itself.
    async fn rotate(&self) -> Outcome<()> {
        Ok(())
    }
}

async fn token(member: &str) -> Outcome<String> {
    let fields = [
        ("grant_type", "password"),
        ("client_id", API),
        ("client_secret", SECRET),
        ("username", "alice@example.com"),
        ("password", "password"),
        ("scope", "openid email"),
    ];
    let request = post_form(&http::client()?, "http://127.0.0.1:5556/dex/token", &fields);
    http::string(request, member).await
}
