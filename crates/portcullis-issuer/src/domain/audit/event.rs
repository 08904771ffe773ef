//! Events of the audit log.

use std::fmt;

use serde::Serialize;

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The serial number: of two events the later one has the higher number.
    pub serial: i64,
    /// The time of the event, in seconds since 1970.
    pub at: i64,
    /// The name of the [`EventKind`].
    pub kind: String,
    /// The id of the user that the event is about, if there is such a user.
    pub user_id: Option<String>,
    /// The id of the session that the event is about, if any.
    pub session_id: Option<String>,
    /// The `kid` of the signing key that the event is about, if any.
    pub kid: Option<String>,
    /// The id of the machine client that the event is about or that caused it, if any.
    pub client_id: Option<String>,
    /// The address of the request's client, if known.
    pub address: Option<String>,
    /// The client's `User-Agent`, for a refresh token that was repeated or reused.
    pub user_agent: Option<String>,
    /// The actor, if it was not the user: `operator` for the command line, or an administrator's
    /// user id.
    pub actor: Option<String>,
    /// The name of the user, if the event is about a user who was deleted.
    pub user_name: Option<String>,
    /// The number of things that the event is about, if it is about several: for
    /// `logout_not_delivered` logout tokens that were dropped together.
    pub count: Option<i64>,
}

/// An event that is about to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) kind: EventKind,
    pub(crate) at: i64,
    pub(crate) user_id: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) kid: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) count: Option<i64>,
}

impl NewEvent {
    pub(crate) fn new(kind: EventKind, at: i64) -> Self {
        Self {
            kind,
            at,
            user_id: None,
            session_id: None,
            kid: None,
            client_id: None,
            address: None,
            user_agent: None,
            actor: None,
            user_name: None,
            count: None,
        }
    }

    pub(crate) fn user(mut self, id: &str) -> Self {
        self.user_id = Some(id.to_owned());
        self
    }

    pub(crate) fn session(mut self, id: &str) -> Self {
        self.session_id = Some(id.to_owned());
        self
    }

    pub(crate) fn key(mut self, kid: &str) -> Self {
        self.kid = Some(kid.to_owned());
        self
    }

    pub(crate) fn client(mut self, id: &str) -> Self {
        self.client_id = Some(id.to_owned());
        self
    }

    pub(crate) fn by(mut self, actor: &str) -> Self {
        self.actor = Some(actor.to_owned());
        self
    }

    pub(crate) fn user_name(mut self, name: &str) -> Self {
        self.user_name = Some(name.to_owned());
        self
    }

    /// Sets the number of things that the event is about.
    pub(crate) fn count(mut self, count: i64) -> Self {
        self.count = Some(count);
        self
    }

    pub(crate) fn address(mut self, address: Option<&str>) -> Self {
        self.address = address.map(str::to_owned);
        self
    }

    pub(crate) fn user_agent(mut self, user_agent: Option<&str>) -> Self {
        self.user_agent = user_agent.map(str::to_owned);
        self
    }
}

/// The kinds of events. A refresh and its repetition within 2 s are not recorded. Introspections
/// are not recorded either: they change nothing, and some APIs introspect a token for every
/// request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// `user_added`
    UserAdded,
    /// `registration_refused`: a client tried to register with a taken name, with address verification.
    RegistrationRefused,
    /// `login`
    Login,
    /// `login_failed`: a wrong password, or an unknown user.
    LoginFailed,
    /// `login_limited`: too many attempts; the password of this attempt was not checked. Each process
    /// records at most 12 of them at once for an account and for a network, and one more every 5
    /// minutes.
    LoginLimited,
    /// `password_rehashed`: the stored hash now has the configured parameters.
    PasswordRehashed,
    /// `refresh_repeated`: a spent refresh token was presented again more than 2 s after its
    /// rotation and within the grace period, and got the same successor.
    RefreshRepeated,
    /// `refresh_reused`: a spent refresh token was presented again; its session was ended.
    RefreshReused,
    /// `refresh_diverged`: this issuer made the refresh token, but the store does not have it, as
    /// after a restore from a backup; its session was ended.
    RefreshDiverged,
    /// `logout`
    Logout,
    /// `logout_everywhere`: the user ended all own sessions.
    LogoutEverywhere,
    /// `session_deleted`
    SessionDeleted,
    /// `logout_not_delivered`: a client was not told that sessions have ended. It rejected the logout
    /// token of the named session, as it does if it had received an earlier attempt. Or it was
    /// unreachable until the sessions' tokens had expired, or too many logout tokens waited for it:
    /// then the event has their number as `count`, and names no session.
    LogoutNotDelivered,
    /// `second_factor_asked`: a login with the right password and without a code.
    SecondFactorAsked,
    /// `totp_enrolled`: a second factor was set up.
    TotpEnrolled,
    /// `totp_removed`
    TotpRemoved,
    /// `step_up`: the second factor was shown.
    StepUp,
    /// `step_up_failed`
    StepUpFailed,
    /// `passkey_registered`
    PasskeyRegistered,
    /// `passkey_renamed`
    PasskeyRenamed,
    /// `passkey_removed`: by the user, or by the `actor`.
    PasskeyRemoved,
    /// `passkey_used`: in a login, as its only or its second factor, or in a step-up.
    PasskeyUsed,
    /// `passkey_refused`: an authentication or a registration with a passkey failed. The user is
    /// absent if the passkey is unknown.
    PasskeyRefused,
    /// `passkey_cloned`: the counter of a passkey was not higher than before, so there may be a copy
    /// of its key; the authentication was refused.
    PasskeyCloned,
    /// `client_added`: a machine client was added.
    ClientAdded,
    /// `client_updated`: the scopes, audiences, resource servers, rights or back-channel logout URI
    /// of a machine client were replaced.
    ClientUpdated,
    /// `client_credential_changed`: the secret or the keys of a machine client were replaced.
    ClientCredentialChanged,
    /// `client_disabled`
    ClientDisabled,
    /// `client_enabled`
    ClientEnabled,
    /// `client_removed`
    ClientRemoved,
    /// `client_token`: a machine client was given an access token; each process records at most 60
    /// an hour for a client.
    ClientToken,
    /// `client_refused`: a wrong secret or assertion, or a disabled or unknown client.
    ClientRefused,
    /// `client_limited`: too many failed authentications of a client.
    ClientLimited,
    /// `token_exchanged`: a machine client was given a token to act for a user.
    TokenExchanged,
    /// `token_revoked`: a client revoked a token. The event names the session, if the session ended
    /// with the token.
    TokenRevoked,
    /// `password_changed`: by the user, or by the `actor`.
    PasswordChanged,
    /// `password_reset`: by a token that the notifier delivered.
    PasswordReset,
    /// `password_reset_requested`: the token of a password reset was created.
    PasswordResetRequested,
    /// `user_invited`: the user sets a password by a token that the notifier delivered.
    UserInvited,
    /// `address_verified`
    AddressVerified,
    /// `address_changed`: by an operator or administrator.
    AddressChanged,
    /// `user_disabled`: the user can no longer log in, and the user's sessions have ended.
    UserDisabled,
    /// `user_enabled`
    UserEnabled,
    /// `user_removed`: the user's sessions have ended. The event has the name as `user_name`.
    UserRemoved,
    /// `roles_changed`: the next access token has the new ones.
    RolesChanged,
    /// `scopes_changed`: the next access token has the new ones.
    ScopesChanged,
    /// `recovery_codes_made`: new recovery codes replaced the former ones.
    RecoveryCodesMade,
    /// `recovery_code_used`: the user showed a recovery code instead of a code from the app.
    RecoveryCodeUsed,
    /// `second_factor_locked`: the user's codes are rejected after 100 wrong codes in a row.
    SecondFactorLocked,
    /// `second_factor_unlocked`
    SecondFactorUnlocked,
    /// `all_sessions_ended`: the sessions of all users were ended.
    AllSessionsEnded,
    /// `restored`: the database comes from a backup; its keys were withdrawn.
    Restored,
    /// `key_published`: a key was published, which does not sign yet.
    KeyPublished,
    /// `key_active`: a key signs from now on.
    KeyActive,
    /// `key_withdrawn`: the key was withdrawn, on schedule or earlier by an operator.
    KeyWithdrawn,
    /// `key_encryption_key_changed`: all sealed data is sealed under another key.
    KeyEncryptionKeyChanged,
}

impl EventKind {
    /// Returns the name of the kind in the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserAdded => "user_added",
            Self::RegistrationRefused => "registration_refused",
            Self::Login => "login",
            Self::LoginFailed => "login_failed",
            Self::LoginLimited => "login_limited",
            Self::PasswordRehashed => "password_rehashed",
            Self::RefreshRepeated => "refresh_repeated",
            Self::RefreshReused => "refresh_reused",
            Self::RefreshDiverged => "refresh_diverged",
            Self::Logout => "logout",
            Self::LogoutEverywhere => "logout_everywhere",
            Self::SessionDeleted => "session_deleted",
            Self::LogoutNotDelivered => "logout_not_delivered",
            Self::SecondFactorAsked => "second_factor_asked",
            Self::TotpEnrolled => "totp_enrolled",
            Self::TotpRemoved => "totp_removed",
            Self::StepUp => "step_up",
            Self::StepUpFailed => "step_up_failed",
            Self::PasskeyRegistered => "passkey_registered",
            Self::PasskeyRenamed => "passkey_renamed",
            Self::PasskeyRemoved => "passkey_removed",
            Self::PasskeyUsed => "passkey_used",
            Self::PasskeyRefused => "passkey_refused",
            Self::PasskeyCloned => "passkey_cloned",
            Self::ClientAdded => "client_added",
            Self::ClientUpdated => "client_updated",
            Self::ClientCredentialChanged => "client_credential_changed",
            Self::ClientDisabled => "client_disabled",
            Self::ClientEnabled => "client_enabled",
            Self::ClientRemoved => "client_removed",
            Self::ClientToken => "client_token",
            Self::ClientRefused => "client_refused",
            Self::ClientLimited => "client_limited",
            Self::TokenExchanged => "token_exchanged",
            Self::TokenRevoked => "token_revoked",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::PasswordResetRequested => "password_reset_requested",
            Self::UserInvited => "user_invited",
            Self::AddressVerified => "address_verified",
            Self::AddressChanged => "address_changed",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::UserRemoved => "user_removed",
            Self::RolesChanged => "roles_changed",
            Self::ScopesChanged => "scopes_changed",
            Self::RecoveryCodesMade => "recovery_codes_made",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::SecondFactorLocked => "second_factor_locked",
            Self::SecondFactorUnlocked => "second_factor_unlocked",
            Self::AllSessionsEnded => "all_sessions_ended",
            Self::Restored => "restored",
            Self::KeyPublished => "key_published",
            Self::KeyActive => "key_active",
            Self::KeyWithdrawn => "key_withdrawn",
            Self::KeyEncryptionKeyChanged => "key_encryption_key_changed",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
