//! Exact numbers. JSON limits neither the range nor the precision of a number (RFC 8259 §6), and
//! two parsers that round differently read two numbers from the same text. Nothing is rounded here:
//! a number that cannot be represented exactly is rejected.

use serde_json::Number;

/// From 2^53 on, a float may be a rounded integer: 2^53 + 1 is parsed as 2^53.
const ROUNDED_FROM: f64 = 9_007_199_254_740_992.0;

/// Returns the value of `text`, a JSON number, in normalized form: `1`, `1.0` and `10e-1` all
/// become the integer 1, and `-0.0` becomes 0.
///
/// `None` for a whole number outside -2^63 to 2^64 - 1, and for a fraction that a 64-bit float does
/// not print with the same digits.
pub(super) fn exact(text: &str) -> Option<Number> {
    // Fast path for nearly every number.
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    let decimal = Decimal::read(text)?;
    if let Some(whole) = decimal.whole() {
        return decimal.integer(&whole);
    }
    let float: f64 = text.parse().ok()?;
    (Decimal::read(&format!("{float:e}"))? == decimal).then(|| Number::from_f64(float))?
}

/// Like [`exact`], for a number that serde_json parsed. `None` if parsing may have rounded it.
pub(super) fn unrounded(number: &Number) -> Option<Number> {
    if number.as_u64().is_some() || number.as_i64().is_some() {
        return exact(&number.to_string());
    }
    let float = number.as_f64().filter(|float| float.abs() < ROUNDED_FROM)?;
    exact(&format!("{float:e}"))
}

/// Digits without leading or trailing zeros, times a power of ten. Zero has no digits.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Returns `None` if the exponent exceeds 64 bits.
    fn read(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let exponent = exponent.parse::<i64>().ok()?;
        let zeros = i64::try_from(significant.len() - digits.len()).ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let exponent = exponent.checked_add(zeros)?;
        Some(Self { negative, digits: digits.to_owned(), exponent })
    }

    /// Returns the digits of a whole number. At most 20 zeros are added: with them, the number is
    /// already longer than any 64-bit integer.
    fn whole(&self) -> Option<String> {
        (self.exponent >= 0).then(|| {
            let zeros = usize::try_from(self.exponent).map_or(20, |zeros| zeros.min(20));
            format!("{}{}", self.digits, "0".repeat(zeros))
        })
    }

    fn integer(&self, digits: &str) -> Option<Number> {
        if digits.is_empty() {
            return Some(0.into());
        }
        if self.negative {
            return format!("-{digits}").parse::<i64>().ok().map(Number::from);
        }
        digits.parse::<u64>().ok().map(Number::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_normalized_to_one_form() {
        for (texts, number) in [
            (&["7", "7.0", "7e0", "70e-1", "0.7e1", "700E-2", "7.00e+0"][..], Number::from(7)),
            (&["-7", "-7.0", "-70e-1"], Number::from(-7)),
            (&["0", "-0", "0.0", "-0.0", "0e5", "0e-99999999999999999999"], Number::from(0)),
            (&["100", "1e2", "1E+2", "100.0"], Number::from(100)),
            (&["18446744073709551615", "1.8446744073709551615e19"], Number::from(u64::MAX)),
            (&["-9223372036854775808", "-9.223372036854775808e18"], Number::from(i64::MIN)),
            (&["9007199254740993", "9007199254740993.0"], Number::from(9_007_199_254_740_993_u64)),
            (&["1.5", "1.50", "15e-1", "150E-2"], Number::from_f64(1.5).unwrap()),
            (&["-0.1", "-1e-1"], Number::from_f64(-0.1).unwrap()),
            (&["0.30000000000000004"], Number::from_f64(0.300_000_000_000_000_04).unwrap()),
            (&["5e-324"], Number::from_f64(5e-324).unwrap()),
        ] {
            for text in texts {
                assert_eq!(exact(text).as_ref(), Some(&number), "{text}");
            }
        }
    }

    #[test]
    fn inexact_number_is_rejected() {
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "1e20",
            "1e300",
            "1e999",
            "-1e999",
            "1e9223372036854775807",
            "1e9223372036854775808",
            "10e9223372036854775807",
            "1e-999",
            "0.1e-9223372036854775808",
            "4.9e-324",
            "0.10000000000000000001",
            "0.3000000000000000444",
            "18446744073709551615.5",
        ] {
            assert_eq!(exact(text), None, "{text}");
        }
    }

    #[test]
    fn possibly_rounded_number_is_rejected() {
        let float = |float: f64| unrounded(&Number::from_f64(float).unwrap());
        assert_eq!(float(9_007_199_254_740_991.0), Some(9_007_199_254_740_991_u64.into()));
        for large in [9_007_199_254_740_992.0, -9_007_199_254_740_992.0, 1e16, 1.8e19, 1e300] {
            assert_eq!(float(large), None, "{large}");
        }
        assert_eq!(float(-0.0), Some(0.into()));
        assert_eq!(float(1.5), Number::from_f64(1.5));
        assert_eq!(unrounded(&u64::MAX.into()), Some(u64::MAX.into()));
        assert_eq!(unrounded(&i64::MIN.into()), Some(i64::MIN.into()));
    }
}
