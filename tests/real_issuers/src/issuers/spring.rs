//! Spring Authorization Server: a project in this repository, whose keys can be replaced while it
//! runs.

use std::time::Duration;

use portcullis::Policy;
use url::Url;

use super::{Facts, Issuer, SECRET, Start};
use crate::failure::{Failure, Outcome};
use crate::http::{self, Browser, Step, between, parameter, post_form};
use crate::instances::API;

const SERVER: &str = "http://127.0.0.1:9300";
const CONTROL: &str = "http://127.0.0.1:9301";
const CALLBACK: &str = "http://127.0.0.1:9302/callback";

/// The secret of the web client. Spring requires a different secret for each client.
const WEB_SECRET: &str = "only-for-tests-of-the-web";

#[derive(Debug, Clone)]
pub(crate) struct Spring;

impl Issuer for Spring {
    fn facts() -> Facts {
        Facts {
            name: "Spring Authorization Server 1.5 of Boot",
            version: "3.5.7",
            page: "spring",
            profile: "spring",
            indistinct: false,
            issuer: SERVER,
            ready: "http://127.0.0.1:9300/oauth2/jwks",
            ready_within: Duration::from_secs(60),
            start: Start::Own {
                folder: "spring",
                build: "mvn -q -B package",
                start: "exec java -jar target/as.jar",
            },
            policies: [Policy::scopes(["orders:read"]), Policy::scopes(["orders:write"])],
            policy_words: "`scope`, an array",
            algorithms: &["RS256", "PS256", "ES256"],
            about_algorithms: "",
            rotates_within: Duration::from_secs(5),
            logouts: None,
        }
    }

    async fn set_up(&self) -> Outcome<()> {
        Ok(())
    }

    async fn access_token(&self) -> Outcome<String> {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "billing"),
            ("client_secret", SECRET),
            ("scope", "orders:read"),
        ];
        token(&fields, "access_token").await
    }

    async fn sign_with(&self, algorithm: &str) -> Outcome<()> {
        control(&format!("/sign?{algorithm}")).await
    }

    /// Uses the authorization code flow without a `nonce`: its ID tokens are the most similar to
    /// access tokens.
    async fn id_token(&self) -> Outcome<String> {
        let query = http::form(&[
            ("response_type", "code"),
            ("client_id", API),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
        ]);
        let start = Url::parse(&format!("{SERVER}/oauth2/authorize?{query}"))?;
        let mut browser = Browser::new()?;
        let mut step = browser.get(&start).await?;
        for _ in 0..10 {
            step = match step {
                Step::Redirect(url) if url.as_str().starts_with(CALLBACK) => {
                    let code = parameter(&url, "code")?;
                    let fields = [
                        ("grant_type", "authorization_code"),
                        ("client_id", API),
                        ("client_secret", WEB_SECRET),
                        ("code", &code),
                        ("redirect_uri", CALLBACK),
                    ];
                    return token(&fields, "id_token").await;
                }
                Step::Redirect(url) => browser.get(&url).await?,
                Step::Page { url, body } => {
                    let csrf = between(&body, "name=\"_csrf\" type=\"hidden\" value=\"", "\"");
                    let csrf = csrf.ok_or_else(|| Failure::new(format!("no form at {url}")))?;
                    let fields = [("username", "alice"), ("password", SECRET), ("_csrf", csrf)];
                    browser.post(&url.join("/login")?, &fields).await?
                }
            };
        }
        Err(Failure::new("the login did not come to an end"))
    }

    async fn rotate(&self) -> Outcome<()> {
        control("/rotate").await
    }
}

async fn token(fields: &[(&str, &str)], member: &str) -> Outcome<String> {
    let url = format!("{SERVER}/oauth2/token");
    http::string(post_form(&http::client()?, &url, fields), member).await
}

async fn control(path: &str) -> Outcome<()> {
    http::text(http::client()?.post(format!("{CONTROL}{path}"))).await.map(drop)
}
