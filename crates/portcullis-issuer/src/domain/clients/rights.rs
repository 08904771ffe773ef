//! Rights of machine clients beyond tokens in their own name.

use std::fmt;
use std::str::FromStr;

use crate::error::debug_with_causes;

/// A right of a machine client beyond tokens in its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientRight {
    /// `introspect-all`: introspects access tokens of any audience. Without this right, a client
    /// introspects access tokens for its [resource servers](crate::NewClient::resource_servers)
    /// only.
    IntrospectAll,
    /// `continue-sessions`: introspects refresh tokens of users' sessions, and continues sessions
    /// at `POST /oauth/token`. It is for a backend that keeps refresh tokens for its users.
    ContinueSessions,
    /// `exchange-tokens`: exchanges a user's token, whose audience is one of the client's resource
    /// servers, for a token whose audience is the issuer (RFC 8693). The new token is valid for
    /// 60 s, and the client acts for the user with it.
    ExchangeTokens,
}

/// The error for a text that is not a client's right.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client's right must be introspect-all, continue-sessions or exchange-tokens")]
pub struct UnknownClientRight;

debug_with_causes!(UnknownClientRight);

impl ClientRight {
    /// All rights.
    pub const ALL: [Self; 3] = [Self::IntrospectAll, Self::ContinueSessions, Self::ExchangeTokens];

    /// Returns the name of the right on the command line and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IntrospectAll => "introspect-all",
            Self::ContinueSessions => "continue-sessions",
            Self::ExchangeTokens => "exchange-tokens",
        }
    }
}

impl fmt::Display for ClientRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ClientRight {
    type Err = UnknownClientRight;

    fn from_str(text: &str) -> Result<Self, UnknownClientRight> {
        Self::ALL.into_iter().find(|right| right.as_str() == text).ok_or(UnknownClientRight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatted_right_is_parsed_and_unknown_right_is_rejected() {
        for right in ClientRight::ALL {
            assert_eq!(right.to_string().parse(), Ok(right));
        }
        assert_eq!("all".parse::<ClientRight>(), Err(UnknownClientRight));
    }
}
