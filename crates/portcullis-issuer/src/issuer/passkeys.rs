//! The operator's methods for passkeys.

use serde::Serialize;

use super::Issuer;
use crate::domain::passkeys::StoredPasskey;
use crate::error::Error;

/// A user's passkey, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PasskeyInfo {
    /// The id for [`Issuer::remove_passkey`].
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// When it was registered, in seconds since 1970.
    pub created_at: i64,
    /// When it was last used, in seconds since 1970.
    pub last_used_at: Option<i64>,
    /// Whether its key may be on several devices.
    pub synced: bool,
    /// Whether its key is on several devices, or in a backup.
    pub backed_up: bool,
}

impl From<StoredPasskey> for PasskeyInfo {
    fn from(passkey: StoredPasskey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
            synced: passkey.synced,
            backed_up: passkey.backed_up,
        }
    }
}

impl Issuer {
    /// Returns a user's passkeys, the oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name.
    pub async fn passkeys(&self, name: &str) -> Result<Vec<PasskeyInfo>, Error> {
        let account = self.account(name).await?;
        let passkeys = self.domain().passkeys.of(&account.id).await?;
        Ok(passkeys.into_iter().map(Into::into).collect())
    }

    /// Removes a user's passkey, and ends the sessions that began with it. Without another second
    /// factor, the user's recovery codes are deleted, too.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name, [`Error::NoSuchPasskey`] if the user
    /// has no passkey of that id.
    pub async fn remove_passkey(&self, name: &str, id: &str) -> Result<(), Error> {
        let account = self.account(name).await?;
        match self.domain().passkeys.remove_of(&account.id, id).await? {
            true => Ok(()),
            false => Err(Error::NoSuchPasskey { id: id.to_owned() }),
        }
    }
}
