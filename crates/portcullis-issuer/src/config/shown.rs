//! The settings as `config show` prints them.

use super::{DatabaseUrl, Origin, SETTINGS, Setting, SettingSources};
use crate::notify;

/// A setting with its value, for people to read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EffectiveSetting {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value or default, without secrets; `None` if it is not set and has no default.
    pub shown: Option<String>,
    /// The origin of the value.
    pub origin: Origin,
}

impl SettingSources {
    /// Returns every setting with its value and its origin, in the order of [`SETTINGS`].
    pub fn effective(&self) -> impl Iterator<Item = EffectiveSetting> {
        SETTINGS.iter().map(|setting| {
            let shown = match self.text(setting) {
                Some(text) => Some(shown(setting, text)),
                None => Some(setting.default.to_owned()).filter(|default| !default.is_empty()),
            };
            EffectiveSetting { setting, shown, origin: self.origin(setting) }
        })
    }
}

/// Returns a value without its secrets. Of a database's URL only the password is hidden, and of a
/// notifier only the origin or the program is shown. Every other value that may be secret is hidden
/// as a whole.
fn shown(setting: &Setting, text: &str) -> String {
    const NOT_SHOWN: &str = "(set, not shown)";
    if setting.name == "IDENTSPHERE_DATABASE_URL" {
        return DatabaseUrl::new(text).map_or(NOT_SHOWN.to_owned(), |url| url.to_string());
    }
    if setting.name == notify::SETTING {
        return notify::Shown::of(text).map_or(NOT_SHOWN.to_owned(), |shown| shown.to_string());
    }
    if setting.hides(text) { NOT_SHOWN.to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn only_the_origin_or_program_of_the_notifier_is_shown() {
        for (set, shown) in [
            ("https://hooks.example/services/T0/hunter2", "https://hooks.example (rest not shown)"),
            ("https://hooks.example?key=hunter2", "https://hooks.example (rest not shown)"),
            ("https://a:hunter2@hooks.example:8443", "https://hooks.example:8443 (rest not shown)"),
            ("exec:/usr/bin/send --key hunter2", "exec:/usr/bin/send (rest not shown)"),
            ("exec:/usr/bin/send", "exec:/usr/bin/send"),
            ("https://hooks.example", "https://hooks.example"),
            ("log", "log"),
            ("hunter2", "(set, not shown)"),
        ] {
            let variable = |name: &str| match name {
                "IDENTSPHERE_NOTIFIER" => Some(set.to_owned()),
                "IDENTSPHERE_ISSUER" => Some("http://127.0.0.1:8080".to_owned()),
                _ => None,
            };
            let sources = SettingSources::from_lookup(None, variable).unwrap();
            let mut all = sources.effective();
            let notifier = all.find(|one| one.setting.name == "IDENTSPHERE_NOTIFIER").unwrap();
            assert_eq!(notifier.shown.as_deref(), Some(shown));
            let text = match sources.config() {
                Ok(config) => format!("{config:?} {}", sources.to_toml().unwrap()),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let url = "postgres://issuer:hunter2@127.0.0.1/issuer";
        let sources = |url: &str| {
            let variable = |name: &str| match name {
                "IDENTSPHERE_KEY_ENCRYPTION_KEY" => Some(KEY.to_owned()),
                "IDENTSPHERE_DATABASE_URL" => Some(url.to_owned()),
                _ => None,
            };
            SettingSources::from_lookup(None, variable).unwrap()
        };
        let (right, wrong) = (sources(url), sources("hunter2"));
        for sources in [&right, &wrong] {
            let shown: Vec<_> = sources.effective().collect();
            let shown = format!("{shown:?} {sources:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("AAAA"), "{shown}");
        }
        let shown: Vec<_> = right.effective().filter_map(|one| one.shown).collect();
        assert!(shown.contains(&"(set, not shown)".to_owned()), "{shown:?}");
        assert!(shown.contains(&"postgres://issuer@127.0.0.1/issuer".to_owned()), "{shown:?}");
    }
}
