//! Sends the requests of the cases over a real socket.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::cases::Case;
use super::exchange::Answer;
use super::protocol::Protocol;
use super::service::grpc_name;

/// The timeout of a response, far longer than any response takes on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty gRPC message: uncompressed, of length 0.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// The body of an `OPTIONS` request, which an `any` handler could act on.
const A_BODY: &[u8] = b"a body";

pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
}

impl Client {
    pub(super) async fn send(&self, case: &Case) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(case)).await;
        let mut answer = answer.expect("no response");
        if case.method == Method::HEAD {
            // The server may send the length that the body would have, but need not (RFC 9110
            // §8.6).
            answer.headers.remove(CONTENT_LENGTH.as_str());
        }
        answer
    }

    async fn exchange(&self, case: &Case) -> Answer {
        let io = TokioIo::new(TcpStream::connect(self.address).await.unwrap());
        let request = self.request(case);
        if self.protocol == Protocol::Http1 {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            let connection = tokio::spawn(connection);
            let answer = read(sender.send_request(request).await.unwrap()).await;
            connection.abort();
            answer
        } else {
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            let connection = tokio::spawn(connection);
            if self.protocol == Protocol::ExtendedConnect {
                // The server announces its support for extended CONNECT in its first frames, so an
                // ordinary request is sent first.
                let mut first = Request::new(Full::default());
                *first.uri_mut() = format!("http://{}/health", self.address).parse().unwrap();
                sender.send_request(first).await.unwrap();
            }
            let answer = read(sender.send_request(request).await.unwrap()).await;
            connection.abort();
            answer
        }
    }

    fn request(&self, case: &Case) -> Request<Full<Bytes>> {
        let authority = self.address.to_string();
        let mut request = Request::new(Full::default());
        let path = match self.protocol {
            Protocol::Grpc => {
                let name = grpc_name(case.path).expect("the case has no gRPC service");
                *request.body_mut() = Full::from(EMPTY_MESSAGE);
                let headers = request.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                headers.insert(TE, HeaderValue::from_static("trailers"));
                format!("/conformance.{name}/Who")
            }
            Protocol::ExtendedConnect => {
                request.extensions_mut().insert(ext::Protocol::from_static("websocket"));
                case.path.to_owned()
            }
            Protocol::Http1 | Protocol::Http2 => {
                if case.method == Method::OPTIONS {
                    *request.body_mut() = Full::from(A_BODY);
                }
                case.path.to_owned()
            }
        };
        *request.method_mut() =
            if self.protocol == Protocol::Grpc { Method::POST } else { case.method.clone() };
        if self.protocol == Protocol::Http1 {
            *request.uri_mut() = path.parse().unwrap();
            request.headers_mut().insert(HOST, authority.parse().unwrap());
        } else {
            *request.uri_mut() = format!("http://{authority}{path}").parse().unwrap();
        }
        for (name, value) in &case.headers {
            let name = HeaderName::from_static(name);
            // The placeholder stands for the address of the service, which is unknown when the
            // cases are created.
            let value = match std::str::from_utf8(value) {
                Ok(text) => text.replace("{authority}", &authority).into_bytes(),
                Err(_) => value.clone(),
            };
            request.headers_mut().append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        request
    }
}

/// Reads the whole response. gRPC trailers count as headers, because either can carry the status.
/// The 5-byte frame of a message is removed.
async fn read(response: Response<Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body,
        Err(error) => {
            let mut answer = Answer::new(parts.status.as_u16(), &[], &format!("broken: {error}"));
            answer.add_all(&parts.headers);
            return answer;
        }
    };
    let trailers = body.trailers().cloned();
    let bytes = body.to_bytes();
    let is_grpc = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/grpc");
    let text = if is_grpc { bytes.get(5..).unwrap_or_default() } else { &bytes };
    let mut answer = Answer::new(parts.status.as_u16(), &[], &String::from_utf8_lossy(text));
    answer.add_all(&parts.headers);
    answer.add_all(&trailers.unwrap_or_default());
    answer
}
