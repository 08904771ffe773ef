//! Renewal: a new token for a stream.

use std::future::IntoFuture as _;
use std::sync::Arc;

use super::OpenStream;
use super::ended::Ended;
use crate::authenticated::Authenticated;
use crate::credentials::BareToken;
use crate::maybe_ready::{Answer, MaybeReady};
use crate::refusal::{Refusal, Site, Unreported};

/// The part of an authenticator that a renewal uses.
pub(crate) trait Renews: Send + Sync {
    /// Returns the caller of a token, without a revocation check.
    fn decide(
        self: Arc<Self>,
        token: BareToken<'_>,
    ) -> MaybeReady<Result<Option<Authenticated>, Unreported>>;
}

/// Why a stream was not renewed. The stream keeps its token and its expiry.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NotRenewed {
    /// The stream has already ended: the client must open a new one.
    #[error("the stream has ended: {0}")]
    Ended(Ended),
    /// The token is not accepted, does not meet the policy of the route, or was revoked. The refusal
    /// has already been logged. Send [`Refusal::detail`] to the client.
    #[error("the new token is refused")]
    Refused(#[source] Refusal),
    /// The token is from another issuer, or for another rule set of a resolver.
    #[error(
        "the new token is from another issuer; a stream stays with the issuer of its first token"
    )]
    OtherIssuer,
    /// The token has another `sub`, or none.
    #[error("the new token is for another subject; open a new stream for another `sub`")]
    OtherSubject,
    /// The token has another `sid`, has none, or has one although the first token had none.
    #[error("the new token is of another session; open a new stream for another `sid`")]
    OtherSession,
    /// The token is bound to another key of the client: its `cnf` is different or unreadable.
    #[error(
        "the new token is bound to another key; a stream stays with the `cnf` of its first token"
    )]
    OtherConfirmation,
    /// The token expires before the current one.
    #[error("the new token expires before the current one; send the latest token")]
    ExpiresEarlier,
}

crate::causes::debug_with_causes!(NotRenewed);

impl OpenStream {
    /// Continues the stream with a new token of the same session, until the expiry of that token.
    ///
    /// The token is validated in full, and must then meet the requirements of the gate and the route:
    /// policy and revocation. It must have the same issuer, `sub`, `sid` and `cnf` as the first token.
    /// A token without `sub` cannot renew a stream.
    ///
    /// `token` is the token without `Bearer`, as for
    /// [`Gate::authenticate_token`](crate::Gate::authenticate_token). It may come in any message of
    /// the client, because a stream has one caller, and the token proves that it is from the same
    /// caller. If an [`IssuerResolver`](crate::config::IssuerResolver) selects rule sets by the
    /// request, pass the request as well: `(token, &request)`.
    ///
    /// ```
    /// use portcullis::streams::{NotRenewed, OpenStream};
    ///
    /// /// Returns the answer to a client that sent a new token.
    /// async fn renew(stream: &OpenStream, message: &str) -> &'static str {
    ///     match stream.renew(message).await {
    ///         Ok(()) => "renewed",
    ///         // The service decides whether the client gets the reason.
    ///         Err(NotRenewed::Refused(refusal)) => refusal.detail(),
    ///         Err(_) => "not renewed",
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotRenewed`]. The stream keeps its old expiry.
    pub fn renew<'t>(&self, token: impl Into<BareToken<'t>>) -> Answer<Result<(), NotRenewed>> {
        let Self { entry, registry } = self.clone();
        // The token is read before the first await.
        let home = registry.as_ref().and_then(|registry| registry.home());
        let verdict = home.map(|home| home.decide(token.into()));
        let renewed = async move {
            let (Some(verdict), Some(registry)) = (verdict, registry) else {
                return Err(NotRenewed::Ended(Ended::Unwatched));
            };
            let before = entry.caller();
            let refused = |why: Unreported| NotRenewed::Refused(why.at(&Site::default()));
            let who = verdict.await.map_err(refused)?;
            let mut who = who.ok_or(NotRenewed::OtherSubject)?;
            check_same(&before, &who)?;
            *who.demands_mut() = before.demands().clone();
            who.demands().are_met_by(&who).map_err(refused)?;
            for means in who.demands().means() {
                who.stands(means).await.map_err(refused)?;
            }
            registry.replace(&entry, who).map_err(NotRenewed::Ended)
        };
        MaybeReady::pending(renewed).into_future()
    }
}

/// Checks that both tokens are of the same session and the same client.
pub(super) fn check_same(before: &Authenticated, who: &Authenticated) -> Result<(), NotRenewed> {
    let (old, new) = (before.registered(), who.registered());
    let (from, to) = (&before.origin().issuer, &who.origin().issuer);
    if from.name() != to.name() || from.rule_set != to.rule_set {
        return Err(NotRenewed::OtherIssuer);
    }
    if old.subject().is_none() || old.subject() != new.subject() {
        return Err(NotRenewed::OtherSubject);
    }
    if !same_claim(before, who, "sid") {
        return Err(NotRenewed::OtherSession);
    }
    if !same_session_of_feed(before, who) {
        return Err(NotRenewed::OtherSession);
    }
    if !same_claim(before, who, "cnf") {
        return Err(NotRenewed::OtherConfirmation);
    }
    let end = |who: &Authenticated| who.origin().issuer.rules.end_of(who.registered());
    if end(who) < end(before) {
        return Err(NotRenewed::ExpiresEarlier);
    }
    Ok(())
}

/// Whether the feed reads the same session from both tokens. It may read the session from a claim
/// other than `sid`.
fn same_session_of_feed(before: &Authenticated, who: &Authenticated) -> bool {
    let Some(feed) = &who.origin().issuer.feed else { return true };
    let session = |who: &Authenticated| {
        feed.with_names(who.registered(), |names| names.session.map(str::to_owned))
    };
    matches!((session(before), session(who)), (Ok(old), Ok(new)) if old == new)
}

/// Whether both tokens have an equal claim `name`, or neither has it. An unreadable claim is equal to no
/// other claim.
fn same_claim(before: &Authenticated, who: &Authenticated, name: &str) -> bool {
    matches!((before.claim(name), who.claim(name)), (Ok(old), Ok(new)) if old == new)
}
