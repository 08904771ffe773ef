//! The route for the issuer's logout tokens and security event tokens.

use actix_web::web::Payload;
use actix_web::{HttpRequest, Resource, web};
use portcullis::feed::LogoutReceiver;

use crate::request::View;
use crate::response::translate;

/// Returns a resource that receives logout tokens and security event tokens at `path`: register it
/// outside the protected scope.
///
/// See [`LogoutReceiver`] for what is accepted and the responses.
///
/// ```
/// use std::time::Duration;
/// use actix_web::{App, HttpResponse, test, web};
/// use portcullis_actix::portcullis::feed::{LogoutReceiver, Revocations};
/// use portcullis_actix::portcullis::{Gate, Revocation};
/// use portcullis_actix::{Auth, logout_resource};
/// # use portcullis_actix::portcullis::testing::Scene;
///
/// # actix_web::rt::System::new().block_on(async {
/// # let scene = Scene::with(|builder| {
/// #     let builder = builder.max_token_lifetime(Duration::from_secs(900));
/// #     builder.logout_clients(["web"]).event_audiences(["e"]).revocations(Revocations::in_memory())
/// # })
/// # .await;
/// # let auth = scene.auth.clone();
/// // `auth` was built with `revocations` and `logout_clients`.
/// let receiver = LogoutReceiver::new(&auth).unwrap();
/// let gate = Gate::new(auth).revocation(Revocation::feed(Duration::from_secs(5))).unwrap();
/// let api = web::scope("/api").wrap(Auth::new(gate)).route("/orders", web::get().to(HttpResponse::Ok));
/// let app = App::new().service(logout_resource("/backchannel-logout", receiver)).service(api);
/// let app = test::init_service(app).await;
///
/// # let token = scene.token("alice").claim("sid", "s-1");
/// let orders = || test::TestRequest::get().uri("/api/orders").insert_header(("authorization", token.bearer()));
/// assert_eq!(test::call_service(&app, orders().to_request()).await.status(), 200);
/// # let logout = scene.logout_token("web").claim("sid", "s-1").sign();
/// let logout = test::TestRequest::post().uri("/backchannel-logout").set_form([("logout_token", logout)]);
/// assert_eq!(test::call_service(&app, logout.to_request()).await.status(), 200);
/// assert_eq!(test::call_service(&app, orders().to_request()).await.status(), 401);
///
/// # let event = scene.session_revoked("e", "s-2").sign();
/// # let push = test::TestRequest::post().uri("/backchannel-logout").set_payload(event);
/// # let push = push.insert_header(("content-type", "application/secevent+jwt"));
/// # assert_eq!(test::call_service(&app, push.to_request()).await.status(), 202);
/// let forged = test::TestRequest::post().uri("/backchannel-logout").set_form([("logout_token", "a.b.c")]);
/// assert_eq!(test::call_service(&app, forged.to_request()).await.status(), 400);
/// # });
/// ```
#[must_use]
pub fn logout_resource(path: &str, receiver: LogoutReceiver) -> Resource {
    web::resource(path).to(move |request: HttpRequest, payload: Payload| {
        let receiver = receiver.clone();
        async move {
            let body = payload.to_bytes_limited(LogoutReceiver::MAX_BODY_BYTES).await;
            translate(match body {
                Ok(Ok(body)) => receiver.receive(&View(&request), &body).await,
                Ok(Err(_)) | Err(_) => LogoutReceiver::too_large(),
            })
        }
    })
}
