//! The second factor: codes from an authenticator app (TOTP, RFC 6238), at a login and for the
//! operations that need a fresh one.

mod mode;
mod recovery;
mod store;

use std::fmt;
use std::sync::Arc;

use portcullis::clock::Clock;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

pub use self::mode::{SecondFactorMode, UnknownSecondFactorMode};
pub(crate) use self::recovery::RecoveryCodes;
use self::recovery::{hash_of_code, is_recovery_code};
pub(crate) use self::store::{SecondFactorStore, StoredFactor};
use crate::clock::now_secs;
use crate::domain::audit::{Audit, EventKind, NewEvent};
use crate::domain::hash::TokenHash;
use crate::domain::keys::{KeyEncryptionKey, KeyRing};
use crate::domain::limits::Limits;
use crate::domain::peer::Peer;
use crate::domain::sessions::{Factor, Methods, Session};
use crate::domain::tokens::{Audience, Tokens};
use crate::domain::users::{FoldedName, PasswordCheck, User, Users};
use crate::error::Error;

/// The label has the project's former name. It must not change: another label derives another key,
/// which cannot decrypt the secrets in existing databases.
const LABEL: &str = "tollgate-issuer: secrets of second factors";

/// The number of consecutive wrong codes, on all processes together, after which only an operator can
/// unlock the second factor. At any time, three of a million codes are valid, so 100 attempts guess a
/// valid code with a probability of 0.03 %.
const MOST_FAILURES: i64 = 100;

/// Seals the secrets from which codes are calculated.
pub(crate) struct Sealing(KeyEncryptionKey);

impl Sealing {
    pub(crate) fn new(key: &KeyEncryptionKey) -> Result<Self, Error> {
        key.derive(LABEL).map(Self)
    }

    /// Returns the sealing key, to seal the secrets again under another key-encryption key.
    pub(crate) fn key(&self) -> &KeyEncryptionKey {
        &self.0
    }
}

/// The recovery codes, and the secret for an authenticator app. All of them are shown once.
pub(crate) struct Enrolment {
    pub(crate) secret: Zeroizing<String>,
    /// <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>, for a QR code.
    pub(crate) url: Zeroizing<String>,
    pub(crate) recovery_codes: RecoveryCodes,
}

/// The result of an attempt to show the second factor in a session.
pub(crate) enum SteppedUp {
    /// The code was right; this is the session's new access token.
    Token(String),
    WrongCode,
    /// After too many wrong codes.
    Locked,
    NotEnrolled,
}

/// A code that is right, but may have been used before; [`SecondFactors::accept`] decides that.
pub(crate) enum Candidate {
    /// A code of an app, with the sealed secret that it was calculated from and its time step.
    Totp {
        sealed: Vec<u8>,
        step: i64,
    },
    Recovery(TokenHash),
}

/// The result of checking a code.
pub(crate) enum Looked {
    Right(Candidate),
    Wrong,
    Locked,
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
    /// Creates a secret for the user's app, and recovery codes. They take effect with the first
    /// correct code. Returns `None` if the password is wrong: a stolen access token is not enough.
    ///
    /// A user who has passkeys must have stepped up recently: the recovery codes of such a user are
    /// accepted at once, so a password alone must not replace them.
    pub(crate) async fn enrol(
        &self,
        user: &User,
        password: Zeroizing<String>,
        stepped_up: bool,
        peer: &Peer,
    ) -> Result<Option<Enrolment>, Error> {
        if !self.knows_password(user, password, peer).await? {
            return Ok(None);
        }
        let factor = self.store.second_factor(&user.id).await?;
        if !stepped_up && factor.is_some_and(|factor| factor.has_passkeys) {
            return Err(Error::StepUpNeeded);
        }
        let mut bytes = Zeroizing::new([0; 20]);
        crate::random::fill(bytes.as_mut_slice())?;
        let sealed = self.sealing.0.seal(&user.id, bytes.as_slice())?;
        let totp = totp(bytes.as_slice(), user, self.issuer())?;
        let recovery_codes = RecoveryCodes::new(&user.id)?;
        let codes = &recovery_codes.hashes;
        if !self.store.enrol_second_factor(&user.id, &sealed, codes, stepped_up).await? {
            return Err(Error::SecondFactorExists);
        }
        let url = totp.to_url().map_err(|_| Error::Crypto("writing an otpauth URL"))?;
        let secret = Zeroizing::new(totp.secret().to_base32());
        Ok(Some(Enrolment { secret, url: Zeroizing::new(url), recovery_codes }))
    }

    /// Returns whether the user has a confirmed app or a passkey.
    pub(crate) async fn has_one(&self, user: &User) -> Result<bool, Error> {
        let factor = self.store.second_factor(&user.id).await?;
        Ok(factor.is_some_and(|factor| factor.has_recovery()))
    }

    /// Checks the password of a user who has a session, within the account's rate limit.
    pub(crate) async fn knows_password(
        &self,
        user: &User,
        password: Zeroizing<String>,
        peer: &Peer,
    ) -> Result<bool, Error> {
        let account = format!("password of user {}", user.id);
        self.limits.take_of_session(&account, peer).await?;
        let name = FoldedName::of(&user.name);
        let checked = self.users.check_password(name.as_ref(), password).await;
        let checked = checked.inspect_err(|_| self.limits.give_back_of_session(&account))?;
        if let PasswordCheck::Wrong { .. } = checked {
            let failed = self.event_of(EventKind::StepUpFailed, user, peer);
            self.audit.record(&failed).await?;
            return Ok(false);
        }
        self.limits.give_back_of_session(&account);
        Ok(true)
    }

    /// Checks a code, which is accepted only once (RFC 6238 section 5.2), and marks the session as
    /// stepped up.
    pub(crate) async fn step_up(
        &self,
        user: &User,
        session: &Session,
        code: &str,
        audience: &Audience,
        peer: &Peer,
    ) -> Result<SteppedUp, Error> {
        // There are only a million codes, and each is valid for a minute or more, so attempts must be
        // limited.
        let account = format!("second factor of {}", user.id);
        self.limits.take_of_session(&account, peer).await?;
        let event = self.event_of(EventKind::StepUp, user, peer).session(&session.id);
        let looked = self.look(user, code, &event).await?;
        let candidate = match looked {
            Looked::Right(candidate) => candidate,
            Looked::Wrong => return Ok(SteppedUp::WrongCode),
            Looked::Locked => return Ok(SteppedUp::Locked),
            Looked::NotEnrolled => {
                self.limits.give_back_of_session(&account);
                return Ok(SteppedUp::NotEnrolled);
            }
        };
        // Steps that may fail come before the code is used up, because a code is accepted only once.
        let keys = self.keys.current().await?;
        let now = now_secs(&*self.clock);
        let place = self.tokens.take_place(&session.id, now).await?;
        let methods = Methods { second: Some(Factor::Code), ..session.methods.clone() };
        let session =
            Session { stepped_up_at: Some(now), place: Some(place), methods, ..session.clone() };
        let token = self.tokens.issue(&keys, &session.subject(user), audience, now).await?;
        if self.accept(&candidate, &event).await? {
            self.limits.give_back_of_session(&account);
            return Ok(SteppedUp::Token(token));
        }
        Ok(SteppedUp::WrongCode)
    }

    /// Checks a code, and counts the attempt. Records an event for a wrong code, and for the
    /// attempt that locks the second factor.
    pub(crate) async fn look(
        &self,
        user: &User,
        code: &str,
        event: &NewEvent,
    ) -> Result<Looked, Error> {
        let Some(factor) = self.store.second_factor(&user.id).await? else {
            return Ok(Looked::NotEnrolled);
        };
        let Some(attempts) = self.store.begin_code(&user.id, MOST_FAILURES).await? else {
            return Ok(Looked::Locked);
        };
        let candidate = if is_recovery_code(code) {
            factor.has_recovery().then(|| Candidate::Recovery(hash_of_code(&user.id, code)))
        } else if let Some(sealed) = factor.sealed {
            let step = self.step_of(user, &sealed, code)?;
            step.map(|step| Candidate::Totp { sealed, step })
        } else {
            None
        };
        if let Some(candidate) = candidate {
            return Ok(Looked::Right(candidate));
        }
        self.reject(event, attempts == MOST_FAILURES).await?;
        Ok(Looked::Wrong)
    }

    /// Uses up a code in the session of `event`; `false` if the code was used before.
    pub(crate) async fn accept(
        &self,
        candidate: &Candidate,
        event: &NewEvent,
    ) -> Result<bool, Error> {
        let accepted = match candidate {
            Candidate::Totp { sealed, step } => self.store.step_up(sealed, *step, event).await?,
            Candidate::Recovery(code) => {
                let event = NewEvent { kind: EventKind::RecoveryCodeUsed, ..event.clone() };
                self.store.use_recovery_code(code, &event).await?
            }
        };
        if !accepted {
            self.reject(event, false).await?;
        }
        Ok(accepted)
    }

    async fn reject(&self, event: &NewEvent, locks: bool) -> Result<(), Error> {
        let failed = NewEvent { kind: EventKind::StepUpFailed, ..event.clone() };
        self.audit.record(&failed).await?;
        if locks {
            let locked = NewEvent { kind: EventKind::SecondFactorLocked, ..failed };
            self.audit.record(&locked).await?;
        }
        Ok(())
    }

    /// Returns the time step of an app's code, or `None` if the code is wrong.
    fn step_of(&self, user: &User, sealed: &[u8], code: &str) -> Result<Option<i64>, Error> {
        let secret = self
            .sealing
            .0
            .open(&user.id, sealed)
            .ok_or(Error::Crypto("opening a second factor"))?;
        let time = u64::try_from(now_secs(&*self.clock)).unwrap_or_default();
        let step = totp(&secret, user, self.issuer())?.check(code, time);
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    /// Replaces the recovery codes; `None` if there is neither a confirmed app nor a passkey.
    pub(crate) async fn new_recovery_codes(
        &self,
        user: &User,
        peer: &Peer,
    ) -> Result<Option<RecoveryCodes>, Error> {
        let codes = RecoveryCodes::new(&user.id)?;
        let event = self.event_of(EventKind::RecoveryCodesMade, user, peer);
        let replaced = self.store.replace_recovery_codes(&codes.hashes, &event).await?;
        Ok(replaced.then_some(codes))
    }

    /// Deletes the app's secret; `false` if there is none.
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

/// Returns the generator of codes: six digits, a new code every 30 seconds, and SHA-1, which all
/// authenticator apps support. The previous and the next code are accepted as well, because clocks
/// differ.
fn totp(secret: &[u8], user: &User, issuer: &str) -> Result<Totp, Error> {
    // The issuer's name in an app is its host, without a colon, because the URL format reserves colons.
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
