//! A settings file: TOML, one key for each setting, and nothing else.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use toml::{Spanned, Value};
use zeroize::Zeroizing;

use super::{Kind, SETTINGS, Setting};
use crate::error::ConfigError;

/// The maximum length of a settings file. It keeps a wrong path from filling the memory.
const MAX_BYTES: u64 = 1 << 20;

/// The values of a settings file, each as the text that its variable would have.
#[derive(Debug)]
pub(super) struct SettingsFile {
    path: PathBuf,
    entries: BTreeMap<&'static str, Entry>,
}

struct Entry {
    text: Zeroizing<String>,
    line: usize,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry(line {})", self.line)
    }
}

impl SettingsFile {
    /// Reads and checks the file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the file cannot be read, is not TOML, or has a key that is not a setting,
    /// a value of another type, or a secret that every user of the machine can read.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let wrong = |why: String| ConfigError::hidden(path.display().to_string(), why);
        let unreadable = |error: std::io::Error| wrong(format!("cannot be read: {error}"));
        let file = File::open(path).map_err(unreadable)?;
        // The metadata is that of the open file, not of the path, because another file may have
        // replaced the one at the path.
        let metadata = file.metadata().map_err(unreadable)?;
        let mut content = Zeroizing::new(String::new());
        file.take(MAX_BYTES + 1).read_to_string(&mut content).map_err(unreadable)?;
        if content.len() as u64 > MAX_BYTES {
            return Err(wrong("is longer than 1 MiB; it must be a settings file".to_owned()));
        }
        let file = Self::parse(path, &content)?;
        file.check_permissions(&metadata)?;
        Ok(file)
    }

    fn parse(path: &Path, content: &str) -> Result<Self, ConfigError> {
        let line = |offset: usize| 1 + content.bytes().take(offset).filter(|b| *b == b'\n').count();
        // Only the message is shown, because the error's own text quotes the line, which may contain a
        // secret.
        let values: BTreeMap<Spanned<String>, Spanned<Value>> =
            toml::from_str(content).map_err(|error| {
                let place = error.span().map(|span| line(span.start));
                let problem = format!("is not TOML: {}", error.message());
                ConfigError::hidden("the text", problem).at(path, place)
            })?;
        let mut entries = BTreeMap::new();
        for (key, value) in values {
            let line = line(key.span().start);
            let key = key.into_inner();
            let setting = find(&key).ok_or_else(|| unknown(&key).at(path, Some(line)))?;
            let text = text_of(setting, value.get_ref())
                .map_err(|error| error.at(path, Some(line)))?
                .into();
            entries.insert(setting.name, Entry { text, line });
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    #[cfg(unix)]
    fn check_permissions(&self, metadata: &Metadata) -> Result<(), ConfigError> {
        use std::os::unix::fs::PermissionsExt as _;

        let mode = metadata.permissions().mode();
        if mode & 0o002 != 0 {
            let problem = "can be written by every user of this machine; chmod o-w it";
            return Err(ConfigError::hidden(self.path.display().to_string(), problem));
        }
        let secret = SETTINGS.iter().find_map(|setting| {
            let entry = self.entries.get(setting.name)?;
            setting.hides(&entry.text).then(|| (setting.key(), entry))
        });
        match secret {
            Some((key, entry)) if mode & 0o004 != 0 && !entry.text.is_empty() => {
                let problem = "is a secret, and every user of this machine can read the file; \
                               chmod 600 it (640 for a group)";
                Err(ConfigError::hidden(key, problem).at(&self.path, Some(entry.line)))
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(unix))]
    fn check_permissions(&self, _: &Metadata) -> Result<(), ConfigError> {
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text of a setting and its line, or `None` if the file does not set it.
    pub(super) fn get(&self, name: &str) -> Option<(&str, usize)> {
        self.entries.get(name).map(|entry| (entry.text.as_str(), entry.line))
    }
}

fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key() == key)
}

/// Creates the error for an unknown key. It omits the value, because a misspelt key may have been meant
/// for a secret.
fn unknown(name: &str) -> ConfigError {
    let key = name.to_lowercase();
    let nearest = SETTINGS
        .iter()
        .map(Setting::key)
        .map(|right| (strsim::damerau_levenshtein(&right, &key), right))
        .min()
        .filter(|(distance, right)| distance * 2 < right.len())
        .map(|(_, right)| format!("; `{right}` is one"));
    let nearest = nearest.unwrap_or_default();
    ConfigError::hidden(name.to_owned(), format!("is not a setting{nearest}"))
}

/// Returns the text that the setting's variable would have for this value.
fn text_of(setting: &Setting, value: &Value) -> Result<String, ConfigError> {
    let wrong = |expected: &str| {
        let shown = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if setting.hides(&shown) {
            return ConfigError::hidden(setting.key(), format!("has a wrong value: {expected}"));
        }
        ConfigError::new(setting.key(), shown, expected)
    };
    match (setting.kind(), value) {
        // An empty value is treated as not set, as in a variable.
        (_, Value::String(text)) if text.trim().is_empty() => Ok(String::new()),
        (Kind::Number, Value::Integer(number)) => Ok(number.to_string()),
        (Kind::Switch, Value::Boolean(on)) => Ok(if *on { "on" } else { "off" }.to_owned()),
        (Kind::Switch | Kind::List | Kind::Text, Value::String(text)) => Ok(text.clone()),
        (Kind::List, Value::Array(items)) => {
            let mut texts = Vec::new();
            for item in items {
                let Value::String(text) = item else { return Err(wrong(Kind::List.expected())) };
                if text.contains(|c: char| c == ',' || c.is_whitespace()) {
                    let expected = "an item must not contain a comma or white space";
                    return Err(wrong(expected));
                }
                texts.push(text.as_str());
            }
            Ok(texts.join(","))
        }
        (kind, _) => Err(wrong(kind.expected())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &str) -> Result<SettingsFile, ConfigError> {
        SettingsFile::parse(Path::new("issuer.toml"), content)
    }

    #[test]
    fn values_become_the_texts_of_their_variables() {
        let file = parse(
            "# The issuer\nissuer = \"https://auth.example.com\"\naccess_expiry_secs = 60\n\
             registration = true\naudiences = [\n  \"https://a.example\",\n  \"https://b.example\"]\n\
             trusted_origins = \"https://app.example.com\"\nmetrics_listen = ''\n",
        )
        .unwrap();
        for (name, text, line) in [
            ("IDENTSPHERE_ISSUER", "https://auth.example.com", 2),
            ("IDENTSPHERE_ACCESS_EXPIRY_SECS", "60", 3),
            ("IDENTSPHERE_REGISTRATION", "on", 4),
            ("IDENTSPHERE_AUDIENCES", "https://a.example,https://b.example", 5),
            ("IDENTSPHERE_TRUSTED_ORIGINS", "https://app.example.com", 8),
            ("IDENTSPHERE_METRICS_LISTEN", "", 9),
        ] {
            assert_eq!(file.get(name), Some((text, line)), "{name}");
        }
        assert_eq!(file.get("IDENTSPHERE_LISTEN"), None);
    }

    /// A notifier's URL or arguments may contain a secret.
    #[test]
    fn mistyped_notifier_is_not_shown() {
        for value in ["['exec:/bin/send hunter2']", "{ url = 'https://hooks.example/hunter2' }"] {
            let error = parse(&format!("notifier = {value}")).unwrap_err().to_string();
            assert!(error.contains("issuer.toml:1: notifier"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn wrong_keys_and_types_are_named_with_their_line() {
        for (content, message) in [
            (
                "access_expiry = 60",
                "issuer.toml:1: access_expiry is not a setting; `access_expiry_secs` is one",
            ),
            ("\n\n[server]\nlisten = 1", "issuer.toml:3: server is not a setting"),
            ("ISSUER = 'x'", "issuer.toml:1: ISSUER is not a setting; `issuer` is one"),
            (
                "\naccess_expiry_secs = \"60\"",
                "issuer.toml:2: access_expiry_secs is \"60\": it must be a whole number without \
                 quotes",
            ),
            (
                "access_expiry_secs = 1.5",
                "issuer.toml:1: access_expiry_secs is \"1.5\": it must be a whole number without \
                 quotes",
            ),
            (
                "issuer = ['https://a.example']",
                "issuer.toml:1: issuer is \"[\\\"https://a.example\\\"]\": it must be a string in \
                 quotes",
            ),
            (
                "registration = 1",
                "issuer.toml:1: registration is \"1\": it must be true or false, or a string as \
                 in the variable",
            ),
            (
                "audiences = [1]",
                "issuer.toml:1: audiences is \"[1]\": it must be an array of strings, or one \
                 string with commas",
            ),
            (
                "audiences = ['a b']",
                "issuer.toml:1: audiences is \"[\\\"a b\\\"]\": an item must not contain a comma \
                 or white space",
            ),
            (
                "listen = '127.0.0.1:1'\nlisten = '127.0.0.1:2'",
                "issuer.toml:2: the text is not TOML: duplicate key",
            ),
        ] {
            assert_eq!(parse(content).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn error_in_the_settings_file_does_not_contain_a_secret() {
        for content in [
            "key_encryption_key = [\"hunter2\"]",
            "key_encryption_kye = \"hunter2\"",
            "key_encryption_key = \"hunter2",
            "key_encryption_key = hunter2",
            "database_url = { password = \"hunter2\" }",
        ] {
            let error = parse(content).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let file = parse("key_encryption_key = \"hunter2\"").unwrap();
        assert!(!format!("{file:?}").contains("hunter2"), "{file:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.toml");
        let read = |content: &str, mode: u32| {
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            SettingsFile::read(&path).map_err(|error| error.to_string())
        };
        let secret = "access_expiry_secs = 60\nkey_encryption_key = \"hunter2\"\n";
        for mode in [0o400, 0o600, 0o640, 0o660] {
            read(secret, mode).unwrap();
        }
        let told = read(secret, 0o644).unwrap_err();
        let end = "issuer.toml:2: key_encryption_key is a secret, and every user of this machine \
                   can read the file; chmod 600 it (640 for a group)";
        assert!(told.ends_with(end), "{told}");
        read("access_expiry_secs = 60", 0o644).unwrap();
        let told = read("access_expiry_secs = 60", 0o646).unwrap_err();
        assert!(told.ends_with("can be written by every user of this machine; chmod o-w it"));
        let told = SettingsFile::read(folder.path()).unwrap_err().to_string();
        assert!(told.contains(" cannot be read: "), "{told}");
    }
}
