//! Rate limits for passwords, codes and client credentials, per account and per network.
//!
//! Each attempt takes one unit of a budget before the check. After a success, or if the check could
//! not be made, the unit is returned at once. Units of failed attempts return evenly over
//! [`WINDOW`]. So a user's successful logins never exceed the limit, and concurrent attempts are
//! counted before any of them has failed. Each process counts only its own attempts.
//!
//! | attempt | account | network |
//! |---|---|---|
//! | a password without a session | the name | logins of the network |
//! | a request for a message | none: strangers could use it up | logins of the network |
//! | a token that a message delivered | none: it cannot be guessed | logins of the network |
//! | the challenge of a passkey | none: it names no user | challenges of the network |
//! | a passkey without a session | none: it cannot be guessed | logins of the network |
//! | a password, a code or a passkey within a session | the user | none: the session is proof |
//! | a client's credential that is right | none | none |
//! | a client's credential that is wrong | the client, after the check | clients of the network |
//!
//! So wrong attempts from the same address, such as a proxy's address, cannot lock out a user with
//! a session or a client with the right credential.

mod attempts;

use std::sync::Arc;

use portcullis::clock::Clock;

use self::attempts::Attempts;
pub(crate) use self::attempts::Limited;
use crate::domain::audit::{Audit, EventKind};
use crate::domain::network::Network;
use crate::domain::peer::Peer;
use crate::error::Error;

/// The period of a budget, in milliseconds.
const WINDOW: u64 = 5 * 60 * 1000;

/// The number of messages that strangers can request for one recipient at once. The budget returns
/// over [`MESSAGES_WINDOW`].
const MESSAGES: u32 = 3;

/// The period of the budget for messages, in milliseconds.
const MESSAGES_WINDOW: u64 = 15 * 60 * 1000;

/// The number of rejections that are recorded at once, of an account and of a network. The budget
/// returns over [`RECORDED_WINDOW`].
const RECORDED: u32 = 12;

/// The period of the budget for recorded rejections, in milliseconds.
const RECORDED_WINDOW: u64 = 60 * 60 * 1000;

/// Rate limits for passwords, codes and the credentials of machine clients.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Keyed by name or id.
    accounts: Attempts,
    /// Logins, keyed by the peer's network.
    networks: Attempts,
    /// Failed authentications of machine clients, keyed by the peer's network.
    client_networks: Attempts,
    /// Challenges of passkeys, keyed by the peer's network. They are apart from logins: a login page
    /// asks for one each time that it is opened.
    challenges: Attempts,
    /// Messages, keyed by the recipient.
    messages: Attempts,
    /// Rejections that are recorded, keyed by account or network.
    recorded: Attempts,
    audit: Arc<Audit>,
}

impl Limits {
    /// Creates the limits of attempts per account and per network. 0 means no limit.
    pub(crate) fn new(
        per_account: u32,
        per_network: u32,
        clock: &Arc<dyn Clock>,
        audit: Arc<Audit>,
    ) -> Self {
        let attempts = |limit| Attempts::new(limit, WINDOW, Arc::clone(clock));
        Self {
            accounts: attempts(per_account),
            networks: attempts(per_network),
            client_networks: attempts(per_network),
            challenges: attempts(per_network),
            messages: Attempts::new(MESSAGES, MESSAGES_WINDOW, Arc::clone(clock)),
            recorded: Attempts::new(RECORDED, RECORDED_WINDOW, Arc::clone(clock)),
            audit,
        }
    }

    /// Takes an attempt at a password from both limits, before the check. Records the first
    /// rejected attempt.
    pub(crate) async fn take(&self, account: &str, peer: &Peer) -> Result<(), Error> {
        self.take_of_network(peer).await?;
        self.admit(self.accounts.take(account), Some(account), peer).await
    }

    /// Returns the attempt to both limits, after a success or if the check could not be made.
    pub(crate) fn give_back(&self, account: &str, peer: &Peer) {
        self.accounts.give_back(account);
        self.give_back_of_network(peer);
    }

    /// Takes an attempt from the network's limit only: for a request for a message, or for a token from
    /// a message. With a limit per name, strangers could use up another user's attempts.
    pub(crate) async fn take_of_network(&self, peer: &Peer) -> Result<(), Error> {
        self.admit(self.networks.take(&network_of(peer)), None, peer).await
    }

    /// Takes a challenge of a passkey, for which a row is stored.
    pub(crate) async fn take_challenge(&self, peer: &Peer) -> Result<(), Error> {
        self.admit(self.challenges.take(&network_of(peer)), None, peer).await
    }

    /// Returns the challenge after a success.
    pub(crate) fn give_back_challenge(&self, peer: &Peer) {
        self.challenges.give_back(&network_of(peer));
    }

    /// Takes a message from the recipient's budget. Returns `false` if the budget is used up.
    pub(crate) fn take_message(&self, recipient: &str) -> bool {
        self.messages.take(recipient).is_ok()
    }

    /// Returns the attempt after a success.
    pub(crate) fn give_back_of_network(&self, peer: &Peer) {
        self.networks.give_back(&network_of(peer));
    }

    /// Takes an attempt of an authenticated user at a password or a code. `account` must differ
    /// from every key of [`take`](Self::take): failed logins with the user's name must not use up
    /// this limit.
    pub(crate) async fn take_of_session(&self, account: &str, peer: &Peer) -> Result<(), Error> {
        self.admit(self.accounts.take(account), Some(account), peer).await
    }

    /// Returns the attempt after a success.
    pub(crate) fn give_back_of_session(&self, account: &str) {
        self.accounts.give_back(account);
    }

    /// Counts a failed authentication of a machine client. `client_id` is `None` for an unknown
    /// client.
    pub(crate) fn take_of_failed_client(
        &self,
        client_id: Option<&str>,
        peer: &Peer,
    ) -> Result<(), Limited> {
        self.client_networks.take(&network_of(peer))?;
        client_id.map_or(Ok(()), |id| self.accounts.take(&format!("client {id}")))
    }

    /// Records a rejection. `account` is `None` if the network's budget is used up.
    async fn admit(
        &self,
        taken: Result<(), Limited>,
        account: Option<&str>,
        peer: &Peer,
    ) -> Result<(), Error> {
        let Err(limited) = taken else { return Ok(()) };
        if limited.first {
            let event = self.audit.event(EventKind::LoginLimited, peer);
            if self.records(account, peer) {
                let budget = if account.is_some() { "account" } else { "address" };
                let client = peer.shown_address();
                tracing::warn!(budget, client, "too many failed attempts; rejecting further ones");
                self.audit.record(&event).await?;
            } else {
                self.audit.count(&event);
            }
        }
        Err(Error::Limited { retry_after_secs: limited.retry_after_secs })
    }

    /// Returns whether to record the first rejection after an accepted attempt. The logs must grow
    /// neither with each request of a rejected client nor with each name that it makes up.
    pub(crate) fn records(&self, account: Option<&str>, peer: &Peer) -> bool {
        self.recorded.take(&format!("network {}", network_of(peer))).is_ok()
            && account.is_none_or(|name| self.recorded.take(&format!("account {name}")).is_ok())
    }
}

/// Returns the key of the peer's network. Callers without an address share one key, so they are limited
/// as well.
fn network_of(peer: &Peer) -> String {
    peer.address.map_or_else(String::new, |address| Network::of_client(address).to_string())
}
