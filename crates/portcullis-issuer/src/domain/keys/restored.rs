//! Keys of a database that was restored from a backup.

use super::store::KeyState;
use super::{KeyRing, active_of};
use crate::clock::now_secs;
use crate::error::Error;

impl KeyRing {
    /// Signs with a key that was never published, and withdraws all others at once: any of them may
    /// have been withdrawn after the backup. Returns the new key's `kid`.
    pub(crate) async fn replace_all(&self) -> Result<String, Error> {
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => active_of(&self.list().await?)?.algorithm,
        };
        let key = self.new_key(algorithm, now_secs(&*self.clock), 0).await?;
        // This call also withdraws the next key.
        let now = now_secs(&*self.clock);
        self.store.rotate_key(&key, now, self.schedule.margin()).await?;
        for old in self.list().await? {
            if old.state == KeyState::Retired {
                self.store.withdraw_key(&old.kid, now).await?;
            }
        }
        self.reload(None).await?;
        tracing::warn!(kid = key.kid, "withdrew all keys from the backup");
        Ok(key.kid)
    }
}
