//! The operator's methods for users' accounts.

use zeroize::Zeroizing;

use super::Issuer;
use crate::domain::audit::Actor;
use crate::domain::people::{ACCOUNTS, AccountInfo, Change, UserRef};
use crate::error::Error;

/// Each change is one transaction with its entry in the audit log, whose
/// [`actor`](crate::Event::actor) is `operator`. If a change ends sessions, their refresh tokens
/// are rejected from that moment on, introspection reports their access tokens as inactive, and the
/// status lists as revoked.
impl Issuer {
    /// Returns a user's account.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name.
    pub async fn account(&self, name: &str) -> Result<AccountInfo, Error> {
        self.domain().people.account(&UserRef::named(name)?).await
    }

    /// Returns all users' accounts, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn accounts(&self) -> Result<Vec<AccountInfo>, Error> {
        let mut all: Vec<AccountInfo> = Vec::new();
        loop {
            let after = all.last().map_or("", |account| &account.id);
            let page = self.domain().people.accounts(after, ACCOUNTS).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        all.sort_by_key(|account| account.name.to_ascii_lowercase());
        Ok(all)
    }

    /// Sets a user's password, ends all sessions of the user, and returns their number.
    ///
    /// ```
    /// # use portcullis_issuer::{Error, Issuer, IssuerConfig, NewUser};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let config = IssuerConfig::new("http://127.0.0.1:8080", directory.path().join("a.db"));
    /// # let issuer = Issuer::open(config).await?;
    /// # issuer.add_user(NewUser::new("alice", "correct horse battery staple")).await?;
    /// issuer.set_password("alice", "of clouds and 7 anvils").await?;
    ///
    /// let common = issuer.set_password("alice", "password1").await;
    /// assert!(matches!(common, Err(Error::InvalidPassword(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPassword`] if a rule rejects it, [`Error::NoSuchUser`] if there is no user of
    /// that name.
    pub async fn set_password(
        &self,
        name: &str,
        password: impl Into<String>,
    ) -> Result<u64, Error> {
        let (user_ref, password) = (UserRef::named(name)?, Zeroizing::new(password.into()));
        let people = &self.domain().people;
        people.set_password(&user_ref, password, Actor::Operator).await
    }

    /// Returns a password of 256 random bits, for [`set_password`](Self::set_password).
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if there is no randomness.
    pub fn random_password() -> Result<String, Error> {
        Ok(crate::random::secret()?.to_string())
    }

    /// Rejects a user's logins from now on, ends all sessions of the user, and returns their
    /// number. The response to a login does not reveal the reason.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name.
    pub async fn disable_user(&self, name: &str) -> Result<u64, Error> {
        self.change(name, Change::Disabled(true)).await
    }

    /// Lets a user log in again. Sessions that have ended stay ended.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name.
    pub async fn enable_user(&self, name: &str) -> Result<(), Error> {
        self.change(name, Change::Disabled(false)).await.map(|_| ())
    }

    /// Deletes a user, ends all sessions of the user, and returns their number. The audit log keeps
    /// its entries about the user's id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name.
    pub async fn remove_user(&self, name: &str) -> Result<u64, Error> {
        self.change(name, Change::Removed).await
    }

    /// Replaces a user's roles. The user's next access token has the new roles; access tokens that
    /// were issued before keep the old roles until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUser`] if a role is invalid, [`Error::NoSuchUser`] if there is no user of
    /// that name.
    pub async fn set_roles(
        &self,
        name: &str,
        roles: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), Error> {
        let (user_ref, roles) =
            (UserRef::named(name)?, roles.into_iter().map(Into::into).collect());
        self.domain().people.set_roles(&user_ref, roles, Actor::Operator).await.map(|_| ())
    }

    /// Replaces a user's scopes. The user's next access token has the new scopes; access tokens
    /// that were issued before keep the old scopes until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUser`] if a scope is invalid, [`Error::NoSuchUser`] if there is no user of
    /// that name.
    pub async fn set_scopes(
        &self,
        name: &str,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), Error> {
        let (user_ref, scopes) =
            (UserRef::named(name)?, scopes.into_iter().map(Into::into).collect());
        self.domain().people.set_scopes(&user_ref, scopes, Actor::Operator).await.map(|_| ())
    }

    /// Sets the address to which the [`Notifier`](crate::Notifier) delivers a user's messages. The
    /// address is then verified.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUser`] if the address is invalid, [`Error::NoSuchUser`] if there is no user
    /// of that name.
    pub async fn set_address(&self, name: &str, address: impl Into<String>) -> Result<(), Error> {
        let (user_ref, people) = (UserRef::named(name)?, &self.domain().people);
        people.set_address(&user_ref, address.into(), Actor::Operator).await.map(|_| ())
    }

    /// Adds a user. The [`Notifier`](crate::Notifier) delivers a token, with which the user can set
    /// the first password within 15 minutes. A user of the same name is replaced if that user has
    /// not accepted an invitation or not verified the address.
    ///
    /// # Errors
    ///
    /// [`Error::NoNotifier`] without a notifier, [`Error::InvalidUser`] if an attribute is invalid,
    /// [`Error::UserExists`] if the name is taken, [`Error::NotDelivered`] if the notifier failed: the
    /// user exists then, and another call sends another token.
    pub async fn invite_user(
        &self,
        name: &str,
        address: &str,
        roles: impl IntoIterator<Item = impl Into<String>>,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<AccountInfo, Error> {
        let messages = self.domain().messages.as_ref().ok_or(Error::NoNotifier)?;
        let roles = roles.into_iter().map(Into::into).collect();
        let scopes = scopes.into_iter().map(Into::into).collect();
        messages.invite(name, address, roles, scopes, Actor::Operator).await
    }

    /// Deletes the secret of a user's authenticator app, the recovery codes and all passkeys. The
    /// sessions that began with a passkey end. The user's other sessions continue, and their next
    /// access tokens have the `acr` `aal1`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name.
    pub async fn reset_second_factor(&self, name: &str) -> Result<(), Error> {
        self.change(name, Change::NoSecondFactor).await.map(|_| ())
    }

    /// Accepts codes of a user's second factor again, after 100 wrong codes.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchUser`] if there is no user of that name.
    pub async fn unlock_user(&self, name: &str) -> Result<(), Error> {
        self.change(name, Change::Unlocked).await.map(|_| ())
    }

    /// Ends the sessions of all users, and returns their number.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails. Some sessions may have ended then; repeat the call.
    pub async fn end_all_sessions(&self) -> Result<u64, Error> {
        self.domain().people.end_all_sessions(Actor::Operator).await
    }

    async fn change(&self, name: &str, change: Change) -> Result<u64, Error> {
        let people = &self.domain().people;
        people.change(&UserRef::named(name)?, change, Actor::Operator).await
    }
}
