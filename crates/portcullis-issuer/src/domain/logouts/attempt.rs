//! One attempt to deliver a message.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use super::{Delivery, LogoutMessage};
use crate::backchannel::TIMEOUT;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::tokens::EndedSession;
use crate::error::Error;
use crate::metrics;

/// The time limit for signing and sending. It is shorter than a claim.
const AT_MOST: Duration = TIMEOUT.saturating_add(Duration::from_secs(5));

/// The longest wait before the next attempt, in seconds.
const MAX_WAIT_SECS: i64 = 300;

/// The result of an attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) client_id: String,
    pub(super) began: Instant,
    /// Why the message must be sent again, if it must.
    pub(super) failure: Option<String>,
}

/// The client's response.
enum Answer {
    Delivered,
    Rejected,
    Failed(String),
}

impl Delivery {
    /// Sends a claimed message, and stores the result.
    pub(super) async fn attempt(
        self: Arc<Self>,
        message: LogoutMessage,
        uri: String,
        began: Instant,
    ) -> Attempt {
        let sent = tokio::time::timeout(AT_MOST, self.send(&message, &uri)).await;
        let answer = sent.unwrap_or_else(|_| Answer::Failed("the attempt timed out".to_owned()));
        if let Err(error) = self.store_answer(&message, &answer).await {
            let error = &error as &(dyn std::error::Error + 'static);
            tracing::warn!(error, "result of a logout token not stored; it will be sent again");
        }
        let failure = match answer {
            Answer::Failed(reason) => Some(reason),
            Answer::Delivered | Answer::Rejected => None,
        };
        Attempt { client_id: message.client_id, began, failure }
    }

    async fn send(&self, message: &LogoutMessage, uri: &str) -> Answer {
        // The setting of the host may have changed since the URI was registered.
        if !self.uris.is_allowed(uri) {
            let reason = "its back-channel logout URI is not allowed; set another one";
            return Answer::Failed(reason.to_owned());
        }
        let (token, known_from) = match self.token_of(message).await {
            Ok(signed) => signed,
            Err(error) => return Answer::Failed(with_causes(&error)),
        };
        match self.sender.post(uri, &token).await {
            Ok(StatusCode::OK | StatusCode::NO_CONTENT) => Answer::Delivered,
            // After an emergency change of keys, the client may have cached a key set without the key
            // that signed the token. It accepts a later attempt.
            Ok(StatusCode::BAD_REQUEST) if self.now() < known_from => Answer::Failed(
                "the client answered 400, and may lack the new signing key".to_owned(),
            ),
            Ok(StatusCode::BAD_REQUEST) => Answer::Rejected,
            Ok(other) => Answer::Failed(format!("the client answered {other}")),
            Err(error) => Answer::Failed(with_causes(&*error)),
        }
    }

    /// Returns the logout token, and the time from which on every cached key set has its key.
    async fn token_of(&self, message: &LogoutMessage) -> Result<(String, i64), Error> {
        let keys = self.keys.current().await?;
        let session = EndedSession {
            session_id: &message.session_id,
            user_id: &message.user_id,
            ended_at: message.ended_at,
        };
        let ids = (&*message.client_id, &*message.id);
        let token = self.tokens.issue_logout(&keys, session, ids, self.now()).await?;
        Ok((token, keys.known_from))
    }

    async fn store_answer(&self, message: &LogoutMessage, answer: &Answer) -> Result<(), Error> {
        let LogoutMessage { client_id, session_id, attempts, .. } = message;
        match answer {
            Answer::Delivered => {
                metrics::logouts("delivered", 1);
                self.store.finish_logout(message, None).await?;
            }
            Answer::Rejected => {
                metrics::logouts("rejected", 1);
                tracing::warn!(client_id, session_id, attempts, "logout token rejected");
                self.store
                    .finish_logout(message, Some(&not_delivered(message, self.now())))
                    .await?;
            }
            Answer::Failed(reason) => {
                metrics::logouts("retried", 1);
                tracing::debug!(client_id, session_id, attempts, reason, "logout token failed");
                let next_at = self.now().saturating_add(wait_after(*attempts));
                self.store.retry_logout(message, next_at).await?;
            }
        }
        Ok(())
    }
}

/// Creates the event of a message that the client rejected.
fn not_delivered(message: &LogoutMessage, at: i64) -> NewEvent {
    NewEvent::new(EventKind::LogoutNotDelivered, at)
        .client(&message.client_id)
        .user(&message.user_id)
        .session(&message.session_id)
}

/// Returns the wait after this number of failed attempts, in seconds: 1, 2, 4, … and at most 300.
fn wait_after(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    1_i64.checked_shl(doublings).unwrap_or(MAX_WAIT_SECS).clamp(1, MAX_WAIT_SECS)
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_doubles_from_1_second_up_to_5_minutes() {
        let waits: Vec<_> = (1..=11).map(wait_after).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        for attempts in [0, 63, 64, 65, 66, i64::MAX] {
            assert!((1..=300).contains(&wait_after(attempts)), "{attempts}");
        }
    }
}
