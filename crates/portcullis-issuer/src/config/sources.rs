//! Where the settings come from: variables, a settings file, defaults, in this order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::env::unknown_settings;
use super::file::SettingsFile;
use super::{CONFIG_VARIABLE, IssuerConfig, SETTINGS, Setting};
use crate::error::ConfigError;

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The default: the setting is not set.
    Default,
    /// The environment variable of the setting.
    Variable,
    /// The settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The number of the key's line, counted from 1.
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Variable => f.write_str("variable"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// The texts of all settings, with their origins.
///
/// ```
/// use portcullis_issuer::{Origin, SettingSources};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("issuer.toml");
/// std::fs::write(&file, "access_expiry_secs = 60\nrefresh_grace_secs = 5\n")?;
/// let variable = |name: &str| (name == "IDENTSPHERE_REFRESH_GRACE_SECS").then(|| "7".to_owned());
/// let sources = SettingSources::from_lookup(Some(&file), variable)?;
///
/// // A variable wins over the file.
/// let config = sources.config()?;
/// assert_eq!(config.access_expiry.as_secs(), 60);
/// assert_eq!(config.refresh_grace.as_secs(), 7);
/// let from_file = sources.effective().filter(|one| matches!(one.origin, Origin::File { .. }));
/// assert_eq!(from_file.count(), 1);
///
/// // A key that is not a setting is rejected.
/// std::fs::write(&file, "access_expiry = 60\n")?;
/// assert!(SettingSources::from_lookup(Some(&file), |_| None).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SettingSources {
    values: BTreeMap<&'static str, Value>,
}

struct Value {
    text: Zeroizing<String>,
    origin: Origin,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.origin, f)
    }
}

impl SettingSources {
    /// Reads the variables and `file`, or the file that `IDENTSPHERE_CONFIG` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the file cannot be read, is not TOML, or has a key that is not a setting,
    /// a value of another type, or a secret that every user of the machine can read.
    pub fn from_env(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_lookup(file, |name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// Reads the variables through `lookup`, and the file as [`from_env`](Self::from_env) does. An
    /// empty value is treated as not set.
    ///
    /// # Errors
    ///
    /// The errors of [`from_env`](Self::from_env).
    pub fn from_lookup(
        file: Option<&Path>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let text = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let named = text(CONFIG_VARIABLE).map(|path| PathBuf::from(path.trim()));
        let file = file.or(named.as_deref()).map(SettingsFile::read).transpose()?;
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            let in_file = || {
                let file = file.as_ref()?;
                let (text, line) = file.get(setting.name)?;
                let origin = Origin::File { path: file.path().to_owned(), line };
                (!text.trim().is_empty()).then(|| Value { text: text.to_owned().into(), origin })
            };
            let value = text(setting.name)
                .map(|text| Value { text: text.into(), origin: Origin::Variable })
                .or_else(in_file);
            if let Some(value) = value {
                values.insert(setting.name, value);
            }
        }
        Ok(Self { values })
    }

    /// Returns the settings, checked.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a value that cannot be read, is out of range or does not fit another. It
    /// names the line if the value comes from the file.
    pub fn config(&self) -> Result<IssuerConfig, ConfigError> {
        let located = |error: ConfigError| self.located(error);
        let lookup = |name: &str| self.values.get(name).map(|value| value.text.to_string());
        let config = IssuerConfig::from_lookup(lookup).map_err(located)?;
        config.check().map_err(located)?;
        Ok(config)
    }

    /// Returns the origin of a setting's value.
    pub(super) fn origin(&self, setting: &Setting) -> Origin {
        let value = self.values.get(setting.name);
        value.map_or(Origin::Default, |value| value.origin.clone())
    }

    /// Returns the text of a setting, or `None` if it is not set.
    pub(super) fn text(&self, setting: &Setting) -> Option<&str> {
        self.values.get(setting.name).map(|value| value.text.trim())
    }

    fn located(&self, error: ConfigError) -> ConfigError {
        let setting = SETTINGS.iter().find(|setting| setting.name == error.name());
        let origin = self.values.get(error.name()).map(|value| &value.origin);
        match (setting, origin) {
            (Some(setting), Some(Origin::File { path, line })) => {
                error.named(setting.key()).at(path, Some(*line))
            }
            _ => error,
        }
    }
}

impl IssuerConfig {
    /// Reads the settings from the environment and from the file that `IDENTSPHERE_CONFIG` names,
    /// and warns about `IDENTSPHERE_*` variables that are not settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as from [`SettingSources::from_env`] and [`SettingSources::config`].
    pub fn from_env() -> Result<Self, ConfigError> {
        warn_of_ignored_variables();
        SettingSources::from_env(None)?.config()
    }
}

/// Warns about `IDENTSPHERE_*` variables that are not settings.
pub fn warn_of_ignored_variables() {
    for (name, nearest) in ignored_variables() {
        tracing::warn!(name, nearest, "there is no such setting; it is ignored");
    }
}

/// Returns the `IDENTSPHERE_*` variables that are not settings, each with the most similar setting.
#[must_use]
pub fn ignored_variables() -> Vec<(String, Option<&'static str>)> {
    unknown_settings(std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(file: &str, variables: &[(&str, &str)]) -> Result<SettingSources, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.toml");
        std::fs::write(&path, file).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let variable = |asked: &str| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        };
        SettingSources::from_lookup(Some(&path), variable)
    }

    #[test]
    fn variable_takes_precedence_over_the_file_unless_it_is_empty() {
        let file = "access_expiry_secs = 60\nrefresh_grace_secs = 5\naudiences = ['a', 'b']\n";
        let variables =
            [("IDENTSPHERE_ACCESS_EXPIRY_SECS", "30"), ("IDENTSPHERE_REFRESH_GRACE_SECS", " ")];
        let sources = sources(file, &variables).unwrap();
        let config = sources.config().unwrap();
        assert_eq!(config.access_expiry.as_secs(), 30);
        assert_eq!(config.refresh_grace.as_secs(), 5);
        assert_eq!(config.audiences, ["a", "b"]);
        let of = |name: &str| sources.effective().find(|one| one.setting.name == name).unwrap();
        assert_eq!(of("IDENTSPHERE_ACCESS_EXPIRY_SECS").origin, Origin::Variable);
        let origin = of("IDENTSPHERE_REFRESH_GRACE_SECS").origin.to_string();
        assert!(origin.ends_with("issuer.toml:2"), "{origin}");
        assert_eq!(of("IDENTSPHERE_LISTEN").origin, Origin::Default);
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_line() {
        for (file, end) in [
            (
                "\naccess_expiry_secs = 0\n",
                "issuer.toml:2: access_expiry_secs is \"0\": it must be a whole number of seconds \
                 from 1 to 86400",
            ),
            (
                "access_expiry_secs = -1\n",
                "issuer.toml:1: access_expiry_secs is \"-1\": it must be a whole number of seconds",
            ),
            (
                "registration = 'yes'\n",
                "issuer.toml:1: registration is \"yes\": it must be on or off",
            ),
            (
                "key_encryption_key = 'hunter2'\n",
                "issuer.toml:1: key_encryption_key must be the base64 of exactly 32 bytes, as \
                 `openssl rand -base64 32` prints it (the value is not shown here)",
            ),
        ] {
            let told = sources(file, &[]).unwrap().config().unwrap_err().to_string();
            assert!(told.ends_with(end), "{told}");
        }
        let wrong = [("IDENTSPHERE_ACCESS_EXPIRY_SECS", "0")];
        let told = sources("access_expiry_secs = 60", &wrong).unwrap().config().unwrap_err();
        assert!(told.to_string().starts_with("IDENTSPHERE_ACCESS_EXPIRY_SECS is"), "{told}");
    }

    #[test]
    fn the_variable_names_the_file_and_the_argument_wins() {
        let folder = tempfile::tempdir().unwrap();
        for (name, secs) in [("one.toml", 10), ("two.toml", 20)] {
            let text = format!("access_expiry_secs = {secs}\n");
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let one = folder.path().join("one.toml").display().to_string();
        let variable = |name: &str| (name == CONFIG_VARIABLE).then(|| one.clone());
        let expiry = |file: Option<&Path>| {
            let sources = SettingSources::from_lookup(file, variable).unwrap();
            sources.config().unwrap().access_expiry.as_secs()
        };
        assert_eq!(expiry(None), 10);
        assert_eq!(expiry(Some(&folder.path().join("two.toml"))), 20);
        let missing = folder.path().join("three.toml");
        let told = SettingSources::from_lookup(Some(&missing), variable).unwrap_err().to_string();
        assert!(told.contains("three.toml cannot be read: "), "{told}");
    }
}
