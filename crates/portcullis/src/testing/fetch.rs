use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};

use crate::fetch::{Fetch, FetchRequest, Fetching};

/// The response of a [`ScriptedFetch`] for a URL.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A response with this status, these headers and this body.
    Response(u16, HeaderMap, Bytes),
    /// An error, as if the connection were refused.
    Fails,
    /// No response: the request waits until the caller times out.
    Hangs,
}

impl Answer {
    /// Creates a response with status 200 and `body`, without headers.
    pub fn ok(body: impl ToString) -> Self {
        Self::status(200, body)
    }

    /// Creates a response with this status and `body`, without headers.
    pub fn status(status: u16, body: impl ToString) -> Self {
        Self::Response(status, HeaderMap::new(), Bytes::from(body.to_string()))
    }

    /// Adds a header line to a response; the other variants are unchanged.
    ///
    /// # Panics
    ///
    /// If `name` or `value` is not valid in a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Response(_, headers, _) = &mut self {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        self
    }
}

/// An HTTP client that answers from a script and records its requests, for
/// [`AuthenticatorBuilder::fetch`](crate::AuthenticatorBuilder::fetch). A URL that is not in the
/// script is answered with 404. Clones share the script and the record.
#[derive(Debug, Clone, Default)]
pub struct ScriptedFetch {
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    requests: Arc<Mutex<Vec<FetchRequest>>>,
    posts: Arc<Mutex<Vec<(FetchRequest, Bytes)>>>,
}

impl ScriptedFetch {
    /// Answers `url` with `answer` from now on, for both `GET` and `POST`.
    pub fn set(&self, url: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(url.to_owned(), answer);
    }

    /// Returns the `GET` requests so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<FetchRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the `POST` requests so far with their bodies, in order.
    #[must_use]
    pub fn posts(&self) -> Vec<(FetchRequest, Bytes)> {
        self.posts.lock().unwrap().clone()
    }

    fn answer(&self, url: &str) -> Fetching<'static> {
        let answer = self.answers.lock().unwrap().get(url).cloned();
        Box::pin(async move {
            // Yields once, because a real client is never ready at once.
            tokio::task::yield_now().await;
            match answer.unwrap_or_else(|| Answer::status(404, "")) {
                Answer::Response(status, headers, body) => {
                    let mut response = Response::builder().status(status).body(body)?;
                    *response.headers_mut() = headers;
                    Ok(response)
                }
                Answer::Fails => Err("connection refused".into()),
                Answer::Hangs => std::future::pending().await,
            }
        })
    }
}

impl Fetch for ScriptedFetch {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        let answer = self.answer(&request.url);
        self.requests.lock().unwrap().push(request);
        answer
    }

    fn post(&self, request: FetchRequest, body: Bytes) -> Fetching<'_> {
        let answer = self.answer(&request.url);
        self.posts.lock().unwrap().push((request, body));
        answer
    }
}
