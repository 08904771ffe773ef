//! Registration of users over HTTP.

use std::fmt;
use std::sync::Arc;

use crate::domain::audit::{Audit, EventKind};
use crate::domain::limits::Limits;
use crate::domain::messages::Messages;
use crate::domain::peer::Peer;
use crate::domain::users::{FoldedName, NewUser, Origin, Share, User, Users};
use crate::error::Error;

/// Registrations.
pub(crate) struct Registrations {
    pub(crate) users: Arc<Users>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) messages: Option<Arc<Messages>>,
}

impl Registrations {
    /// Adds a user without roles and scopes.
    pub(crate) async fn register(
        &self,
        name: &str,
        password: String,
        peer: &Peer,
    ) -> Result<User, Error> {
        self.take(name, peer).await?;
        let event = self.audit.event(EventKind::UserAdded, peer);
        let origin =
            Origin { awaits: None, replaces: &[], share: Share::Strangers, event, authority: None };
        self.users.add(NewUser::new(name, password), origin).await
    }

    /// Adds a user whose name is an address. The user can log in once the address is verified. The
    /// response does not reveal whether the name is taken.
    pub(crate) async fn register_address(
        &self,
        address: &str,
        password: String,
        peer: &Peer,
    ) -> Result<(), Error> {
        self.limits.take_of_network(peer).await?;
        let event = self.audit.event(EventKind::UserAdded, peer);
        match &self.messages {
            Some(messages) => messages.register(address, password, event).await,
            None => Err(Error::NoNotifier),
        }
    }

    /// Takes an attempt from the budgets, and never returns it: even a successful registration counts
    /// like a failed login. So a client can neither try many names nor add users without limit.
    async fn take(&self, name: &str, peer: &Peer) -> Result<(), Error> {
        let folded = FoldedName::of(name);
        let account = folded.as_ref().map_or("", FoldedName::as_str);
        // This count is separate from that of logins, because strangers must not be able to keep a user
        // from logging in.
        self.limits.take(&format!("registration of {account}"), peer).await
    }
}

impl fmt::Debug for Registrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrations").finish_non_exhaustive()
    }
}
