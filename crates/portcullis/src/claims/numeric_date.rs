//! `NumericDate`: seconds since 1970 ([RFC 7519 §2]).
//!
//! [RFC 7519 §2]: https://www.rfc-editor.org/rfc/rfc7519#section-2

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The end of the year 9999, in seconds. Later values are rejected as overflow attempts.
const LATEST_SECS: u64 = 253_402_300_799;

/// A time in a token: an integer or fractional number of seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumericDate(Duration);

impl NumericDate {
    /// Returns the time `secs` seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Returns the duration since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl From<SystemTime> for NumericDate {
    /// A time before 1970 means that the clock was never set. Such a time becomes the latest date,
    /// at which every token has expired.
    fn from(time: SystemTime) -> Self {
        let latest = Duration::from_secs(LATEST_SECS);
        Self(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(latest).min(latest))
    }
}

impl From<NumericDate> for SystemTime {
    fn from(date: NumericDate) -> Self {
        Self::UNIX_EPOCH + date.0
    }
}

impl fmt::Debug for NumericDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyNumber(date) = AnyNumber::deserialize(deserializer)?;
        date.ok_or_else(|| D::Error::custom(format_args!("expected {EXPECTED}")))
    }
}

/// What a date claim must be, for error messages.
pub(crate) const EXPECTED: &str = "a number of seconds between 1970 and 9999";

/// Any number, with its date if it is in range.
pub(super) struct AnyNumber(Option<NumericDate>);

impl From<AnyNumber> for Option<NumericDate> {
    fn from(AnyNumber(date): AnyNumber) -> Self {
        date
    }
}

impl<'de> Deserialize<'de> for AnyNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DateVisitor;
        impl Visitor<'_> for DateVisitor {
            type Value = AnyNumber;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_u64<E: Error>(self, secs: u64) -> Result<AnyNumber, E> {
                if secs > LATEST_SECS {
                    return Ok(AnyNumber(None));
                }
                Ok(AnyNumber(Some(NumericDate::from_secs(secs))))
            }

            fn visit_i64<E: Error>(self, secs: i64) -> Result<AnyNumber, E> {
                match u64::try_from(secs) {
                    Ok(secs) => self.visit_u64(secs),
                    Err(_) => Ok(AnyNumber(None)),
                }
            }

            fn visit_f64<E: Error>(self, secs: f64) -> Result<AnyNumber, E> {
                // The bound is far below the values at which adjacent floats differ by more than a
                // second.
                #[expect(clippy::cast_precision_loss, reason = "exactly representable")]
                let latest = LATEST_SECS as f64;
                if !(0.0..=latest).contains(&secs) {
                    return Ok(AnyNumber(None));
                }
                Ok(AnyNumber(Duration::try_from_secs_f64(secs).ok().map(NumericDate)))
            }
        }
        // Not `deserialize_any`: with serde_json's `arbitrary_precision`, which any crate in the
        // build may enable, a fraction would be deserialized as a map.
        deserializer.deserialize_f64(DateVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<NumericDate> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn integer_and_fractional_dates_are_accepted() {
        assert_eq!(read("0"), Some(NumericDate::from_secs(0)));
        assert_eq!(read("1700000000"), Some(NumericDate::from_secs(1_700_000_000)));
        assert_eq!(read("1.7e9"), Some(NumericDate::from_secs(1_700_000_000)));
        assert_eq!(read("1.25").map(|date| date.as_duration().as_millis()), Some(1250));
        assert_eq!(read("253402300799"), Some(NumericDate::from_secs(LATEST_SECS)));
    }

    #[test]
    fn invalid_date_is_rejected() {
        for text in ["-1", "-0.5", "253402300800", "18446744073709551615", "1e300", "\"1\"", "null"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn date_displays_seconds_and_its_error_names_the_expected_range() {
        assert_eq!(format!("{:?}", read("1.25").unwrap()), "1.25");
        let error = serde_json::from_str::<NumericDate>("true").unwrap_err().to_string();
        assert!(error.contains("a number of seconds between 1970 and 9999"), "{error}");
    }

    #[test]
    fn date_converts_to_and_from_system_time() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        assert_eq!(SystemTime::from(NumericDate::from(time)), time);
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(NumericDate::from(before), NumericDate::from_secs(LATEST_SECS));
    }
}
