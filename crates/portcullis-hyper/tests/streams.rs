//! Streamed bodies of a hyper service, over real sockets: they end with their session.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, combinators::BoxBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portcullis_hyper::portcullis::streams::EndingBody;
use portcullis_hyper::portcullis::testing::Scene;
use portcullis_hyper::{AuthService, caller};
use tokio::net::TcpListener;

/// Sends one frame, and then nothing more.
struct Endless(Option<Bytes>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |data| Poll::Ready(Some(Ok(Frame::data(data)))))
    }
}

type Boxed = BoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// A response whose body ends in order below `/last`, and is aborted elsewhere.
async fn endless(request: Request<Incoming>) -> Result<Response<Boxed>, Infallible> {
    let who = caller(&request).unwrap();
    let body = EndingBody::new(Endless(Some("first ".into())), &who.open_stream());
    let is_last = request.uri().path() == "/last";
    let body = if is_last { body.last(|reason| reason.as_str().into()) } else { body };
    Ok(Response::new(body.boxed()))
}

async fn serve(scene: &Scene) -> String {
    let service = AuthService::new(scene.auth.clone(), service_fn(endless));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    address
}

#[tokio::test]
async fn body_ends_with_its_session() {
    let scene = Scene::new().await;
    let address = serve(&scene).await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut answers = Vec::new();
    for client in [reqwest::Client::new(), http2] {
        for path in ["last", "aborted"] {
            let request = client.get(format!("http://{address}/{path}"));
            let request = request.header("authorization", scene.token("alice").bearer());
            answers.push((path, request.send().await.unwrap()));
        }
    }
    scene.advance(2000);
    for (path, answer) in answers {
        let version = answer.version();
        let text = tokio::time::timeout(Duration::from_secs(3), answer.text()).await.unwrap();
        match path {
            "last" => assert_eq!(text.unwrap(), "first expired", "{version:?}"),
            // The client must not mistake the body for complete.
            _ => assert!(text.is_err(), "{version:?}"),
        }
    }
}
