//! Messages to users with single-use tokens: a password reset, an invitation, the verification of an
//! address.

mod store;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis::clock::Clock;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

pub(crate) use self::store::{Purpose, UserToken, UserTokenStore};
use crate::clock::{now_secs, secs};
use crate::domain::audit::{Actor, Audit, EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::limits::Limits;
use crate::domain::peer::Peer;
use crate::domain::people::{AccountInfo, People, UserRef};
use crate::domain::users::{Awaits, FoldedName, NewUser, Origin, Share, Users};
use crate::error::Error;
use crate::metrics;
use crate::notify::{Message, MessageKind, Notifier};
use crate::random;

/// The lifetime of a token.
pub(crate) const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The timeout of one delivery by the notifier.
const DELIVERY: Duration = Duration::from_secs(10);

/// The maximum number of messages that are delivered at once. Further messages are dropped, so that a
/// flood of requests does not become a flood of tasks.
const UNDER_WAY: usize = 64;

/// Messages to users.
pub(crate) struct Messages {
    pub(crate) store: Arc<dyn UserTokenStore>,
    pub(crate) users: Arc<Users>,
    pub(crate) people: Arc<People>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) under_way: Arc<Semaphore>,
}

/// The result of redeeming a token.
pub(crate) enum Redeemed {
    Done,
    /// The token is unknown, used or expired, or its user is disabled.
    WrongToken,
    WrongPassword,
}

impl Messages {
    pub(crate) fn places() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(UNDER_WAY))
    }

    /// Sends a user a token that sets a new password. The user is looked up after the response, so
    /// neither the response nor its duration reveals whether the user exists.
    ///
    /// The number of messages to a user is limited, and the token of the last message stays valid.
    /// So a stranger who sends many requests cannot fill the mailbox, and cannot prevent the reset.
    pub(crate) async fn request_reset(
        self: &Arc<Self>,
        name: &str,
        peer: &Peer,
    ) -> Result<(), Error> {
        self.limits.take_of_network(peer).await?;
        let Some(name) = FoldedName::of(name) else { return Ok(()) };
        let event = self.audit.event(EventKind::PasswordResetRequested, peer);
        self.in_the_background(|messages| async move {
            let Some(account) = messages.people.find(&UserRef::Named(name)).await? else {
                return Ok(());
            };
            let may_reset = account.disabled_at.is_none()
                && account.awaits.is_none()
                && account.address_verified_at.is_some();
            if may_reset && messages.limits.take_message(&format!("reset of {}", account.id)) {
                let event = event.user(&account.id);
                messages.send(&account, MessageKind::PasswordReset, Some(event)).await?;
            }
            Ok(())
        });
        Ok(())
    }

    /// Adds a user who sets the first password with a token. Replaces a user of the same name who
    /// has not accepted an invitation or not verified the address.
    pub(crate) async fn invite(
        &self,
        name: &str,
        address: &str,
        roles: Vec<String>,
        scopes: Vec<String>,
        by: Actor<'_>,
    ) -> Result<AccountInfo, Error> {
        // The user has a random password, so that a login takes as long as for any other user.
        let (user, _) = NewUser::with_random_password(name)?;
        let user = user.address(address).roles(roles).scopes(scopes);
        let origin = Origin {
            awaits: Some(Awaits::Invitation),
            // A stranger's unfinished registration must not block the name.
            replaces: &[Awaits::Invitation, Awaits::Verification],
            share: Share::Users,
            event: self.audit.event_by(EventKind::UserInvited, by),
            authority: by.authority(),
        };
        let added = self.users.add(user, origin).await?;
        let account = self.people.account(&UserRef::WithId(added.id)).await?;
        match (self.send(&account, MessageKind::Invitation, None).await, by) {
            // The response to an administrator does not depend on the delivery, as with all other
            // HTTP responses.
            (Err(Error::NotDelivered { .. }), Actor::Admin { .. }) => Ok(account),
            (sent, _) => sent.map(|()| account),
        }
    }

    /// Adds a user whose name is an address, and sends a token to the address. If the name is
    /// taken, only a message to its user says so. The number of messages to an address is limited.
    /// A registration over that limit is dropped, and does not replace an earlier one that awaits
    /// its token.
    pub(crate) async fn register(
        self: &Arc<Self>,
        name: &str,
        password: String,
        event: NewEvent,
    ) -> Result<(), Error> {
        let origin = Origin {
            // Each registration replaces an unfinished registration of the same name. It can be
            // completed only with its own token and password.
            awaits: Some(Awaits::Verification),
            replaces: &[Awaits::Verification],
            share: Share::Strangers,
            event,
            authority: None,
        };
        let user = NewUser::new(name, password).address(name);
        let checked = self.users.check_new(user, origin.share).await?;
        let recipient =
            FoldedName::of(name).map_or_else(String::new, |name| name.as_str().to_owned());
        if !self.limits.take_message(&format!("registration of {recipient}")) {
            return Ok(());
        }
        let (user_ref, kind) = match self.users.add_checked(checked, origin).await {
            Ok(added) => (UserRef::WithId(added.id), MessageKind::AddressVerification),
            Err(Error::UserExists { name }) => (UserRef::named(&name)?, MessageKind::NameTaken),
            Err(error) => return Err(error),
        };
        self.in_the_background(|messages| async move {
            let Some(account) = messages.people.find(&user_ref).await? else { return Ok(()) };
            if kind == MessageKind::AddressVerification {
                return messages.send(&account, kind, None).await;
            }
            if let Some(address) = account.address.as_deref() {
                let message = Message::new(kind, &account.id, &account.name, address);
                messages.deliver(message).await?;
            }
            Ok(())
        });
        Ok(())
    }

    /// Sets the password of a token's user, and ends all sessions of the user.
    pub(crate) async fn set_password(
        &self,
        token: &str,
        password: Zeroizing<String>,
        peer: &Peer,
    ) -> Result<Redeemed, Error> {
        self.limits.take_of_network(peer).await?;
        let (token, now) = (hash_of(token), now_secs(&*self.clock));
        let purposes = [Purpose::Reset, Purpose::Invitation];
        let found = self.or_give_back(self.store.account_of_token(&token, purposes, now), peer);
        let Some((account, _)) = found.await? else { return Ok(Redeemed::WrongToken) };
        let address = account.address.as_deref();
        // The token proves who the user is, so the password is hashed in `Share::Users`:
        // registrations must not delay it.
        let hash = self.users.hash(Share::Users, password, &account.name, address);
        let hash = self.or_give_back(hash, peer).await?;
        let event = self.audit.event(EventKind::PasswordReset, peer).user(&account.id);
        let set = self.store.set_password_by_token(&token, &hash, &event).await?;
        self.limits.give_back_of_network(peer);
        Ok(if set { Redeemed::Done } else { Redeemed::WrongToken })
    }

    /// Completes a registration. The password must come with the token, because the owner of an address
    /// must not activate an account whose password a stranger has chosen.
    pub(crate) async fn verify_address(
        &self,
        token: &str,
        password: Zeroizing<String>,
        peer: &Peer,
    ) -> Result<Redeemed, Error> {
        self.limits.take_of_network(peer).await?;
        let (token, now) = (hash_of(token), now_secs(&*self.clock));
        let purposes = [Purpose::Verification; 2];
        let found = self.or_give_back(self.store.account_of_token(&token, purposes, now), peer);
        let Some((account, hash)) = found.await? else { return Ok(Redeemed::WrongToken) };
        let right = self.users.is_password_of(Share::Strangers, password, hash);
        if !self.or_give_back(right, peer).await? {
            return Ok(Redeemed::WrongPassword);
        }
        let event = self.audit.event(EventKind::AddressVerified, peer).user(&account.id);
        let verified = self.store.verify_address(&token, &event).await?;
        self.limits.give_back_of_network(peer);
        Ok(if verified { Redeemed::Done } else { Redeemed::WrongToken })
    }

    /// Returns the network's attempt if the check could not be made. A password that breaks a rule does
    /// not return the attempt: it has used a hashing slot, and the token can be used again.
    async fn or_give_back<T, E: Into<Error>>(
        &self,
        check: impl Future<Output = Result<T, E>>,
        peer: &Peer,
    ) -> Result<T, Error> {
        let checked = check.await.map_err(Into::into);
        checked.inspect_err(|error| {
            if !matches!(error, Error::InvalidPassword(_)) {
                self.limits.give_back_of_network(peer);
            }
        })
    }

    /// Creates and stores a token, and delivers it.
    async fn send(
        &self,
        account: &AccountInfo,
        kind: MessageKind,
        event: Option<NewEvent>,
    ) -> Result<(), Error> {
        let Some(address) = account.address.as_deref() else { return Ok(()) };
        let purpose = match kind {
            MessageKind::PasswordReset => Purpose::Reset,
            MessageKind::Invitation => Purpose::Invitation,
            MessageKind::AddressVerification => Purpose::Verification,
            MessageKind::NameTaken => return Ok(()),
        };
        let token = random::secret()?;
        let expires_at = now_secs(&*self.clock).saturating_add(secs(LIFETIME));
        let (user_id, sent_to) = (account.id.clone(), address.to_owned());
        let kept =
            UserToken { hash: hash_of(&token), user_id, purpose, address: sent_to, expires_at };
        if !self.store.add_user_token(&kept, event.as_ref()).await? {
            return Ok(());
        }
        let message = Message::new(kind, &account.id, &account.name, address);
        self.deliver(message.with_token(token, expires_at)).await
    }

    /// Delivers a message. A failure is logged and counted here.
    async fn deliver(&self, message: Message) -> Result<(), Error> {
        let (kind, user_id) = (message.kind.as_str(), message.user_id.clone());
        let name = message.name.clone();
        let delivered = match timeout(DELIVERY, self.notifier.deliver(message)).await {
            Ok(delivered) => delivered,
            Err(_) => Err(format!("the notifier took more than {} s", DELIVERY.as_secs()).into()),
        };
        let Err(source) = delivered else {
            metrics::message("delivered");
            return Ok(());
        };
        metrics::message("failed");
        let error = &*source as &(dyn std::error::Error + 'static);
        tracing::warn!(error, kind, user_id, "message not delivered");
        Err(Error::NotDelivered { name, source })
    }

    fn in_the_background<F>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.under_way).try_acquire_owned() else {
            metrics::message("dropped");
            tracing::warn!("message not delivered: too many deliveries in progress");
            return;
        };
        let work = work(Arc::clone(self));
        drop(tokio::spawn(async move {
            let _place = place;
            // A failed delivery has already been logged and counted.
            if let Err(error) = work.await
                && !matches!(error, Error::NotDelivered { .. })
            {
                metrics::message("failed");
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::warn!(error, "message not delivered");
            }
        }));
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("notifier", &self.notifier).finish_non_exhaustive()
    }
}
