//! npm's `oidc-provider`: the server of the tests in `tests/interop/third_party_issuer`.

use std::time::Duration;

use portcullis::Policy;
use portcullis::feed::LogoutMatch;

use super::{Facts, Issuer, Login, Logouts, SECRET, Start};
use crate::failure::Outcome;
use crate::http::{self, post_form};
use crate::instances::API;

const SERVER: &str = "http://127.0.0.1:4901";

/// `oidc-provider`, and the client that requests tokens: the client determines their algorithm.
#[derive(Debug, Clone, Default)]
pub(crate) struct OidcProvider {
    client: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Issuer for OidcProvider {
    fn facts() -> Facts {
        Facts {
            name: "oidc-provider",
            version: "9.13.3",
            page: "oidc_provider",
            profile: "rfc9068",
            indistinct: false,
            issuer: SERVER,
            ready: "http://127.0.0.1:4901/jwks",
            ready_within: Duration::from_secs(30),
            start: Start::Own {
                folder: "oidc-provider",
                build: "npm ci",
                // The server exits when its standard input closes.
                start: "tail -f /dev/null | PORT=4901 \
                        BACKCHANNEL_LOGOUT_URI=http://127.0.0.1:4999/logout node server.mjs",
            },
            policies: [Policy::scopes(["orders:read"]), Policy::scopes(["orders:write"])],
            policy_words: "`scope`",
            algorithms: &["RS256", "PS256", "ES256", "EdDSA"],
            about_algorithms: "",
            rotates_within: Duration::from_secs(5),
            logouts: Some(Logouts {
                session_at: &["sid"],
                // The access tokens name no session.
                matches: LogoutMatch::Subject,
                untyped: false,
                omitted: &[],
                ways: &["logout in the browser"],
            }),
        }
    }

    async fn set_up(&self) -> Outcome<()> {
        Ok(())
    }

    async fn access_token(&self) -> Outcome<String> {
        let client = self.client.lock().map(|client| client.clone()).unwrap_or_default();
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", if client.is_empty() { "rs256" } else { &client }),
            ("client_secret", SECRET),
            ("resource", API),
            ("scope", "orders:read"),
        ];
        let request = post_form(&http::client()?, &format!("{SERVER}/token"), &fields);
        http::string(request, "access_token").await
    }

    async fn sign_with(&self, algorithm: &str) -> Outcome<()> {
        if let Ok(mut client) = self.client.lock() {
            *client = algorithm.to_ascii_lowercase();
        }
        Ok(())
    }

    async fn id_token(&self) -> Outcome<String> {
        http::string(http::client()?.get(format!("{SERVER}/test/id-token")), "id_token").await
    }

    async fn rotate(&self) -> Outcome<()> {
        http::text(http::client()?.post(format!("{SERVER}/test/rotate"))).await.map(drop)
    }

    async fn log_in(&self) -> Outcome<Login> {
        Login::of(&http::json(http::client()?.get(format!("{SERVER}/test/login"))).await?)
    }

    async fn end_session(&self, login: &Login, _: &str) -> Outcome<()> {
        let request = http::client()?.post(format!("{SERVER}/test/logout"));
        http::text(request.body(login.id_token.clone())).await.map(drop)
    }
}
