//! The settings written as a settings file.

use std::fmt::Write as _;

use super::{Kind, SETTINGS, Setting, SettingSources};
use crate::error::ConfigError;

/// The maximum length of a comment's line, in characters.
const WIDTH: usize = 96;

impl SettingSources {
    /// Returns a settings file with every setting. Settings that are set have their values, the
    /// others are comments with their defaults, and a secret is a comment without its value.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first wrong value, as from [`config`](Self::config).
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        self.config()?;
        let mut file =
            String::from("# Settings of portcullis-issuer. A variable wins over its key here.\n");
        for setting in SETTINGS {
            file.push('\n');
            for line in wrapped(setting.meaning) {
                let _ = writeln!(file, "# {line}");
            }
            let key = setting.key();
            let _ = match self.text(setting) {
                Some(text) if setting.hides(text) => writeln!(file, "# {key} = (set, not shown)"),
                Some(text) => writeln!(file, "{key} = {}", value(setting, text)),
                None => writeln!(file, "# {key} = {}", value(setting, setting.default)),
            };
        }
        Ok(file)
    }
}

/// Returns a value in TOML. The value has been read before, so a number is valid.
fn value(setting: &Setting, text: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    match setting.kind() {
        // A variable may have a sign or leading zeros; TOML has neither.
        Kind::Number => text.parse::<i64>().map_or_else(|_| quoted(text), |n| n.to_string()),
        Kind::List => {
            let items = text.split(|c: char| c == ',' || c.is_whitespace());
            let items: Vec<_> = items.filter(|item| !item.is_empty()).map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Switch | Kind::Text => quoted(text),
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| line.len() + word.len() > WIDTH) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shown(config: &crate::config::IssuerConfig) -> String {
        let mut text = format!("{config:?}");
        // The clocks of two configurations started at different instants.
        text.truncate(text.find("clock: ").unwrap());
        text
    }

    #[test]
    fn a_written_file_is_read_as_the_same_settings() {
        let variable = |name: &str| {
            let value = match name {
                "IDENTSPHERE_ISSUER" => "https://auth.example.com",
                "IDENTSPHERE_ACCESS_EXPIRY_SECS" => " 0060 ",
                "IDENTSPHERE_AUDIENCES" => "https://a.example https://b.example",
                "IDENTSPHERE_DATABASE" => "a \"b\" \\ c'.db",
                "IDENTSPHERE_REGISTRATION" => "on",
                "IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE" => "/run/key",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let sources = SettingSources::from_lookup(None, variable).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.toml");
        std::fs::write(&path, sources.to_toml().unwrap()).unwrap();
        let again = SettingSources::from_lookup(Some(&path), |_| None).unwrap();
        assert_eq!(shown(&again.config().unwrap()), shown(&sources.config().unwrap()));
    }

    #[test]
    fn defaults_are_a_file_of_comments_that_can_be_uncommented() {
        let sources = SettingSources::from_lookup(None, |_| None).unwrap();
        let file = sources.to_toml().unwrap();
        assert!(file.lines().all(|line| line.is_empty() || line.starts_with("# ")), "{file}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.toml");
        let keys: Vec<_> =
            SETTINGS.iter().map(|setting| format!("# {} = ", setting.key())).collect();
        let uncommented: String = file
            .lines()
            .filter(|line| keys.iter().any(|key| line.starts_with(key)))
            .filter_map(|line| line.strip_prefix("# "))
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(&path, uncommented).unwrap();
        let read = SettingSources::from_lookup(Some(Path::new(&path)), |_| None).unwrap();
        assert_eq!(shown(&read.config().unwrap()), shown(&sources.config().unwrap()));
    }

    #[test]
    fn secrets_are_not_written() {
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let variable =
            |name: &str| (name == "IDENTSPHERE_KEY_ENCRYPTION_KEY").then(|| key.to_owned());
        let file = SettingSources::from_lookup(None, variable).unwrap().to_toml().unwrap();
        assert!(file.contains("\n# key_encryption_key = (set, not shown)\n"), "{file}");
        assert!(!file.contains("AAAA"), "{file}");
    }
}
