//! Posts logout tokens to clients (OpenID Connect Back-Channel Logout 1.0 section 2.5).

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use reqwest::Client;
use reqwest::redirect::Policy;
use url::{Host, Url};

/// The timeout of one attempt.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP clients, which are built at the first use: an issuer that sends no logout tokens needs no
/// trusted certificates.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    clients: OnceLock<Clients>,
}

#[derive(Debug)]
struct Clients {
    /// For all other hosts. Uses the proxies of the environment.
    proxied: Client,
    /// For loopback hosts.
    direct: Client,
}

impl Sender {
    /// Posts a logout token, and returns the status of the response. The body is not read, and a
    /// redirect is not followed: the token must reach the registered URI only.
    pub(crate) async fn post(
        &self,
        uri: &str,
        token: &str,
    ) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
        let url = Url::parse(uri)?;
        let clients = self.clients()?;
        let client = if is_loopback(&url) { &clients.direct } else { &clients.proxied };
        let response = client
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            // All characters of a JWT are unreserved in forms.
            .body(format!("logout_token={token}"))
            .send()
            .await
            // The URI's query may contain a secret.
            .map_err(reqwest::Error::without_url)?;
        Ok(response.status())
    }

    fn clients(&self) -> Result<&Clients, reqwest::Error> {
        if let Some(clients) = self.clients.get() {
            return Ok(clients);
        }
        let builder = || {
            Client::builder()
                .redirect(Policy::none())
                .timeout(TIMEOUT)
                .user_agent(concat!("portcullis-issuer/", env!("CARGO_PKG_VERSION")))
        };
        let clients =
            Clients { proxied: builder().build()?, direct: builder().no_proxy().build()? };
        Ok(self.clients.get_or_init(|| clients))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
