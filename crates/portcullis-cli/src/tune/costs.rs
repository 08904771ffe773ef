//! Measured CPU costs at issuers, each with its source. Options and `--issuer` take precedence.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use serde_json::Value;

use super::issuer::Offers;
use crate::exit::Failure;
use crate::output::escaped;

/// An issuer with measured costs and known defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MeasuredAt {
    /// The companion issuer on SQLite: docs/reference/measurements.md and benches/RESULTS.md. Its JWKS
    /// has `max-age=300`.
    Companion,
    /// Keycloak 26 on two cores: a refresh 5.3 to 10 ms, an introspection 1.7 to 7.6 ms, a fetch 1 to
    /// 1.7 ms. Its tokens live for 300 s and are signed with RS256. It has no status lists and ends
    /// a session after 30 min of idle time.
    Keycloak,
}

/// CPU times in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct IssuerCosts {
    pub(super) refresh: f64,
    pub(super) fetch: f64,
    pub(super) lookup: f64,
    /// A validation that misses the token cache, with the issuer's default algorithm.
    pub(super) verify: f64,
    /// The source of the figures, and their range.
    pub(super) source: &'static str,
}

// A test compares these with docs/reference/measurements.md and benches/RESULTS.md.
const REFRESH: f64 = 100.0;
const FETCH: f64 = 1200.0;
const LOOKUP: f64 = 900.0;

/// A validation with ES256: a cache miss (`VERIFY`) and a cache hit (`HIT`). The test that compares the
/// figures above also compares these.
pub(super) const VERIFY: f64 = 73.6;
pub(super) const HIT: f64 = 0.2;

/// A cache miss with RS256. The same test compares it.
pub(super) const VERIFY_RS256: f64 = 21.8;

/// A login with a password grant at Keycloak 26, with its default password hash.
pub(super) const KEYCLOAK_LOGIN: f64 = 75_000.0;

/// Each cost of Keycloak that has an option: the option, and the upper end of the measured range in seconds
/// of CPU time. A login was measured only once.
pub(super) const KEYCLOAK_MOST: [(&str, f64); 4] = [
    ("--refresh-cost", 10e-3),
    ("--fetch-cost", 1.7e-3),
    ("--lookup-cost", 7.6e-3),
    ("--login-cost", KEYCLOAK_LOGIN / 1e6),
];

impl MeasuredAt {
    /// The value of `--costs-of`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Companion => "companion",
            Self::Keycloak => "keycloak",
        }
    }

    /// The default signature algorithm of the issuer's tokens.
    pub(super) fn algorithm(self) -> &'static str {
        match self {
            Self::Companion => "ES256",
            Self::Keycloak => "RS256",
        }
    }

    pub(super) fn costs(self) -> IssuerCosts {
        match self {
            Self::Companion => IssuerCosts {
                refresh: REFRESH,
                fetch: FETCH,
                lookup: LOOKUP,
                verify: VERIFY,
                source: "the companion issuer on SQLite: a refresh, with 32 in progress, from \
                         docs/reference/measurements.md, the others from \
                         benches/RESULTS.md. Every fetch has \
                         the cost of a status list over a new connection; the cost of an \
                         introspection is an upper limit. A login that waits for more than 5 s \
                         gets 503. Other \
                         issuers need more: see --costs-of keycloak",
            },
            // The middle of the range of several runs on shared machines.
            Self::Keycloak => IssuerCosts {
                refresh: 7650.0,
                fetch: 1350.0,
                lookup: 4650.0,
                verify: VERIFY_RS256,
                source: "Keycloak 26 on two shared cores: 5.3 to 10 ms for a refresh, 1.7 to 7.6 ms for an \
                         introspection (falling while its code is compiled) and 1 to 1.7 ms for a fetch of \
                         the keys. Each figure is the middle of its range. Measure your own with `tune --issuer`",
            },
        }
    }

    /// The issuer's default lifetime of access tokens, in seconds.
    pub(super) fn access_expiry(self) -> f64 {
        match self {
            Self::Companion => 900.0,
            Self::Keycloak => 300.0,
        }
    }

    /// The time without a new token after which the issuer ends a session: "SSO Session Idle" in Keycloak.
    pub(super) fn session_idle(self) -> Option<f64> {
        match self {
            Self::Companion => None,
            Self::Keycloak => Some(1800.0),
        }
    }

    /// Whether a process computes password hashes on at most half of its cores.
    pub(super) fn hashes_on_half(self) -> bool {
        self == Self::Companion
    }

    /// The `max-age` of the issuer's JWKS. Keycloak sends `no-cache`, so the TTL applies.
    pub(super) fn max_age(self) -> Option<f64> {
        match self {
            Self::Companion => Some(300.0),
            Self::Keycloak => None,
        }
    }

    /// The mechanisms that the issuer offers to routes.
    pub(super) fn offers(self) -> Offers {
        match self {
            Self::Companion => Offers {
                introspection: Some(true),
                status_lists: Some(true),
                backchannel_logout: Some(true),
            },
            Self::Keycloak => Offers {
                introspection: Some(true),
                status_lists: Some(false),
                backchannel_logout: Some(true),
            },
        }
    }
}

/// CPU costs of a validation as measured by `portcullis bench`, in microseconds.
#[derive(Debug)]
pub(super) struct ValidationCosts {
    pub(super) verify: f64,
    pub(super) hit: f64,
    pub(super) source: String,
}

impl ValidationCosts {
    /// Reads the costs of the first algorithm in a report of `bench --json`.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::wrong(format!("--bench: {}: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let report: Value = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("not a report of `bench --json`: {error}")))?;
        let validation = report.pointer("/validations/0");
        let nanos = |name: &str| {
            let cases = validation?.get("cases")?.as_array()?;
            let case = cases.iter().find(|case| case.get("name").is_some_and(|of| of == name))?;
            case.pointer("/nanos/median")?.as_f64()
        };
        let (Some(cold), Some(warm)) = (nanos("cold"), nanos("warm")) else {
            return Err(wrong("not a report of `bench --json`: no cold and warm times".to_owned()));
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

#[cfg(all(test, feature = "live"))]
mod tests {
    #[test]
    fn defaults_of_the_companion_are_its_own() {
        let config = portcullis_issuer::IssuerConfig::new("https://auth.example", "unused.db");
        let max_age = Some(config.jwks_max_age.as_secs_f64());
        let expiry = config.access_expiry.as_secs_f64();
        assert_eq!(super::MeasuredAt::Companion.access_expiry(), expiry);
        assert_eq!(super::MeasuredAt::Companion.max_age(), max_age);
    }
}
