//! The diagnosis as text.

use std::fmt;

use super::Examined;
use super::findings::{Level, secs};
use crate::output::escaped;

impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "keys of {}", escaped(&self.location))?;
        for answer in &self.answers {
            let status =
                answer.status.map_or("no response".to_owned(), |status| status.to_string());
            writeln!(
                f,
                "  fetched   {}: {status} after {} s, {} bytes",
                escaped(&answer.url),
                secs(answer.millis),
                answer.bytes
            )?;
            if let Some(control) = &answer.cache_control {
                writeln!(f, "            Cache-Control: {}", escaped(control))?;
            }
        }
        if let Some(ttl) = self.ttl_secs {
            writeln!(f, "  used for  {ttl} s, then fetched again")?;
        }
        for key in &self.accepted {
            let kid = key.kid.as_ref().map_or("without kid".to_owned(), |kid| format!("{kid:?}"));
            writeln!(f, "  accepted  {kid}, {}", key.alg)?;
        }
        for key in &self.skipped {
            let kid = key.kid.as_ref().map_or("without kid".to_owned(), |kid| format!("{kid:?}"));
            writeln!(f, "  skipped   {kid}: {}", key.reason)?;
        }
        for change in &self.changes {
            let what = if change.published { "published" } else { "withdrawn" };
            writeln!(f, "  {:>5.0} s   {:?} {what}", change.secs, change.kid)?;
        }
        for finding in &self.findings {
            let level = match finding.level {
                Level::Fault => "FAULT    ",
                Level::Warning => "warning  ",
                Level::Note => "note     ",
            };
            writeln!(
                f,
                "  {level} {}\n            → {}",
                escaped(&finding.what),
                escaped(&finding.remedy)
            )?;
        }
        let worst = self.findings.first().map(|finding| finding.level);
        let verdict = match worst {
            Some(Level::Fault) => "services cannot use these keys",
            Some(Level::Warning) => "services can use these keys; see the warnings",
            Some(Level::Note) | None => "services can use these keys",
        };
        write!(f, "verdict: {verdict}")
    }
}
