//! The axum example with the issuer's tokens.

use portcullis_test_support::example;
use portcullis_test_support::process::Process;

#[derive(Debug)]
pub(crate) struct App {
    url: String,
    client: reqwest::Client,
    _process: Process,
}

/// The app's response to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The `WWW-Authenticate` header, or an empty text.
    pub(crate) challenge: String,
    /// The message of a failed assertion.
    #[expect(dead_code, reason = "read by Debug alone")]
    body: String,
}

impl App {
    /// Starts an app on its own port, without leeway, because issuer and app read the same clock.
    pub(crate) async fn start(issuer: &str, audience: &str) -> Self {
        let settings = [
            ("PORTCULLIS_ISSUER", issuer),
            ("PORTCULLIS_AUDIENCE", audience),
            ("PORTCULLIS_LEEWAY_SECS", "0"),
        ];
        let (process, url) = example::start("example-axum", &settings).await;
        Self { url, client: http_client(), _process: process }
    }

    pub(crate) async fn orders(&self, token: Option<&str>) -> Answer {
        self.get("/orders", token).await
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        Answer {
            status: response.status().as_u16(),
            challenge: challenge
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default(),
            body: response.text().await.unwrap(),
        }
    }
}

impl Answer {
    pub(crate) fn assert_refused(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.challenge.starts_with("Bearer"), "{self:?}");
        assert!(self.challenge.contains(&format!(r#"error="{error}""#)), "{self:?}");
    }
}

/// A client that ignores the proxy settings of the environment.
pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
