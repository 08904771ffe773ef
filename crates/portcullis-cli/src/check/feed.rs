//! `check --feed`: what the revocation feed needs from the issuer, and what can revoke a token through the
//! feed. Does not read a store.

use std::fmt;

use portcullis::feed::LogoutMatch;
use portcullis::{Authenticated, Gate, status::FeedStatus};
use serde::Serialize;
use serde_json::Value;

use crate::output;

/// Names the settings of the feed on standard error.
pub(super) fn tell_settings(gate: &Gate) {
    for feed in gate.authenticator().status().into_iter().filter_map(|issuer| issuer.feed) {
        output::complain(&format!("portcullis: {}", settings(&feed)));
    }
}

fn settings(feed: &FeedStatus) -> String {
    let session = feed.session_at.join(".");
    let mut text = if feed.logout_clients.is_empty() {
        format!(
            "feed: the session of a token is in `{session}`; no logout token is accepted, because \
             PORTCULLIS_LOGOUT_CLIENTS is not set"
        )
    } else {
        let kind =
            if feed.untyped_logout_tokens { "`logout+jwt`, `JWT` or none" } else { "`logout+jwt`" };
        let matched = match feed.logout_match {
            LogoutMatch::Subject => "all earlier tokens of its `sub`".to_owned(),
            _ => format!("the tokens whose `{session}` equals its `sid`"),
        };
        format!(
            "feed: a logout token for {}, with the `typ` {kind}, revokes {matched}",
            feed.logout_clients.join(" or ")
        )
    };
    if !feed.event_audiences.is_empty() {
        let revoked = match feed.logout_match {
            LogoutMatch::Subject => "all earlier tokens of its user".to_owned(),
            _ => format!("the tokens whose `{session}` equals its session, or those of its user"),
        };
        let audiences = feed.event_audiences.join(" or ");
        text = format!("{text}; a security event token for {audiences} revokes {revoked}");
    }
    text
}

/// The values of a token by which a reported event can revoke it.
#[derive(Debug, Serialize)]
pub(super) struct Revocable {
    session: bool,
    subject: bool,
    token: bool,
    client: bool,
    /// The claim in which the session was looked up.
    session_at: String,
    /// Set if the issuer's reports of a session have no effect on this token.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl Revocable {
    /// `None` if the token's issuer has no feed.
    pub(super) fn of(who: &Authenticated, gate: &Gate) -> Option<Self> {
        let claims = who.registered();
        let mut issuers = gate.authenticator().status().into_iter();
        let feed = issuers.find(|issuer| issuer.issuer == claims.issuer())?.feed?;
        let at = |path: &[String]| {
            let (first, rest) = path.split_first()?;
            let claim = who.claim(first).ok().flatten()?;
            let found = rest.iter().try_fold(&claim, |value: &Value, name| value.get(name))?;
            (!found.is_null()).then_some(())
        };
        let session = at(&feed.session_at).is_some();
        let client = ["client_id", "azp", "cid"].map(|name| at(&[name.to_owned()]).is_some());
        let is_told = !feed.logout_clients.is_empty() || !feed.event_audiences.is_empty();
        let needs_session = is_told && !session && feed.logout_match == LogoutMatch::Session;
        Some(Self {
            session,
            subject: claims.subject().is_some(),
            token: at(&["jti".to_owned()]).is_some(),
            client: client.contains(&true),
            session_at: feed.session_at.join("."),
            note: needs_session.then_some(
                "a logout token or event with a session does not revoke it: set PORTCULLIS_SESSION_AT, or \
                 PORTCULLIS_LOGOUT_MATCH to sub",
            ),
        })
    }
}

impl fmt::Display for Revocable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = format!("session (`{}`)", self.session_at);
        let all = [
            (self.session, session.as_str()),
            (self.subject, "subject"),
            (self.token, "`jti`"),
            (self.client, "client"),
        ];
        let names = |has| {
            let names: Vec<&str> =
                all.iter().filter(|(it, _)| *it == has).map(|(_, name)| *name).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        write!(f, "revocable by {}; not by {}", names(true), names(false))?;
        if let Some(note) = self.note {
            write!(f, "\n  note:    {note}")?;
        }
        Ok(())
    }
}
