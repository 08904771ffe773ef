//! The status of an issuer: for status pages, alarms and audits.

use std::time::{Duration, SystemTime};

use super::{Audiences, TrustedIssuer};
use crate::key_source::{Freshness, KeySetStatus};
use crate::revocation::{LogoutMatch, StatusListStatus};

/// The status of one issuer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuerStatus {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The name of its rule set, if it came from an
    /// [`IssuerResolver`](crate::config::IssuerResolver). `None` for an issuer that the
    /// authenticator was built with.
    pub rule_set: Option<String>,
    /// Whether tokens for any audience are accepted, because of
    /// [`dangerous::any_audience`](crate::dangerous::any_audience).
    pub accepts_any_audience: bool,
    /// The maximum time that a token is accepted after its session was revoked, whatever the issuer
    /// does: [`max_token_lifetime`](crate::AuthenticatorBuilder::max_token_lifetime) or
    /// [`max_token_age`](crate::AuthenticatorBuilder::max_token_age), plus twice the leeway. `None`
    /// if neither is set: the issuer's token lifetime is then the bound.
    pub revocation_bound: Option<Duration>,
    /// The status of its keys; `None` if they are provided instead of fetched.
    pub keys: Option<KeySetStatus>,
    /// The status of the status lists that routes have used recently.
    pub status_lists: Vec<StatusListStatus>,
    /// The status of the revocation feed; `None` without
    /// [`revocations`](crate::AuthenticatorBuilder::revocations).
    pub feed: Option<FeedStatus>,
}

/// The state of an issuer's revocations at this instance.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FeedStatus {
    /// The number of entries of this issuer.
    pub entries: usize,
    /// Every token that was issued before this time is rejected, because there were too many
    /// entries. `None` if all entries are kept.
    pub watermark: Option<SystemTime>,
    /// The time since this instance last read the store completely; `None` before the first read.
    /// Always zero for [`Revocations::in_memory`](crate::feed::Revocations::in_memory).
    pub age: Option<Duration>,
    /// The error of the last read of the store, if it failed.
    pub last_error: Option<String>,
    /// Where tokens name their session: [`session_at`](crate::IssuerSettings::session_at).
    pub session_at: Vec<String>,
    /// The clients whose logout tokens are accepted:
    /// [`logout_clients`](crate::IssuerSettings::logout_clients).
    pub logout_clients: Vec<String>,
    /// The audiences of accepted security event tokens:
    /// [`event_audiences`](crate::IssuerSettings::event_audiences).
    pub event_audiences: Vec<String>,
    /// What a logout token with `sid` and `sub` revokes.
    pub logout_match: LogoutMatch,
    /// Whether logout tokens need no `typ`:
    /// [`untyped_logout_tokens`](crate::IssuerSettings::untyped_logout_tokens).
    pub untyped_logout_tokens: bool,
}

impl TrustedIssuer {
    pub(crate) fn status(&self) -> IssuerStatus {
        IssuerStatus {
            issuer: self.name().to_owned(),
            rule_set: self.rule_set.as_deref().map(str::to_owned),
            accepts_any_audience: self.rules.audiences == Audiences::Any,
            revocation_bound: self.rules.revocation_bound(),
            keys: self.keys.source().status(),
            status_lists: self.status_lists.status(),
            feed: self.feed.as_ref().map(|feed| FeedStatus {
                entries: feed.entries.len(),
                watermark: feed
                    .entries
                    .watermark()
                    .map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at)),
                age: feed.revocations.age(),
                last_error: feed.revocations.last_error(),
                session_at: feed.session_at.clone(),
                logout_clients: self.logout.clients.clone(),
                event_audiences: self.logout.event_audiences.clone(),
                logout_match: self.logout.matches,
                untyped_logout_tokens: self.logout.may_be_untyped,
            }),
        }
    }

    /// Whether there are keys to validate tokens with.
    pub(crate) fn is_ready(&self) -> bool {
        self.keys.source().status().is_none_or(|status| status.freshness != Freshness::Unavailable)
    }
}
