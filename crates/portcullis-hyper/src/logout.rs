//! The endpoint for the issuer's logout tokens and security event tokens.

use std::future::poll_fn;
use std::pin::pin;

use http::{Request, Response};
use hyper::body::{Body, Buf, Bytes};
use portcullis::feed::LogoutReceiver;

/// Returns the response to a request with a logout token or a security event token. Call it for the
/// path of your choice, outside the [`AuthService`](crate::AuthService).
///
/// See [`LogoutReceiver`] for what is accepted and the responses. At most
/// [`MAX_BODY_BYTES`](LogoutReceiver::MAX_BODY_BYTES) of the body are read.
///
/// ```
/// use std::time::Duration;
/// use http::Request;
/// use http_body_util::Full;
/// use portcullis_hyper::portcullis::Revocation;
/// use portcullis_hyper::portcullis::feed::{LogoutReceiver, Revocations};
/// use portcullis_hyper::receive_logout;
/// # use bytes::Bytes;
/// # use portcullis_hyper::portcullis::testing::{Scene, gate_rule};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scene = Scene::with(|builder| {
/// #     let builder = builder.max_token_lifetime(Duration::from_secs(900));
/// #     builder.logout_clients(["web"]).event_audiences(["e"]).revocations(Revocations::in_memory())
/// # })
/// # .await;
/// # let auth = scene.auth.clone();
/// // `auth` was built with `revocations` and `logout_clients`.
/// let receiver = LogoutReceiver::new(&auth)?;
/// let post = |body: String| {
///     Request::post("/backchannel-logout")
///         .header("content-type", "application/x-www-form-urlencoded")
///         .body(Full::<Bytes>::from(body))
/// };
/// # let logout = scene.logout_token("web").claim("sid", "s-1").sign();
/// let response = receive_logout(&receiver, post(format!("logout_token={logout}"))?).await;
/// assert_eq!(response.status(), 200);
/// # let gate = scene.gate().revocation(Revocation::feed(Duration::from_secs(5)))?;
/// # let token = scene.token("alice").claim("sid", "s-1");
/// # assert_eq!(gate_rule(&gate, &token.headers()).await, "revoked");
///
/// # let event = scene.session_revoked("e", "s-2").sign();
/// # let push = Request::post("/backchannel-logout").header("content-type", "application/secevent+jwt");
/// # let response = receive_logout(&receiver, push.body(Full::<Bytes>::from(event))?).await;
/// # assert_eq!(response.status(), 202);
/// let response = receive_logout(&receiver, post("logout_token=a.b.c".to_owned())?).await;
/// assert_eq!(response.status(), 400);
/// let response = receive_logout(&receiver, post("x".repeat(100_000))?).await;
/// assert_eq!(response.status(), 413);
/// # Ok(()) }
/// ```
pub async fn receive_logout<B: Body>(
    receiver: &LogoutReceiver,
    request: Request<B>,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    match read(body).await {
        Some(body) => receiver.receive(&parts, &body).await,
        None => LogoutReceiver::too_large(),
    }
}

/// Reads a body; `None` if it is too long or incomplete.
async fn read<B: Body>(body: B) -> Option<Vec<u8>> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(mut data) = frame.ok()?.into_data() else { continue };
        if data.remaining() > LogoutReceiver::MAX_BODY_BYTES - read.len() {
            return None;
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            read.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    Some(read)
}
