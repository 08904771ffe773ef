//! Credentials for requests, limited to one origin.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded::byte_serialize;
use url::{Origin, Url};
use zeroize::Zeroizing;

use super::FetchError;

pub(crate) const NO_SECRET: &str = "it contains no secret";

/// A credential for fetches, limited to one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginCredential {
    pub(crate) origin: Origin,
    pub(crate) credential: Credential,
}

/// The credential of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A file with a bearer token. Nothing must be fetched without the token.
    Token(PathBuf),
    /// The credentials of the client that also introspects tokens. The document is public, but an
    /// issuer may prefer clients that authenticate. If the secret cannot be read, the document is
    /// fetched without it.
    Client(ClientCredential),
}

/// The credentials of a client (`client_secret_basic`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCredential {
    pub(crate) id: String,
    pub(crate) secret_file: PathBuf,
}

impl OriginCredential {
    /// Returns the header if `url` has this origin. The file is read each time, since tokens and
    /// secrets rotate.
    pub(crate) async fn authorization(&self, url: &Url) -> Result<Option<HeaderValue>, FetchError> {
        if url.origin() != self.origin {
            return Ok(None);
        }
        let file = match &self.credential {
            Credential::Client(client) => return Ok(client.authorization().await.ok()),
            Credential::Token(file) => file,
        };
        let unreadable = |reason| FetchError::File { path: file.clone(), reason };
        let text =
            tokio::fs::read_to_string(file).await.map_err(|error| unreadable(error.to_string()))?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", text.trim()))
            .map_err(|_| unreadable("it contains no token".to_owned()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

impl ClientCredential {
    /// Builds the header for `client_secret_basic` ([RFC 6749 §2.3.1]). The file is read each time,
    /// since secrets rotate.
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub(crate) async fn authorization(&self) -> Result<HeaderValue, FetchError> {
        let unreadable = |reason| FetchError::File { path: self.secret_file.clone(), reason };
        let secret = tokio::fs::read_to_string(&self.secret_file).await.map(Zeroizing::new);
        let secret = secret.map_err(|error| unreadable(error.to_string()))?;
        if secret.trim().is_empty() {
            return Err(unreadable(NO_SECRET.to_owned()));
        }
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&self.id), encoded(secret.trim()));
        let pair = format!("Basic {}", STANDARD.encode(Zeroizing::new(pair).as_bytes()));
        // Base64 is always a valid header value.
        let mut header = HeaderValue::try_from(pair)
            .map_err(|_| unreadable("it cannot be sent in a header".to_owned()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}
