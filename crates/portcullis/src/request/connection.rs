//! The connection that a request came in on.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http::uri::Scheme;

/// The connection that a request came in on: peer address, scheme and client certificate.
///
/// The code that accepts connections knows them, and puts one into the extensions of each request
/// (`http`), or into the connection's own (`HttpServer::on_connect` of actix-web).
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
    /// A connection of which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the address at the other end of the socket: the client's, or a proxy's.
    #[must_use]
    pub fn with_peer(self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// Sets whether the connection is TLS: [`Scheme::HTTPS`] or [`Scheme::HTTP`].
    #[must_use]
    pub fn with_scheme(self, scheme: Scheme) -> Self {
        Self { scheme: Some(scheme), ..self }
    }

    /// Sets the certificate that the client proved to have in the TLS handshake, in DER: the end-entity
    /// certificate alone.
    #[must_use]
    pub fn with_client_certificate(self, der: Bytes) -> Self {
        Self { client_certificate: Some(der), ..self }
    }

    /// The address at the other end of the socket.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The scheme of the connection itself, whatever a proxy in front has spoken.
    #[must_use]
    pub fn scheme(&self) -> Option<&Scheme> {
        self.scheme.as_ref()
    }

    /// The client's certificate in DER.
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
