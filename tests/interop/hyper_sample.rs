//! The sample of the documentation for hyper without an adapter, over a real socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portcullis::testing::Scene;
use portcullis::{Authenticator, Policy, Refusal};
use tokio::net::TcpListener;

/// All the code that an application writes: authenticate, check the policy, respond.
async fn handle(
    auth: Authenticator,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let who = auth.authenticate(request.headers()).await?;
    who.require(&Policy::scopes(["orders:read"]))?;
    Ok(Response::new(Full::from(format!("orders of {:?}", who.subject()))))
}

async fn serve(listener: TcpListener, auth: Authenticator) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let auth = auth.clone();
        let service = service_fn(move |request| {
            let auth = auth.clone();
            async move {
                let answer = handle(auth, request).await;
                Ok::<_, Infallible>(answer.unwrap_or_else(Refusal::into_response))
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

#[tokio::test]
async fn request_is_rejected_without_a_token_and_accepted_with_one() {
    let scene = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/orders", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, scene.auth.clone()));

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let refused = client.get(&url).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()[WWW_AUTHENTICATE], r#"Bearer realm="api""#);
    assert_eq!(refused.text().await.unwrap(), "");

    for (scope, status) in [("orders:read", 200), ("orders:write", 403)] {
        let bearer = scene.token("alice").scopes([scope]).bearer();
        let answer = client.get(&url).header(AUTHORIZATION, bearer).send().await.unwrap();
        assert_eq!(answer.status(), status, "{scope}");
    }
}
