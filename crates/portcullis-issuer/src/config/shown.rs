//! The settings as `config show` prints them.

use super::{DatabaseUrl, Origin, SETTINGS, Setting, SettingSources};

/// A setting with its value, for people to read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EffectiveSetting {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value or default, without secrets; `None` if it is not set and has no default.
    pub shown: Option<String>,
    /// Where the value comes from.
    pub origin: Origin,
}

impl SettingSources {
    /// Every setting with its value and where that comes from, in the order of [`SETTINGS`].
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

/// A database's URL without its password tells where the data is. No other secret is shown.
fn shown(setting: &Setting, text: &str) -> String {
    const NOT_SHOWN: &str = "(set, not shown)";
    if setting.name == "IDENTSPHERE_DATABASE_URL" {
        return DatabaseUrl::new(text).map_or(NOT_SHOWN.to_owned(), |url| url.to_string());
    }
    if setting.hides(text) { NOT_SHOWN.to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

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
