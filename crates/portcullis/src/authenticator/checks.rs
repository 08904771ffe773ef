//! What can be told of a single setting's value without asking anybody.

use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use url::Url;

use super::config_error::ConfigError;
use crate::settings::{self, Setting};

pub(super) fn not_empty(setting: &'static Setting, value: &str) -> Result<(), ConfigError> {
    if value.is_empty() { Err(ConfigError::Missing { setting }) } else { Ok(()) }
}

pub(super) fn within(
    setting: &'static Setting,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let seconds = |duration: Duration| duration.as_secs_f64();
    let expected = format!("it must be from {} to {} seconds", seconds(min), seconds(max));
    Err(ConfigError::invalid(setting, seconds(value).to_string(), expected))
}

/// RFC 6265 §4.1.1: a cookie's name is a token.
pub(super) fn check_cookie_name(name: &str) -> Result<(), ConfigError> {
    if http::HeaderName::from_bytes(name.as_bytes()).is_ok() {
        return Ok(());
    }
    let expected = "it must be a cookie's name, such as `__Host-portcullis-access`";
    Err(ConfigError::invalid(settings::COOKIE, name, expected))
}

/// Any header, but for those that say something else.
pub(super) fn check_token_header(name: &str) -> Result<HeaderName, ConfigError> {
    let taken = [AUTHORIZATION, COOKIE, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL];
    HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| !taken.contains(name)).ok_or_else(
        || {
            let expected = "it must be a header's name, such as `x-access-token`, and none that \
                            has another meaning";
            ConfigError::invalid(settings::TOKEN_HEADER, name, expected)
        },
    )
}

/// RFC 6455 §4.1: a subprotocol's name is a token, as a header's is.
pub(super) fn check_protocol(prefix: &str) -> Result<(), ConfigError> {
    if HeaderName::from_bytes(prefix.as_bytes()).is_ok() {
        return Ok(());
    }
    let expected = "it must be the beginning of a subprotocol's name, such as `bearer.`";
    Err(ConfigError::invalid(settings::WEBSOCKET_PROTOCOL, prefix, expected))
}

/// RFC 6454 §6.2: scheme, host and port as a browser writes them.
pub(super) fn check_origin(origin: &str) -> Result<(), ConfigError> {
    let is_origin = Url::parse(origin)
        .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == origin);
    if is_origin {
        return Ok(());
    }
    let expected = "it must be an origin as browsers write it: scheme and host in lower case, no \
                    default port, no slash at the end";
    Err(ConfigError::invalid(settings::TRUSTED_ORIGINS, origin, expected))
}

pub(super) fn within_numbers(
    setting: &'static Setting,
    value: usize,
    min: usize,
    max: usize,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::invalid(setting, value.to_string(), format!("it must be from {min} to {max}")))
}
