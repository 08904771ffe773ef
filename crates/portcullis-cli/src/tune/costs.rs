//! What an issuer's work was measured to cost, and where. A service's own figures stand over these.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use serde_json::Value;

use crate::exit::Failure;
use crate::output::escaped;

/// An issuer whose costs were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MeasuredAt {
    /// The companion issuer on SQLite: benches/RESULTS.md.
    Companion,
    /// Keycloak 26 on two cores: a refresh 5.3 to 10 ms, an introspection 1.7 to 7.6 ms, a fetch 1 to
    /// 1.7 ms.
    Keycloak,
}

/// In microseconds of CPU time.
#[derive(Debug, Clone, Copy)]
pub(super) struct IssuerCosts {
    pub(super) refresh: f64,
    pub(super) fetch: f64,
    pub(super) lookup: f64,
    /// Where the figures come from, and how sure they are.
    pub(super) source: &'static str,
}

// A test holds these to benches/RESULTS.md.
const REFRESH: f64 = 3100.0;
const FETCH: f64 = 1200.0;
const LOOKUP: f64 = 900.0;

/// A cold validation of ES256, and a warm one. The same test holds them.
pub(super) const VERIFY: f64 = 73.6;
pub(super) const HIT: f64 = 0.2;

impl MeasuredAt {
    pub(super) fn costs(self) -> IssuerCosts {
        match self {
            Self::Companion => IssuerCosts {
                refresh: REFRESH,
                fetch: FETCH,
                lookup: LOOKUP,
                source: "the companion issuer on SQLite, by benches/RESULTS.md: a refresh, a status \
                         list over a new connection, and at most an introspection (the difference of two \
                         runs, with and without). Other issuers take more: see --costs-of keycloak",
            },
            // Of two sets of runs on machines that were shared, the slow end of the one and the quick end
            // of the other.
            Self::Keycloak => IssuerCosts {
                refresh: 7600.0,
                fetch: 1200.0,
                lookup: 4200.0,
                source: "Keycloak 26 on two shared cores: 5.3 to 10 ms for a refresh, 1.7 to 7.6 ms for an \
                         introspection (the longer it runs the less, since its code is compiled as it \
                         runs) and 1 to 1.7 ms for a fetch of the keys. Your own are better: `tune --issuer`",
            },
        }
    }
}

/// What `portcullis bench` measured of validations, in microseconds.
#[derive(Debug)]
pub(super) struct ValidationCosts {
    pub(super) verify: f64,
    pub(super) hit: f64,
    pub(super) source: String,
}

impl ValidationCosts {
    /// From a report that `bench --json` wrote: of its first algorithm.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::wrong(format!("--bench: {}: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let report: Value = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("no report of `bench --json`: {error}")))?;
        let validation = report.pointer("/validations/0");
        let nanos = |name: &str| {
            let cases = validation?.get("cases")?.as_array()?;
            let case = cases.iter().find(|case| case.get("name").is_some_and(|of| of == name))?;
            case.pointer("/nanos/median")?.as_f64()
        };
        let (Some(cold), Some(warm)) = (nanos("cold"), nanos("warm")) else {
            return Err(wrong("no report of `bench --json` with a validation".to_owned()));
        };
        let said = |at: &str| report.pointer(at).and_then(Value::as_str).unwrap_or("?");
        Ok(Self {
            verify: cold / 1e3,
            hit: warm / 1e3,
            source: escaped(&format!(
                "{}: {} on {}",
                file.display(),
                said("/validations/0/algorithm"),
                said("/machine/cpu")
            )),
        })
    }
}
