//! The protocols that a suite runs over.

use std::fmt;

/// A protocol between client and service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2, with prior knowledge.
    Http2,
    /// HTTP/2's WebSocket handshake (RFC 8441), for servers that enable it.
    ExtendedConnect,
    /// gRPC.
    Grpc,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::ExtendedConnect => "extended CONNECT",
            Self::Grpc => "gRPC",
        })
    }
}
