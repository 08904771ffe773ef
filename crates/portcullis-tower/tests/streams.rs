//! Streams of tonic, over real sockets: they end with their session, in both directions.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use http::uri::PathAndQuery;
use http::{Request, Response};
use portcullis_test_support::text_codec::Text;
use portcullis_tower::portcullis::streams::{EndingBody, EndingStream};
use portcullis_tower::portcullis::testing::Scene;
use portcullis_tower::portcullis::{Authenticated, Gate, Policy};
use portcullis_tower::{AuthLayer, RequireLayer};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::{ClientStreamingService, Grpc, NamedService, ServerStreamingService};
use tonic::service::LayerExt as _;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status, Streaming};
use tower::{Service, ServiceBuilder};

type Answer<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;
type Texts = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

fn caller<T>(request: &tonic::Request<T>) -> Authenticated {
    request.extensions().get::<Authenticated>().unwrap().clone()
}

/// Sends one message, and then nothing more.
fn endless() -> Texts {
    Box::pin(stream::iter([Ok("first".to_owned())]).chain(stream::pending()))
}

/// A method that sends messages, and ends the stream itself.
struct Watch;

impl ServerStreamingService<String> for Watch {
    type Response = String;
    type ResponseStream = Texts;
    type Future = Answer<Texts>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        let stream = caller(&request).open_stream();
        let texts = EndingStream::new(endless(), &stream)
            .last(|reason| Some(Err(Status::unauthenticated(reason.to_string()))));
        Box::pin(async move { Ok(tonic::Response::new(Box::pin(texts) as Texts)) })
    }
}

/// A method that sends messages and does not handle sessions.
struct Unaware;

impl ServerStreamingService<String> for Unaware {
    type Response = String;
    type ResponseStream = Texts;
    type Future = Answer<Texts>;

    fn call(&mut self, _: tonic::Request<String>) -> Self::Future {
        Box::pin(async { Ok(tonic::Response::new(endless())) })
    }
}

/// A method that receives messages.
struct Upload;

impl ClientStreamingService<String> for Upload {
    type Response = String;
    type Future = Answer<String>;

    fn call(&mut self, request: tonic::Request<Streaming<String>>) -> Self::Future {
        let stream = caller(&request).open_stream();
        Box::pin(async move {
            let mut texts = EndingStream::new(request.into_inner(), &stream)
                .last(|reason| Some(Err(Status::unauthenticated(reason.to_string()))));
            let mut all = String::new();
            while let Some(text) = texts.next().await {
                all += &text?;
            }
            Ok(tonic::Response::new(all))
        })
    }
}

#[derive(Clone)]
struct Feed;

impl NamedService for Feed {
    const NAME: &'static str = "test.Feed";
}

impl Service<Request<Body>> for Feed {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(Text);
            Ok(match request.uri().path() {
                "/test.Feed/Watch" => grpc.server_streaming(Watch, request).await,
                "/test.Feed/Upload" => grpc.client_streaming(Upload, request).await,
                _ => {
                    let who = request.extensions().get::<Authenticated>().unwrap().clone();
                    let response = grpc.server_streaming(Unaware, request).await;
                    let stream = who.open_stream();
                    response.map(|body| Body::new(EndingBody::new(body, &stream).grpc()))
                }
            })
        })
    }
}

async fn serve(scene: &Scene) -> Channel {
    let layers = ServiceBuilder::new()
        .layer(AuthLayer::new(Gate::new(scene.auth.clone()).grpc()))
        .layer(RequireLayer::new(Policy::scopes(["feed"])))
        .into_inner();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(layers.named_layer(Feed));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn request<T>(scene: &Scene, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let token = scene.token("alice").scopes(["feed"]);
    request.metadata_mut().insert("authorization", token.bearer().parse().unwrap());
    request
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3), future).await.unwrap()
}

#[tokio::test]
async fn stream_of_the_server_ends_with_unauthenticated() {
    let scene = Scene::new().await;
    let channel = serve(&scene).await;
    let mut streams = Vec::new();
    for method in ["Watch", "Unaware"] {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path = PathAndQuery::try_from(format!("/test.Feed/{method}")).unwrap();
        let request = request(&scene, String::new());
        let mut texts = client.server_streaming(request, path, Text).await.unwrap().into_inner();
        assert_eq!(texts.message().await.unwrap().as_deref(), Some("first"));
        streams.push((method, texts));
    }
    scene.advance(2000);
    for (method, mut texts) in streams {
        let status = within(texts.message()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{method}: {status}");
    }
}

#[tokio::test]
async fn stream_of_the_client_ends_with_unauthenticated() {
    let scene = Scene::new().await;
    let mut client = tonic::client::Grpc::new(serve(&scene).await);
    client.ready().await.unwrap();
    let texts = stream::iter(["first".to_owned()]).chain(stream::pending());
    let path = PathAndQuery::from_static("/test.Feed/Upload");
    let request = request(&scene, texts);
    let upload = tokio::spawn(async move { client.client_streaming(request, path, Text).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!upload.is_finished());
    scene.advance(2000);
    let status = within(upload).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert_eq!(status.message(), "the access token expired");
}
