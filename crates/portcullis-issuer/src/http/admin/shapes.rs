//! The request and response bodies of the administrator's operations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::people::AccountInfo;

/// Users' accounts.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Accounts {
    /// The accounts, in the order of their ids.
    pub(super) users: Vec<Account>,
}

/// A user's account.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Account {
    /// The `sub` of the user's tokens.
    pub(super) id: String,
    /// The name with which the user logs in.
    pub(super) name: String,
    /// The `roles` of the user's tokens.
    pub(super) roles: Vec<String>,
    /// The `scope` of the user's tokens.
    pub(super) scopes: Vec<String>,
    /// When the user was added, in seconds since 1970.
    pub(super) created_at: i64,
    /// When the user was disabled, in seconds since 1970.
    pub(super) disabled_at: Option<i64>,
    /// The address to which the notifier delivers the user's messages.
    pub(super) address: Option<String>,
    /// When the address was verified, in seconds since 1970.
    pub(super) address_verified_at: Option<i64>,
    /// What must happen before the first login: `invitation` or `verification`.
    pub(super) awaits: Option<String>,
    /// Whether a login asks for a second factor.
    pub(super) has_second_factor: bool,
    /// The number of wrong codes since the last right one; locked at 100.
    pub(super) wrong_codes: i64,
}

/// The number of ended sessions.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Ended {
    /// How many sessions have ended.
    pub(super) ended_sessions: u64,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct NewPassword {
    /// The new password: neither the user's name or address nor a common password; at most 1024
    /// bytes in UTF-8.
    #[schema(min_length = 8, max_length = 1024)]
    pub(super) password: String,
}

/// All roles of a user.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct Roles {
    pub(super) roles: Vec<String>,
}

/// All scopes of a user.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct Scopes {
    pub(super) scopes: Vec<String>,
}

/// A user who sets the first password with a token.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct Invitation {
    /// Visible ASCII characters, no spaces.
    #[schema(pattern = "^[!-~]{1,128}$")]
    pub(super) name: String,
    /// The address to which the notifier delivers the user's messages.
    pub(super) address: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
}

/// The address to which the notifier delivers a user's messages.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct Address {
    pub(super) address: String,
}

impl From<AccountInfo> for Account {
    fn from(info: AccountInfo) -> Self {
        Self {
            id: info.id,
            name: info.name,
            roles: info.roles,
            scopes: info.scopes,
            created_at: info.created_at,
            disabled_at: info.disabled_at,
            address: info.address,
            address_verified_at: info.address_verified_at,
            awaits: info.awaits,
            has_second_factor: info.has_second_factor,
            wrong_codes: info.wrong_codes,
        }
    }
}
