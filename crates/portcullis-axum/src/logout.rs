//! The route for the issuer's logout tokens and security event tokens.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::routing::any;
use http::Response;
use portcullis::feed::LogoutReceiver;

/// Returns a router that receives logout tokens and security event tokens at `path`: merge it outside
/// the protected router.
///
/// See [`LogoutReceiver`] for what is accepted and the responses.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use portcullis_axum::portcullis::feed::{LogoutReceiver, Revocations};
/// use portcullis_axum::portcullis::{Gate, Revocation};
/// use portcullis_axum::{logout_route, protect};
/// # use portcullis_axum::portcullis::testing::Scene;
/// # use tower::ServiceExt;
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
/// let gate = Gate::new(auth).revocation(Revocation::feed(Duration::from_secs(5)))?;
/// let app: Router = Router::new()
///     .merge(logout_route("/backchannel-logout", receiver))
///     .merge(protect(gate, Router::new().route("/orders", get(async || "orders"))));
///
/// # let token = scene.token("alice").claim("sid", "s-1");
/// let orders = || Request::get("/orders").header("authorization", token.bearer()).body(Body::empty());
/// assert_eq!(app.clone().oneshot(orders()?).await?.status(), 200);
/// # let logout = scene.logout_token("web").claim("sid", "s-1").sign();
/// let logout = Request::post("/backchannel-logout")
///     .header("content-type", "application/x-www-form-urlencoded")
///     .body(Body::from(format!("logout_token={logout}")))?;
/// assert_eq!(app.clone().oneshot(logout).await?.status(), 200);
/// assert_eq!(app.clone().oneshot(orders()?).await?.status(), 401);
///
/// # let event = scene.session_revoked("e", "s-2").sign();
/// # let push = Request::post("/backchannel-logout").header("content-type", "application/secevent+jwt");
/// # let push = push.body(Body::from(event))?;
/// # assert_eq!(app.clone().oneshot(push).await?.status(), 202);
/// let forged = Request::post("/backchannel-logout").body(Body::from("logout_token=a.b.c"))?;
/// assert_eq!(app.oneshot(forged).await?.status(), 400);
/// # Ok(()) }
/// ```
pub fn logout_route<S>(path: &str, receiver: LogoutReceiver) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let receive = async move |request: Request| -> Response<Body> {
        let (parts, body) = request.into_parts();
        let response = match to_bytes(body, LogoutReceiver::MAX_BODY_BYTES).await {
            Ok(body) => receiver.receive(&parts, &body).await,
            Err(_) => LogoutReceiver::too_large(),
        };
        response.map(Body::from)
    };
    Router::new().route(path, any(receive))
}
