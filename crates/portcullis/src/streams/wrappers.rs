//! Wrappers that end a stream or a body of any framework with its session.

mod body;
mod stream;

pub use body::{EndingBody, StreamEnded};
pub use stream::EndingStream;
