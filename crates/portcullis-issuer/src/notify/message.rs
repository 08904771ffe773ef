//! The messages that a notifier delivers.

use std::fmt;

use serde::Serialize;
use zeroize::Zeroizing;

/// A message to a user.
///
/// A webhook and a command receive it as JSON:
///
/// ```json
/// {"kind":"password_reset","user_id":"…","name":"alice","address":"alice@example.com",
///  "token":"…","expires_at":1800000900}
/// ```
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Message {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The `sub` of the user's tokens.
    pub user_id: String,
    /// The name with which the user logs in.
    pub name: String,
    /// The address to deliver the message to, such as an email address.
    pub address: String,
    #[serde(serialize_with = "revealed")]
    token: Option<Zeroizing<String>>,
    /// When the token expires, in seconds since 1970.
    pub expires_at: Option<i64>,
}

/// The kind of a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MessageKind {
    /// `password_reset`: the token sets another password, at `POST /v1/auth/set-password`.
    PasswordReset,
    /// `invitation`: the token sets the first password, at `POST /v1/auth/set-password`.
    Invitation,
    /// `address_verification`: the token and the password complete a registration, at
    /// `POST /v1/auth/verify-address`.
    AddressVerification,
    /// `name_taken`: a client tried to register with the user's name. It has no token.
    NameTaken,
}

impl MessageKind {
    /// Returns the name of the kind in JSON and in the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::Invitation => "invitation",
            Self::AddressVerification => "address_verification",
            Self::NameTaken => "name_taken",
        }
    }
}

fn revealed<S: serde::Serializer>(
    token: &Option<Zeroizing<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    token.as_ref().map(|token| token.as_str()).serialize(serializer)
}

impl Message {
    pub(crate) fn new(kind: MessageKind, user_id: &str, name: &str, address: &str) -> Self {
        Self {
            kind,
            user_id: user_id.to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
            token: None,
            expires_at: None,
        }
    }

    pub(crate) fn with_token(mut self, token: Zeroizing<String>, expires_at: i64) -> Self {
        self.token = Some(token);
        self.expires_at = Some(expires_at);
        self
    }

    /// Returns the token, if the message has one. The token is valid once and for 15 minutes. It is
    /// a credential for the operation that [`kind`](Self::kind) names.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_str())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("user_id", &self.user_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
