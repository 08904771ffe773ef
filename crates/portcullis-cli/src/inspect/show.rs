//! A decoded token as text.

use std::fmt;

use serde_json::{Map, Value};

use super::Inspected;
use crate::output::escaped;

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.form {
            "jws" => "a signed JWT, signature not verified",
            "jwe" => "an encrypted JWT",
            "opaque" => "an opaque token",
            _ => "unreadable",
        };
        write!(f, "{}: {form}", self.token)?;
        for (title, object) in [("header", &self.header), ("claims", &self.claims)] {
            if let Some(object) = object {
                write!(f, "\n  {title}")?;
                self.write_members(f, object)?;
            }
        }
        if !self.notes.is_empty() {
            write!(f, "\n  notes")?;
        }
        for note in &self.notes {
            write!(f, "\n    {note}")?;
        }
        if let Some(suggestion) = &self.suggestion {
            suggestion.fmt(f)?;
        }
        Ok(())
    }
}

impl Inspected {
    fn write_members(
        &self,
        f: &mut fmt::Formatter<'_>,
        object: &Map<String, Value>,
    ) -> fmt::Result {
        for (name, value) in object {
            // Escaped, because the issuer chooses names and values.
            write!(
                f,
                "\n    {:<12} {}",
                name.escape_debug().to_string(),
                escaped(&value.to_string())
            )?;
            let is_time = matches!(name.as_str(), "exp" | "nbf" | "iat" | "auth_time");
            if let Some(secs) = value.as_f64().filter(|_| is_time) {
                write!(f, "  ({})", relative(secs - self.now as f64))?;
            }
        }
        Ok(())
    }
}

/// Formats a number of seconds relative to now: "in 4 min", "60 s ago".
fn relative(secs: f64) -> String {
    let (size, unit) = match secs.abs() {
        size if size < 120.0 => (size, "s"),
        size if size < 7200.0 => (size / 60.0, "min"),
        size if size < 172_800.0 => (size / 3600.0, "h"),
        size => (size / 86_400.0, "days"),
    };
    if secs > 0.0 { format!("in {size:.0} {unit}") } else { format!("{size:.0} {unit} ago") }
}
