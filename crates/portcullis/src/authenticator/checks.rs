//! Checks of single settings, without any I/O.

use std::time::Duration;

use url::Url;

use super::config_error::ConfigError;
use crate::credentials::{Place, TokenPlace};
use crate::settings::{self, Setting};

pub(super) fn not_empty(setting: &'static Setting, value: &str) -> Result<(), ConfigError> {
    if value.is_empty() { Err(ConfigError::Missing { setting }) } else { Ok(()) }
}

/// Rejects a value in quotes. Docker's `--env-file`, for example, keeps quotes as part of the
/// value.
pub(super) fn not_quoted(setting: &'static Setting, value: &str) -> Result<(), ConfigError> {
    const QUOTES: [char; 7] = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];
    if !value.starts_with(QUOTES) && !value.ends_with(QUOTES) {
        return Ok(());
    }
    let expected = "remove the quotes; they are read as part of the value";
    Err(ConfigError::invalid(setting, without_password(value), expected))
}

/// Returns the value without the text before an `@`, which may contain a password.
pub(super) fn without_password(value: &str) -> String {
    value.rsplit_once('@').map_or(value.to_owned(), |(_, rest)| format!("…@{rest}"))
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

/// Checks that the name of a cookie is a token, as RFC 6265 §4.1.1 requires.
pub(super) fn check_cookie_name(name: &str) -> Result<(), ConfigError> {
    if http::HeaderName::from_bytes(name.as_bytes()).is_ok() {
        return Ok(());
    }
    let expected = "it must be a cookie name, such as `__Host-portcullis-access`";
    Err(ConfigError::invalid(settings::COOKIE, name, expected))
}

/// Checks that the places can be read together. Without any place, a cookie is required.
pub(crate) fn check_places(
    listed: impl IntoIterator<Item = TokenPlace>,
    has_cookie: bool,
) -> Result<Vec<Place>, ConfigError> {
    let mut places: Vec<Place> = Vec::new();
    for TokenPlace { text, place } in listed {
        let invalid = |expected| ConfigError::invalid(settings::TOKEN_PLACES, &text, expected);
        let place = place.map_err(invalid)?;
        if places.iter().any(|other| other.overlaps(&place)) {
            return Err(invalid("it overlaps with another place in the list; remove one of them"));
        }
        places.push(place);
    }
    if places.is_empty() && !has_cookie {
        let expected = "name at least one place, or set a `cookie`";
        return Err(ConfigError::invalid(settings::TOKEN_PLACES, "", expected));
    }
    Ok(places)
}

/// Checks that the origin has the form that browsers send: scheme, host and port (RFC 6454 §6.2).
pub(super) fn check_origin(origin: &str) -> Result<(), ConfigError> {
    let is_origin = Url::parse(origin)
        .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == origin);
    if is_origin {
        return Ok(());
    }
    let expected = "it must be an origin as browsers send it: scheme and host in lower case, no \
                    default port, no trailing slash";
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
