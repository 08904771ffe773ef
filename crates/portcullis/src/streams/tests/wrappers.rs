//! Tests of the wrappers of streams and bodies.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};

use super::{SEC, open};
use crate::streams::{Ended, EndingBody, EndingStream, StreamEnded};
use crate::testing::Scene;

/// Yields its items, and then ends or waits forever.
struct Items {
    left: VecDeque<&'static str>,
    ends: bool,
}

impl Items {
    fn new(items: [&'static str; 2], ends: bool) -> Self {
        Self { left: items.into(), ends }
    }

    fn next(&mut self) -> Poll<Option<&'static str>> {
        match self.left.pop_front() {
            None if !self.ends => Poll::Pending,
            item => Poll::Ready(item),
        }
    }
}

impl Stream for Items {
    type Item = &'static str;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<&'static str>> {
        self.next()
    }
}

impl Body for Items {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.next().map(|item| item.map(|item| Ok(Frame::data(item.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(7)
    }
}

/// All items, until the end of the stream.
async fn items(stream: impl Stream<Item = &'static str>) -> Vec<&'static str> {
    let mut stream = pin!(stream);
    let mut all = Vec::new();
    while let Some(item) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        all.push(item);
    }
    assert!(
        poll_fn(|context| stream.as_mut().poll_next(context)).await.is_none(),
        "it stays ended"
    );
    all
}

/// Returns how the body ends after its items: `end`, the trailers, the last data, or an error.
async fn end_of_body(body: EndingBody<Items>) -> String {
    let mut body = pin!(body);
    assert!(body.size_hint().exact().is_none(), "a length would promise the whole body");
    let mut last = "end".to_owned();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        last = match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
                Err(frame) => format!("{:?}", frame.into_trailers().unwrap()),
            },
            Err(error) => match error.downcast_ref::<StreamEnded>() {
                Some(StreamEnded(reason)) => format!("error {}", reason.as_str()),
                None => error.to_string(),
            },
        };
    }
    assert!(body.is_end_stream());
    last
}

#[tokio::test(start_paused = true)]
async fn wrapped_stream_ends_with_its_session() {
    let scene = Scene::new().await;
    let stream = open(&scene).await;
    let last = |reason: Ended| Some(reason.as_str());
    let whole = EndingStream::new(Items::new(["a", "b"], true), &stream).last(last);
    assert_eq!(items(whole).await, ["a", "b"], "no last item after a regular end");
    let waiting = EndingStream::new(Items::new(["a", "b"], false), &stream).last(last);
    let waiting = tokio::spawn(items(waiting));
    let silent = tokio::spawn(items(EndingStream::new(Items::new(["a", "b"], false), &stream)));
    tokio::time::sleep(SEC).await;
    scene.advance(2000);
    assert_eq!(waiting.await.unwrap(), ["a", "b", "expired"]);
    assert_eq!(silent.await.unwrap(), ["a", "b"]);
    // After the end of the stream, ready items are not returned.
    let late = EndingStream::new(Items::new(["a", "b"], true), &stream).last(last);
    assert_eq!(items(late).await, ["expired"]);
}

#[tokio::test(start_paused = true)]
async fn wrapped_body_ends_with_its_session() {
    let scene = Scene::new().await;
    let stream = open(&scene).await;
    let body = |ends| EndingBody::new(Items::new(["a", "b"], ends), &stream);
    assert_eq!(end_of_body(body(true)).await, "b");
    let waiting = [
        (body(false), "error expired"),
        (body(false).last(|reason| reason.as_str().into()), "expired"),
        (body(false).grpc(), r#"{"grpc-status": "16", "grpc-message": "The session has ended"}"#),
    ];
    let waiting = waiting.map(|(body, expected)| (tokio::spawn(end_of_body(body)), expected));
    tokio::time::sleep(SEC).await;
    scene.advance(2000);
    for (end, expected) in waiting {
        assert_eq!(end.await.unwrap(), expected);
    }
    let unwatched = super::Authenticated::for_test(r#"{"exp":1}"#).open_stream();
    let body = EndingBody::new(Items::new(["a", "b"], false), &unwatched).grpc();
    let end = end_of_body(body).await;
    assert!(end.contains(r#""grpc-status": "14""#), "{end}");
}
