//! Passwords: argon2id (RFC 9106), off the async threads, and never more at once than the
//! machine can bear.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::error::Error;

/// How long a login waits for its turn before it is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Hashes and verifies passwords on blocking threads.
///
/// Each takes some 20 ms of a core and 19 MiB, so a flood of logins queues here while refreshes
/// and key sets, which do not come here, are served by the cores that are left.
#[derive(Debug)]
pub(crate) struct Passwords {
    slots: Arc<Semaphore>,
    /// Verified against when there is no such user, so that the answer takes the same time.
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) async fn new() -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = Arc::new(Semaphore::new((cores / 2).max(1)));
        let mut passwords = Self { slots, nobody: Arc::from("") };
        let unguessable = Zeroizing::new(crate::random::hex_id()?);
        passwords.nobody = passwords.hash(unguessable).await?.into();
        Ok(passwords)
    }

    /// The PHC string of a new password.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String, Error> {
        self.in_a_slot(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|_| Error::Crypto("hashing a password"))
        })
        .await?
    }

    /// Is it the password of `hash`? Without a hash it is not, but finding out takes as long.
    pub(crate) async fn verify(
        &self,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let matches = self
            .in_a_slot(move || {
                PasswordHash::new(&hash).is_ok_and(|hash| {
                    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
                })
            })
            .await?;
        Ok(known && matches)
    }

    async fn in_a_slot<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let slot = tokio::time::timeout(MAX_WAIT, Arc::clone(&self.slots).acquire_owned())
            .await
            .map_err(|_| Error::Busy)?
            .map_err(|_| Error::Busy)?;
        tokio::task::spawn_blocking(move || {
            // The slot goes with the work: it is still taken when the client has hung up.
            let _slot = slot;
            work()
        })
        .await
        .map_err(|_| Error::Crypto("hashing a password"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user() {
        let passwords = Passwords::new().await.unwrap();
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(secret("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(secret("Correct horse"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(secret("x"), Some("no PHC string".into())).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_is_refused_even_with_the_password_of_nobody() {
        let mut passwords = Passwords::new().await.unwrap();
        passwords.nobody = passwords.hash(secret("correct horse")).await.unwrap().into();
        assert!(!passwords.verify(secret("correct horse"), None).await.unwrap());
    }

    /// The hash for unknown users must cost what a real one costs.
    #[tokio::test]
    async fn nobody_is_hashed_like_somebody() {
        let passwords = Passwords::new().await.unwrap();
        let real = passwords.hash(secret("correct horse")).await.unwrap();
        let parameters = |hash: &str| hash.rsplitn(3, '$').nth(2).unwrap().to_owned();
        assert_eq!(parameters(&passwords.nobody), parameters(&real));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_to_come_back() {
        let passwords = Passwords::new().await.unwrap();
        let all = u32::try_from(passwords.slots.available_permits()).unwrap();
        let _taken = passwords.slots.acquire_many(all).await.unwrap();
        assert!(matches!(passwords.verify(secret("x"), None).await, Err(Error::Busy)));
    }
}
