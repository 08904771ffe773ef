//! A WebSocket that ends with its session.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_core::Stream;
use portcullis::streams::{Ended, OpenStream, UntilEnded};

/// A WebSocket that closes when its session ends, with the code 4401 and the
/// [reason](Ended::as_str).
///
/// The client renews the token with a message of the service's own protocol, which the handler
/// passes to [`OpenStream::renew`].
///
/// ```
/// use axum::extract::ws::{Message, WebSocketUpgrade};
/// use axum::response::Response;
/// use portcullis_axum::{Caller, EndingSocket};
///
/// async fn echo(Caller(who): Caller, upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(async move |socket| {
///         let stream = who.open_stream();
///         let mut socket = EndingSocket::new(socket, &stream);
///         // `None` when the client closes the socket, and when the session ends.
///         while let Some(Ok(message)) = socket.recv().await {
///             let answer = match message.to_text().ok().and_then(|text| text.strip_prefix("token ")) {
///                 Some(token) => match stream.renew(token).await {
///                     Ok(()) => Message::text("renewed"),
///                     Err(_) => Message::text("not renewed"),
///                 },
///                 None => message,
///             };
///             if socket.send(answer).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
/// ```
pub struct EndingSocket {
    socket: WebSocket,
    ended: UntilEnded,
    code: u16,
    is_closed: bool,
}

impl EndingSocket {
    /// Wraps a socket, which closes when `stream` ends.
    #[must_use]
    pub fn new(socket: WebSocket, stream: &OpenStream) -> Self {
        Self { socket, ended: stream.ended(), code: 4401, is_closed: false }
    }

    /// Closes with this code instead of 4401. Codes from 4000 to 4999 are for applications.
    #[must_use]
    pub fn close_code(self, code: u16) -> Self {
        Self { code, ..self }
    }

    /// Returns the next message. `None` when the client closes the socket, and when the session
    /// ends: the socket is then closed.
    ///
    /// The end of the session takes precedence over messages that have not been received yet. A
    /// handler that does not receive must call [`closed`](Self::closed) in parallel with its own
    /// work.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub async fn recv(&mut self) -> Option<Result<Message, axum::Error>> {
        let next = poll_fn(|context| {
            if self.is_closed {
                return Poll::Ready(Err(None));
            }
            match Pin::new(&mut self.ended).poll(context) {
                Poll::Ready(reason) => Poll::Ready(Err(Some(reason))),
                Poll::Pending => Pin::new(&mut self.socket).poll_next(context).map(Ok),
            }
        });
        match next.await {
            Ok(message) => message,
            Err(reason) => {
                if let Some(reason) = reason {
                    self.close(reason).await;
                }
                None
            }
        }
    }

    /// Sends a message. After the end of the session, it closes the socket instead.
    ///
    /// # Errors
    ///
    /// The error of the socket. After the end of the session, an error that says so.
    pub async fn send(&mut self, message: Message) -> Result<(), axum::Error> {
        let ended = poll_fn(|context| Poll::Ready(Pin::new(&mut self.ended).poll(context)));
        match ended.await {
            Poll::Pending => self.socket.send(message).await,
            Poll::Ready(reason) => {
                self.close(reason).await;
                Err(axum::Error::new(portcullis::streams::StreamEnded(reason)))
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
        if !self.is_closed {
            let frame = CloseFrame { code: self.code, reason: reason.as_str().into() };
            // The client may have gone.
            let _ = self.socket.send(Message::Close(Some(frame))).await;
            self.is_closed = true;
        }
    }
}

impl fmt::Debug for EndingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndingSocket").field("ended", &self.ended).finish_non_exhaustive()
    }
}
