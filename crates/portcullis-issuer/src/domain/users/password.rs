//! Passwords: argon2id (RFC 9106) on blocking threads, which use at most half of the cores.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::costs::Costs;
use super::password_cost::PasswordCost;
use super::password_rules;
use crate::error::Error;
use crate::metrics::Waiting;

/// How long a password waits for a slot before the response is 503 with `Retry-After`.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The share of the hashing capacity that an operation uses. A flood in one share does not delay
/// the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Logins, and changes of passwords by users, by operators and with the token of a reset or an
    /// invitation.
    Users,
    /// Registrations.
    Strangers,
}

/// Hashes and verifies passwords on blocking threads.
///
/// By default, each hash takes about 20 ms of a core and 19 MiB. A flood of logins queues here,
/// while the remaining cores serve refreshes and key sets, which need no hash.
#[derive(Debug)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    slots: Arc<Semaphore>,
    /// The slots of [`Share::Strangers`]: a quarter of the users' slots, at least one.
    slots_of_strangers: Arc<Semaphore>,
    /// The costs for which each check computes hashes, so that its duration does not reveal which
    /// users exist.
    costs: Costs,
}

/// The result of checking a password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// The password is right; this is its new hash with the configured parameters.
    Rehashed(String),
}

impl Passwords {
    /// Creates the hasher. `stored` contains the parameters of the stored hashes, or whole hashes.
    pub(crate) fn new(cost: PasswordCost, stored: &[String]) -> Result<Self, Error> {
        let failed = |_| Error::Crypto("setting up argon2id");
        let params = Params::new(cost.memory_kib, cost.iterations, 1, None).map_err(failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = Arc::new(Semaphore::new((cores / 2).max(1)));
        let slots_of_strangers = Arc::new(Semaphore::new((cores / 8).max(1)));
        Ok(Self { argon2, slots, slots_of_strangers, costs: Costs::new(cost, stored) })
    }

    /// Stops hashing, and ends the requests that wait for it.
    pub(crate) fn close(&self) {
        self.slots.close();
        self.slots_of_strangers.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.slots.is_closed()
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

    /// Checks a password against `hash`. Without a hash, returns [`Verdict::Wrong`] after the same
    /// time.
    pub(crate) async fn verify(
        &self,
        share: Share,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        let others = self.costs.besides(hash.as_deref());
        let argon2 = self.argon2.clone();
        self.in_a_slot(share, move || {
            for cost in others {
                cost.pay(&password);
            }
            hash.map_or(Ok(Verdict::Wrong), |hash| verify(&argon2, &password, &hash))
        })
        .await?
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
            // The thread keeps the slot until it has finished, even if the client disconnects.
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

    impl Passwords {
        /// Returns the PHC string of any password, unlike [`hash_new`](Self::hash_new).
        async fn hash(&self, password: Zeroizing<String>) -> Result<String, Error> {
            let argon2 = self.argon2.clone();
            self.in_a_slot(Share::Users, move || hash(&argon2, &password)).await?
        }
    }

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_is_accepted() {
        let passwords = Passwords::new(PasswordCost::default(), &[]).unwrap();
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
    async fn unknown_user_is_wrong_with_any_password() {
        let passwords = Passwords::new(PasswordCost::default(), &[]).unwrap();
        for password in ["correct horse", ""] {
            let verdict = passwords.verify(Share::Users, secret(password), None).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn hash_with_other_parameters_is_replaced_after_the_right_password() {
        let old = Passwords::new(PasswordCost::default(), &[]).unwrap();
        let cost = PasswordCost { memory_kib: 9216, iterations: 4 };
        let new = Passwords::new(cost, &[]).unwrap();
        let hash = old.hash(secret("correct horse")).await.unwrap();
        let wrong = new.verify(Share::Users, secret("x"), Some(hash.clone())).await.unwrap();
        assert_eq!(wrong, Verdict::Wrong);
        let verdict = new.verify(Share::Users, secret("correct horse"), Some(hash)).await.unwrap();
        let Verdict::Rehashed(hash) = verdict else { panic!("{verdict:?}") };
        assert!(hash.starts_with("$argon2id$v=19$m=9216,t=4,p=1$"), "{hash}");
        let again = new.verify(Share::Users, secret("correct horse"), Some(hash)).await.unwrap();
        assert_eq!(again, Verdict::Right);
    }

    /// After the cost was raised, both checks compute a hash with the old cost and one with the new
    /// cost.
    #[tokio::test]
    async fn unknown_user_takes_as_long_as_a_user_with_an_old_hash() {
        let cheap = PasswordCost { memory_kib: 7168, iterations: 5 };
        let old = Passwords::new(cheap, &[]).unwrap();
        let hash = old.hash(secret("correct horse")).await.unwrap();
        let dear = PasswordCost { memory_kib: 65_536, iterations: 3 };
        let new = Passwords::new(dear, std::slice::from_ref(&hash)).unwrap();
        let paid = |hash: Option<&str>| {
            let others = new.costs.besides(hash);
            others.len() + usize::from(hash.is_some())
        };
        assert_eq!((paid(None), paid(Some(&hash))), (2, 2));
        let took = async |hash: Option<String>| {
            let begun = std::time::Instant::now();
            new.verify(Share::Users, secret("wrong"), hash).await.unwrap();
            begun.elapsed()
        };
        let mut ratios = Vec::new();
        for _ in 0..5 {
            let (unknown, known) = (took(None).await, took(Some(hash.clone())).await);
            ratios.push(known.as_secs_f64() / unknown.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        // If an unknown name cost only the expensive hash, and a known name only the cheap one, the
        // ratio would be 0.2.
        assert!((0.6..1.7).contains(&ratios[2]), "{ratios:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn password_without_a_free_slot_is_busy() {
        let passwords = Passwords::new(PasswordCost::default(), &[]).unwrap();
        let all = u32::try_from(passwords.slots.available_permits()).unwrap();
        let _taken = passwords.slots.acquire_many(all).await.unwrap();
        assert!(matches!(
            passwords.verify(Share::Users, secret("x"), None).await,
            Err(Error::Busy)
        ));
    }

    #[tokio::test]
    async fn users_do_not_wait_for_the_slots_of_strangers() {
        let passwords = Passwords::new(PasswordCost::default(), &[]).unwrap();
        let all = u32::try_from(passwords.slots_of_strangers.available_permits()).unwrap();
        let _taken = passwords.slots_of_strangers.acquire_many(all).await.unwrap();
        assert_eq!(
            passwords.verify(Share::Users, secret("x"), None).await.unwrap(),
            Verdict::Wrong
        );
        let new = passwords.hash_new(Share::Users, secret("correct horse staple"), "alice", None);
        assert!(new.await.unwrap().starts_with("$argon2id$"));
    }

    /// All slots of strangers are taken. If strangers could use the users' slots, this check would
    /// succeed.
    #[tokio::test(start_paused = true)]
    async fn stranger_without_a_free_slot_is_busy_after_five_seconds() {
        let passwords = Passwords::new(PasswordCost::default(), &[]).unwrap();
        let all = u32::try_from(passwords.slots_of_strangers.available_permits()).unwrap();
        let _taken = passwords.slots_of_strangers.acquire_many(all).await.unwrap();
        let begun = tokio::time::Instant::now();
        let busy = passwords.verify(Share::Strangers, secret("x"), None).await;
        assert!(matches!(busy, Err(Error::Busy)), "{busy:?}");
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn slot_of_a_disconnected_client_is_free_only_after_the_work() {
        let passwords = Passwords::new(PasswordCost::default(), &[]).unwrap();
        let all = passwords.slots_of_strangers.available_permits();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let work = move || {
            begun.send(()).unwrap();
            let _ = ends.recv();
        };
        tokio::select! {
            _ = passwords.in_a_slot(Share::Strangers, work) => panic!("the work has not ended"),
            begun = has_begun => begun.unwrap(),
        }
        assert_eq!(passwords.slots_of_strangers.available_permits(), all - 1);
        drop(end);
        let freed = passwords.slots_of_strangers.acquire_many(u32::try_from(all).unwrap()).await;
        drop(freed.unwrap());
    }
}
