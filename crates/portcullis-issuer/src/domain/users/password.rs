//! Passwords: argon2id (RFC 9106), off the async threads, and never more at once than the
//! machine can bear.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::password_cost::PasswordCost;
use super::password_rules;
use crate::error::Error;
use crate::metrics::Waiting;

/// How long a password waits for its turn before the client is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Whose share of the hashing a password belongs to: a flood of one does not delay the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Logins, and changes by users and operators.
    Users,
    /// Registrations, and passwords that are set by a token.
    Strangers,
}

/// Hashes and verifies passwords on blocking threads.
///
/// Each takes some 20 ms of a core and 19 MiB by default, so a flood of logins queues here while refreshes
/// and key sets, which do not come here, are served by the cores that are left.
#[derive(Debug)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    slots: Arc<Semaphore>,
    /// A quarter as many as there are for users, and one at least.
    slots_of_strangers: Arc<Semaphore>,
    /// Verified against when there is no such user, so that the answer takes the same time.
    nobody: Arc<str>,
}

/// What became of a password and a hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// It is right, and this is its hash under the parameters that are configured now.
    Rehashed(String),
}

impl Passwords {
    pub(crate) async fn new(cost: PasswordCost) -> Result<Self, Error> {
        let failed = |_| Error::Crypto("setting up argon2id");
        let params = Params::new(cost.memory_kib, cost.iterations, 1, None).map_err(failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = Arc::new(Semaphore::new((cores / 2).max(1)));
        let slots_of_strangers = Arc::new(Semaphore::new((cores / 8).max(1)));
        let mut passwords = Self { argon2, slots, slots_of_strangers, nobody: Arc::from("") };
        let unguessable = Zeroizing::new(crate::random::hex_id()?);
        passwords.nobody = passwords.hash(unguessable).await?.into();
        Ok(passwords)
    }

    /// Stops hashing, and ends the requests that wait for it.
    pub(crate) fn close(&self) {
        self.slots.close();
        self.slots_of_strangers.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.slots.is_closed()
    }

    /// Returns the PHC string of a password that the issuer has made.
    async fn hash(&self, password: Zeroizing<String>) -> Result<String, Error> {
        let argon2 = self.argon2.clone();
        self.in_a_slot(Share::Users, move || hash(&argon2, &password)).await?
    }

    /// Returns the PHC string of a new password, unless a [rule](password_rules) rejects it.
    pub(crate) async fn hash_new(
        &self,
        share: Share,
        password: Zeroizing<String>,
        name: &str,
        address: Option<&str>,
    ) -> Result<String, Error> {
        let argon2 = self.argon2.clone();
        let (name, address) = (name.to_owned(), address.map(str::to_owned));
        let work = move || {
            password_rules::check(&password, &name, address.as_deref())?;
            hash(&argon2, &password)
        };
        self.in_a_slot(share, work).await?
    }

    /// Is it the password of `hash`? Without a hash it is not, but finding out takes as long.
    pub(crate) async fn verify(
        &self,
        share: Share,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        let known = hash.is_some();
        let hash = hash.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let argon2 = self.argon2.clone();
        let verdict = self.in_a_slot(share, move || verify(&argon2, &password, &hash)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn in_a_slot<T: Send + 'static>(
        &self,
        share: Share,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let waiting = Waiting::begin();
        let slots = match share {
            Share::Users => &self.slots,
            Share::Strangers => &self.slots_of_strangers,
        };
        let slot = tokio::time::timeout(MAX_WAIT, Arc::clone(slots).acquire_owned())
            .await
            .map_err(|_| Error::Busy)?
            .map_err(|_| Error::Busy)?;
        drop(waiting);
        tokio::task::spawn_blocking(move || {
            // The slot goes with the work: it is still taken when the client has hung up.
            let _slot = slot;
            work()
        })
        .await
        .map_err(|_| Error::Crypto("hashing a password"))
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, Error> {
    argon2
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|_| Error::Crypto("hashing a password"))
}

fn verify(argon2: &Argon2<'_>, password: &str, stored: &str) -> Result<Verdict, Error> {
    let Ok(parsed) = PasswordHash::new(stored) else { return Ok(Verdict::Wrong) };
    if argon2.verify_password(password.as_bytes(), &parsed).is_err() {
        return Ok(Verdict::Wrong);
    }
    let params = argon2.params();
    let outdated = Params::try_from(&parsed).map_or(true, |stored| {
        (stored.m_cost(), stored.t_cost(), stored.p_cost())
            != (params.m_cost(), params.t_cost(), params.p_cost())
    });
    if outdated { hash(argon2, password).map(Verdict::Rehashed) } else { Ok(Verdict::Right) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user() {
        let passwords = Passwords::new(PasswordCost::default()).await.unwrap();
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verdict = async |text, hash: &str| {
            passwords.verify(Share::Users, secret(text), Some(hash.to_owned())).await
        };
        assert_eq!(verdict("correct horse", &hash).await.unwrap(), Verdict::Right);
        assert_eq!(verdict("Correct horse", &hash).await.unwrap(), Verdict::Wrong);
        assert_eq!(verdict("x", "no PHC string").await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn an_unknown_user_is_refused_even_with_the_password_of_nobody() {
        let mut passwords = Passwords::new(PasswordCost::default()).await.unwrap();
        passwords.nobody = passwords.hash(secret("correct horse")).await.unwrap().into();
        let verdict = passwords.verify(Share::Users, secret("correct horse"), None).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_under_other_parameters_is_replaced_once_the_password_is_known() {
        let old = Passwords::new(PasswordCost::default()).await.unwrap();
        let cost = PasswordCost { memory_kib: 9216, iterations: 4 };
        let new = Passwords::new(cost).await.unwrap();
        let hash = old.hash(secret("correct horse")).await.unwrap();
        let wrong = new.verify(Share::Users, secret("x"), Some(hash.clone())).await.unwrap();
        assert_eq!(wrong, Verdict::Wrong);
        let verdict = new.verify(Share::Users, secret("correct horse"), Some(hash)).await.unwrap();
        let Verdict::Rehashed(hash) = verdict else { panic!("{verdict:?}") };
        assert!(hash.starts_with("$argon2id$v=19$m=9216,t=4,p=1$"), "{hash}");
        let again = new.verify(Share::Users, secret("correct horse"), Some(hash)).await.unwrap();
        assert_eq!(again, Verdict::Right);
    }

    /// The hash for unknown users must cost what a real one costs.
    #[tokio::test]
    async fn nobody_is_hashed_like_somebody() {
        let passwords = Passwords::new(PasswordCost::default()).await.unwrap();
        let real = passwords.hash(secret("correct horse")).await.unwrap();
        let parameters = |hash: &str| hash.rsplitn(3, '$').nth(2).unwrap().to_owned();
        assert_eq!(parameters(&passwords.nobody), parameters(&real));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_to_come_back() {
        let passwords = Passwords::new(PasswordCost::default()).await.unwrap();
        let all = u32::try_from(passwords.slots.available_permits()).unwrap();
        let _taken = passwords.slots.acquire_many(all).await.unwrap();
        assert!(matches!(
            passwords.verify(Share::Users, secret("x"), None).await,
            Err(Error::Busy)
        ));
    }

    #[tokio::test]
    async fn strangers_and_users_do_not_wait_for_each_other() {
        let passwords = Passwords::new(PasswordCost::default()).await.unwrap();
        let all = u32::try_from(passwords.slots_of_strangers.available_permits()).unwrap();
        let _taken = passwords.slots_of_strangers.acquire_many(all).await.unwrap();
        assert_eq!(
            passwords.verify(Share::Users, secret("x"), None).await.unwrap(),
            Verdict::Wrong
        );
        let new = passwords.hash_new(Share::Users, secret("correct horse staple"), "alice", None);
        assert!(new.await.unwrap().starts_with("$argon2id$"));
    }
}
