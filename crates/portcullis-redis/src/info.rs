//! Information that the server returns about itself.

use crate::problem::Problem;

/// The part of `INFO` that the store uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    /// An id that changes with each start of the server.
    pub(crate) run_id: String,
    /// `Redis 7.0.15`, `Valkey 9.1.2`.
    pub(crate) name: String,
    pub(crate) has_waitaof: bool,
    pub(crate) has_aof: bool,
    pub(crate) is_primary: bool,
    pub(crate) replicas: u64,
}

impl Info {
    /// Reads the sections `server`, `persistence` and `replication`.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let find = |name: &'static str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        let field = |name: &'static str| find(name).ok_or(Problem::Missing(name));
        // Valkey returns both its own version and the version of Redis with which it is compatible, 7.2.4.
        let redis = field("redis_version")?;
        let name = find("valkey_version")
            .map_or_else(|| format!("Redis {redis}"), |valkey| format!("Valkey {valkey}"));
        let replicas = field("connected_slaves")?.parse();
        Ok(Self {
            run_id: field("run_id")?.to_owned(),
            name,
            has_waitaof: is_from_7_2(redis),
            has_aof: field("aof_enabled")? == "1",
            is_primary: field("role")? == "master",
            replicas: replicas.map_err(|_| Problem::Missing("connected_slaves"))?,
        })
    }

    /// Returns how many replicas must have an entry on their disk.
    pub(crate) fn required_replicas(&self, configured: u64) -> u64 {
        configured.max(u64::from(self.replicas > 0))
    }
}

fn is_from_7_2(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next(), parts.next()) >= (Some(7), Some(2))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn text(version: &str, replicas: u64) -> String {
        format!(
            "# Server\r\nredis_version:{version}\r\nrun_id:0a1b\r\n# Persistence\r\naof_enabled:1\r\n\
             # Replication\r\nrole:master\r\nconnected_slaves:{replicas}\r\n"
        )
    }

    #[test]
    fn waitaof_is_known_by_the_version() {
        for (version, has_waitaof) in [
            ("7.0.15", false),
            ("6.2.14", false),
            ("7.2.0", true),
            ("7.4.1", true),
            ("8.0.0", true),
        ] {
            let info = Info::parse(&text(version, 0)).unwrap();
            assert_eq!((info.has_waitaof, info.name), (has_waitaof, format!("Redis {version}")));
        }
        let valkey = format!("{}valkey_version:9.1.2\r\n", text("7.2.4", 0));
        let info = Info::parse(&valkey).unwrap();
        assert!(info.has_waitaof && info.name == "Valkey 9.1.2", "{info:?}");
    }

    #[test]
    fn one_replica_is_required_where_there_are_replicas() {
        for (replicas, configured, required) in
            [(0, 0, 0), (1, 0, 1), (3, 0, 1), (0, 2, 2), (3, 2, 2)]
        {
            let info = Info::parse(&text("7.2.0", replicas)).unwrap();
            assert_eq!(info.required_replicas(configured), required);
        }
    }

    #[test]
    fn missing_field_is_named() {
        let error = Info::parse("redis_version:7.0.0\r\n").unwrap_err().to_string();
        assert!(error.contains("connected_slaves"), "{error}");
    }
}
