//! Formats durations in messages: `12 s`, in the format of the command `portcullis tune`.

use std::fmt;
use std::time::Duration;

/// A duration in seconds. A whole number has no decimals; other durations have one decimal from one
/// second on, and four decimals below one second.
pub(crate) struct InSeconds(pub(crate) Duration);

impl fmt::Display for InSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs_f64();
        if self.0.subsec_nanos() == 0 || secs >= 10_000.0 {
            write!(f, "{secs:.0} s")
        } else if secs >= 1.0 {
            write!(f, "{secs:.1} s")
        } else {
            write!(f, "{} s", format!("{secs:.4}").trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_seconds() {
        for (millis, text) in [
            (0, "0 s"),
            (5, "0.005 s"),
            (400, "0.4 s"),
            (12_000, "12 s"),
            (11_604, "11.6 s"),
            (900_000, "900 s"),
            (86_400_500, "86400 s"),
        ] {
            assert_eq!(InSeconds(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
