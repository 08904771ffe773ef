//! Single-use tokens as they are stored.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::people::AccountInfo;

/// Single-use tokens that a notifier delivers.
pub(crate) trait UserTokenStore: fmt::Debug + Send + Sync {
    /// Stores a token, which replaces an earlier token of the same user and purpose, and records
    /// `event`. Returns `false` if the user's address has changed or the user is disabled.
    fn add_user_token<'a>(
        &'a self,
        token: &'a UserToken,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool>;
    /// Returns the account and the password hash of a token's user. `None` if the token is unknown,
    /// has another purpose or has expired, or if the user is disabled.
    fn account_of_token<'a>(
        &'a self,
        token: &'a TokenHash,
        purposes: [Purpose; 2],
        now: i64,
    ) -> Answer<'a, Option<(AccountInfo, String)>>;
    /// Sets the password of a token's user, ends all sessions of the user, and deletes the token.
    /// Returns `false` if another request has used the token, or the user is disabled.
    fn set_password_by_token<'a>(
        &'a self,
        token: &'a TokenHash,
        password_hash: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Completes the registration of a token's user, and deletes the token. Returns `false` if
    /// another request has used the token, or the user is disabled.
    fn verify_address<'a>(&'a self, token: &'a TokenHash, event: &'a NewEvent) -> Answer<'a, bool>;
}

/// A token to store.
pub(crate) struct UserToken {
    pub(crate) hash: TokenHash,
    pub(crate) user_id: String,
    pub(crate) purpose: Purpose,
    /// The address to which the token is sent.
    pub(crate) address: String,
    pub(crate) expires_at: i64,
}

/// The purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Reset,
    Invitation,
    Verification,
}

impl Purpose {
    /// Returns the purpose's name in the store.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Invitation => "invitation",
            Self::Verification => "verification",
        }
    }
}
