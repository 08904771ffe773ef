//! A setting's key in a settings file, the type of its value, and whether it is a secret. All three
//! follow from the setting's row in the table, so a new setting needs one row only.

use super::{PREFIX, Setting};
use crate::notify;

/// The type of a setting's value in a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A whole number: `access_expiry_secs = 60`.
    Number,
    /// A boolean, or the text of the variable: `registration = true` or `registration = "on"`.
    Switch,
    /// An array of strings, or one string as in the variable: `audiences = ["https://api.example"]`.
    List,
    /// A string: `issuer = "https://auth.example.com"`.
    Text,
}

impl Kind {
    /// Returns the expected form of a value of this type, for error messages.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Number => "it must be a whole number without quotes",
            Self::Switch => "it must be true or false, or a string as in the variable",
            Self::List => "it must be an array of strings, or one string with commas",
            Self::Text => "it must be a string in quotes",
        }
    }
}

/// The suffixes of settings that are numbers, even without a default.
const COUNTED: [&str; 5] = ["_SECS", "_DAYS", "_KIB", "_BYTES", "_ITERATIONS"];

/// The suffixes of settings whose value is a secret. A URL may contain a password.
const SECRET: [&str; 5] = ["_KEY", "_SECRET", "_TOKEN", "_PASSWORD", "_URL"];

impl Setting {
    /// Returns the setting's key in a settings file: the variable's name without its prefix, in
    /// lower case.
    ///
    /// ```
    /// let setting = portcullis_issuer::SETTINGS
    ///     .iter()
    ///     .find(|setting| setting.name == "IDENTSPHERE_ACCESS_EXPIRY_SECS")
    ///     .unwrap();
    /// assert_eq!(setting.key(), "access_expiry_secs");
    /// ```
    #[must_use]
    pub fn key(&self) -> String {
        self.name.trim_start_matches(PREFIX).to_ascii_lowercase()
    }

    /// Returns the type of the setting's value in a settings file.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_number(self.default) || COUNTED.iter().any(|end| self.name.ends_with(end)) {
            Kind::Number
        } else if matches!(self.default, "on" | "off") {
            Kind::Switch
        } else if self.meaning.contains("separated by commas or spaces") {
            Kind::List
        } else {
            Kind::Text
        }
    }

    /// Returns whether the value is a secret. A secret is not shown, and a settings file that
    /// contains it must not be readable by every user of the machine.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        SECRET.iter().any(|end| self.name.ends_with(end))
    }
}

impl Setting {
    /// Returns whether this value is or may contain a secret. Examples are a password in a URL, and
    /// a notifier's setting with more than an origin or a program.
    pub(super) fn hides(&self, text: &str) -> bool {
        if self.name == notify::SETTING {
            return !notify::Shown::of(text).is_some_and(|shown| shown.is_all);
        }
        let authority = |rest: &str| -> bool {
            let end = |c: char| matches!(c, '/' | '?' | '#' | ',') || c.is_whitespace();
            rest.split(end).next().is_some_and(|authority| authority.contains('@'))
        };
        self.is_secret() || text.split("://").skip(1).any(authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{IssuerConfig, SETTINGS};

    #[test]
    fn kind_matches_the_parser_of_each_variable() {
        for setting in SETTINGS {
            let read = |value: &str| {
                IssuerConfig::from_lookup(|name| (name == setting.name).then(|| value.to_owned()))
            };
            let name = setting.name;
            match setting.kind() {
                Kind::Number => {
                    let refused = read("seven").unwrap_err().to_string();
                    assert!(refused.contains("whole number"), "{name}: {refused}");
                }
                Kind::Switch => assert!(read("7").is_err(), "{name}"),
                Kind::List => {
                    let empty = read(" , ,").unwrap_or_else(|error| panic!("{name}: {error}"));
                    empty.check().unwrap();
                }
                Kind::Text => {}
            }
        }
    }

    #[test]
    fn url_with_a_password_is_hidden_anywhere_in_the_value() {
        let setting = SETTINGS.iter().find(|setting| setting.name == "IDENTSPHERE_AUDIENCES");
        let hides = |text| setting.unwrap().hides(text);
        for text in ["https://a:b@c.example", "https://a.example, https://key@c.example/x"] {
            assert!(hides(text), "{text}");
        }
        for text in ["https://a.example/@b", "https://a.example?x=a@b", "a@b", "alice"] {
            assert!(!hides(text), "{text}");
        }
    }

    #[test]
    fn secret_settings_are_recognized_by_name() {
        let secrets: Vec<_> =
            SETTINGS.iter().filter(|setting| setting.is_secret()).map(Setting::key).collect();
        for secret in ["key_encryption_key", "database_url"] {
            assert!(secrets.contains(&secret.to_owned()), "{secrets:?}");
        }
        assert!(!secrets.contains(&"key_encryption_key_file".to_owned()), "{secrets:?}");
    }
}
