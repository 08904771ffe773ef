//! The default HTTP client: reqwest with rustls.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder};
use url::Url;

use super::names::PublicNames;
use super::reach::Reach;
use super::url::{is_loopback, parse_host};
use super::{BodyTooLong, Fetch, FetchRequest, Fetching, RefusedAddress};

/// How long an idle connection is kept. Servers usually keep theirs longer, so few requests hit a
/// closed connection.
const KEPT: Duration = Duration::from_secs(4);

type BoxError = Box<dyn Error + Send + Sync>;

/// Fetches with reqwest and rustls, with the operating system's trusted certificates.
///
/// With the feature `reqwest`, the TLS is that of aws-lc, unless the process has installed another
/// default provider of rustls. With `reqwest-no-provider` alone, the process must install one.
///
/// It does not follow redirects. It keeps no idle connection for periodic fetches, since a pooled
/// connection may belong to a runtime that has shut down. Connections for introspection are kept
/// for a few seconds. Requests for the loopback interface never go through a proxy. The client
/// connects to any address, unless it is limited to [public ones](Self::public_addresses_only).
#[derive(Debug, Clone)]
pub struct ReqwestFetch {
    clients: Clients,
    ca: Option<Arc<CaFile>>,
    reach: Reach,
}

#[derive(Debug, Clone)]
struct Clients {
    get: Direct,
    post: Direct,
}

/// A default client, and one without a proxy or address check, for the loopback interface and
/// permitted private hosts.
#[derive(Debug, Clone)]
struct Direct {
    client: Client,
    direct: Client,
}

/// A CA certificate file, and the clients built from its last content.
#[derive(Debug)]
struct CaFile {
    path: PathBuf,
    built: Mutex<Option<(Vec<u8>, Clients)>>,
}

impl ReqwestFetch {
    /// Creates a client that uses the proxies in `HTTPS_PROXY` and similar variables. All instances
    /// in a process share one client, which is built on first use.
    ///
    /// # Errors
    ///
    /// Returns an error if the TLS backend cannot be set up, for example without any trusted
    /// certificate, or without a provider of rustls.
    pub fn new() -> Result<Self, BoxError> {
        Self::within(Reach::Anywhere)
    }

    /// Creates a client that connects only to public addresses, for URLs that tenants choose.
    ///
    /// The client rejects all addresses that are not public, also when they are embedded in IPv6
    /// addresses: loopback, private, shared, link-local, metadata and other addresses. It checks
    /// the URL and, after the name was resolved, every connection. A name is rejected if any of its
    /// addresses is. The error is a [`RefusedAddress`](super::RefusedAddress) or is caused by one.
    /// No proxy is used, because a proxy would resolve the names itself.
    ///
    /// Issuers of an [`IssuerResolver`](crate::config::IssuerResolver) are fetched with this client
    /// by default.
    ///
    /// ```
    /// use portcullis::fetch::{Fetch, FetchRequest, RefusedAddress, ReqwestFetch};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let fetch = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
    /// let fetch = ReqwestFetch::public_addresses_only()?.allow_private_host("keycloak.internal")?;
    /// # Ok(fetch) };
    /// # let fetch = fetch().map_err(|error| error.to_string())?;
    /// let request = FetchRequest::new("https://169.254.169.254/keys", 1000);
    /// let error = fetch.get(request).await.unwrap_err();
    /// assert!(error.is::<RefusedAddress>());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub fn public_addresses_only() -> Result<Self, BoxError> {
        Self::within(Reach::Public { except: Vec::new() })
    }

    /// Permits connections to any address of `host`, a name or an address. Only relevant for a
    /// client from [`public_addresses_only`](Self::public_addresses_only); other clients do not
    /// reject addresses.
    ///
    /// # Errors
    ///
    /// Returns an error if `host` is not a host, for example because it has a scheme, a port or a
    /// path.
    pub fn allow_private_host(mut self, host: impl AsRef<str>) -> Result<Self, BoxError> {
        let host = host.as_ref();
        let parsed = parse_host(host).ok_or_else(|| {
            format!("allow_private_host is {host:?}: it must be one host name or address")
        })?;
        if let Reach::Public { except } = &mut self.reach {
            except.push(parsed);
        }
        Ok(self)
    }

    /// Creates a client. All instances in a process share the connections.
    pub(crate) fn within(reach: Reach) -> Result<Self, BoxError> {
        static ANYWHERE: OnceLock<Clients> = OnceLock::new();
        static PUBLIC: OnceLock<Clients> = OnceLock::new();
        let shared = if reach == Reach::Anywhere { &ANYWHERE } else { &PUBLIC };
        let clients = match shared.get() {
            Some(clients) => clients.clone(),
            None => {
                let clients = Clients::new(&[], &reach)?;
                shared.get_or_init(|| clients).clone()
            }
        };
        Ok(Self { clients, ca: None, reach })
    }

    /// Returns a client that also trusts the certificates in this file (PEM). The file is read at
    /// each fetch, since such files rotate.
    #[must_use]
    pub fn trusting(self, ca_file: impl Into<PathBuf>) -> Self {
        let ca = CaFile { path: ca_file.into(), built: Mutex::default() };
        Self { ca: Some(Arc::new(ca)), ..self }
    }

    async fn clients_for(&self, url: &Url) -> Result<Clients, BoxError> {
        match &self.ca {
            Some(ca) if !(is_loopback(url) && url.scheme() == "http") => {
                ca.clients(&self.reach).await
            }
            _ => Ok(self.clients.clone()),
        }
    }

    /// Returns the client for `url`. The host is checked here for a standalone client; the core
    /// checks an issuer's URLs before any client sees them.
    fn client<'c>(&self, clients: &'c Direct, url: &Url) -> Result<&'c Client, RefusedAddress> {
        self.reach.check(url)?;
        let is_direct = match self.reach {
            Reach::Anywhere => is_loopback(url),
            Reach::Public { .. } => self.reach.is_unlimited(url),
        };
        Ok(if is_direct { &clients.direct } else { &clients.client })
    }
}

impl Clients {
    fn new(trusted: &[Certificate], reach: &Reach) -> Result<Self, BoxError> {
        check_tls_provider()?;
        let build = |kept: Duration, connections| {
            let builder = || {
                Client::builder()
                    .redirect(Policy::none())
                    .pool_max_idle_per_host(connections)
                    .pool_idle_timeout(kept)
                    .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
                    .tls_certs_merge(trusted.iter().cloned())
            };
            let client = match reach {
                Reach::Anywhere => builder(),
                // A proxy would resolve the names itself and connect to any address.
                Reach::Public { .. } => builder().no_proxy().dns_resolver(PublicNames),
            };
            let direct = builder().no_proxy();
            Ok::<_, BoxError>(Direct { client: client.build()?, direct: direct.build()? })
        };
        Ok(Self { get: build(Duration::ZERO, 0)?, post: build(KEPT, usize::MAX)? })
    }
}

/// Without its own provider, reqwest would panic.
fn check_tls_provider() -> Result<(), BoxError> {
    let has_own = cfg!(feature = "reqwest");
    if has_own || rustls::crypto::CryptoProvider::get_default().is_some() {
        return Ok(());
    }
    Err("rustls has no default crypto provider; install one before the first fetch \
         (`CryptoProvider::install_default`), or enable the feature `reqwest`"
        .into())
}

impl CaFile {
    async fn clients(&self, reach: &Reach) -> Result<Clients, BoxError> {
        let unusable = |error: &dyn Error| format!("the CA file {}: {error}", self.path.display());
        let pem = tokio::fs::read(&self.path).await.map_err(|error| unusable(&error))?;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, clients)) = built.as_ref().filter(|(of, _)| *of == pem) {
            return Ok(clients.clone());
        }
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))?;
        if certificates.is_empty() {
            return Err(unusable(&std::io::Error::other("it contains no certificate")).into());
        }
        let clients = Clients::new(&certificates, reach)?;
        *built = Some((pem, clients.clone()));
        Ok(clients)
    }
}

impl Fetch for ReqwestFetch {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        Box::pin(async move {
            let url = Url::parse(&request.url)?;
            let clients = self.clients_for(&url).await?.get;
            let sent = self.client(&clients, &url)?.get(url.clone()).headers(request.headers);
            whole(sent, request.max_body).await
        })
    }

    fn post(&self, request: FetchRequest, body: Bytes) -> Fetching<'_> {
        Box::pin(async move {
            let url = Url::parse(&request.url)?;
            let clients = self.clients_for(&url).await?.post;
            let sent =
                self.client(&clients, &url)?.post(url.clone()).headers(request.headers).body(body);
            whole(sent, request.max_body).await
        })
    }
}

/// Reads the complete response.
async fn whole(request: RequestBuilder, max_body: usize) -> Result<Response<Bytes>, BoxError> {
    let mut answer = request.send().await.map_err(reqwest::Error::without_url)?;
    let mut whole = Response::builder().status(answer.status());
    if let Some(headers) = whole.headers_mut() {
        std::mem::swap(headers, answer.headers_mut());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > max_body {
            return Err(BodyTooLong.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(whole.body(body.into())?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::fetch::script;

    /// Starts a server that responds to every request with these bytes.
    fn serve(answer: impl Into<Vec<u8>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let answer = answer.into();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&answer);
            }
        });
        url
    }

    async fn get(url: String) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        ReqwestFetch::new()?.get(FetchRequest::new(url, 1000)).await
    }

    #[tokio::test]
    async fn oversized_body_is_not_read_to_its_end() {
        let answer = |length: usize| {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            format!("{head}{}", "x".repeat(length))
        };
        assert_eq!(get(serve(answer(1000))).await.unwrap().body().len(), 1000);
        let error = get(serve(answer(1001))).await.unwrap_err();
        assert!(error.is::<BodyTooLong>(), "{error}");
    }

    #[tokio::test]
    async fn no_redirect_is_followed() {
        let to = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0");
        let url = serve(format!("{head}\r\nconnection: close\r\n\r\n"));
        assert_eq!(get(url).await.unwrap().status(), 302);
    }

    /// Returns whether this process has an unreachable proxy in its environment. Otherwise runs
    /// test `this` in a child process that has one, since variables cannot be set safely here.
    fn has_proxy(this: &str) -> bool {
        const CHILD: &str = "PORTCULLIS_TEST_CHILD";
        if std::env::var_os(CHILD).is_some() {
            return true;
        }
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("fetch::reqwest_fetch::tests::{this}")])
            .env(CHILD, "1")
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env("http_proxy", "http://127.0.0.1:1")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .env_remove("REQUEST_METHOD")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && output.contains("1 passed"), "{output}");
        false
    }

    #[tokio::test]
    async fn public_addresses_are_connected_to_without_a_proxy() {
        if !has_proxy("public_addresses_are_connected_to_without_a_proxy") {
            return;
        }
        let url = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        let port = Url::parse(&url).unwrap().port().unwrap();
        for (name, allowed) in [("proxy-1.example", None), ("localhost", Some("localhost"))] {
            script::set(name, vec![vec!["8.8.8.8".parse().unwrap()]]);
            let mut fetch = ReqwestFetch::public_addresses_only().unwrap();
            if let Some(allowed) = allowed {
                fetch = fetch.allow_private_host(allowed).unwrap();
            }
            let request = |name| FetchRequest::new(format!("http://{name}:{port}/"), 1000);
            assert_eq!(fetch.get(request(name)).await.unwrap().status(), 200);
            assert!(ReqwestFetch::new().unwrap().get(request("proxy-1.example")).await.is_err());
        }
    }

    #[test]
    fn loopback_url_bypasses_the_proxy() {
        if !has_proxy("loopback_url_bypasses_the_proxy") {
            return;
        }
        let url = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(get(url)).unwrap().status(), 200);
    }
}
