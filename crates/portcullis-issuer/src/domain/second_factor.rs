//! The second factor: codes from an authenticator app (TOTP, RFC 6238), for the operations for
//! which a password of this morning is not enough.

mod store;

use std::fmt;
use std::sync::Arc;

use portcullis::clock::Clock;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

pub(crate) use self::store::SecondFactorStore;
use crate::clock::now_secs;
use crate::domain::audit::{Audit, EventKind, NewEvent};
use crate::domain::keys::{KeyEncryptionKey, KeyRing};
use crate::domain::limits::Limits;
use crate::domain::peer::Peer;
use crate::domain::sessions::Session;
use crate::domain::tokens::{Audience, Tokens};
use crate::domain::users::{PasswordCheck, User, Users};
use crate::error::Error;

/// The name that the family had when the first secret was sealed. Another label derives another key,
/// which opens none of the secrets that are in the databases.
const LABEL: &str = "tollgate-issuer: secrets of second factors";

/// Seals the secrets that codes are made from.
pub(crate) struct Sealing(KeyEncryptionKey);

impl Sealing {
    pub(crate) fn new(key: &KeyEncryptionKey) -> Result<Self, Error> {
        key.derive(LABEL).map(Self)
    }
}

/// What an authenticator app needs to know. Shown once.
pub(crate) struct Enrolment {
    pub(crate) secret: Zeroizing<String>,
    /// <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>, for a QR code.
    pub(crate) url: Zeroizing<String>,
}

/// What became of an attempt to show the second factor.
pub(crate) enum SteppedUp {
    /// The session's access token from now on.
    Token(String),
    WrongCode,
    NotEnrolled,
}

/// Second factors, one per user.
#[derive(Debug)]
pub(crate) struct SecondFactors {
    pub(crate) sealing: Sealing,
    pub(crate) store: Arc<dyn SecondFactorStore>,
    pub(crate) users: Arc<Users>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SecondFactors {
    /// Makes a secret for the user's app. It counts from the first right code on. `None` if the
    /// password is wrong: a stolen access token is not enough.
    pub(crate) async fn enrol(
        &self,
        user: &User,
        password: Zeroizing<String>,
        peer: &Peer,
    ) -> Result<Option<Enrolment>, Error> {
        let account = format!("password of user {}", user.id);
        self.limits.take_of_session(&account, peer).await?;
        let checked = self.users.check_password(&user.name, password).await?;
        if let PasswordCheck::Wrong { .. } = checked {
            let failed = self.event_of(EventKind::StepUpFailed, user, peer);
            self.audit.record(&failed).await?;
            return Ok(None);
        }
        self.limits.give_back_of_session(&account);
        let mut bytes = Zeroizing::new([0; 20]);
        crate::random::fill(bytes.as_mut_slice())?;
        let sealed = self.sealing.0.seal(&user.id, bytes.as_slice())?;
        let totp = totp(bytes.as_slice(), user, self.issuer())?;
        if !self.store.enrol_second_factor(&user.id, &sealed).await? {
            return Err(Error::SecondFactorExists);
        }
        let url = totp.to_url().map_err(|_| Error::Crypto("writing an otpauth URL"))?;
        let secret = Zeroizing::new(totp.secret().to_base32());
        Ok(Some(Enrolment { secret, url: Zeroizing::new(url) }))
    }

    /// Checks a code, which is good for one time (RFC 6238 section 5.2), and raises the session.
    pub(crate) async fn step_up(
        &self,
        user: &User,
        session: &Session,
        code: &str,
        audience: &Audience,
        peer: &Peer,
    ) -> Result<SteppedUp, Error> {
        // A million codes and some minutes are not many.
        let account = format!("second factor of {}", user.id);
        self.limits.take_of_session(&account, peer).await?;
        let Some(sealed) = self.store.second_factor(&user.id).await? else {
            self.limits.give_back_of_session(&account);
            return Ok(SteppedUp::NotEnrolled);
        };
        let secret = self
            .sealing
            .0
            .open(&user.id, &sealed)
            .ok_or(Error::Crypto("opening a second factor"))?;
        let keys = self.keys.current().await?;
        let now = now_secs(&*self.clock);
        let time = u64::try_from(now).unwrap_or_default();
        let step = totp(&secret, user, self.issuer())?.check(code, time);
        let event = self.event_of(EventKind::StepUp, user, peer).session(&session.id);
        if let Some(step) = step.and_then(|step| i64::try_from(step).ok()) {
            // First what may fail: no code is good twice.
            let place = self.tokens.take_place(&session.id, now).await?;
            let session =
                Session { stepped_up_at: Some(now), place: Some(place), ..session.clone() };
            let token = self.tokens.issue(&keys, &session.subject(user), audience, now).await?;
            if self.store.step_up(&sealed, step, &event).await? {
                self.limits.give_back_of_session(&account);
                return Ok(SteppedUp::Token(token));
            }
        }
        let failed = NewEvent { kind: EventKind::StepUpFailed, ..event };
        self.audit.record(&failed).await?;
        Ok(SteppedUp::WrongCode)
    }

    /// Forgets the second factor; `false` if there is none.
    pub(crate) async fn remove(&self, user: &User, peer: &Peer) -> Result<bool, Error> {
        let event = self.event_of(EventKind::TotpRemoved, user, peer);
        Ok(self.store.remove_second_factor(&event).await?)
    }

    fn issuer(&self) -> &str {
        &self.tokens.settings().issuer
    }

    fn event_of(&self, kind: EventKind, user: &User, peer: &Peer) -> NewEvent {
        self.audit.event(kind, peer).user(&user.id)
    }
}

/// Six digits, a new code every 30 seconds, SHA-1: what every authenticator app knows. The code
/// before and the one after are accepted as well, for clocks that differ.
fn totp(secret: &[u8], user: &User, issuer: &str) -> Result<Totp, Error> {
    // Neither name may have a colon: the host is what people know the issuer by.
    let issuer = issuer.split("//").last().unwrap_or(issuer).replace(':', " ");
    Builder::new()
        .with_secret(Secret::new(secret.into()))
        .with_account_name(user.name.replace(':', "_"))
        .with_issuer(Some(issuer))
        .build()
        .map_err(|_| Error::Crypto("setting up TOTP"))
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(redacted)")
    }
}
