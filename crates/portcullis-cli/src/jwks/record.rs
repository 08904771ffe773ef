//! An HTTP client that records the responses.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED};
use http::{HeaderMap, Response};
use portcullis::{
    clock::{Clock as _, SystemClock},
    fetch::{Fetch, FetchRequest, Fetching, ReqwestFetch, decoded},
};
use serde::Serialize;

#[derive(Debug, Clone)]
pub(crate) struct Recording {
    inner: Arc<ReqwestFetch>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    answers: Vec<Answer>,
    last_body: Option<Bytes>,
}

/// A recorded response.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Answer {
    pub(crate) url: String,
    /// `None` if no complete response came.
    pub(super) status: Option<u16>,
    pub(super) millis: u64,
    pub(super) bytes: usize,
    pub(crate) cache_control: Option<String>,
    pub(super) expires: Option<String>,
    /// Whether the response has a validator, so that conditional requests work.
    pub(super) etag: bool,
    /// The seconds by which the server's clock is ahead of this machine's; negative if it is
    /// behind.
    pub(super) date_off_secs: Option<i64>,
}

type Answered = Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;

impl Recording {
    pub(crate) fn new(fetch: ReqwestFetch) -> Self {
        Self { inner: Arc::new(fetch), seen: Arc::default() }
    }

    pub(crate) fn answers(&self) -> Vec<Answer> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).answers.clone()
    }

    pub(super) fn last_body(&self) -> Option<Bytes> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).last_body.clone()
    }

    fn keep(&self, url: String, max_body: usize, began: Instant, answered: &Answered) {
        let nothing = HeaderMap::new();
        let headers = answered.as_ref().map_or(&nothing, Response::headers);
        let text = |name: &HeaderName| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let answer = answered.as_ref().ok();
        let bytes = answer.map_or(0, |answer| answer.body().len());
        // The key set parser reports a body that cannot be decoded.
        let body = answer.and_then(|answer| decoded(answer.clone(), max_body).ok());
        let answer = Answer {
            url,
            status: answered.as_ref().ok().map(|answer| answer.status().as_u16()),
            millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes,
            cache_control: text(&CACHE_CONTROL),
            expires: text(&EXPIRES),
            etag: headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED),
            date_off_secs: text(&DATE).and_then(|date| off(&date)),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.answers.push(answer);
        seen.last_body = body.map(Response::into_body);
    }
}

fn off(date: &str) -> Option<i64> {
    let secs = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let theirs = secs(httpdate::parse_http_date(date).ok()?)?.as_secs();
    let ours = secs(SystemClock::new().now())?.as_secs();
    Some(theirs.cast_signed() - ours.cast_signed())
}

impl Fetch for Recording {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        Box::pin(async move {
            let (url, max_body, began) = (request.url.clone(), request.max_body, Instant::now());
            let answered = self.inner.get(request).await;
            self.keep(url, max_body, began, &answered);
            answered
        })
    }
}
