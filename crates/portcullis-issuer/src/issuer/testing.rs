//! Hidden and unstable methods for benchmarks.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::clock::now_secs;
use crate::error::Error;
use crate::issuer::Issuer;

impl Issuer {
    /// Returns a function that issues an access token of this live session at each call, with the
    /// current signing key. The function does the part of a login or a refresh that does not use
    /// the store.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store) if the store cannot be read.
    pub async fn access_tokens_of(
        &self,
        session_id: &str,
    ) -> Result<Option<impl Fn() -> Option<String> + use<>>, Error> {
        let keys = self.domain().keys.current().await?;
        let Some((session, user)) = self.domain().sessions.live(session_id).await? else {
            return Ok(None);
        };
        let issuer = self.clone();
        let Some(audience) = self.domain().sessions.tokens.settings().audience(&[]) else {
            return Ok(None);
        };
        Ok(Some(move || {
            let (tokens, now) =
                (&issuer.domain().sessions.tokens, now_secs(&*issuer.config().clock));
            let subject = session.subject(&user);
            let token = tokens.issue(&keys, &subject, &audience, now);
            match pin!(token).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(token) => token.ok(),
                Poll::Pending => None,
            }
        }))
    }
}
