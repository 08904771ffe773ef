//! The default HTTP client: reqwest with rustls.

use std::error::Error;
use std::path::PathBuf;

use http::Response;
use reqwest::Client;
use url::Url;

use super::fetch::{BodyTooLong, Fetch, FetchRequest, Fetching};
use super::url::is_loopback;

/// Fetches with reqwest and rustls, trusting what the operating system trusts.
///
/// Follows no redirect, keeps no idle connection (a pooled one may belong to a runtime that is
/// gone), and never sends what is meant for this machine through a proxy.
#[derive(Debug, Clone)]
pub struct ReqwestFetch {
    client: Client,
    loopback: Client,
    ca_file: Option<PathBuf>,
}

impl ReqwestFetch {
    /// A client that uses the proxies in `HTTPS_PROXY` and the like.
    ///
    /// # Errors
    ///
    /// When the TLS backend can not be set up, for example without any trusted certificate.
    pub fn new() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (client, loopback) = (builder().build()?, builder().no_proxy().build()?);
        Ok(Self { client, loopback, ca_file: None })
    }

    /// The same, trusting the certificates in this file (PEM) as well. It is read at each fetch:
    /// such files rotate.
    #[must_use]
    pub fn trusting(self, ca_file: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(ca_file.into()), ..self }
    }

    async fn client_for(&self, url: &Url) -> Result<Client, Box<dyn Error + Send + Sync>> {
        if is_loopback(url) && url.scheme() == "http" {
            return Ok(self.loopback.clone());
        }
        let Some(path) = &self.ca_file else {
            return Ok(if is_loopback(url) { &self.loopback } else { &self.client }.clone());
        };
        let unusable = |error: &dyn Error| format!("the CA file {}: {error}", path.display());
        let pem = tokio::fs::read(path).await.map_err(|error| unusable(&error))?;
        let certificates =
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))?;
        if certificates.is_empty() {
            return Err(unusable(&std::io::Error::other("it holds no certificate")).into());
        }
        let builder = if is_loopback(url) { builder().no_proxy() } else { builder() };
        Ok(builder.tls_certs_merge(certificates).build()?)
    }
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
}

impl Fetch for ReqwestFetch {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        Box::pin(async move {
            let url = Url::parse(&request.url)?;
            let client = self.client_for(&url).await?;
            let mut answer = client
                .get(url)
                .headers(request.headers)
                .send()
                .await
                .map_err(reqwest::Error::without_url)?;
            let mut whole = Response::builder().status(answer.status());
            if let Some(headers) = whole.headers_mut() {
                std::mem::swap(headers, answer.headers_mut());
            }
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
                if body.len() + chunk.len() > request.max_body {
                    return Err(BodyTooLong.into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(whole.body(body.into())?)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use bytes::Bytes;

    use super::*;

    /// A server that answers every request with these bytes.
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
    async fn a_long_body_is_not_read_to_its_end() {
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

    /// In a process of its own, since variables can not be set safely in this one.
    #[test]
    fn what_is_meant_for_this_machine_goes_through_no_proxy() {
        const CHILD: &str = "TOLLGATE_TEST_CHILD";
        if std::env::var_os(CHILD).is_none() {
            let this = "what_is_meant_for_this_machine_goes_through_no_proxy";
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &format!("remote::reqwest_fetch::tests::{this}")])
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
            return;
        }
        let url = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(get(url)).unwrap().status(), 200);
    }
}
