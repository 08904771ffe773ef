//! Single-use tokens as they are kept.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::people::AccountInfo;

/// Single-use tokens that a notifier delivers.
pub(crate) trait UserTokenStore: fmt::Debug + Send + Sync {
    /// Keeps a token instead of the one before of its user and purpose, and records `event`; `false`
    /// if the user has another address by now, or is disabled.
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
    /// Sets the password of a token's user, ends all sessions of the user, and deletes the token;
    /// `false` if another request was first, or the user is disabled.
    fn set_password_by_token<'a>(
        &'a self,
        token: &'a TokenHash,
        password_hash: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Completes the registration of a token's user, and deletes the token; `false` if another
    /// request was first, or the user is disabled.
    fn verify_address<'a>(&'a self, token: &'a TokenHash, event: &'a NewEvent) -> Answer<'a, bool>;
}

/// A token that is about to be kept.
pub(crate) struct UserToken {
    pub(crate) hash: TokenHash,
    pub(crate) user_id: String,
    pub(crate) purpose: Purpose,
    /// Where it is sent.
    pub(crate) address: String,
    pub(crate) expires_at: i64,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Reset,
    Invitation,
    Verification,
}

impl Purpose {
    /// As the store has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Invitation => "invitation",
            Self::Verification => "verification",
        }
    }
}
