//! The first fetch of each issuer's keys, and the fallback if it fails.

use std::sync::Arc;

use super::builder::KeptKeysSetting;
use super::config_error::ConfigError;
use crate::clock::Clock;
use crate::duration::InSeconds;
use crate::fetch::FetchError;
use crate::issuer::{IssuerKeys, TrustedIssuer};
use crate::kept_keys::{KeptInFile, KeptKeys};
use crate::remote::Keeper;
use crate::settings;

impl KeptKeysSetting {
    pub(super) async fn open(self) -> Result<Keeper, ConfigError> {
        let store: Arc<dyn KeptKeys> = match self {
            Self::Elsewhere(store) => store,
            Self::File(path) => {
                let file = KeptInFile::open(path.clone()).map_err(|error| {
                    let expected = format!("its directory must be writable: {error}");
                    let path = path.display().to_string();
                    ConfigError::invalid(settings::KEPT_KEYS_FILE, path, expected)
                })?;
                Arc::new(file)
            }
        };
        Ok(Keeper::open(store).await)
    }
}

/// Fetches the keys of `issuer` or, if it is unreachable, restores those of an earlier run. Returns
/// the error if neither gives keys. The fetch logs its own failure.
pub(super) async fn first_keys(
    issuer: &str,
    keys: &IssuerKeys,
    clock: &dyn Clock,
) -> Result<(), FetchError> {
    let Err(error) = keys.source().warm_up().await else { return Ok(()) };
    // Keys from an earlier run must not hide a configuration that is wrong now.
    let restored = if error.is_outage() { keys.restore() } else { None };
    match restored {
        None => Err(error),
        Some(Ok(age)) => {
            let fetched_at = clock.now().checked_sub(age).map(httpdate::fmt_http_date);
            tracing::warn!(
                target: "portcullis::keys",
                issuer, age = %InSeconds(age), fetched_at,
                "issuer unreachable, using the keys of an earlier run",
            );
            Ok(())
        }
        Some(Err(reason)) => {
            tracing::warn!(
                target: "portcullis::keys",
                issuer, reason,
                "issuer unreachable, kept keys unusable",
            );
            Err(error)
        }
    }
}

/// Decides whether to start without the keys of some issuers. The start fails only if no issuer has
/// keys: one unreachable issuer must not affect the tokens of the others.
pub(super) fn start_without(
    away: Vec<(String, FetchError)>,
    trusted: &[Arc<TrustedIssuer>],
) -> Result<(), ConfigError> {
    let others_are_ready = trusted.iter().any(|issuer| issuer.is_ready());
    for (issuer, source) in away {
        if !others_are_ready {
            return Err(ConfigError::KeysUnavailable { issuer, source });
        }
        tracing::error!(
            target: "portcullis::keys",
            issuer,
            "started without the keys of this issuer: its tokens get a 503 until the keys can be fetched",
        );
    }
    Ok(())
}
