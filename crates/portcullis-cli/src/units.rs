//! Parses and formats durations and numbers: `1h30m` in, "1 h 30 min" out.

use std::num::NonZeroU64;

/// Parses a duration into seconds: `90`, `250ms`, `15m`, `1.5h`, `1h30m`, `1 h 30 min`.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    if text.starts_with('-') {
        return Err(format!("{text:?} is negative; a duration must be 0 or more"));
    }
    let mut rest = text;
    let mut sum = 0.0;
    loop {
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(length);
        let number = positive(number)
            .map_err(|_| format!("{text:?} is not a duration such as 90, 250ms, 15m or 1h30m"))?;
        let after = after.trim_start();
        let length = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        // Reports print durations with spaces: "1 h 30 min".
        let after = after.trim_start();
        let unit = match unit {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            // A number alone is in seconds. After a number with a unit, a number without one is
            // ambiguous.
            "" if rest.len() == text.len() => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            other => return Err(format!("{other:?} is not a unit; use us, ms, s, m, h or d")),
        };
        sum += number * unit;
        if after.is_empty() {
            return Ok(sum);
        }
        rest = after;
    }
}

/// Parses a whole number of seconds, the unit of a service's settings.
pub(crate) fn whole_seconds(text: &str) -> Result<u64, String> {
    let secs = seconds(text)?;
    if secs.fract() == 0.0 {
        Ok(secs as u64)
    } else {
        Err(format!("{text:?} is not a whole number of seconds"))
    }
}

/// Parses a whole number of seconds that is at least 1.
pub(crate) fn some_seconds(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(whole_seconds(text)?).ok_or_else(|| "must be at least 1 s".to_owned())
}

/// Parses a whole number of seconds within bounds.
pub(crate) fn seconds_within<const LEAST: u64, const MOST: u64>(text: &str) -> Result<u64, String> {
    let secs = whole_seconds(text)?;
    if (LEAST..=MOST).contains(&secs) {
        return Ok(secs);
    }
    Err(format!("must be from {} to {}", duration(LEAST as f64), duration(MOST as f64)))
}

/// Parses a CPU time into microseconds: a number of microseconds, or a duration such as `7ms`.
pub(crate) fn micros(text: &str) -> Result<f64, String> {
    positive(text).or_else(|_| Ok(seconds(text)? * 1e6))
}

/// Parses a latency of up to 2 s into milliseconds: a number of milliseconds, or a duration.
#[cfg(any(feature = "bench", test))]
pub(crate) fn latency(text: &str) -> Result<u64, String> {
    let millis = positive(text).or_else(|_| Ok::<_, String>(seconds(text)? * 1e3))?;
    if millis.fract() == 0.0 && millis <= 2000.0 {
        return Ok(millis as u64);
    }
    Err("must be a whole number of milliseconds, up to 2 s".to_owned())
}

/// Parses a finite number that is 0 or more.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        return Ok(number);
    }
    Err("must be a finite number of 0 or more".to_owned())
}

/// Formats a duration with three digits and a fitting unit; from two minutes, with several units.
pub(crate) fn duration(secs: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s")];
    let size = secs.abs();
    if size == 0.0 {
        return "0 s".to_owned();
    }
    if size < 1e-6 {
        return format!("{} ns", number(secs * 1e9));
    }
    if size < 1e-3 {
        return format!("{} µs", number(secs * 1e6));
    }
    if size < 1.0 {
        return format!("{} ms", number(secs * 1e3));
    }
    if size < 120.0 {
        return format!("{} s", number(secs));
    }
    let units = if size >= 172_800.0 {
        0..2
    } else if size >= 10_800.0 {
        1..3
    } else {
        1..4
    };
    let parts = UNITS.get(units).unwrap_or_default();
    let least = parts.last().map_or(1.0, |part| part.0);
    let mut left = (secs / least).round() * least;
    let mut text = String::new();
    for (unit, name) in parts {
        let count = (left / unit).floor();
        left -= count * unit;
        if count > 0.0 {
            let space = if text.is_empty() { "" } else { " " };
            text += &format!("{space}{count:.0} {name}");
        }
    }
    text
}

/// Formats a number with three significant digits.
pub(crate) fn number(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_owned() } else { "unlimited".to_owned() };
    }
    let decade = |number: f64| number.abs().log10().floor() as i32;
    let scale = 10.0_f64.powi(2 - decade(number));
    let rounded = (number * scale).round() / scale;
    let decimals = usize::try_from(2 - decade(rounded)).unwrap_or_default();
    let text = format!("{rounded:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Formats a share in percent with three digits. A share just above 0 % is shown as `below 0.001 %`, and one
/// just below 100 % as `above 99.9 %`.
pub(crate) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        tiny if tiny < 0.001 => "below 0.001 %".to_owned(),
        most if most < 100.0 && most > 99.9 => "above 99.9 %".to_owned(),
        percent => format!("{} %", number(percent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_with_units_or_as_seconds() {
        for (text, secs) in [
            ("90", 90.0),
            ("1.5", 1.5),
            ("60s", 60.0),
            ("250ms", 0.25),
            ("15m", 900.0),
            ("15min", 900.0),
            ("1.5h", 5400.0),
            ("1h30m", 5400.0),
            ("1m30s", 90.0),
            ("2d12h", 216_000.0),
            ("5 min", 300.0),
            ("1 h 30 min", 5400.0),
            ("1h 30 s", 3630.0),
        ] {
            assert_eq!(seconds(text), Ok(secs), "{text}");
        }
        for text in [
            "", "s", "-1", "1y", "NaN", "inf", "1 30", "1 h 30", "1h30", "-5m", "1..5s", "h1",
            "1e3",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
        for (text, expected) in [("7000", 7000.0), ("7ms", 7000.0), ("40.5us", 40.5), ("1s", 1e6)] {
            assert!((micros(text).unwrap() / expected - 1.0).abs() < 1e-9, "{text}");
        }
        assert_eq!((latency("20"), latency("20ms"), latency("1s")), (Ok(20), Ok(20), Ok(1000)));
        assert!(latency("3s").is_err() && latency("1us").is_err() && micros("x").is_err());
        assert_eq!(whole_seconds("1m30s"), Ok(90));
        assert!(whole_seconds("1.5s").is_err());
    }

    #[test]
    fn durations_are_formatted_with_a_fitting_unit() {
        for (secs, text) in [
            (0.0, "0 s"),
            (200e-9, "200 ns"),
            (40.5e-6, "40.5 µs"),
            (0.05, "50 ms"),
            (1.234, "1.23 s"),
            (70.0, "70 s"),
            (119.96, "120 s"),
            (300.0, "5 min"),
            (320.0, "5 min 20 s"),
            (455.96, "7 min 36 s"),
            (3599.9, "1 h"),
            (3600.0, "1 h"),
            (3620.0, "1 h 20 s"),
            (20_000.0, "5 h 33 min"),
            (5400.0, "1 h 30 min"),
            (86_400.0, "24 h"),
            (216_000.0, "2 d 12 h"),
        ] {
            assert_eq!(duration(secs), text, "{secs}");
        }
    }

    #[test]
    fn numbers_have_three_digits_and_shares_are_not_rounded_to_0_or_100_percent() {
        for (value, text) in [
            (0.0, "0"),
            (0.628_12, "0.628"),
            (0.001_234, "0.00123"),
            (6.0, "6"),
            (37.06, "37.1"),
            (166.66, "167"),
            (999.9, "1000"),
            (12_345.0, "12300"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
        for (share, text) in [
            (0.0, "0 %"),
            (1e-7, "below 0.001 %"),
            (0.5487, "54.9 %"),
            (0.9998, "above 99.9 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), text, "{share}");
        }
    }
}
