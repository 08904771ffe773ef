//! Server-sent events that end with their session.

use axum::response::sse::Event;
use futures_core::Stream;
use portcullis::streams::{Ended, EndingStream, OpenStream};

/// The stream that [`ending_events`] returns.
pub type EndingEvents<S, E> = EndingStream<S, fn(Ended) -> Option<Result<Event, E>>>;

/// Yields `events` until `stream` ends, then the event `session-ended` with the
/// [reason](Ended::as_str), and then ends the response.
///
/// A browser's `EventSource` cannot send a new token, so its stream ends when the token expires.
/// The browser then connects again by itself, with the current cookie and the `Last-Event-ID` of the
/// last event that had an `id`: a handler that continues there loses no event. `session-ended` has
/// no `id`, so it does not change that header. If the session has ended, the new request is
/// rejected with 401, and the browser gives up.
///
/// ```
/// use std::convert::Infallible;
///
/// use axum::response::sse::{Event, Sse};
/// # use futures_core::Stream;
/// use portcullis_axum::{Caller, ending_events};
///
/// # fn prices() -> impl Stream<Item = Result<Event, Infallible>> {
/// #     futures_util::stream::pending()
/// # }
/// async fn live(Caller(who): Caller) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
///     Sse::new(ending_events(prices(), &who.open_stream()))
/// }
/// ```
pub fn ending_events<S, E>(events: S, stream: &OpenStream) -> EndingEvents<S, E>
where
    S: Stream<Item = Result<Event, E>>,
{
    EndingStream::new(events, stream)
        .last(|reason| Some(Ok(Event::default().event("session-ended").data(reason.as_str()))))
}
