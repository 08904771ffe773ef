//! The operator's methods for users and their sessions.

use super::Issuer;
use crate::domain::audit::{Actor, EventKind};
use crate::domain::sessions::SessionInfo;
use crate::domain::users::{Awaits, NewUser, Origin, Share, User};
use crate::error::Error;

impl Issuer {
    /// Adds a user. A registration of the same name is replaced if its address was not verified.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUser`] if the name, the address, a role or a scope is invalid,
    /// [`Error::InvalidPassword`] if a rule rejects the password, [`Error::UserExists`] if the name
    /// is taken; names are case-insensitive.
    pub async fn add_user(&self, user: NewUser) -> Result<User, Error> {
        let event = self.domain().audit.event_by(EventKind::UserAdded, Actor::Operator);
        let origin = Origin {
            awaits: None,
            // A stranger's registration must not block the name.
            replaces: &[Awaits::Verification],
            share: Share::Users,
            event,
            authority: None,
        };
        self.domain().users.add(user, origin).await
    }

    /// Returns all users, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        self.domain().users.all().await
    }

    /// Returns the live sessions of a user, the latest first; `None` if there is no user of that
    /// name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn sessions_of(&self, name: &str) -> Result<Option<Vec<SessionInfo>>, Error> {
        let Some(user) = self.domain().users.named(name).await? else { return Ok(None) };
        let sessions = self.domain().sessions.live_of(&user).await?;
        Ok(Some(sessions.into_iter().map(SessionInfo::from).collect()))
    }

    /// Ends all sessions of a user, and returns their number; `None` if there is no user of that
    /// name. Apps that validate by expiry alone accept the access tokens until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn end_sessions_of(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(user) = self.domain().users.named(name).await? else { return Ok(None) };
        let event = self.domain().audit.event_by(EventKind::LogoutEverywhere, Actor::Operator);
        Ok(Some(self.domain().sessions.end_all(&user.id, event).await?))
    }
}
