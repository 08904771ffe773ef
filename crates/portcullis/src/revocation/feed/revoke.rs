//! Revocations that the application reports: of a session, subject, token or client.

use std::time::{Duration, SystemTime};

use super::shared::Shared;
use super::{
    Appended, Entry, MAX_TEXT_BYTES, Revocations, StoreError, Target, rounded_up, seconds,
};
use crate::causes::debug_with_causes;
use crate::metrics;

/// How far in the future a reported event may be. A wrong time would reject new tokens.
const MAX_AHEAD: Duration = Duration::from_secs(300);

/// A session may still get a last token while its end is being reported.
const LATE_TOKENS: Duration = Duration::from_secs(60);

/// Why a revocation was not stored.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The store failed. The revocation may or may not be stored: report it again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value is empty, longer than 2,048 bytes, or contains a NUL. No token can have such a value.
    #[error("the {what} is empty, longer than {MAX_TEXT_BYTES} bytes, or has a NUL character")]
    #[non_exhaustive]
    Value {
        /// `issuer`, `session`, `token`, `subject` or `client`.
        what: &'static str,
    },
    /// The time of the event is more than 5 minutes in the future.
    #[error("the time of the event is more than 5 minutes in the future")]
    InFuture,
}

debug_with_causes!(RevokeError);

impl Revocations {
    /// Revokes a session: all tokens of `issuer` with this session ID, regardless of their `iat`.
    ///
    /// The claim `sid` contains the session ID, unless
    /// [`session_at`](crate::AuthenticatorBuilder::session_at) names another claim. Tokens without that
    /// claim are not affected.
    ///
    /// Returns after the entry is stored. This process applies it immediately, and the others within the
    /// `max_age` of their routes.
    ///
    /// End the session at the issuer, too, or it refreshes its tokens until the entry ends: after the
    /// longest lifetime of the issuer's tokens (`max_token_lifetime` or `max_token_age`, 24 hours if
    /// this process does not know it), three times the leeway and 60 seconds.
    /// [`retention`](super::RevocationsBuilder::retention) keeps entries longer.
    ///
    /// # Errors
    ///
    /// An error if the entry is not stored, or if no token can have such a value.
    pub async fn revoke_session(&self, issuer: &str, session: &str) -> Result<(), RevokeError> {
        let at = self.event_time(issuer, None)?;
        let until = self.end_of_session(issuer, at);
        self.report(issuer, Target::Session(session.to_owned()), at, until).await
    }

    /// Revokes the token of `issuer` with this `jti`.
    ///
    /// The entry is kept until `expires_at`, which is the token's `exp`, plus the leeway. Without
    /// `expires_at`, the entry is kept for the longest lifetime of the issuer's tokens.
    ///
    /// # Errors
    ///
    /// The errors of [`revoke_session`](Self::revoke_session).
    pub async fn revoke_token(
        &self,
        issuer: &str,
        token: &str,
        expires_at: Option<SystemTime>,
    ) -> Result<(), RevokeError> {
        let at = self.event_time(issuer, None)?;
        let until = expires_at.map_or_else(
            || self.end_of_session(issuer, at),
            |expires_at| {
                let leeway = self.0.lifetimes(issuer).leeway;
                seconds(expires_at).saturating_add(rounded_up(leeway))
            },
        );
        self.report(issuer, Target::Token(token.to_owned()), at, until).await
    }

    /// Revokes the tokens of a subject, `sub`, that were issued up to the event.
    ///
    /// `at` is the time of the event by the issuer's clock, for example from a webhook. The default is
    /// our time plus the leeway, because the issuer's clock may be ahead of ours. Tokens with an `iat`
    /// of at most this time plus the leeway are rejected, and so are tokens without `iat`. A user who
    /// logs in again gets a token that was issued later, which is accepted.
    ///
    /// ```
    /// # async fn example(revocations: &portcullis::feed::Revocations) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// // From a webhook: the user's password was changed.
    /// let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// revocations.revoke_subject("https://auth.example", "alice", Some(at)).await?;
    /// // From an administrator's operation.
    /// revocations.revoke_subject("https://auth.example", "mallory", None).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`revoke_session`](Self::revoke_session), and an error if `at` is more than 5
    /// minutes in the future.
    pub async fn revoke_subject(
        &self,
        issuer: &str,
        subject: &str,
        at: Option<SystemTime>,
    ) -> Result<(), RevokeError> {
        let at = self.event_time(issuer, at)?;
        let until = self.end_of_tokens(issuer, at);
        self.report(issuer, Target::Subject(subject.to_owned()), at, until).await
    }

    /// Revokes the tokens of a client that were issued up to the event. A token names its client in
    /// `client_id`, `azp` or `cid`.
    ///
    /// `at` is the time of the event, as for [`revoke_subject`](Self::revoke_subject).
    ///
    /// # Errors
    ///
    /// The errors of [`revoke_subject`](Self::revoke_subject).
    pub async fn revoke_client(
        &self,
        issuer: &str,
        client: &str,
        at: Option<SystemTime>,
    ) -> Result<(), RevokeError> {
        let at = self.event_time(issuer, at)?;
        let until = self.end_of_tokens(issuer, at);
        self.report(issuer, Target::Client(client.to_owned()), at, until).await
    }

    /// Stores the revocation that an issuer's message reports, and applies it.
    pub(crate) async fn store(&self, entry: &Entry) -> Result<Appended, RevokeError> {
        for (what, text) in
            [("issuer", &*entry.issuer), (entry.target.kind(), entry.target.value())]
        {
            if text.is_empty() || text.len() > MAX_TEXT_BYTES || text.contains('\0') {
                return Err(RevokeError::Value { what });
            }
        }
        let kind = entry.target.kind();
        let appended = match Shared::bounded(self.0.store.append(entry)).await {
            Ok(appended) => appended,
            Err(error) => {
                metrics::revocation_reported(kind, "failed");
                return Err(error.into());
            }
        };
        if appended == Appended::New {
            self.0.apply(entry);
            metrics::revocation_reported(kind, "stored");
        }
        if self.0.is_local {
            // Without a background task, this is the only call that deletes entries.
            self.0.prune().await;
        }
        Ok(appended)
    }

    /// Returns the time at which all tokens that an entry revokes have expired.
    pub(crate) fn end_of(&self, issuer: &str, target: &Target, at: u64) -> u64 {
        match target {
            Target::Session(_) | Target::Token(_) => self.end_of_session(issuer, at),
            Target::Subject(_) | Target::Client(_) | Target::All => self.end_of_tokens(issuer, at),
        }
    }

    /// Returns how long a token of an issuer may be accepted after it was issued.
    pub(crate) fn longest_lifetime(&self, issuer: &str) -> Duration {
        self.0.lifetimes(issuer).bound
    }

    /// Returns the time at which the last token of a session, or a single token, has expired.
    fn end_of_session(&self, issuer: &str, at: u64) -> u64 {
        let at = at.max(seconds(self.0.now().wall()));
        self.end_of_tokens(issuer, at.saturating_add(LATE_TOKENS.as_secs()))
    }

    /// Returns the time at which all tokens that were issued before an event have expired.
    fn end_of_tokens(&self, issuer: &str, at: u64) -> u64 {
        at.saturating_add(rounded_up(self.0.lifetimes(issuer).bound))
    }

    fn event_time(&self, issuer: &str, at: Option<SystemTime>) -> Result<u64, RevokeError> {
        let now = self.0.now().wall();
        match at {
            Some(at) if at > now + MAX_AHEAD => Err(RevokeError::InFuture),
            Some(at) => Ok(seconds(at)),
            None => Ok(seconds(now + self.0.lifetimes(issuer).leeway)),
        }
    }

    async fn report(
        &self,
        issuer: &str,
        target: Target,
        at: u64,
        until: u64,
    ) -> Result<(), RevokeError> {
        let entry = Entry::new(issuer, target, at, until);
        self.store(&entry).await?;
        // Also applies a known entry: an earlier attempt may have stored it although it reported a failure.
        self.0.apply(&entry);
        Ok(())
    }
}
