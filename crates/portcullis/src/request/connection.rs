//! The connection of a request.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http::uri::Scheme;

/// The connection of a request: peer address, scheme and client certificate.
///
/// The code that accepts connections creates it, and puts it into the extensions of each request
/// (`http`), or into those of the connection (`HttpServer::on_connect` of actix-web).
/// [`RequestView::connection`](crate::RequestView::connection) finds it there. Never fill it from a
/// header that a client could have sent, such as `X-Forwarded-For`, `X-Forwarded-Proto` or
/// `X-Forwarded-Client-Cert`.
///
/// ```
/// use http::{Request, uri::Scheme};
/// use portcullis::{RequestView, adapter::Connection};
///
/// let connection = Connection::new()
///     .with_peer(([192, 0, 2, 7], 50123).into())
///     .with_scheme(Scheme::HTTPS);
/// let request = Request::builder().extension(connection).body(())?;
/// assert_eq!(request.connection().and_then(|found| found.scheme()), Some(&Scheme::HTTPS));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    peer: Option<SocketAddr>,
    scheme: Option<Scheme>,
    client_certificate: Option<Bytes>,
}

impl Connection {
    /// Creates a connection without any values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the address of the socket's peer: the client or a proxy.
    #[must_use]
    pub fn with_peer(self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// Sets whether the connection is TLS: [`Scheme::HTTPS`] or [`Scheme::HTTP`].
    #[must_use]
    pub fn with_scheme(self, scheme: Scheme) -> Self {
        Self { scheme: Some(scheme), ..self }
    }

    /// Sets the certificate that the client authenticated with in the TLS handshake, in DER: the
    /// end-entity certificate only.
    #[must_use]
    pub fn with_client_certificate(self, der: Bytes) -> Self {
        Self { client_certificate: Some(der), ..self }
    }

    /// Returns the address of the socket's peer.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Returns the scheme of the connection itself, independent of a proxy in front of it.
    #[must_use]
    pub fn scheme(&self) -> Option<&Scheme> {
        self.scheme.as_ref()
    }

    /// Returns the client's certificate in DER.
    #[must_use]
    pub fn client_certificate(&self) -> Option<&[u8]> {
        self.client_certificate.as_deref()
    }
}

/// Shows the length of the certificate, not its content.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("scheme", &self.scheme)
            .field("client_certificate_bytes", &self.client_certificate.as_ref().map(Bytes::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Request};

    use super::*;
    use crate::request::RequestView;

    #[test]
    fn connection_is_found_in_the_extensions_and_never_in_a_header() {
        let forwarding = [
            ("forwarded", "for=192.0.2.1;proto=https"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-client-cert", "Cert=\"AAAA\""),
            ("client-cert", ":AAAA:"),
            ("ssl-client-cert", "AAAA"),
        ];
        let request = || {
            let headers = forwarding.iter();
            headers.fold(Request::get("https://api.example/"), |request, (name, value)| {
                request.header(*name, *value)
            })
        };
        let bare = request().body(()).unwrap();
        assert_eq!(bare.connection(), None);
        let headers: &HeaderMap = bare.headers();
        assert_eq!(headers.connection(), None);
        assert_eq!(bare.into_parts().0.connection(), None);

        let accepted = Connection::new()
            .with_peer(([127, 0, 0, 1], 50_123).into())
            .with_scheme(Scheme::HTTP)
            .with_client_certificate(Bytes::from_static(b"der"));
        let request = request().extension(accepted.clone()).body(()).unwrap();
        assert_eq!(request.connection(), Some(&accepted));
        assert_eq!(request.into_parts().0.connection(), Some(&accepted));
    }

    #[test]
    fn debug_shows_no_certificate() {
        let connection = Connection::new().with_client_certificate(Bytes::from_static(b"der"));
        assert_eq!(
            format!("{connection:?}"),
            "Connection { peer: None, scheme: None, client_certificate_bytes: Some(3) }"
        );
    }
}
