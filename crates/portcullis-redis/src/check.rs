//! Checks the settings of the server that could make it lose an acknowledged entry.

use std::collections::HashMap;

use portcullis::feed::StoreError;
use redis::aio::MultiplexedConnection;

use crate::append::Durability;
use crate::info::Info;
use crate::problem::Problem;
use crate::scripts::info_of;

/// The result of [`find`]: the value of each setting, or why the settings cannot be read.
pub(crate) struct Found {
    info: Info,
    settings: Result<HashMap<String, String>, String>,
}

/// The settings with their required values.
const RIGHT: [(&str, &str); 3] =
    [("appendonly", "yes"), ("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")];

/// If the value begins like this, the server may delete any key.
const EVICTS: (&str, &str) = ("maxmemory-policy", "allkeys-");

pub(crate) async fn find(connection: &mut MultiplexedConnection) -> Result<Found, Problem> {
    let info = info_of(connection).await?;
    let mut settings = HashMap::new();
    for name in RIGHT.iter().map(|(name, _)| *name).chain([EVICTS.0]) {
        let asked = redis::cmd("CONFIG").arg("GET").arg(name).to_owned();
        match asked.query_async::<HashMap<String, String>>(connection).await {
            Ok(found) => settings.extend(found),
            // The command is renamed, unknown or not permitted.
            Err(error) if error.code().is_some_and(|code| code == "ERR" || code == "NOPERM") => {
                return Ok(Found { info, settings: Err(error.to_string()) });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Found { info, settings: Ok(settings) })
}

impl Found {
    pub(crate) fn check(&self, durability: &Durability) -> Result<(), StoreError> {
        let Info { name, .. } = &self.info;
        if !self.info.is_primary {
            return Err(Problem::Replica.into());
        }
        match &self.settings {
            Ok(settings) => settings_keep_entries(name, settings)?,
            Err(why) if !durability.trusts_unreadable_config => {
                return Err(StoreError::unsuitable(format!(
                    "the settings of {name} cannot be read ({why}); permit CONFIG GET, or verify that \
                     appendonly is yes and appendfsync is always, and call `trust_unreadable_config`"
                )));
            }
            Err(_) if !self.info.has_aof => {
                let wrong = format!("{name} has `aof_enabled:0`; set appendonly to yes");
                return Err(StoreError::unsuitable(wrong));
            }
            Err(_) => {}
        }
        let required = self.info.required_replicas(durability.replicas);
        if required > 0 && !self.info.has_waitaof {
            return Err(StoreError::unsuitable(format!(
                "{name} has no WAITAOF, but has replicas, or `replicas` is set: a failover could \
                 lose an acknowledged entry; use Redis 7.2 or newer, or Valkey"
            )));
        }
        Ok(())
    }
}

fn settings_keep_entries(name: &str, settings: &HashMap<String, String>) -> Result<(), StoreError> {
    for (setting, right) in RIGHT {
        let value = settings.get(setting).map_or("unknown", String::as_str);
        if value != right {
            let wrong = format!("`{setting}` of {name} is {value}; set it to {right}");
            return Err(StoreError::unsuitable(wrong));
        }
    }
    let (setting, prefix) = EVICTS;
    match settings.get(setting) {
        Some(value) if value.starts_with(prefix) => Err(StoreError::unsuitable(format!(
            "`{setting}` of {name} is {value}, which may delete entries; set it to noeviction"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::tests::text;

    /// Returns the error of a check, or an empty text if there is none.
    fn error(
        version: &str,
        connected: u64,
        change: (&str, &str),
        replicas: u64,
        trusts: bool,
    ) -> String {
        let mut settings: HashMap<_, _> =
            RIGHT.map(|(name, right)| (name.to_owned(), right.to_owned())).into();
        settings.insert("maxmemory-policy".to_owned(), "noeviction".to_owned());
        settings.insert(change.0.to_owned(), change.1.to_owned());
        let settings = if change.0 == "refused" { Err("NOPERM".to_owned()) } else { Ok(settings) };
        let found = Found { info: Info::parse(&text(version, connected)).unwrap(), settings };
        let checked = found.check(&Durability { replicas, trusts_unreadable_config: trusts });
        checked.map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn wrong_setting_is_named_with_its_value_and_the_right_one() {
        for (change, expected) in [
            (("", ""), ""),
            (("appendonly", "no"), "`appendonly` of Redis 7.2.0 is no; set it to yes"),
            (
                ("appendfsync", "everysec"),
                "`appendfsync` of Redis 7.2.0 is everysec; set it to always",
            ),
            (("no-appendfsync-on-rewrite", "yes"), "is yes; set it to no"),
            (("maxmemory-policy", "allkeys-lru"), "is allkeys-lru, which may delete entries"),
            (("maxmemory-policy", "volatile-lru"), ""),
            (("refused", ""), "call `trust_unreadable_config`"),
        ] {
            let error = error("7.2.0", 0, change, 0, false);
            assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error}");
        }
        assert_eq!(error("7.2.0", 0, ("refused", ""), 0, true), "");
        // Settings that can be read are still checked.
        assert!(error("7.2.0", 0, ("appendonly", "no"), 0, true).contains("set it to yes"));
    }

    #[test]
    fn replicas_need_waitaof() {
        for (version, connected, replicas, is_right) in [
            ("7.0.15", 0, 0, true),
            ("7.0.15", 1, 0, false),
            ("7.0.15", 0, 1, false),
            ("7.2.0", 1, 0, true),
            ("7.2.0", 0, 2, true),
        ] {
            let error = error(version, connected, ("", ""), replicas, false);
            assert_eq!(error.is_empty(), is_right, "{version} {connected} {replicas}: {error}");
        }
    }
}
