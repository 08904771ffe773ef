//! Users: adding them, their names and their passwords.

mod costs;
mod name;
mod new_user;
mod password;
mod password_cost;
mod password_rules;
mod store;

use std::sync::Arc;

use portcullis::clock::Clock;
use zeroize::Zeroizing;

pub(crate) use self::name::FoldedName;
pub use self::new_user::NewUser;
pub(crate) use self::new_user::{check_address, check_names};
pub(crate) use self::password::Share;
use self::password::{Passwords, Verdict};
pub use self::password_cost::PasswordCost;
pub use self::store::User;
pub(crate) use self::store::{Account, Added, Awaits, StoredUser, UserStore};
use crate::clock::now_secs;
use crate::domain::audit::{Authority, NewEvent};
use crate::error::Error;

/// Users and their passwords.
#[derive(Debug)]
pub(crate) struct Users {
    store: Arc<dyn UserStore>,
    passwords: Passwords,
    clock: Arc<dyn Clock>,
}

/// The result of a password check.
pub(crate) enum PasswordCheck {
    Right {
        stored: StoredUser,
        /// Set if the stored hash has other parameters than the configured ones.
        outdated: Option<Outdated>,
    },
    /// The password is wrong, or there is no such user.
    Wrong { user: Option<User> },
}

/// A user to be added who breaks no rule, and the hash of the password.
pub(crate) struct Checked {
    user: NewUser,
    hash: String,
}

/// A stored hash, and the hash of the same password that replaces it.
pub(crate) struct Outdated {
    old: String,
    new: String,
}

/// How a user is added.
pub(crate) struct Origin<'a> {
    pub(crate) awaits: Option<Awaits>,
    /// A user of the same name who still awaits one of these steps is replaced.
    pub(crate) replaces: &'static [Awaits],
    pub(crate) share: Share,
    pub(crate) event: NewEvent,
    /// The authority of the administrator who adds the user, if any.
    pub(crate) authority: Option<Authority<'a>>,
}

impl Users {
    pub(crate) async fn new(
        store: Arc<dyn UserStore>,
        cost: PasswordCost,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let stored = store.password_parameters().await?;
        Ok(Self { passwords: Passwords::new(cost, &stored)?, store, clock })
    }

    /// Adds a user. The password is hashed before the name is looked up, so that a taken name takes
    /// as long as a free one.
    pub(crate) async fn add(&self, user: NewUser, origin: Origin<'_>) -> Result<User, Error> {
        let checked = self.check_new(user, origin.share).await?;
        self.add_checked(checked, origin).await
    }

    /// Checks a new user, and hashes the password.
    pub(crate) async fn check_new(&self, user: NewUser, share: Share) -> Result<Checked, Error> {
        user.check()?;
        let address = user.address.as_deref();
        let hash = self.hash(share, user.password.clone(), &user.name, address).await?;
        Ok(Checked { user, hash })
    }

    /// Adds a user whose name is free.
    pub(crate) async fn add_checked(
        &self,
        Checked { user, hash }: Checked,
        origin: Origin<'_>,
    ) -> Result<User, Error> {
        let address = user.address.as_deref();
        let added = User {
            id: crate::random::hex_id()?,
            name: user.name,
            roles: user.roles,
            scopes: user.scopes,
            created_at: now_secs(&*self.clock),
        };
        let proven = address.is_some() && origin.awaits.is_none();
        let account = Account {
            user: &added,
            password_hash: &hash,
            address,
            address_verified_at: proven.then_some(added.created_at),
            awaits: origin.awaits,
            replaces: origin.replaces,
        };
        let event = origin.event.user(&added.id);
        match self.store.add_user(&account, &event, origin.authority).await? {
            Added::Done => Ok(added),
            Added::NameTaken => Err(Error::UserExists { name: added.name }),
            Added::NotAnAdministrator => Err(Error::NotAnAdministrator),
        }
    }

    /// Returns the hash of a new password, unless a rule rejects it.
    pub(crate) async fn hash(
        &self,
        share: Share,
        password: Zeroizing<String>,
        name: &str,
        address: Option<&str>,
    ) -> Result<String, Error> {
        self.passwords.hash_new(share, password, name, address).await
    }

    /// Returns all users, by name.
    pub(crate) async fn all(&self) -> Result<Vec<User>, Error> {
        Ok(self.store.users().await?)
    }

    /// Returns the user with this name, which is case-insensitive.
    pub(crate) async fn named(&self, name: &str) -> Result<Option<User>, Error> {
        let Some(name) = FoldedName::of(name) else { return Ok(None) };
        Ok(self.store.user_named(&name).await?.map(|stored| stored.user))
    }

    /// Returns the number of changes of the credentials of the user with this name.
    pub(crate) async fn credentials(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(name) = FoldedName::of(name) else { return Ok(None) };
        Ok(self.store.user_named(&name).await?.map(|stored| stored.credentials))
    }

    /// Checks a password against the hash of the user with this name. The check takes equally long
    /// for an unknown user, and for a text that cannot be a name.
    pub(crate) async fn check_password(
        &self,
        name: Option<&FoldedName>,
        password: Zeroizing<String>,
    ) -> Result<PasswordCheck, Error> {
        let stored = match name {
            Some(name) => self.store.user_named(name).await?,
            None => None,
        };
        let hash = stored.as_ref().map(|stored| stored.password_hash.clone());
        let verdict = self.passwords.verify(Share::Users, password, hash.clone()).await?;
        Ok(match (stored, verdict) {
            (None, _) => PasswordCheck::Wrong { user: None },
            (Some(stored), Verdict::Wrong) => PasswordCheck::Wrong { user: Some(stored.user) },
            (Some(stored), Verdict::Right) => PasswordCheck::Right { stored, outdated: None },
            (Some(stored), Verdict::Rehashed(new)) => {
                PasswordCheck::Right { stored, outdated: hash.map(|old| Outdated { old, new }) }
            }
        })
    }

    /// Returns whether this is the password of a hash.
    pub(crate) async fn is_password_of(
        &self,
        share: Share,
        password: Zeroizing<String>,
        hash: String,
    ) -> Result<bool, Error> {
        Ok(self.passwords.verify(share, password, Some(hash)).await? != Verdict::Wrong)
    }

    /// Replaces an outdated hash.
    pub(crate) async fn replace_hash(
        &self,
        user: &User,
        outdated: &Outdated,
        now: i64,
    ) -> Result<(), Error> {
        let Outdated { old, new } = outdated;
        Ok(self.store.rehash_password(&user.id, old, new, now).await?)
    }

    /// Stops all password checks, and ends those that wait.
    pub(crate) fn close(&self) {
        self.passwords.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.passwords.is_closed()
    }
}
