//! Logins: a password, and a second factor of a user who has one.

use std::fmt;
use std::sync::Arc;

use portcullis::clock::Clock;
use zeroize::Zeroizing;

use crate::clock::now_secs;
use crate::domain::audit::{Audit, EventKind};
use crate::domain::limits::Limits;
use crate::domain::passkeys::{Assertion, Passkeys};
use crate::domain::peer::Peer;
use crate::domain::second_factor::{Looked, SecondFactorMode, SecondFactors};
use crate::domain::sessions::{Factor, Grant, Methods, Proof, Sessions};
use crate::domain::tokens::Audience;
use crate::domain::users::{FoldedName, PasswordCheck, Users};
use crate::error::Error;

/// The result of a login.
pub(crate) enum Login {
    Begun(Grant),
    /// The name or password is wrong, or the user may not log in. The response does not distinguish
    /// them.
    Wrong,
    /// The password is right, but the login also needs a code.
    CodeNeeded,
    WrongCode,
    /// The passkey is unknown, another user's or removed, or its ceremony failed. The response does
    /// not distinguish them.
    WrongPasskey,
    /// There were too many wrong codes.
    Locked,
}

/// The second factor of a login by password.
pub(crate) enum Shown {
    Nothing,
    Code(Zeroizing<String>),
    Passkey(Box<Assertion>),
}

/// Logins.
pub(crate) struct Logins {
    pub(crate) users: Arc<Users>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) second_factors: Arc<SecondFactors>,
    pub(crate) passkeys: Arc<Passkeys>,
    pub(crate) second_factor: SecondFactorMode,
    pub(crate) limits: Arc<Limits>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Logins {
    /// Begins a session.
    pub(crate) async fn login(
        &self,
        name: &str,
        password: Zeroizing<String>,
        shown: Shown,
        audience: &Audience,
        peer: &Peer,
    ) -> Result<Login, Error> {
        let folded = FoldedName::of(name);
        // All texts that cannot be a user's name share one count.
        let account = folded.as_ref().map_or("", FoldedName::as_str);
        self.limits.take(account, peer).await?;
        let checked = self.users.check_password(folded.as_ref(), password).await;
        // If the password could not be checked, the attempt is returned, so that it does not count
        // against the user.
        let checked = checked.inspect_err(|_| self.limits.give_back(account, peer))?;
        let (stored, outdated) = match checked {
            PasswordCheck::Right { stored, outdated } if stored.may_log_in => (stored, outdated),
            PasswordCheck::Right { stored, .. } => {
                return self.refuse(Some(&stored.user.id), peer).await;
            }
            // An unknown name is not recorded, because it may be a password in the wrong field.
            PasswordCheck::Wrong { user } => {
                return self.refuse(user.as_ref().map(|user| &*user.id), peer).await;
            }
        };
        let user = &stored.user;
        let now = now_secs(&*self.clock);
        let session_id = crate::random::hex_id()?;
        let asked = stored.has_second_factor && self.second_factor != SecondFactorMode::Off;
        let methods = match shown {
            _ if !asked => Methods::password(None),
            Shown::Nothing => {
                let event = self.audit.event(EventKind::SecondFactorAsked, peer).user(&user.id);
                self.audit.record(&event).await?;
                self.limits.give_back(account, peer);
                return Ok(Login::CodeNeeded);
            }
            Shown::Code(code) => {
                let event = self.audit.event(EventKind::StepUp, peer);
                let event = event.user(&user.id).session(&session_id);
                match self.second_factors.look(user, &code, &event).await? {
                    Looked::Right(candidate) => {
                        if !self.second_factors.accept(&candidate, &event).await? {
                            return Ok(Login::WrongCode);
                        }
                    }
                    Looked::Wrong => return Ok(Login::WrongCode),
                    Looked::Locked => return Ok(Login::Locked),
                    // The second factor was removed since the password check. The login is
                    // rejected; the user's next login is by password alone.
                    Looked::NotEnrolled => return self.refuse(Some(&user.id), peer).await,
                }
                Methods::password(Some(Factor::Code))
            }
            Shown::Passkey(assertion) => {
                match self.passkeys.second_factor(user, &session_id, *assertion, peer).await? {
                    Some(methods) => methods,
                    None => return Ok(Login::WrongPasskey),
                }
            }
        };
        if let Some(outdated) = &outdated {
            self.users.replace_hash(user, outdated, now).await?;
        }
        let stepped_up_at = asked.then_some(now);
        let proof = Proof { credentials: stored.credentials, stepped_up_at, methods };
        match self.sessions.begin(session_id, user, proof, audience, peer).await? {
            Some(grant) => {
                self.limits.give_back(account, peer);
                Ok(Login::Begun(grant))
            }
            // The user was disabled, or got another password, after the password was checked.
            None => self.refuse(Some(&user.id), peer).await,
        }
    }

    async fn refuse(&self, user_id: Option<&str>, peer: &Peer) -> Result<Login, Error> {
        let failed = self.audit.event(EventKind::LoginFailed, peer);
        let failed = match user_id {
            Some(id) => failed.user(id),
            None => failed,
        };
        self.audit.record(&failed).await?;
        Ok(Login::Wrong)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").field("second_factor", &self.second_factor).finish_non_exhaustive()
    }
}
