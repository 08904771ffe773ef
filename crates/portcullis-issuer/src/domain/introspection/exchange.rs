//! Token exchange (RFC 8693): a backend acts at the issuer for the user whose token it received.

use super::{Introspection, Issued};
use crate::domain::audit::NewEvent;
use crate::domain::clients::{ClientRight, RegisteredClient};
use crate::domain::sessions::Session;
use crate::domain::tokens::name_of;
use crate::domain::users::User;
use crate::error::Error;

/// The result of an exchange.
pub(crate) enum Exchanged {
    /// A token for the issuer, and how long it is valid.
    Token { access_token: String, scope: String, expires_in: u64 },
    /// The token is not an active token of a user for one of the client's resource servers.
    WrongToken,
    /// A requested scope is not one of the token's.
    WrongScope,
}

impl Introspection {
    /// Exchanges a user's token, whose audience is a resource server of `client`, for a token for
    /// the issuer with the client as its actor. The new token's scopes are those scopes of the
    /// received token that the user still has, or the requested part of them.
    ///
    /// A token from an exchange has an actor, and is not exchanged again.
    pub(crate) async fn exchange(
        &self,
        subject_token: &str,
        scope: Option<&str>,
        client: &RegisteredClient,
        event: NewEvent,
    ) -> Result<Exchanged, Error> {
        let keys = self.keys.current().await?;
        let Some(issued) = self.issued(subject_token).await? else {
            return Ok(Exchanged::WrongToken);
        };
        let is_for_it = issued.aud.iter().any(|aud| client.resource_servers.contains(aud));
        if issued.act.is_some()
            || !is_for_it
            || self.tokens.is_spent(&name_of(&issued.iss, &issued.jti)).await?
        {
            return Ok(Exchanged::WrongToken);
        }
        let Some((session, user)) = self.session_of(&issued).await? else {
            return Ok(Exchanged::WrongToken);
        };
        let held = issued.scope.as_deref().unwrap_or_default();
        let mut scopes: Vec<&str> = held.split(' ').filter(|name| !name.is_empty()).collect();
        scopes.retain(|name| user.scopes.iter().any(|scope| scope == name));
        if let Some(wanted) = scope {
            if !wanted.split(' ').all(|name| scopes.contains(&name)) {
                return Ok(Exchanged::WrongScope);
            }
            scopes.retain(|name| wanted.split(' ').any(|wanted| wanted == *name));
        }
        let scopes: Vec<String> = scopes.into_iter().map(str::to_owned).collect();
        let now = self.now();
        let place = self.tokens.take_place(&session.id, now).await?;
        // The new token must not claim a second factor that the received token does not claim.
        let stepped_up_at = session.stepped_up_at.filter(|_| issued.is_of_two_factors());
        let session = Session { place: Some(place), stepped_up_at, ..session };
        let user = User { scopes, ..user };
        let subject = session.subject(&user);
        // Not beyond the session, which is live.
        let lifetime = self.tokens.actor_expiry_secs().min(session.expires_at.saturating_sub(now));
        let times = (now, lifetime);
        let access_token = self.tokens.issue_to_actor(&keys, &subject, &client.id, times).await?;
        let event = event.user(&user.id).session(&session.id);
        self.clients.audit.record(&event).await?;
        let expires_in = u64::try_from(lifetime).unwrap_or_default();
        Ok(Exchanged::Token { access_token, scope: user.scopes.join(" "), expires_in })
    }

    /// Returns whether an exchanged token is still accepted: the token was not revoked, and its
    /// client was not removed since `issued_at`, is enabled, and has the right `exchange-tokens`.
    /// Call this on the issuer's own routes, which have already read the session.
    pub(crate) async fn may_still_act(
        &self,
        jti: &str,
        client_id: &str,
        issued_at: i64,
    ) -> Result<bool, Error> {
        let name = name_of(&self.tokens.settings().issuer, jti);
        if self.tokens.is_spent(&name).await? {
            return Ok(false);
        }
        let client = self.clients.of(client_id).await?;
        Ok(client.is_some_and(|client| {
            client.disabled_at.is_none()
                && client.has(ClientRight::ExchangeTokens)
                // A client that was added later with the same id is a different client.
                && client.created_at <= issued_at
        }))
    }

    /// Returns the live session of a user's token.
    pub(super) async fn session_of(
        &self,
        issued: &Issued,
    ) -> Result<Option<(Session, User)>, Error> {
        let Some(sid) = &issued.sid else { return Ok(None) };
        Ok(self.sessions.live(sid).await?.filter(|(_, user)| user.id == issued.sub))
    }
}
