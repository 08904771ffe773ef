//! The notifier that writes messages to the log, for development.

use super::{Delivery, Message, Notifier};

/// Writes each message to the log, with its token.
#[derive(Debug)]
pub(super) struct LogNotifier;

impl Notifier for LogNotifier {
    fn deliver(&self, message: Message) -> Delivery<'_> {
        Box::pin(async move {
            tracing::info!(
                kind = ?message.kind,
                name = message.name,
                address = message.address,
                token = message.token(),
                "message to a user (development only)"
            );
            Ok(())
        })
    }
}
