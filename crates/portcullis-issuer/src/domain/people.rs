//! Changes to users' accounts by administrators and operators.

mod store;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

pub use self::store::AccountInfo;
pub(crate) use self::store::{Change, Changed, Kept, PeopleStore, UserRef};
use crate::domain::audit::{Actor, Audit, EventKind};
use crate::domain::peer::Peer;
use crate::domain::users::{FoldedName, Share, User, Users, check_address, check_names};
use crate::error::Error;

/// The scope of the users who may change other users' accounts, at `/v1/admin`.
///
/// A user who has this scope can give themselves any role and scope. The operations accept only a
/// token whose single audience is the issuer, so an API that receives such users' tokens cannot use
/// them there.
pub const ADMIN_SCOPE: &str = "identsphere:admin";

/// The maximum number of accounts that one call returns.
pub(crate) const ACCOUNTS: u16 = 1000;

/// The number of sessions that one transaction ends.
const BATCH: i64 = 1000;

/// Users' accounts.
pub(crate) struct People {
    pub(crate) store: Arc<dyn PeopleStore>,
    pub(crate) users: Arc<Users>,
    pub(crate) audit: Arc<Audit>,
}

impl People {
    pub(crate) async fn find(&self, user_ref: &UserRef) -> Result<Option<AccountInfo>, Error> {
        Ok(self.store.account(user_ref).await?)
    }

    pub(crate) async fn account(&self, user_ref: &UserRef) -> Result<AccountInfo, Error> {
        self.find(user_ref).await?.ok_or_else(|| no_such_user(user_ref))
    }

    /// Returns up to `limit` accounts, 1000 at most, whose ids follow `after`.
    pub(crate) async fn accounts(
        &self,
        after: &str,
        limit: u16,
    ) -> Result<Vec<AccountInfo>, Error> {
        Ok(self.store.accounts(after, i64::from(limit.min(ACCOUNTS))).await?)
    }

    /// Sets a password, and ends all sessions of the user.
    pub(crate) async fn set_password(
        &self,
        user_ref: &UserRef,
        password: Zeroizing<String>,
        by: Actor<'_>,
    ) -> Result<u64, Error> {
        let account = self.account(user_ref).await?;
        let address = account.address.as_deref();
        let hash = self.users.hash(Share::Users, password, &account.name, address).await?;
        self.change(user_ref, Change::Password { hash, keeps: None }, by).await
    }

    /// Returns the user's number of changes of the credentials, for
    /// [`change_own_password`](Self::change_own_password).
    pub(crate) async fn credentials(&self, user: &User) -> Result<i64, Error> {
        let credentials = self.users.credentials(&user.name).await?;
        credentials.ok_or_else(|| Error::NoSuchUser { name: user.name.clone() })
    }

    /// Changes a user's own password, and ends the user's other sessions. `credentials` was read
    /// before the former password was checked. Returns `false` if the session has ended, or the
    /// credentials have changed since.
    pub(crate) async fn change_own_password(
        &self,
        user_id: &str,
        password: Zeroizing<String>,
        session_id: &str,
        credentials: i64,
        peer: &Peer,
    ) -> Result<bool, Error> {
        let user_ref = UserRef::WithId(user_id.to_owned());
        let account = self.account(&user_ref).await?;
        let address = account.address.as_deref();
        let hash = self.users.hash(Share::Users, password, &account.name, address).await?;
        let kept = Kept { session_id: session_id.to_owned(), credentials };
        let change = Change::Password { hash, keeps: Some(kept) };
        let event = self.audit.event(change.event(), peer).session(session_id);
        let changed = self.store.change_account(&user_ref, &change, &event, None).await?;
        Ok(matches!(changed, Changed::Done(_)))
    }

    /// Replaces a user's roles. The next access token has the new roles.
    pub(crate) async fn set_roles(
        &self,
        user_ref: &UserRef,
        roles: Vec<String>,
        by: Actor<'_>,
    ) -> Result<u64, Error> {
        check_names(&roles, &self.account(user_ref).await?.scopes)?;
        self.change(user_ref, Change::Roles(roles), by).await
    }

    /// Replaces a user's scopes. The next access token has the new scopes.
    pub(crate) async fn set_scopes(
        &self,
        user_ref: &UserRef,
        scopes: Vec<String>,
        by: Actor<'_>,
    ) -> Result<u64, Error> {
        check_names(&self.account(user_ref).await?.roles, &scopes)?;
        self.change(user_ref, Change::Scopes(scopes), by).await
    }

    /// Sets a user's address, and marks it as verified.
    pub(crate) async fn set_address(
        &self,
        user_ref: &UserRef,
        address: String,
        by: Actor<'_>,
    ) -> Result<u64, Error> {
        check_address(&address)?;
        self.change(user_ref, Change::Address(address), by).await
    }

    /// Applies a change to an account, and records it.
    pub(crate) async fn change(
        &self,
        user_ref: &UserRef,
        change: Change,
        by: Actor<'_>,
    ) -> Result<u64, Error> {
        let event = self.audit.event_by(change.event(), by);
        match self.store.change_account(user_ref, &change, &event, by.authority()).await? {
            Changed::Done(ended) => Ok(ended),
            Changed::NotFound => Err(no_such_user(user_ref)),
            Changed::NotAnAdministrator => Err(Error::NotAnAdministrator),
        }
    }

    /// Ends the sessions of all users, and returns their number. This method does not compare
    /// times, because a restored database may come from a host whose clock was ahead.
    pub(crate) async fn end_all_sessions(&self, by: Actor<'_>) -> Result<u64, Error> {
        let event = self.audit.event_by(EventKind::AllSessionsEnded, by);
        let mut ended = 0;
        // The authority is checked only with the first batch, because that batch may end the
        // administrator's own session. The event is recorded with the first batch, so that the audit
        // log contains it even if the request is cancelled after some batches.
        let mut authority = by.authority();
        let mut begins = Some(&event);
        // Sessions end in batches, so that a database with a million sessions serves requests in
        // between.
        loop {
            let authority = authority.take();
            match self.store.end_some_sessions(event.at, BATCH, begins.take(), authority).await? {
                Changed::Done(batch) if batch > 0 => ended += batch,
                Changed::NotAnAdministrator => return Err(Error::NotAnAdministrator),
                Changed::Done(_) | Changed::NotFound => break,
            }
        }
        Ok(ended)
    }
}

impl UserRef {
    /// Returns a reference to the user with this name.
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let folded = FoldedName::of(name).map(Self::Named);
        folded.ok_or_else(|| Error::NoSuchUser { name: name.to_owned() })
    }
}

impl Change {
    fn event(&self) -> EventKind {
        match self {
            Self::Password { .. } => EventKind::PasswordChanged,
            Self::Disabled(true) => EventKind::UserDisabled,
            Self::Disabled(false) => EventKind::UserEnabled,
            Self::Removed => EventKind::UserRemoved,
            Self::LoggedOut => EventKind::LogoutEverywhere,
            Self::Address(_) => EventKind::AddressChanged,
            Self::Roles(_) => EventKind::RolesChanged,
            Self::Scopes(_) => EventKind::ScopesChanged,
            Self::NoSecondFactor => EventKind::TotpRemoved,
            Self::Unlocked => EventKind::SecondFactorUnlocked,
        }
    }
}

fn no_such_user(user_ref: &UserRef) -> Error {
    let name = match user_ref {
        UserRef::Named(name) => name.as_str().to_owned(),
        UserRef::WithId(id) => id.clone(),
    };
    Error::NoSuchUser { name }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("People").finish_non_exhaustive()
    }
}
