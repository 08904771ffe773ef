//! When a login asks for the second factor.

use std::str::FromStr;

use crate::error::debug_with_causes;

/// When a login asks for the second factor (`IDENTSPHERE_SECOND_FACTOR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SecondFactorMode {
    /// Never: only a step-up asks for it.
    Off,
    /// At each login by password of a user who has one.
    #[default]
    Optional,
    /// At each login by password. A session without a second factor gets access tokens for the issuer alone,
    /// without roles and scopes, which is enough to set up a second factor.
    Required,
}

/// The error for a text that names no [`SecondFactorMode`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be off, optional or required")]
pub struct UnknownSecondFactorMode;

debug_with_causes!(UnknownSecondFactorMode);

impl FromStr for SecondFactorMode {
    type Err = UnknownSecondFactorMode;

    fn from_str(text: &str) -> Result<Self, UnknownSecondFactorMode> {
        match text {
            "off" => Ok(Self::Off),
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => Err(UnknownSecondFactorMode),
        }
    }
}
