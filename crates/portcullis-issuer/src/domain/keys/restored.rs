//! Keys of a database that was restored from a backup.

use super::store::KeyState;
use super::{KeyRing, active_of};
use crate::clock::now_secs;
use crate::error::Error;

impl KeyRing {
    /// Signs with a key that was never published, and withdraws all others at once: any of them may
    /// have been withdrawn after the backup. Returns the new key's `kid`.
    pub(crate) async fn replace_all(&self) -> Result<String, Error> {
        let keys = self.list().await?;
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => active_of(&keys)?.algorithm,
        };
        let published = keys.into_iter().filter(|key| key.state != KeyState::Withdrawn);
        let earlier: Vec<_> = published.map(|key| key.kid).collect();
        let key = self.new_key(algorithm, now_secs(&*self.clock), 0).await?;
        // This call also withdraws the next key.
        let change = self.by_operator();
        self.store.rotate_key(&key, change, self.schedule.margin()).await?;
        for old in self.list().await? {
            if old.state == KeyState::Retired {
                self.store.withdraw_key(&old.kid, change).await?;
            }
        }
        self.reload(None).await?;
        tracing::warn!(
            new_kid = key.kid,
            withdrawn = earlier.join(" "),
            "withdrew all earlier keys; their tokens are rejected"
        );
        Ok(key.kid)
    }
}
