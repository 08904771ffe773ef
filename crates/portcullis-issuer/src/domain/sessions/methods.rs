//! How a user has authenticated in a session: the `amr` of its tokens (RFC 8176).

/// A factor of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Factor {
    Password,
    /// A code of an authenticator app, or a recovery code.
    Code,
    Passkey(KeyKind),
}

/// The kind of a passkey, as its authenticator declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// The key cannot leave its authenticator.
    DeviceBound,
    /// The key may be on several devices (the flag BE, WebAuthn section 6.1.3).
    Synced,
}

impl Factor {
    /// Returns the name in the store.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Code => "otp",
            Self::Passkey(KeyKind::DeviceBound) => "hwk",
            Self::Passkey(KeyKind::Synced) => "swk",
        }
    }

    /// Returns the factor with this name in the store.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [
            Self::Password,
            Self::Code,
            Self::Passkey(KeyKind::DeviceBound),
            Self::Passkey(KeyKind::Synced),
        ]
        .into_iter()
        .find(|factor| factor.as_str() == name)
    }
}

/// The factors that a session began with and was raised with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Methods {
    pub(crate) first: Factor,
    pub(crate) second: Option<Factor>,
    /// The id of the passkey among the two.
    pub(crate) passkey_id: Option<String>,
}

impl Methods {
    /// Returns a password and perhaps a second factor.
    pub(crate) fn password(second: Option<Factor>) -> Self {
        Self { first: Factor::Password, second, passkey_id: None }
    }

    /// Returns a passkey alone.
    pub(crate) fn passkey(kind: KeyKind, id: &str) -> Self {
        Self { first: Factor::Passkey(kind), second: None, passkey_id: Some(id.to_owned()) }
    }

    /// Returns the methods after a step-up with a passkey. In a session that began with a passkey,
    /// the passkey of the step-up replaces the first one.
    pub(crate) fn and_passkey(self, kind: KeyKind, id: &str) -> Self {
        match self.first {
            Factor::Passkey(_) => Self::passkey(kind, id),
            Factor::Password | Factor::Code => Self {
                second: Some(Factor::Passkey(kind)),
                passkey_id: Some(id.to_owned()),
                ..self
            },
        }
    }

    /// Returns the `amr`. `stepped_up` is whether two factors have been shown. A passkey with user
    /// verification is two factors.
    pub(crate) fn amr(&self, stepped_up: bool) -> &'static [&'static str] {
        use Factor::{Code, Passkey, Password};
        use KeyKind::{DeviceBound, Synced};
        match (self.first, self.second, stepped_up) {
            (Password | Code, _, false) => &["pwd"],
            (Password | Code, Some(Passkey(DeviceBound)), true) => &["pwd", "hwk", "user", "mfa"],
            (Password | Code, Some(Passkey(Synced)), true) => &["pwd", "swk", "user", "mfa"],
            // A session from before passkeys has no record of its second factor.
            (Password | Code, _, true) => &["pwd", "otp", "mfa"],
            (Passkey(DeviceBound), _, false) => &["hwk", "user"],
            (Passkey(DeviceBound), Some(Code), true) => &["hwk", "user", "otp", "mfa"],
            (Passkey(DeviceBound), _, true) => &["hwk", "user", "mfa"],
            (Passkey(Synced), _, false) => &["swk", "user"],
            (Passkey(Synced), Some(Code), true) => &["swk", "user", "otp", "mfa"],
            (Passkey(Synced), _, true) => &["swk", "user", "mfa"],
        }
    }
}
