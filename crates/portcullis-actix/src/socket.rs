//! A WebSocket that ends with its session.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use actix_ws::{CloseCode, CloseReason, Message, MessageStream, ProtocolError, Session};
use futures_core::Stream;
use portcullis::streams::{Ended, OpenStream, UntilEnded};

/// A WebSocket that closes when its session ends, with the code 4401 and the
/// [reason](Ended::as_str).
///
/// The client renews the token with a message of the service's own protocol, which the handler
/// passes to [`OpenStream::renew`].
///
/// ```
/// use actix_web::{HttpRequest, HttpResponse, rt, web};
/// use actix_ws::Message;
/// use portcullis_actix::{Caller, EndingSocket};
///
/// async fn echo(
///     Caller(who): Caller,
///     request: HttpRequest,
///     body: web::Payload,
/// ) -> Result<HttpResponse, actix_web::Error> {
///     let (response, mut session, messages) = actix_ws::handle(&request, body)?;
///     rt::spawn(async move {
///         let stream = who.open_stream();
///         let mut socket = EndingSocket::new(session.clone(), messages, &stream);
///         // `None` when the client is gone, and when the session ends.
///         while let Some(Ok(message)) = socket.recv().await {
///             let Message::Text(text) = message else { continue };
///             let answer = match text.strip_prefix("token ") {
///                 Some(token) if stream.renew(token).await.is_ok() => "renewed",
///                 Some(_) => "not renewed",
///                 None => &*text,
///             };
///             if session.text(answer).await.is_err() {
///                 break;
///             }
///         }
///     });
///     Ok(response)
/// }
/// ```
pub struct EndingSocket {
    session: Option<Session>,
    messages: MessageStream,
    ended: UntilEnded,
    code: u16,
}

impl EndingSocket {
    /// Wraps the two halves of a socket, which closes when `stream` ends. Keep a clone of `session`
    /// to send messages.
    #[must_use]
    pub fn new(session: Session, messages: MessageStream, stream: &OpenStream) -> Self {
        Self { session: Some(session), messages, ended: stream.ended(), code: 4401 }
    }

    /// Closes with this code instead of 4401. Codes from 4000 to 4999 are for applications.
    #[must_use]
    pub fn close_code(self, code: u16) -> Self {
        Self { code, ..self }
    }

    /// Returns the next message. `None` when the client is gone, and when the session ends: the
    /// socket is then closed.
    ///
    /// The end of the session takes precedence over messages that have not been received yet. A
    /// handler that does not receive must call [`closed`](Self::closed) in parallel with its own
    /// work.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub async fn recv(&mut self) -> Option<Result<Message, ProtocolError>> {
        self.session.as_ref()?;
        let next = poll_fn(|context| match Pin::new(&mut self.ended).poll(context) {
            Poll::Ready(reason) => Poll::Ready(Err(reason)),
            Poll::Pending => Pin::new(&mut self.messages).poll_next(context).map(Ok),
        });
        match next.await {
            Ok(message) => message,
            Err(reason) => {
                self.close(reason).await;
                None
            }
        }
    }

    /// Waits for the end of the session, and closes the socket. For handlers that only send:
    /// use it in a `select!` with the source of the messages.
    pub async fn closed(&mut self) -> Ended {
        let reason = poll_fn(|context| Pin::new(&mut self.ended).poll(context)).await;
        self.close(reason).await;
        reason
    }

    async fn close(&mut self, reason: Ended) {
        if let Some(session) = self.session.take() {
            let description = Some(reason.as_str().to_owned());
            let close = CloseReason { code: CloseCode::Other(self.code), description };
            // The client may have gone.
            let _ = session.close(Some(close)).await;
        }
    }
}

impl fmt::Debug for EndingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndingSocket").field("ended", &self.ended).finish_non_exhaustive()
    }
}
