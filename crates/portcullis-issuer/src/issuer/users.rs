//! What an operator does with users and their sessions.

use super::Issuer;
use crate::domain::peer::Peer;
use crate::domain::sessions::SessionInfo;
use crate::domain::users::{NewUser, User};
use crate::error::Error;

impl Issuer {
    /// Adds a user.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUser`] if name, password, a role or a scope does not fit,
    /// [`Error::UserExists`] if the name is taken, whatever its capitals.
    pub async fn add_user(&self, user: NewUser) -> Result<User, Error> {
        self.domain().users.add(user).await
    }

    /// All users, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        self.domain().users.all().await
    }

    /// The live sessions of the user of that name, the latest first; `None` if there is no such
    /// user.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn sessions_of(&self, name: &str) -> Result<Option<Vec<SessionInfo>>, Error> {
        let Some(user) = self.domain().users.named(name).await? else { return Ok(None) };
        let sessions = self.domain().sessions.live_of(&user).await?;
        Ok(Some(sessions.into_iter().map(SessionInfo::from).collect()))
    }

    /// Ends all sessions of the user of that name, and says how many those were; `None` if there
    /// is no such user. Their access tokens are accepted by apps until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn end_sessions_of(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(user) = self.domain().users.named(name).await? else { return Ok(None) };
        let sessions = &self.domain().sessions;
        Ok(Some(sessions.logout_everywhere(&user, &Peer::default()).await?))
    }
}
